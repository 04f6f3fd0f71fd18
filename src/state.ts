import { encodeEvent } from "./core/event-codec.ts";
import { directory, type Directory } from "./core/identity/directory.ts";
import type { Ask } from "./core/incident/transitions.ts";
import type { Answered } from "./pipeline/close.ts";
import { CONTINUOUS_JOB } from "./pipeline/correlate.ts";
import { explainStored } from "./pipeline/explain-event.ts";
import { drillProgress, type DrillStart } from "./pipeline/drill.ts";
import { summarizeBaselines } from "./pipeline/show-baselines.ts";
import type { FieldGap } from "./pipeline/gaps.ts";
import type { RulesStatus } from "./live-rules.ts";
import { touched, trace } from "./pipeline/questions.ts";
import { destinationRows } from "./destination-state.ts";
import { sourceRows } from "./source-state.ts";
import type { DeliveryStatus, Quarantined, Store } from "./ports/store.ts";

/** What can be asked of a service, running or stopped. */
export const STATE_QUERIES = [
  "sources",
  "incidents",
  "incident",
  "incidents-close",
  "deadletters",
  "deadletter",
  "deadletters-replay",
  "deliveries",
  "destinations",
  "destinations-enable",
  "drill",
  "drill-progress",
  "quarantine",
  "quarantine-record",
  "progress",
  "rules",
  "baselines",
  "log",
  "trace",
  "touched",
  "audit",
  "audit-verify",
  "explain",
] as const;
/** Those that change something: they are asked with POST. */
export const CHANGES: ReadonlySet<string> = new Set<(typeof STATE_QUERIES)[number]>([
  "incidents-close",
  "deadletters-replay",
  "destinations-enable",
  "drill",
]);
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
  /** Configured destinations. */
  readonly destinations?: readonly string[];
  /** Fields that rules read and the source has not supplied since the service started; only a running service knows. */
  readonly fieldGaps?: (source: string) => readonly FieldGap[];
  /** Closes incidents; what has none answers that there is no such incident. */
  readonly close?: (id: string, ask: Ask) => Promise<Answered>;
  /** Begins a drill; only a running service delivers anything. */
  readonly drill?: () => Promise<DrillStart>;
  /** The rules at work; only a running service has some. */
  readonly rules?: () => RulesStatus;
  /** The agents that are known. */
  readonly registry?: () => Directory;
  /** The configured retention of the audit log, in milliseconds; null: for ever. */
  readonly auditRetention?: number | null;
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
      return sourceRows(store, now, live);
    case "incidents":
      return store.incidents({ limit, ...(parameters["open"] === "true" ? { open: true } : {}) });
    case "incident":
      return (await store.incidents({ ids: [id] }))[0] ?? null;
    case "incidents-close":
      return live?.close?.(id, { to: "close", how: "person", by: parameters["by"], reason: parameters["reason"], time: now }) ?? null;
    case "deliveries":
      return store.deliveries({ limit, ...destinationOf(parameters), ...statusOf(parameters) });
    case "destinations":
      return destinationRows(store, live?.destinations ?? [], now);
    case "destinations-enable":
      return { enabled: await store.enableDestination(id, now, parameters["by"]) };
    case "drill":
      return (await live?.drill?.()) ?? null;
    case "drill-progress":
      return drillProgress(store, id);
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
      return /^\d{1,15}$/.test(id) ? quarantined(store, parameters, now) : null;
    case "progress":
      return progress(store);
    case "rules":
      return live?.rules?.() ?? null;
    case "baselines":
      return summarizeBaselines(store, { rule: parameters["rule"], agent: parameters["agent"], limit });
    case "log":
      return logPage(store, parameters);
    case "trace":
      return id === "" ? null : trace(store, id);
    case "touched":
      return touched(store, parameters["agent"] ?? "", whole(parameters, "from") ?? 0, whole(parameters, "to") ?? now);
    case "audit":
      return store.audit({ limit, ...withWhole(parameters, "before"), ...withWhole(parameters, "after") });
    case "audit-verify":
      return store.verifyAudit({
        now,
        ...(live?.auditRetention === undefined ? {} : { retention: live.auditRetention }),
        ...withWhole(parameters, "retention"),
        ...withWhole(parameters, "from"),
        ...(parameters["expect"] === undefined ? {} : { expect: parameters["expect"] }),
      });
    case "explain":
      return explainStored(store, live?.registry?.() ?? directory([]), id);
  }
}

function whole(parameters: StateParameters, name: string): number | undefined {
  const value = Number(parameters[name] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

function withWhole<K extends string>(parameters: StateParameters, name: K): { readonly [P in K]?: number } {
  const value = whole(parameters, name);
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: number });
}

/** One quarantined record with its content; that somebody looked at it is an entry of the audit log. */
async function quarantined(store: Store, { id = "", by = "unknown" }: StateParameters, now: number): Promise<Quarantined | null> {
  const found = (await store.quarantine({ id: Number(id) }))[0];
  if (found === undefined) return null;
  await store.appendAudit({ time: now, actor: by, action: "quarantine.shown", subject: id, details: { source: found.source } });
  return found;
}

/** Rows after the sequence `after`; without it, from the first event at the time `since` on, or from the start. */
async function logPage(store: Store, parameters: StateParameters): Promise<LogPage> {
  const since = whole(parameters, "since");
  const after = whole(parameters, "after") ?? (since === undefined ? 0 : await store.sequenceBefore(since));
  const last = await store.lastSequence();
  const rows = await store.readLog(after, LOG_ROWS);
  return { last, after, rows: rows.map(({ sequence, event }) => ({ sequence, body: encodeEvent(event) })) };
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
  if (id !== undefined) return store.replayDeadLetters([id], now, parameters["by"]);
  const rows = await store.deliveries({ status: "dead", limit: LIMIT_MAX, ...destinationOf(parameters) });
  return store.replayDeadLetters(
    rows.map((row) => row.key),
    now,
    parameters["by"],
  );
}
