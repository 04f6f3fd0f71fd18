/**
 * A strict stand-in for Splunk's HTTP Event Collector: tokens, envelopes, the documented codes, and the measured
 * habits that hurt (a batch is stored up to its first bad event, code 7 counts one too far, some errors are HTML).
 * Codes and texts follow Splunk's "Troubleshoot HTTP Event Collector".
 */
import { gunzipSync } from "node:zlib";
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer, type SimulatedRequest } from "./http-server.ts";
import { readEnvelopes, type HecEvent } from "./splunk-envelope.ts";

/** A fault that this simulator knows beside the general ones. */
interface SplunkFault extends HttpFault {
  /** Answers with this HEC code, its documented status and text; nothing is stored. */
  readonly code?: number;
  /** `invalid-event-number` beside `code`; events before it are stored, as the vendor does. */
  readonly invalidEventNumber?: number;
}

/** How the simulated collector and its token are set up. */
export interface SplunkSimulatorOptions {
  /** The one valid token, a GUID. Default `SPLUNK_DEMO_TOKEN`. */
  readonly token?: string;
  readonly tokenDisabled?: boolean;
  /** Indexes that the token may write to; without a list any name is accepted, as the vendor does. */
  readonly indexes?: readonly string[];
  readonly defaultIndex?: string;
  /** `max_content_length` in bytes. Default 838,860,800, the vendor's. */
  readonly bodyBytesMax?: number;
  /** The token has indexer acknowledgement: every request needs a channel. */
  readonly useAck?: boolean;
  /** What the health endpoint says: 17 healthy (default), 18 to 20, 23, 24, 25. */
  readonly healthCode?: number;
  readonly port?: number;
}

/** A running simulator. */
export interface SplunkSimulator {
  readonly url: string;
  /** Accepted envelopes, the highest revision per `fields.custodes_id`: what a search for the latest shows. */
  received(): readonly unknown[];
  /** Every accepted envelope, duplicates included. */
  accepted(): readonly HecEvent[];
  requests(): number;
  /** Spoils the next event requests, one fault each. */
  fail(...faults: readonly SplunkFault[]): void;
  close(): Promise<void>;
}

/** The token that the simulator accepts unless told otherwise. */
export const SPLUNK_DEMO_TOKEN = "5a9e3b1c-7d42-4f60-8c1e-2b6f0d9a7e34";

/** `[http_input] max_content_length` of current versions. */
const BODY_BYTES_MAX = 838_860_800;
const GUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** Every code: HTTP status and text. Texts of 21 to 27 vary between versions. */
export const HEC_CODES: ReadonlyMap<number, readonly [status: number, text: string]> = new Map([
  [0, [200, "Success"]],
  [1, [403, "Token disabled"]],
  [2, [401, "Token is required"]],
  [3, [401, "Invalid authorization"]],
  [4, [403, "Invalid token"]],
  [5, [400, "No data"]],
  [6, [400, "Invalid data format"]],
  [7, [400, "Incorrect index"]],
  [8, [500, "Internal server error"]],
  [9, [503, "Server is busy"]],
  [10, [400, "Data channel is missing"]],
  [11, [400, "Invalid data channel"]],
  [12, [400, "Event field is required"]],
  [13, [400, "Event field cannot be blank"]],
  [14, [400, "ACK is disabled"]],
  [15, [400, "Error in handling indexed fields"]],
  [16, [400, "Query string authorization is not enabled"]],
  [17, [200, "HEC is healthy"]],
  [18, [503, "HEC is unhealthy, queues are full"]],
  [19, [503, "HEC is unhealthy, ack service unavailable"]],
  [20, [503, "HEC is unhealthy, queues are full, ack service unavailable"]],
  [21, [400, "Invalid token"]],
  [22, [400, "Token disabled"]],
  [23, [503, "Server is shutting down"]],
  [24, [200, "Queue approaching capacity"]],
  [25, [200, "ACK channel approaching capacity"]],
  [26, [429, "Queue at capacity"]],
  [27, [429, "ACK channel at capacity"]],
]);

interface Collector {
  readonly options: SplunkSimulatorOptions;
  readonly accepted: HecEvent[];
  /** Acknowledgement ids per channel: asked-for ones are gone after one true answer. */
  readonly acks: Map<string, Set<number>>;
  nextAck: number;
}

/** Starts the simulator on a free loopback port. */
export async function startSplunkSimulator(options: SplunkSimulatorOptions = {}): Promise<SplunkSimulator> {
  const faults = faultQueue<SplunkFault>();
  const collector: Collector = { options, accepted: [], acks: new Map(), nextAck: 0 };
  const server = await startLoopback<SplunkFault>({
    ...(options.port === undefined ? {} : { port: options.port }),
    fault: (request) => (EVENT_PATHS.has(request.path) ? faults.next() : undefined),
    handle: (request, fault) => route(request, collector, fault),
  });
  return {
    url: server.url,
    requests: () => server.requests(),
    received: () => newest(collector.accepted),
    accepted: () => collector.accepted,
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function newest(accepted: readonly HecEvent[]): readonly HecEvent[] {
  const latest = new Map<unknown, HecEvent>();
  for (const event of accepted) {
    const id = event.fields?.["custodes_id"] ?? event;
    const known = latest.get(id);
    if (known === undefined || revisionOf(event) >= revisionOf(known)) latest.set(id, event);
  }
  return [...latest.values()];
}

function revisionOf(event: HecEvent): number {
  return Number(event.fields?.["custodes_revision"] ?? 0);
}

const EVENT_PATHS: ReadonlySet<string> = new Set(["", "/event", "/1.0", "/event/1.0"].map((suffix) => `/services/collector${suffix}`));

function route(request: SimulatedRequest, collector: Collector, fault: SplunkFault | undefined): SimulatedAnswer {
  const { path, method } = request;
  if (/^\/services\/collector\/health(\/1\.0)?$/.test(path)) {
    return method === "GET" ? answer(collector.options.healthCode ?? 17) : NOT_FOUND_METHOD;
  }
  const isAck = path === "/services/collector/ack";
  if (!EVENT_PATHS.has(path) && !isAck)
    return { status: 404, body: { text: "The requested URL was not found on this server.", code: 404 } };
  if (method !== "POST") return NOT_FOUND_METHOD;
  const denied = authorize(request, collector.options);
  if (denied !== undefined) return answer(denied);
  if (isAck) return acknowledge(request, collector);
  if (request.body.length > (collector.options.bodyBytesMax ?? BODY_BYTES_MAX)) return html(413, "Request Entity Too Large");
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "gzip" && encoding !== "identity") return html(415, "Unsupported Media Type");
  const text = decoded(request.body, encoding === "gzip");
  if (text === undefined) return html(400, "Bad Request");
  const channel = channelOf(request);
  if (collector.options.useAck === true && channel === undefined) return answer(10);
  if (channel !== undefined && !GUID.test(channel)) return answer(11);
  if (text.trim() === "") return answer(5);
  return store(text, collector, fault, channel);
}

function store(text: string, collector: Collector, fault: SplunkFault | undefined, channel: string | undefined): SimulatedAnswer {
  const read = readEnvelopes(text, collector.options.indexes);
  if (fault?.code !== undefined) {
    collector.accepted.push(...read.events.slice(0, fault.invalidEventNumber ?? 0));
    if (HEC_CODES.get(fault.code)?.[0] === 200) collector.accepted.push(...read.events);
    return answer(fault.code, fault.invalidEventNumber);
  }
  // The vendor reads as a stream: what came before the bad event is already in.
  collector.accepted.push(...read.events);
  if (read.error !== undefined) return answer(read.error.code, read.error.at);
  if (collector.options.useAck !== true || channel === undefined) return answer(0);
  const acks = collector.acks.get(channel) ?? new Set<number>();
  collector.acks.set(channel, acks);
  const ackId = collector.nextAck++;
  acks.add(ackId);
  return { status: 200, body: { text: "Success", code: 0, ackId } };
}

/** 2 without a credential, 3 for a scheme it does not know, 4 for a wrong token, 1 for a disabled one. */
function authorize(request: SimulatedRequest, options: SplunkSimulatorOptions): number | undefined {
  const header = request.headers.authorization;
  if (header === undefined) return request.query.has("token") ? 16 : 2;
  const [scheme, value = ""] = header.split(" ");
  const basic = scheme === "Basic" ? Buffer.from(value, "base64").toString("utf8").split(":")[1] : undefined;
  const token = scheme === "Splunk" ? value : basic;
  if (token === undefined) return 3;
  if (token !== (options.token ?? SPLUNK_DEMO_TOKEN)) return 4;
  return options.tokenDisabled === true ? 1 : undefined;
}

/** The check for acknowledgement comes before that of the channel, and a true answer is given once. */
function acknowledge(request: SimulatedRequest, collector: Collector): SimulatedAnswer {
  if (collector.options.useAck !== true) return answer(14);
  const channel = channelOf(request);
  if (channel === undefined) return answer(10);
  if (!GUID.test(channel)) return answer(11);
  const known = collector.acks.get(channel);
  const { acks = [] } = JSON.parse(request.body.toString("utf8")) as { acks?: readonly number[] };
  return { status: 200, body: { acks: Object.fromEntries(acks.map((id) => [String(id), known?.delete(id) ?? false])) } };
}

function channelOf(request: SimulatedRequest): string | undefined {
  const header = request.headers["x-splunk-request-channel"];
  return typeof header === "string" ? header : (request.query.get("channel") ?? undefined);
}

function decoded(body: Buffer, gzip: boolean): string | undefined {
  try {
    return (gzip ? gunzipSync(body) : body).toString("utf8");
  } catch {
    // Broken gzip is an answer of its own, not an accident.
    return undefined;
  }
}

function answer(code: number, invalidEventNumber?: number): SimulatedAnswer {
  const [status, text] = HEC_CODES.get(code) ?? [500, "unknown code"];
  return { status, body: { text, code, ...(invalidEventNumber === undefined ? {} : { "invalid-event-number": invalidEventNumber }) } };
}

/** The vendor answers 405 with a body that says 404. */
const NOT_FOUND_METHOD: SimulatedAnswer = { status: 405, body: { text: "The requested URL was not found on this server.", code: 404 } };

function html(status: number, title: string): SimulatedAnswer {
  return {
    status,
    headers: { "content-type": "text/html" },
    body: `<!doctype html><html><head><title>${title}</title></head><body></body></html>`,
  };
}
