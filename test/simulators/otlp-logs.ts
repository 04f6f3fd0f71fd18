/**
 * A strict OTLP/HTTP receiver of logs in JSON: field names, integers as texts, hex ids, AnyValues with exactly one value, gzip, and a credential.
 * Written from opentelemetry-proto's logs.proto, common.proto and "JSON Protobuf Encoding".
 */
import { gunzipSync } from "node:zlib";
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";

/** A log record with its attributes and body as plain values. */
export interface ReceivedLog {
  readonly severityNumber: number;
  readonly eventName: string;
  readonly timeUnixNano: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly traceId?: string;
  readonly spanId?: string;
}

/** A running receiver. */
export interface OtlpSimulator {
  readonly url: string;
  received(): readonly ReceivedLog[];
  requests(): number;
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

/** `refuse`: log records that are too many are refused, as a partial success. `bytesMax`: of a request, unpacked. */
export async function startOtlpSimulator(
  options: {
    readonly token?: string;
    readonly refuse?: (log: ReceivedLog) => boolean;
    readonly bytesMax?: number;
    readonly warning?: string;
  } = {},
): Promise<OtlpSimulator> {
  const faults = faultQueue<HttpFault>();
  const logs: ReceivedLog[] = [];
  const server = await startLoopback<HttpFault>({
    fault: () => faults.next(),
    handle: (request): SimulatedAnswer => {
      if (request.path !== "/v1/logs") return { status: 404, body: "404 page not found" };
      if (request.method !== "POST") return { status: 405 };
      if (options.token !== undefined && request.headers.authorization !== options.token) return { status: 401 };
      if (request.headers["content-type"] !== "application/json") return { status: 415 };
      const text = unpacked(request);
      if (text === undefined) return { status: 400 };
      if (text.length > (options.bytesMax ?? 4_000_000)) return { status: 413 };
      try {
        const all = logsIn(JSON.parse(text));
        const good = all.filter((log) => options.refuse?.(log) !== true);
        logs.push(...good);
        const rejected = all.length - good.length;
        if (rejected === 0 && options.warning === undefined) return { status: 200, body: {} };
        const partial = { ...(rejected === 0 ? {} : { rejectedLogRecords: String(rejected) }), errorMessage: options.warning ?? "too old" };
        return { status: 200, body: { partialSuccess: partial } };
      } catch (error) {
        return { status: 400, body: { code: 3, message: error instanceof Error ? error.message : "" } };
      }
    },
  });
  return {
    url: server.url,
    received: () => logs,
    requests: () => server.requests(),
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function unpacked({ headers, body }: SimulatedRequest): string | undefined {
  try {
    return (headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString("utf8");
  } catch {
    return undefined;
  }
}

type Json = Readonly<Record<string, unknown>>;

/** An object with no other than these keys. */
function object(value: unknown, keys: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
  for (const key of Object.keys(value)) if (!keys.split(" ").includes(key)) throw new Error(`no such field: ${key}`);
  return value as Json;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("not a list");
  return value;
}

function logsIn(request: unknown): ReceivedLog[] {
  return list(object(request, "resourceLogs")["resourceLogs"]).flatMap((one) => {
    const { resource, scopeLogs } = object(one, "resource scopeLogs schemaUrl");
    const { attributes } = object(resource, "attributes droppedAttributesCount");
    if (attributesOf(attributes)["service.name"] === undefined) throw new Error("no service.name");
    return list(scopeLogs).flatMap((logs) => {
      const { scope, logRecords } = object(logs, "scope logRecords schemaUrl");
      object(scope, "name version attributes");
      return list(logRecords).map(logOf);
    });
  });
}

function logOf(value: unknown): ReceivedLog {
  const keys =
    "timeUnixNano observedTimeUnixNano severityNumber severityText body attributes traceId spanId flags eventName droppedAttributesCount";
  const log = object(value, keys);
  for (const key of ["timeUnixNano", "observedTimeUnixNano"] as const)
    if (!isInteger(log[key])) throw new Error(`${key} is no 64-bit integer`);
  const { severityNumber: severity } = log;
  if (typeof severity !== "number" || severity < 1 || severity > 24) throw new Error("no severity");
  if (log["traceId"] !== undefined && !/^[0-9a-f]{32}$/.test(JSON.stringify(log["traceId"]).slice(1, -1))) throw new Error("no trace id");
  if (log["spanId"] !== undefined && !/^[0-9a-f]{16}$/.test(JSON.stringify(log["spanId"]).slice(1, -1))) throw new Error("no span id");
  return { ...log, attributes: attributesOf(log["attributes"]), body: valueOf(log["body"]) } as unknown as ReceivedLog;
}

function attributesOf(value: unknown): Record<string, unknown> {
  const pairs = list(value).map((one): [string, unknown] => {
    const { key, value: inner } = object(one, "key value");
    if (typeof key !== "string" || key === "") throw new Error("no key");
    return [key, valueOf(inner)];
  });
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error("a key stands twice");
  return Object.fromEntries(pairs);
}

/** AnyValue, a choice of one. */
function valueOf(value: unknown): unknown {
  const [[kind, inner] = ["", undefined], ...more] = Object.entries(
    object(value, "stringValue boolValue intValue doubleValue arrayValue kvlistValue bytesValue"),
  );
  if (more.length > 0) throw new Error("a value of two kinds");
  switch (kind) {
    case "stringValue":
    case "boolValue":
    case "doubleValue":
      if (typeof inner !== kind.replace("Value", "").replace("bool", "boolean").replace("double", "number")) throw new Error(`no ${kind}`);
      return inner;
    case "intValue":
      if (!isInteger(inner)) throw new Error("no 64-bit integer");
      return Number(inner);
    case "arrayValue":
      return list(object(inner, "values")["values"]).map(valueOf);
    case "kvlistValue":
      return attributesOf(object(inner, "values")["values"]);
    default:
      throw new Error("a value of no kind");
  }
}

function isInteger(value: unknown): boolean {
  return typeof value === "string" && /^-?\d{1,19}$/.test(value) && BigInt(value) <= 9_223_372_036_854_775_807n;
}
