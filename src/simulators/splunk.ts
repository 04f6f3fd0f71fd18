/**
 * A strict stand-in for Splunk's HTTP Event Collector: tokens, envelopes, acknowledgement, the documented codes, and the measured
 * habits that hurt (a batch is stored up to its first bad event, code 7 counts one too far, some errors are HTML, a true
 * acknowledgement is told once). Codes and texts follow Splunk's "Troubleshoot HTTP Event Collector".
 */
import { gunzipSync } from "node:zlib";
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer, type SimulatedRequest } from "./http-server.ts";
import { ACK_LIMITS, ackStore, type AckLimits, type AckStore } from "./splunk-acks.ts";
import { codeAnswer, HEC_CODES, htmlAnswer, UNKNOWN_PATH, WRONG_METHOD } from "./splunk-codes.ts";
import { readEnvelopes, type HecEvent } from "./splunk-envelope.ts";
import { INDEX_PATH, managementAnswer, type SimulatedManagement } from "./splunk-management.ts";

/** A fault that this simulator knows beside the general ones. */
interface SplunkFault extends HttpFault {
  /** Answers with this HEC code, its documented status and text; nothing is stored unless its status is 200. */
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
  /** `max_content_length` in bytes. Default 838,860,800, the vendor's. */
  readonly bodyBytesMax?: number;
  /** The token has indexer acknowledgement: every request needs a channel. */
  readonly useAck?: boolean;
  /** `by-hand`: what was taken stays in memory until `index()`. Default `at-once`. */
  readonly indexing?: "at-once" | "by-hand";
  readonly ackLimits?: Partial<AckLimits>;
  /** Nodes behind a load balancer that hands requests round and gives a cookie `hecnode`. Default 1, without a cookie. */
  readonly nodes?: number;
  /** What the health endpoint says: 17 healthy (default), 18 to 20, 23, 24, 25. */
  readonly healthCode?: number;
  /** The management port; it listens at the same address. */
  readonly management?: SimulatedManagement;
  readonly now?: () => number;
  readonly port?: number;
}

/** What was asked about acknowledgements in one request. */
export interface AckQuestion {
  readonly channel: string;
  readonly node: number;
  readonly acks: readonly number[];
}

/** A running simulator. */
export interface SplunkSimulator {
  readonly url: string;
  /** Accepted envelopes, the highest revision per `fields.custodes_id`: what a search for the latest shows. */
  received(): readonly unknown[];
  /** Every envelope that it has, duplicates included, also what is not indexed yet. */
  accepted(): readonly HecEvent[];
  requests(): number;
  /** Every question about acknowledgements so far. */
  asked(): readonly AckQuestion[];
  /** Indexes what is in memory, so that it is acknowledged and survives a crash. */
  index(): void;
  /** All nodes die and start again: what was in memory is gone, events and acknowledgements. */
  crash(): void;
  /** Spoils the next event requests, one fault each. */
  fail(...faults: readonly SplunkFault[]): void;
  /** Spoils the next questions about acknowledgements, one fault each. */
  failAck(...faults: readonly SplunkFault[]): void;
  /** Another set-up of the token from now on, as after an administrator's change. */
  change(options: Pick<SplunkSimulatorOptions, "useAck" | "tokenDisabled">): void;
  close(): Promise<void>;
}

/** The token that the simulator accepts unless told otherwise. */
export const SPLUNK_DEMO_TOKEN = "5a9e3b1c-7d42-4f60-8c1e-2b6f0d9a7e34";

/** `[http_input] max_content_length` of current versions. */
const BODY_BYTES_MAX = 838_860_800;
const GUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

interface Collector {
  options: SplunkSimulatorOptions;
  /** In the order of arrival. */
  events: { readonly event: HecEvent; isIndexed: boolean }[];
  readonly nodes: readonly AckStore[];
  readonly asked: AckQuestion[];
  turn: number;
}

/** Starts the simulator on a free loopback port. */
export async function startSplunkSimulator(options: SplunkSimulatorOptions = {}): Promise<SplunkSimulator> {
  const faults = faultQueue<SplunkFault>();
  const ackFaults = faultQueue<SplunkFault>();
  const limits = { ...ACK_LIMITS, ...options.ackLimits };
  const nodes = Array.from({ length: options.nodes ?? 1 }, () => ackStore(limits, options.now ?? Date.now));
  const collector: Collector = { options, events: [], nodes, asked: [], turn: 0 };
  const server = await startLoopback<SplunkFault>({
    ...(options.port === undefined ? {} : { port: options.port }),
    fault: ({ path }) => (EVENT_PATHS.has(path) ? faults.next() : path === ACK_PATH ? ackFaults.next() : undefined),
    handle: (request, fault) => route(request, collector, fault),
  });
  const accepted = (): HecEvent[] => collector.events.map(({ event }) => event);
  return {
    url: server.url,
    requests: () => server.requests(),
    received: () => newest(accepted()),
    accepted,
    asked: () => collector.asked,
    index: () => index(collector),
    crash: () => {
      collector.events = collector.events.filter(({ isIndexed }) => isIndexed);
      for (const node of nodes) node.forget();
    },
    fail: (...list) => faults.add(list),
    failAck: (...list) => ackFaults.add(list),
    change: (changes) => void (collector.options = { ...collector.options, ...changes }),
    close: () => server.close(),
  };
}

function index({ events, nodes }: Collector): void {
  for (const one of events) one.isIndexed = true;
  for (const node of nodes) node.index();
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
const ACK_PATH = "/services/collector/ack";

function route(request: SimulatedRequest, collector: Collector, fault: SplunkFault | undefined): SimulatedAnswer {
  const { path, method } = request;
  const { options } = collector;
  if (/^\/services\/collector\/health(\/1\.0)?$/.test(path)) return method === "GET" ? codeAnswer(options.healthCode ?? 17) : WRONG_METHOD;
  if (options.management !== undefined && path.startsWith(INDEX_PATH)) return managementAnswer(request, options.management);
  if (!EVENT_PATHS.has(path) && path !== ACK_PATH) return UNKNOWN_PATH;
  if (method !== "POST") return WRONG_METHOD;
  const denied = authorize(request, options);
  if (denied !== undefined) return codeAnswer(denied);
  const node = nodeOf(request, collector);
  const answer = path === ACK_PATH ? acknowledge(request, collector, node, fault) : take(request, collector, node, fault);
  return collector.nodes.length === 1 ? answer : { ...answer, headers: { ...answer.headers, "set-cookie": `hecnode=n${node}; Path=/` } };
}

/** The node that the cookie names, else the next one in turn. */
function nodeOf({ headers }: SimulatedRequest, collector: Collector): number {
  const named = /(?:^|; )hecnode=n(\d+)/.exec(headers.cookie ?? "")?.[1];
  return named === undefined ? collector.turn++ % collector.nodes.length : Number(named) % collector.nodes.length;
}

function take(request: SimulatedRequest, collector: Collector, node: number, fault: SplunkFault | undefined): SimulatedAnswer {
  const { options } = collector;
  if (request.body.length > (options.bodyBytesMax ?? BODY_BYTES_MAX)) return htmlAnswer(413, "Request Entity Too Large");
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "gzip" && encoding !== "identity") return htmlAnswer(415, "Unsupported Media Type");
  const text = decoded(request.body, encoding === "gzip");
  if (text === undefined) return htmlAnswer(400, "Bad Request");
  const channel = channelOf(request);
  if (options.useAck === true && channel === undefined) return codeAnswer(10);
  if (channel !== undefined && !GUID.test(channel)) return codeAnswer(11);
  if (text.trim() === "") return codeAnswer(5);
  const read = readEnvelopes(text, options.indexes);
  if (fault?.code !== undefined && HEC_CODES.get(fault.code)?.[0] !== 200) {
    store(collector, read.events.slice(0, fault.invalidEventNumber ?? 0));
    return codeAnswer(fault.code, { "invalid-event-number": fault.invalidEventNumber });
  }
  const hasAck = options.useAck === true && channel !== undefined && read.error === undefined;
  const ack = hasAck ? collector.nodes[node]!.issue(channel) : undefined;
  if (hasAck && ack === undefined) return codeAnswer(27);
  // The vendor reads as a stream: what came before the bad event is already in.
  store(collector, read.events);
  if (read.error !== undefined) return codeAnswer(read.error.code, { "invalid-event-number": read.error.at });
  return codeAnswer(fault?.code ?? (ack?.isNearlyFull === true ? 25 : 0), { ackId: ack?.id });
}

function store(collector: Collector, events: readonly HecEvent[]): void {
  collector.events.push(...events.map((event) => ({ event, isIndexed: false })));
  if (collector.options.indexing !== "by-hand") index(collector);
}

/** 2 without a credential, 3 for a scheme it does not know, 4 for a wrong token, 1 for a disabled one. */
function authorize(request: SimulatedRequest, options: SplunkSimulatorOptions): number | undefined {
  const header = request.headers.authorization;
  const valid = options.token ?? SPLUNK_DEMO_TOKEN;
  if (header === undefined) {
    const query = request.query.get("token");
    return query === null ? 2 : query === valid ? 16 : 4;
  }
  const [scheme, value = ""] = header.split(" ");
  const basic = scheme === "Basic" ? Buffer.from(value, "base64").toString("utf8").split(":")[1] : undefined;
  const token = scheme === "Splunk" ? value : basic;
  if (token === undefined) return 3;
  if (token !== valid) return 4;
  return options.tokenDisabled === true ? 1 : undefined;
}

/** The check for acknowledgement comes before that of the channel. */
function acknowledge(request: SimulatedRequest, collector: Collector, node: number, fault: SplunkFault | undefined): SimulatedAnswer {
  if (fault?.code !== undefined) return codeAnswer(fault.code);
  if (collector.options.useAck !== true) return codeAnswer(14);
  const channel = channelOf(request);
  if (channel === undefined) return codeAnswer(10);
  if (!GUID.test(channel)) return codeAnswer(11);
  const acks = acksOf(request.body.toString("utf8"));
  if (acks === undefined) return codeAnswer(6);
  collector.asked.push({ channel, node, acks });
  return { status: 200, body: { acks: collector.nodes[node]!.ask(channel, acks) } };
}

function acksOf(text: string): readonly number[] | undefined {
  try {
    const { acks } = JSON.parse(text) as { acks?: unknown };
    return Array.isArray(acks) && acks.every((id) => Number.isSafeInteger(id) && (id as number) >= 0) ? (acks as number[]) : undefined;
  } catch {
    // What is no JSON is an answer of its own, not an accident.
    return undefined;
  }
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
