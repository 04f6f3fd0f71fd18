/**
 * A strict stand-in for PagerDuty's Events API v2: refuses what the documentation refuses and keeps the alerts
 * that the accepted events open, fold into, acknowledge and resolve ("Events API v2 Overview", "Send an Alert Event").
 */
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer, type SimulatedRequest } from "./http-server.ts";
import { changeErrors, eventErrors } from "./pagerduty-event.ts";
import { restAnswer, type PagerdutyService } from "./pagerduty-rest.ts";

/** The routing key that the simulator knows unless told otherwise. */
export const PAGERDUTY_DEMO_KEY = "0123456789abcdef0123456789abcdef";

/** How the simulated account is set up. */
export interface PagerdutySimulatorOptions {
  /** Integration keys that exist. */
  readonly routingKeys?: readonly string[];
  /** Events a minute and key. Default 120, the service's. */
  readonly eventsPerMinute?: number;
  /** A 429 says `Retry-After`. Default false: the documentation promises no header. */
  readonly retryAfter?: boolean;
  /** Status for events above 512,000 bytes, which is not documented. Default 400. */
  readonly tooLargeStatus?: 400 | 413;
  /** REST API keys that exist. Default none. */
  readonly apiTokens?: readonly string[];
  /** Services of the account, by id. Default none. */
  readonly services?: Readonly<Record<string, PagerdutyService>>;
  /** Default the machine's clock. */
  readonly now?: () => number;
}

/** An alert as PagerDuty shows it. One dedup_key has one open alert at most. */
export interface PagerdutyAlert {
  readonly dedupKey: string;
  readonly status: "triggered" | "acknowledged" | "resolved";
  /** Payload of the newest trigger. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** Triggers that it took. */
  readonly triggers: number;
}

/** A running simulator. */
export interface PagerdutySimulator {
  readonly url: string;
  /** Alerts in the order in which they were opened. */
  received(): readonly PagerdutyAlert[];
  /** Every accepted event as it was sent, dropped ones included. */
  events(): readonly Readonly<Record<string, unknown>>[];
  /** Accepted acknowledge and resolve events that no open alert of their routing key wanted. */
  dropped(): number;
  requests(): number;
  /** Spoils the next requests, one fault each. */
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

type Json = Readonly<Record<string, unknown>>;
interface World {
  readonly options: Required<PagerdutySimulatorOptions>;
  readonly alerts: (PagerdutyAlert & { readonly routingKey: string })[];
  readonly events: Json[];
  readonly recent: Map<string, number[]>;
  dropped: number;
  unnamed: number;
}

/** 512 KB, as Alertmanager counts them. */
const BODY_BYTES_MAX = 512_000;

/** Starts the simulator on a free loopback port. */
export async function startPagerdutySimulator(given: PagerdutySimulatorOptions = {}): Promise<PagerdutySimulator> {
  const options: Required<PagerdutySimulatorOptions> = {
    routingKeys: [PAGERDUTY_DEMO_KEY],
    eventsPerMinute: 120,
    retryAfter: false,
    tooLargeStatus: 400,
    apiTokens: [],
    services: {},
    now: Date.now,
    ...given,
  };
  const world: World = { options, alerts: [], events: [], recent: new Map(), dropped: 0, unnamed: 0 };
  const faults = faultQueue<HttpFault>();
  const server = await startLoopback<HttpFault>({ fault: () => faults.next(), handle: (request) => enqueue(request, world) });
  return {
    url: server.url,
    received: () => world.alerts.map(({ dedupKey, status, payload, triggers }) => ({ dedupKey, status, payload, triggers })),
    events: () => world.events,
    dropped: () => world.dropped,
    requests: () => server.requests(),
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function enqueue(request: SimulatedRequest, world: World): SimulatedAnswer {
  const rest = restAnswer(request, world.options);
  if (rest !== undefined) return rest;
  const isChange = request.path === "/v2/change/enqueue";
  if (request.path !== "/v2/enqueue" && !isChange) return { status: 404, body: { status: "not found", message: "no such resource" } };
  if (request.method !== "POST") return { status: 405, body: { status: "method not allowed", message: "only POST" } };
  const { options } = world;
  if (request.body.length > BODY_BYTES_MAX) return invalid(["Event object exceeds the size limit of 512 KB"], options.tooLargeStatus);
  const event = parsed(request);
  if (event === undefined)
    return {
      status: 400,
      body: { status: "Unrecognized object", message: "Event object format is unrecognized", errors: ["JSON parse error"] },
    };
  const errors = isChange ? changeErrors(event) : eventErrors(event);
  const key = typeof event["routing_key"] === "string" ? event["routing_key"] : "";
  if (errors.length === 0 && !options.routingKeys.includes(key)) errors.push("Invalid routing key");
  if (errors.length > 0) return invalid(errors, 400);
  const wait = throttled(key, world);
  if (wait !== undefined)
    return { status: 429, headers: options.retryAfter ? { "retry-after": String(wait) } : {}, body: "Request Limit Exceeded" };
  // Nobody is notified of a change, and it belongs to no alert.
  if (isChange) return { status: 202, body: { status: "success", message: "Change event processed" } };
  world.events.push(event);
  return { status: 202, body: { status: "success", message: "Event processed", dedup_key: apply(event, key, world) } };
}

function parsed(request: SimulatedRequest): Json | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request.body));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    // Not JSON in UTF-8: the caller answers as the service does.
    return undefined;
  }
}

function invalid(errors: readonly string[], status: number): SimulatedAnswer {
  return { status, body: { status: "invalid event", message: "Event object is invalid", errors } };
}

/** Seconds until the key may send again; undefined when it may now. The window slides. */
function throttled(key: string, { options, recent }: World): number | undefined {
  const now = options.now();
  const times = (recent.get(key) ?? []).filter((time) => time > now - 60_000);
  recent.set(key, times);
  if (times.length >= options.eventsPerMinute) return Math.ceil(((times[0] ?? now) + 60_000 - now) / 1000);
  times.push(now);
  return undefined;
}

/** Carries an accepted event out and gives its dedup_key. */
function apply(event: Json, routingKey: string, world: World): string {
  const given = event["dedup_key"];
  // A trigger without a key always opens an alert of its own.
  const dedupKey = typeof given === "string" && given !== "" ? given : `unnamed-${++world.unnamed}`;
  const at = world.alerts.findIndex(
    (alert) => alert.routingKey === routingKey && alert.dedupKey === dedupKey && alert.status !== "resolved",
  );
  const open = world.alerts[at];
  if (event["event_action"] === "trigger") {
    const payload = event["payload"] as Json;
    if (open === undefined) world.alerts.push({ routingKey, dedupKey, status: "triggered", payload, triggers: 1 });
    else world.alerts[at] = { ...open, payload, triggers: open.triggers + 1 };
  } else if (open === undefined) world.dropped++;
  else world.alerts[at] = { ...open, status: event["event_action"] === "resolve" ? "resolved" : "acknowledged" };
  return dedupKey;
}
