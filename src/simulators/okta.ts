/**
 * A stand-in for Okta's System Log API: polling and bounded requests, next links, page sizes, rate-limit headers
 * and the token check. Events are kept in the order in which they were stored, which need not be that of `published`.
 * https://developer.okta.com/docs/reference/system-log-query/
 */
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer, type SimulatedRequest } from "./http-server.ts";

/** A LogEvent as far as the simulator looks at it. */
export interface OktaLogEvent {
  readonly uuid: string;
  /** ISO 8601. */
  readonly published: string;
  readonly [key: string]: unknown;
}

/** How the organization behaves. */
export interface OktaOptions {
  /** The one credential it accepts, as the value of the Authorization header, e.g. `SSWS secret`. */
  readonly authorization: string;
  readonly events?: readonly OktaLogEvent[];
  /** Requests per minute by its own clock. Default 120, the smallest real limit of this path. */
  readonly perMinute?: number;
  /** Default: the machine's. */
  readonly now?: () => number;
}

/** A running organization. */
export interface OktaSimulator {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Stores more events, after all that are there. */
  add(events: readonly OktaLogEvent[]): void;
  /** Spoils the next requests. */
  fault(...faults: readonly HttpFault[]): void;
  /** Requests so far. */
  requests(): number;
  /** Path and query of each request so far. */
  asked(): readonly string[];
  close(): Promise<void>;
}

/** Okta's limits of a page. */
const LIMIT_MAX = 1000;
const LIMIT_DEFAULT = 100;
const MINUTE_MS = 60_000;

/** Starts an organization. */
export async function oktaSimulator(options: OktaOptions): Promise<OktaSimulator> {
  const stored: OktaLogEvent[] = [...(options.events ?? [])];
  const now = options.now ?? (() => Date.now());
  const perMinute = options.perMinute ?? 120;
  const faults = faultQueue<HttpFault>();
  const asked: string[] = [];
  let window = { start: 0, used: 0 };
  let base = "";

  const handle = (request: SimulatedRequest): SimulatedAnswer => {
    if (now() - window.start >= MINUTE_MS) window = { start: now(), used: 0 };
    window.used++;
    const limits = {
      "x-rate-limit-limit": String(perMinute),
      "x-rate-limit-remaining": String(Math.max(0, perMinute - window.used)),
      "x-rate-limit-reset": String(Math.ceil((window.start + MINUTE_MS) / 1000)),
      date: new Date(now()).toUTCString(),
    };
    if (request.headers.authorization !== options.authorization) return problem(401, "E0000011", "Invalid token provided", limits);
    if (window.used > perMinute) return problem(429, "E0000047", "API call exceeded rate limit due to too many requests.", limits);
    if (request.path !== "/api/v1/logs") return problem(404, "E0000022", "The endpoint does not support the provided HTTP method", limits);
    return page(stored, request.query, base, limits);
  };

  const server = await startLoopback<HttpFault>({
    handle,
    fault: (request) => {
      asked.push(`${request.path}?${request.query.toString()}`);
      return faults.next();
    },
  });
  base = server.url;
  return {
    url: server.url,
    add: (events) => void stored.push(...events),
    fault: (...list) => faults.add(list),
    requests: () => server.requests(),
    asked: () => asked,
    close: () => server.close(),
  };
}

function page(
  stored: readonly OktaLogEvent[],
  query: URLSearchParams,
  base: string,
  headers: Readonly<Record<string, string>>,
): SimulatedAnswer {
  const limit = Number(query.get("limit") ?? LIMIT_DEFAULT);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) return problem(400, "E0000001", "Api validation failed: limit", headers);
  const bounded = query.has("until");
  const ascending = query.get("sortOrder") === "ASCENDING";
  const since = Date.parse(query.get("since") ?? "");
  const until = Date.parse(query.get("until") ?? "9999-12-31T00:00:00Z");
  const after = query.get("after");
  if (after !== null && !/^\d{1,9}$/.test(after)) return problem(400, "E0000001", "Api validation failed: after", headers);
  // Polling goes by the order of storing, bounded requests by the time of publishing.
  const order = stored.map((event, index) => ({ event, index }));
  if (bounded || !ascending) order.sort((a, b) => Date.parse(a.event.published) - Date.parse(b.event.published) || a.index - b.index);
  if (!ascending) order.reverse();
  const from = after === null ? 0 : Number(after);
  const found: OktaLogEvent[] = [];
  let position = from;
  for (; position < order.length && found.length < limit; position++) {
    const event = order[position]?.event;
    if (event === undefined) break;
    const time = Date.parse(event.published);
    if (after !== null || Number.isNaN(since) || time >= since) if (time < until) found.push(event);
  }
  const self = new URL(`/api/v1/logs?${query.toString()}`, base);
  const next = new URL(self);
  next.searchParams.set("after", String(position));
  const polling = ascending && !bounded;
  const links = [`<${self.href}>; rel="self"`, ...(polling || position < order.length ? [`<${next.href}>; rel="next"`] : [])];
  return { status: 200, headers: { ...headers, link: links.join(", ") }, body: found };
}

/** https://developer.okta.com/docs/reference/error-codes/ */
function problem(status: number, errorCode: string, errorSummary: string, headers: Readonly<Record<string, string>>): SimulatedAnswer {
  return { status, headers, body: { errorCode, errorSummary, errorLink: errorCode, errorId: "oaeSimulated", errorCauses: [] } };
}
