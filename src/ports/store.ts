import type { Alert } from "../core/alert.ts";
import type { BaselineChange, BaselineHead, BaselineRow } from "../core/correlation/baseline.ts";
import type { Category, EpochMs, Event } from "../core/event.ts";
import type { Attribution } from "../core/identity/attribution.ts";
import type { Incident } from "../core/incident.ts";
import type { Cursor, Reject } from "./connector.ts";

/** Position in the log; sequence order is commit order (appends are serialized). */
export type Sequence = number;

/** What is known of one source. */
export interface SourceState {
  readonly source: string;
  readonly cursor: Cursor | null;
  /** Event time up to which it has proven itself complete; null: never proven. */
  readonly watermark: EpochMs | null;
  /** Newest event time seen. */
  readonly newestTime: EpochMs | null;
  /** Last successful pull or push. */
  readonly lastSuccessTime: EpochMs | null;
  readonly lastError: string | null;
  /** Paused until a human acts, with the reason. */
  readonly pausedReason: string | null;
  readonly events: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly lateEvents: number;
}

/** One quarantined record. */
export interface Quarantined extends Reject {
  readonly id: number;
  readonly source: string;
  readonly time: EpochMs;
}

/** An event with its place in the log. */
export interface Logged {
  readonly sequence: Sequence;
  readonly event: Event;
}

/** State of a delivery in the outbox. */
export type DeliveryStatus = "pending" | "delivered" | "skipped" | "dead";

/** One row of the outbox. The body is not here: it is rendered from the alert or incident revision. */
export interface OutboxRow {
  readonly key: string;
  readonly destination: string;
  readonly kind: "alert" | "incident";
  readonly subjectId: string;
  readonly revision: number;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  /** Not before this time. */
  readonly dueTime: EpochMs;
  readonly createdTime: EpochMs;
  readonly settledTime: EpochMs | null;
  /** Receipt, or the reason of the last failure as `<CODE>: <message>`. */
  readonly note: string | null;
}

/** What becomes of a claimed delivery. */
export interface Settlement {
  readonly key: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly dueTime: EpochMs;
  readonly note: string;
  /** The exact bytes that were refused, kept with a dead letter; at most 1 MiB. */
  readonly body?: string;
}

/** What became of events that were appended. */
export interface Appended {
  readonly stored: number;
  readonly duplicates: number;
  /** The events that are new, in order. */
  readonly fresh: readonly Event[];
}

/** Writes inside one transaction. */
export interface Transaction {
  /**
   * Appends events to the log in the given order; an event whose uid is already stored is left out.
   * Appends of all writers are serialized, so that sequence order is commit order.
   */
  appendEvents(source: string, events: readonly Event[]): Promise<Appended>;
  appendQuarantine(source: string, rejects: readonly Reject[], now: EpochMs): Promise<void>;
  /**
   * Moves a source from the cursor that was read to the next one, and adds to its counters. A watermark never
   * moves back. Creates the source at `from` null. A success ends `lastError`, never a pause.
   * @throws {Failure} permanent CURSOR_MOVED when the stored cursor is not `from`
   */
  moveCursor(change: SourceChange): Promise<void>;
  /** @throws {Failure} permanent OFFSET_MOVED when the stored offset is not `from` (null: none stored). */
  moveOffset(job: string, from: Sequence | null, to: Sequence): Promise<void>;
  /** Inserts or replaces by id; a lower revision than the stored one changes nothing. */
  saveAlerts(alerts: readonly Alert[]): Promise<void>;
  /** As `saveAlerts`; keeps every revision that a delivery refers to. */
  saveIncidents(incidents: readonly Incident[]): Promise<void>;
  /** Puts deliveries into the outbox; a key that exists changes nothing. */
  addDeliveries(
    rows: readonly Pick<OutboxRow, "key" | "destination" | "kind" | "subjectId" | "revision" | "dueTime" | "createdTime">[],
  ): Promise<void>;
  /** Time-valid facts that reach further back than a replay (see core/identity); merged by key and value. */
  saveFacts(facts: readonly Fact[]): Promise<void>;
  /** Who events belong to that were decided after they were logged; of an event and agent the first row stays. */
  saveAttributions(attributions: readonly Attribution[]): Promise<void>;
  /**
   * What rules remember of the past: replaces the heads, and merges the rows: of a group's first times the earliest stays,
   * of a value's times the latest, of a window's measures the new one. Then forgets what is to be forgotten.
   */
  saveBaselines(changes: readonly BaselineChange[]): Promise<void>;
  /** Removes heads and all their rows; unknown ones change nothing. */
  removeBaselines(heads: readonly Pick<BaselineHead, "rule" | "key">[]): Promise<void>;
}

/** Some rows of one head. */
export interface BaselinePage {
  readonly rows: readonly BaselineRow[];
  /** Where the next page starts; null at the end. */
  readonly next: string | null;
}

/** A change to a source inside an ingest transaction. */
export interface SourceChange {
  readonly source: string;
  readonly from: Cursor | null;
  readonly to: Cursor | null;
  readonly watermark: EpochMs | null;
  readonly newestTime: EpochMs | null;
  readonly now: EpochMs;
  readonly stored: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly late: number;
}

/** "`key` meant `value` from first to last", as observed in the log. */
export interface Fact {
  /** `dns:<ip>@<slot>`, `seen:<identity key>@<slot>` or `link:<identity key>`: core/identity writes and reads them. */
  readonly key: string;
  readonly value: string;
  readonly first: EpochMs;
  readonly last: EpochMs;
  /** Uid of the event that showed it at `first`; absent where nobody asks. */
  readonly origin?: string;
}

/** PostgreSQL or PGlite; holds the truth. Every method may throw {Failure} retryable STORE_UNAVAILABLE. */
export interface Store {
  /** Everything in `work` happens, or none of it. Concurrent transactions do not see each other's halves. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  sources(): Promise<readonly SourceState[]>;
  source(source: string): Promise<SourceState | undefined>;
  /** Records an error, or a pause (reason) or its end (null), outside of any ingest. */
  noteSource(
    source: string,
    note: { readonly error?: string | null; readonly pausedReason?: string | null; readonly now: EpochMs },
  ): Promise<void>;
  /** Events with sequence > `after`, in order. */
  readLog(after: Sequence, limit: number): Promise<readonly Logged[]>;
  /** Where a replay starts that wants every event from `time` on: all of them have a larger sequence. The last sequence when there are none. */
  sequenceBefore(time: EpochMs): Promise<Sequence>;
  /** Newest sequence, 0 when empty. */
  lastSequence(): Promise<Sequence>;
  offset(job: string): Promise<Sequence | null>;
  events(uids: readonly string[]): Promise<readonly Event[]>;
  /** Count of events per agent (`null` = unattributed) and category. */
  eventCounts(): Promise<readonly { readonly agentUid: string | null; readonly category: Category; readonly count: number }[]>;
  /** All of them, or those whose key starts with one of the given texts. */
  facts(starts?: readonly string[]): Promise<readonly Fact[]>;
  /** Rows of these events, by agent; an event has none when the log says its agent or nobody found one. */
  attributions(uids: readonly string[]): Promise<readonly Attribution[]>;
  /** By rule, then by key. */
  baselineHeads(): Promise<readonly BaselineHead[]>;
  /** Rows of one head in an order that depends on nothing but the rows; `after` is null or the last page's `next`. */
  baselineRows(head: Pick<BaselineHead, "rule" | "key">, after: string | null, limit: number): Promise<BaselinePage>;
  alerts(filter?: { readonly ids?: readonly string[]; readonly limit?: number }): Promise<readonly Alert[]>;
  /** Newest revision of each. */
  incidents(filter?: { readonly ids?: readonly string[]; readonly open?: boolean; readonly limit?: number }): Promise<readonly Incident[]>;
  incidentRevision(id: string, revision: number): Promise<Incident | undefined>;
  alertRevision(id: string, revision: number): Promise<Alert | undefined>;
  /** Destinations that have pending deliveries due at `now`, with their number; leased ones are not counted. */
  dueDestinations(now: EpochMs): Promise<readonly { readonly destination: string; readonly due: number }[]>;
  /**
   * Leases pending, due deliveries of one destination, oldest first and never two revisions of one subject out of
   * order. A lease that is not settled by `leaseUntil` becomes claimable again.
   */
  claimDeliveries(destination: string, limit: number, now: EpochMs, leaseUntil: EpochMs): Promise<readonly OutboxRow[]>;
  settleDeliveries(settlements: readonly Settlement[], now: EpochMs): Promise<void>;
  /** Makes every pending delivery of a destination that is not leased due at once; returns how many waited. */
  hastenDeliveries(destination: string, now: EpochMs): Promise<number>;
  deliveries(filter?: {
    readonly destination?: string;
    readonly status?: DeliveryStatus;
    readonly limit?: number;
  }): Promise<readonly OutboxRow[]>;
  /** The bytes kept with a dead letter. */
  deadLetterBody(key: string): Promise<string | undefined>;
  /**
   * Makes dead letters pending again, attempts kept; returns how many. One that a newer revision of its subject has
   * overtaken at the same destination is settled as skipped instead.
   */
  replayDeadLetters(keys: readonly string[], now: EpochMs): Promise<number>;
  quarantine(filter?: { readonly source?: string; readonly limit?: number; readonly id?: number }): Promise<readonly Quarantined[]>;
  close(): Promise<void>;
}
