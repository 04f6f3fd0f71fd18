/**
 * A strict stand-in for the Logs Ingestion API and the token endpoint before it. Order and texts of its refusals
 * follow Microsoft's swagger (Azure/azure-rest-api-specs, DataCollectionRules 2023-01-01) and troubleshooting page.
 * Like the real service it answers 204 to rows that it then drops or changes; unlike it, it tells in `losses`.
 */
import { gunzipSync } from "node:zlib";
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer, type SimulatedRequest } from "./http-server.ts";
import { startEntra, type EntraOptions, type EntraSimulator } from "./sentinel-entra.ts";
import { startIncidents, type IncidentsSimulator } from "./sentinel-incidents.ts";
import { ALERT_EVENT_COLUMNS, storedRow, type ColumnType, type Loss } from "./sentinel-table.ts";

/** Identities that the simulator knows unless told otherwise. */
export const SENTINEL_DEMO = {
  tenantId: "11111111-2222-4333-8444-555555555555",
  clientId: "66666666-7777-4888-9999-000000000000",
  clientSecret: "demo-client-secret",
  dcrImmutableId: "dcr-0123456789abcdef0123456789abcdef",
  stream: "Custom-ASimAlertEventLogs",
} as const;

/** How the simulated tenant, rule and workspace are set up. */
export interface SentinelSimulatorOptions {
  readonly clientSecret?: string;
  /** Other ways to prove an identity that work beside the secret; see EntraOptions. */
  readonly proofs?: Pick<EntraOptions, "certificate" | "federatedToken" | "managedIdentity">;
  readonly stream?: string;
  /** Columns that the rule declares for its stream. Default: those of ASimAlertEventLogs. */
  readonly columns?: ReadonlyMap<string, ColumnType>;
  /** Further streams of the rule with their columns. Default none. */
  readonly streams?: ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;
  /** Audience of the cloud. Default `https://monitor.azure.com`. */
  readonly audience?: string;
  /** The role on the rule works from this time on. Default: always. */
  readonly roleFrom?: number;
  /** Audience of Resource Manager. Default `https://management.azure.com`. */
  readonly managementAudience?: string;
  /** Properties of the data collection rule in Resource Manager. Default: made of the streams. */
  readonly rule?: unknown;
  /** Actions of the role on the workspace. Default those of Microsoft Sentinel Responder that matter here. */
  readonly actions?: readonly string[];
  /** Incidents that may be written in five minutes. Default 75, the lowest documented. */
  readonly incidentsPerWindow?: number;
  /** Default 3599, as Entra gives. */
  readonly tokenLifeSeconds?: number;
  /** Requests that the rule takes in a minute. Default 12,000, the service's. */
  readonly requestsPerMinute?: number;
  /** A 429 says `Retry-After`. Default true. */
  readonly retryAfter?: boolean;
  /** Clock of both servers. Default the machine's. */
  readonly now?: () => number;
}

/** A running simulator. */
export interface SentinelSimulator {
  /** Data collection endpoint. */
  readonly url: string;
  /** Authority that gives tokens. */
  readonly authority: string;
  /** Address of Resource Manager. */
  readonly management: string;
  /** The workspace's incidents. */
  readonly workspace: IncidentsSimulator;
  /** Rows as the table keeps them, of one stream or of all. */
  received(stream?: string): readonly Readonly<Record<string, unknown>>[];
  /** What the service would have lost without a word. */
  losses(): readonly Loss[];
  /** Ingestion requests; token requests are counted apart. */
  requests(): number;
  tokenRequests(): number;
  /** Spoils the next ingestion requests, one fault each. */
  fail(...faults: readonly HttpFault[]): void;
  /** Spoils the next token requests. */
  failToken(...faults: readonly HttpFault[]): void;
  /** Makes all tokens given so far invalid. */
  revokeTokens(): void;
  close(): Promise<void>;
}

interface World {
  readonly options: Required<SentinelSimulatorOptions>;
  readonly entra: EntraSimulator;
  readonly rows: { readonly stream: string; readonly row: Readonly<Record<string, unknown>> }[];
  readonly losses: Loss[];
  /** Times of the requests of the last minute. */
  readonly recent: number[];
}

/** 1 MB, for the compressed and for the uncompressed body. */
const CALL_BYTES_MAX = 1_000_000;

/** Starts both servers on free loopback ports. */
export async function startSentinelSimulator(given: SentinelSimulatorOptions = {}): Promise<SentinelSimulator> {
  const options: Required<SentinelSimulatorOptions> = {
    clientSecret: SENTINEL_DEMO.clientSecret,
    proofs: {},
    stream: SENTINEL_DEMO.stream,
    columns: ALERT_EVENT_COLUMNS,
    streams: new Map(),
    managementAudience: "https://management.azure.com",
    rule: undefined,
    actions: ["*/read", "Microsoft.SecurityInsights/incidents/*"],
    incidentsPerWindow: 75,
    audience: "https://monitor.azure.com",
    roleFrom: 0,
    tokenLifeSeconds: 3599,
    requestsPerMinute: 12_000,
    retryAfter: true,
    now: Date.now,
    ...given,
  };
  const { tenantId, clientId } = SENTINEL_DEMO;
  const { clientSecret, proofs, tokenLifeSeconds, now } = options;
  const entra = await startEntra({ tenantId, clientId, clientSecret, ...proofs, tokenLifeSeconds, now });
  const { roleFrom, actions, incidentsPerWindow: writesPerWindow, managementAudience } = options;
  const refusal = (token: string, audience: string) => entra.refusal(token, audience);
  const workspace = await startIncidents({
    refusal,
    audience: managementAudience,
    now,
    roleFrom,
    actions,
    writesPerWindow,
    rule: () => options.rule ?? ruleOf(options),
  });
  const world: World = { options, entra, rows: [], losses: [], recent: [] };
  const faults = faultQueue<HttpFault>();
  const server = await startLoopback<HttpFault>({ fault: () => faults.next(), handle: (request) => ingest(request, world) });
  return {
    url: server.url,
    authority: entra.url,
    management: workspace.url,
    workspace,
    received: (stream) => world.rows.filter((one) => stream === undefined || one.stream === stream).map((one) => one.row),
    losses: () => world.losses,
    requests: () => server.requests(),
    tokenRequests: () => entra.requests(),
    fail: (...list) => faults.add(list),
    failToken: (...list) => entra.fail(...list),
    revokeTokens: () => entra.revoke(),
    close: async () => {
      await Promise.all([server.close(), entra.close(), workspace.close()]);
    },
  };
}

/** The rule as Resource Manager shows it. */
function ruleOf(options: Required<SentinelSimulatorOptions>): unknown {
  const streams = [[options.stream, options.columns] as const, ...options.streams];
  const columnsOf = (columns: ReadonlyMap<string, ColumnType>) => [...columns].map(([name, type]) => ({ name, type }));
  const streamDeclarations = Object.fromEntries(streams.map(([stream, columns]) => [stream, { columns: columnsOf(columns) }]));
  return { immutableId: SENTINEL_DEMO.dcrImmutableId, provisioningState: "Succeeded", streamDeclarations };
}

function ingest(request: SimulatedRequest, world: World): SimulatedAnswer {
  const refusal = denied(request, world) ?? misdirected(request, world.options) ?? throttled(world);
  if (refusal !== undefined) return refusal;
  const rows = readRows(request);
  if ("status" in rows) return rows;
  const now = world.options.now();
  const stream = decodeURIComponent(request.path.split("/").at(-1) ?? "");
  const columns = columnsOf(stream, world.options) ?? new Map();
  for (const row of rows) world.rows.push({ stream, row: storedRow(row, columns, now, world.rows.length, world.losses) });
  return { status: 204 };
}

function denied(request: SimulatedRequest, { options, entra }: World): SimulatedAnswer | undefined {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  const refusal = token === undefined ? "missing" : entra.refusal(token, options.audience);
  if (refusal === undefined) return undefined;
  const answer = refuse(401, "InvalidAuthenticationToken", `the access token is not valid (${refusal})`);
  return { ...answer, headers: { ...answer.headers, "www-authenticate": `Bearer authorization_uri="${entra.url}"` } };
}

function misdirected(request: SimulatedRequest, options: Required<SentinelSimulatorOptions>): SimulatedAnswer | undefined {
  const path = /^\/dataCollectionRules\/([^/]+)\/streams\/([^/]+)$/.exec(request.path);
  if (path === null) return refuse(404, "NotFound", "no such resource");
  if (request.method !== "POST") return refuse(405, "MethodNotAllowed", "only POST");
  // The query's keys arrive decoded: the vendor's own client writes `api%2Dversion`.
  const version = request.query.get("api-version");
  if (version === null) return refuse(400, "MissingApiVersionParameter", "api-version is required");
  if (version !== "2023-01-01") return refuse(400, "InvalidApiVersion", "unknown api-version");
  const [rule = "", stream = ""] = path.slice(1).map(decodeURIComponent);
  if (rule !== SENTINEL_DEMO.dcrImmutableId) return refuse(404, "NotFound", `data collection rule ${rule} not found`);
  if (options.now() < options.roleFrom) {
    return refuse(
      403,
      "OperationFailed",
      `The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '${rule}' ` +
        "PipelineAccessResult: AccessGranted: False, IsRbacPresent: False, IsDcrDceBindingValid: True",
    );
  }
  if (!/^(Custom|Microsoft)-/.test(stream)) return refuse(400, "InvalidStream", "stream names begin with Custom- or Microsoft-");
  return columnsOf(stream, options) === undefined ? refuse(404, "NotFound", `stream ${stream} is not declared`) : undefined;
}

function columnsOf(stream: string, options: Required<SentinelSimulatorOptions>): ReadonlyMap<string, ColumnType> | undefined {
  return stream === options.stream ? options.columns : options.streams.get(stream);
}

function throttled({ options, recent }: World): SimulatedAnswer | undefined {
  const now = options.now();
  while (recent[0] !== undefined && recent[0] <= now - 60_000) recent.shift();
  if (recent.length < options.requestsPerMinute) {
    recent.push(now);
    return undefined;
  }
  const answer = refuse(429, "TooManyRequests", "too many requests for this data collection rule");
  const wait = Math.ceil(((recent[0] ?? now) + 60_000 - now) / 1000);
  return options.retryAfter ? { ...answer, headers: { ...answer.headers, "retry-after": String(wait) } } : answer;
}

function readRows(request: SimulatedRequest): readonly Readonly<Record<string, unknown>>[] | SimulatedAnswer {
  const type = String(request.headers["content-type"] ?? "").toLowerCase();
  if (!/^application\/json(;|$)/.test(type)) return refuse(400, "InvalidContentType", "the content type must be application/json");
  if (request.body.length > CALL_BYTES_MAX) return refuse(413, "ContentLengthLimitExceeded", "the call is larger than 1 MB");
  const encoding = request.headers["content-encoding"] ?? "identity";
  try {
    const bytes = encoding === "gzip" ? gunzipSync(request.body, { maxOutputLength: CALL_BYTES_MAX + 1 }) : request.body;
    if (bytes.length > CALL_BYTES_MAX) return refuse(413, "ContentLengthLimitExceeded", "the call is larger than 1 MB uncompressed");
    if (encoding !== "gzip" && encoding !== "identity") return refuse(400, "InvalidContentEncoding", "gzip or nothing");
    const rows: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const objects = Array.isArray(rows) && rows.every((row) => typeof row === "object" && row !== null && !Array.isArray(row));
    return objects ? rows : refuse(400, "InvalidRequestContent", "the body must be an array of objects");
  } catch (error) {
    if (error instanceof RangeError) return refuse(413, "ContentLengthLimitExceeded", "the call is larger than 1 MB uncompressed");
    return refuse(400, "InvalidRequestContent", "the body is not JSON in UTF-8");
  }
}

function refuse(status: number, code: string, message: string): SimulatedAnswer {
  return { status, headers: { "x-ms-error-code": code }, body: { error: { code, message } } };
}
