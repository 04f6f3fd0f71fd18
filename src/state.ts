import { encodeEvent } from "./core/event-codec.ts";
import { directory, type Directory } from "./core/identity/directory.ts";
import { CONTINUOUS_JOB } from "./pipeline/correlate.ts";
import { explainStored } from "./pipeline/explain-event.ts";
import { summarizeBaselines } from "./pipeline/show-baselines.ts";
import type { FieldGap } from "./pipeline/gaps.ts";
import type { RulesStatus } from "./live-rules.ts";
import type { DeliveryStatus, SourceState, Store } from "./ports/store.ts";

/** What can be asked of a service, running or stopped. */
export const STATE_QUERIES = [
  "sources",
  "incidents",
  "incident",
  "deadletters",
  "deadletter",
  "deadletters-replay",
  "deliveries",
  "quarantine",
  "quarantine-record",
  "progress",
  "rules",
  "baselines",
  "log",
  "explain",
] as const;
/** One question. */
export type StateQuery = (typeof STATE_QUERIES)[number];
/** Its parameters, as texts. */
export type StateParameters = Readonly<Record<string, string>>;

/** Rows of one answer when no limit is given, and at most. */
const LIMIT = 100;
const LIMIT_MAX = 10_000;

/** Events of one answer: large enough that a request costs little beside it, small enough for the memory of both sides. */
const LOG_ROWS = 2000;

/** A part of the log, in order. */
export interface LogPage {
  /** The newest sequence of the whole log. */
  readonly last: number;
  /** Where this part starts: the sequence before its first row. */
  readonly after: number;
  /** Events as `encodeEvent` writes them. */
  readonly rows: readonly { readonly sequence: number; readonly body: string }[];
}

/** What the store does not know. */
export interface LiveState {
  /** Configured sources: those that were never heard of are listed too. */
  readonly configured?: readonly string[];
  /** Fields that rules read and the source has not supplied since the service started; only a running service knows. */
  readonly fieldGaps?: (source: string) => readonly FieldGap[];
  /** The rules at work; only a running service has some. */
  readonly rules?: () => RulesStatus;
  /** The agents that are known. */
  readonly registry?: () => Directory;
}

/** Answers a question from the store; the result is plain JSON. */
export async function queryState(
  store: Store,
  query: StateQuery,
  parameters: StateParameters,
  now: number,
  live?: LiveState,
): Promise<unknown> {
  const limit = Math.min(LIMIT_MAX, Math.max(1, Number.parseInt(parameters["limit"] ?? "", 10) || LIMIT));
  const id = parameters["id"] ?? "";
  switch (query) {
    case "sources":
      return sourceRows(await store.sources(), now, live);
    case "incidents":
      return store.incidents({ limit, ...(parameters["open"] === "true" ? { open: true } : {}) });
    case "incident":
      return (await store.incidents({ ids: [id] }))[0] ?? null;
    case "deliveries":
      return store.deliveries({ limit, ...destinationOf(parameters), ...statusOf(parameters) });
    case "deadletters":
      return store.deliveries({ limit, status: "dead", ...destinationOf(parameters) });
    case "deadletter":
      return deadLetter(store, id);
    case "deadletters-replay":
      return { replayed: await replay(store, parameters, now) };
    case "quarantine":
      return (await store.quarantine({ limit, ...(parameters["source"] === undefined ? {} : { source: parameters["source"] }) })).map(
        ({ raw: _raw, ...row }) => row,
      );
    case "quarantine-record":
      return /^\d{1,15}$/.test(id) ? ((await store.quarantine({ id: Number(id) }))[0] ?? null) : null;
    case "progress":
      return progress(store);
    case "rules":
      return live?.rules?.() ?? null;
    case "baselines":
      return summarizeBaselines(store, { rule: parameters["rule"], agent: parameters["agent"], limit });
    case "log":
      return logPage(store, parameters);
    case "explain":
      return explainStored(store, live?.registry?.() ?? directory([]), id);
  }
}

/** Rows after the sequence `after`; without it, from the first event at the time `since` on, or from the start. */
async function logPage(store: Store, parameters: StateParameters): Promise<LogPage> {
  const whole = (name: string): number | undefined => {
    const value = Number(parameters[name] ?? Number.NaN);
    return Number.isSafeInteger(value) ? value : undefined;
  };
  const since = whole("since");
  const after = whole("after") ?? (since === undefined ? 0 : await store.sequenceBefore(since));
  const last = await store.lastSequence();
  const rows = await store.readLog(after, LOG_ROWS);
  return { last, after, rows: rows.map(({ sequence, event }) => ({ sequence, body: encodeEvent(event) })) };
}

function sourceRows(states: readonly SourceState[], now: number, live: LiveState | undefined): readonly object[] {
  const unheard = (live?.configured ?? []).filter((source) => !states.some((state) => state.source === source)).map(neverHeard);
  return [...states, ...unheard]
    .map((state) => ({
      ...state,
      lagMs: state.watermark === null ? null : now - state.watermark,
      neverSupplied: live?.fieldGaps?.(state.source) ?? null,
    }))
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

function neverHeard(source: string): SourceState {
  return {
    source,
    cursor: null,
    watermark: null,
    newestTime: null,
    lastSuccessTime: null,
    lastError: "not heard of yet",
    pausedReason: null,
    events: 0,
    duplicates: 0,
    quarantined: 0,
    lateEvents: 0,
  };
}

/** How far correlation has come in the log and in event time, and how many deliveries are not settled (counted up to LIMIT_MAX). */
async function progress(store: Store): Promise<Readonly<Record<string, number | null>>> {
  return {
    stored: await store.lastSequence(),
    correlated: await store.offset(CONTINUOUS_JOB),
    watermark: await store.offset(`${CONTINUOUS_JOB}/watermark`),
    pending: (await store.deliveries({ status: "pending", limit: LIMIT_MAX })).length,
  };
}

function destinationOf(parameters: StateParameters): { destination?: string } {
  return parameters["destination"] === undefined ? {} : { destination: parameters["destination"] };
}

function statusOf(parameters: StateParameters): { status?: DeliveryStatus } {
  const given = parameters["status"];
  const known: readonly DeliveryStatus[] = ["pending", "delivered", "skipped", "dead"];
  const status = known.find((one) => one === given);
  return status === undefined ? {} : { status };
}

async function deadLetter(store: Store, key: string): Promise<unknown> {
  const row = (await store.deliveries({ status: "dead", limit: LIMIT_MAX })).find((one) => one.key === key);
  return row === undefined ? null : { ...row, body: (await store.deadLetterBody(key)) ?? null };
}

/** `id` names one dead letter; without it, all of a destination, or all there are. */
async function replay(store: Store, parameters: StateParameters, now: number): Promise<number> {
  const id = parameters["id"];
  if (id !== undefined) return store.replayDeadLetters([id], now);
  const rows = await store.deliveries({ status: "dead", limit: LIMIT_MAX, ...destinationOf(parameters) });
  return store.replayDeadLetters(
    rows.map((row) => row.key),
    now,
  );
}
