import type { Alert } from "../core/alert.ts";
import type { SourceGap } from "../core/completeness/gap.ts";
import type { Condition } from "../core/completeness/condition.ts";
import type { BaselineChange, BaselineHead } from "../core/correlation/baseline.ts";
import type { Category, EpochMs, Event } from "../core/event.ts";
import type { Attribution } from "../core/identity/attribution.ts";
import type { Incident } from "../core/incident.ts";
import type { AuditCheck, AuditEntry, AuditHead, AuditRow, AuditVerdict } from "./audit.ts";
import type { Digest } from "./digest.ts";
import type { Expired, ExpireRequest } from "./retention.ts";
import type { Reject } from "./connector.ts";
import type {
  Sequence,
  SourceState,
  Quarantined,
  Logged,
  AgentActivity,
  DeliveryStatus,
  OutboxRow,
  Placement,
  Settlement,
  Revision,
  DestinationState,
  DestinationSummary,
  SourceLateness,
  AgentSeen,
  Appended,
  BaselinePage,
  SourceChange,
  Fact,
  AlertLink,
} from "./rows.ts";

export type * from "./rows.ts";

/** Writes inside one transaction. */
export interface Transaction {
  /**
   * Appends events to the log in the given order; an event whose uid is already stored is left out.
   * Appends of all writers are serialized, so that sequence order is commit order.
   */
  appendEvents(source: string, events: readonly Event[]): Promise<Appended>;
  appendQuarantine(source: string, rejects: readonly Reject[], now: EpochMs): Promise<void>;
  /**
   * Appends to the audit log. Others who append to it wait from here to the end of the transaction, so that it comes last in one.
   * Names of more than 500 bytes are cut; details of more than 8 KB are replaced by their size.
   */
  appendAudit(entry: AuditEntry): Promise<AuditHead>;
  /**
   * Moves a source from the cursor that was read to the next one, and adds to its counters. A watermark never
   * moves back. Creates the source at `from` null. A success ends `lastError`, never a pause.
   * @throws {Failure} permanent CURSOR_MOVED when the stored cursor is not `from`
   */
  moveCursor(change: SourceChange): Promise<void>;
  /** The open gaps of a source, by their beginning. Nobody else changes them before this transaction ends. */
  openGaps(source: string): Promise<readonly SourceGap[]>;
  /** Inserts or replaces by id. Of those that ended only the newest of each source are kept. */
  saveGaps(gaps: readonly SourceGap[]): Promise<void>;
  /** Adds to how late records of a source came on a day of receipt (its first millisecond, UTC). */
  addLateness(day: EpochMs, lateness: SourceLateness): Promise<void>;
  /** Inserts or replaces by rule, entity and beginning. */
  saveConditions(conditions: readonly Condition[]): Promise<void>;
  /** The later time of each agent and source stays. */
  saveAgentsSeen(seen: readonly AgentSeen[]): Promise<void>;
  /** @throws {Failure} permanent OFFSET_MOVED when the stored offset is not `from` (null: none stored). */
  moveOffset(job: string, from: Sequence | null, to: Sequence): Promise<void>;
  /** Inserts or replaces by id; a lower revision than the stored one changes nothing. */
  saveAlerts(alerts: readonly Alert[]): Promise<void>;
  /**
   * Adds the next revision of each incident, all of them or none; keeps the earlier ones, which deliveries refer to.
   * @throws {Failure} permanent INCIDENT_MOVED when one of them does not follow the newest stored revision (none: 0)
   */
  saveIncidents(incidents: readonly Incident[]): Promise<void>;
  /** Notes what alerts are about; times of a known pair only widen. */
  linkAlerts(links: readonly AlertLink[]): Promise<void>;
  /** Puts deliveries into the outbox; a key that exists changes nothing. */
  addDeliveries(
    rows: readonly Pick<OutboxRow, "key" | "destination" | "kind" | "subjectId" | "revision" | "urgency" | "dueTime" | "createdTime">[],
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

/** PostgreSQL or PGlite; holds the truth. Every method may throw {Failure} retryable STORE_UNAVAILABLE. */
export interface Store {
  /** Everything in `work` happens, or none of it. Concurrent transactions do not see each other's halves. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  sources(): Promise<readonly SourceState[]>;
  source(source: string): Promise<SourceState | undefined>;
  /** Records an error, or a pause (reason) or its end (null), outside of any ingest; the audit log has when a pause began and ended. */
  noteSource(
    source: string,
    note: { readonly error?: string | null; readonly pausedReason?: string | null; readonly now: EpochMs },
  ): Promise<void>;
  /** Gaps, newest found first: those that are open, or, with `recent`, also those that ended since then. */
  gaps(filter?: { readonly source?: string; readonly recent?: EpochMs; readonly limit?: number }): Promise<readonly SourceGap[]>;
  /** How late records of each source came since a day (its first millisecond, UTC), added up. */
  lateness(since: EpochMs): Promise<readonly SourceLateness[]>;
  /** Conditions that last, and those that ended since then, oldest first. */
  conditions(endedSince: EpochMs): Promise<readonly Condition[]>;
  agentsSeen(): Promise<readonly AgentSeen[]>;
  /** Events with sequence > `after`, in order. */
  readLog(after: Sequence, limit: number): Promise<readonly Logged[]>;
  /** Where a replay starts that wants every event from `time` on: all of them have a larger sequence. The last sequence when there are none. */
  sequenceBefore(time: EpochMs): Promise<Sequence>;
  /** Newest sequence, 0 when empty. */
  lastSequence(): Promise<Sequence>;
  offset(job: string): Promise<Sequence | null>;
  events(uids: readonly string[]): Promise<readonly Event[]>;
  /** As `events`, with their places in the log. */
  logged(uids: readonly string[]): Promise<readonly Logged[]>;
  /**
   * Events of one agent (by id) with from <= time <= to, the newest first, at most `limit`: those that it was known for when they
   * were written, and those that were attributed to it alone later; not those that it shares with others.
   */
  eventsOfAgent(agent: string, from: EpochMs, to: EpochMs, limit: number): Promise<readonly Event[]>;
  /** The newest events of one agent (by id) with from <= time <= to, and those that may be its own: at most `limit` of each. */
  activityOf(agent: string, from: EpochMs, to: EpochMs, limit: number): Promise<AgentActivity>;
  /** Whether anything was ever attributed to the agent, alone or with others, that is still stored. */
  knowsAgent(agent: string): Promise<boolean>;
  /**
   * The newest events of which the run, session, trace, conversation or request id is one of these; at most 32 ids and
   * `limit` events, in no order. `complete` is false when there may be more. With `near`, only those that were received on
   * the days of these sequences, or up to three days before or after.
   */
  eventsByRefs(
    ids: readonly string[],
    limit: number,
    near?: { readonly first: Sequence; readonly last: Sequence },
  ): Promise<{ readonly events: readonly Logged[]; readonly complete: boolean }>;
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
  /** Newest revisions of alerts linked to these entities that touch [from, to]; of each entity the newest `limit`. Each once, by id. */
  alertsAbout(
    entities: readonly string[],
    range: { readonly from: EpochMs; readonly to: EpochMs; readonly limit: number },
  ): Promise<readonly Alert[]>;
  /** Newest revisions of incidents about these entities, open and closed; of each entity the newest `limit`. */
  incidentsAbout(entities: readonly string[], limit: number): Promise<readonly Incident[]>;
  incidentRevision(id: string, revision: number): Promise<Incident | undefined>;
  alertRevision(id: string, revision: number): Promise<Alert | undefined>;
  /** Those that are stored, in any order. */
  incidentRevisions(wanted: readonly Revision[]): Promise<readonly Incident[]>;
  alertRevisions(wanted: readonly Revision[]): Promise<readonly Alert[]>;
  /** Those of the given destinations that have a delivery due at `now` that is not leased, in order. Cheap, however much waits. */
  haveDue(destinations: readonly string[], now: EpochMs): Promise<readonly string[]>;
  /** Destinations that have pending deliveries due at `now`, with their number; leased ones are not counted. */
  dueDestinations(now: EpochMs): Promise<readonly { readonly destination: string; readonly due: number }[]>;
  /**
   * Leases pending, due deliveries of one destination, the urgent and then the oldest first, and never two revisions of one subject
   * out of order. Those that share a ticket come together, also beyond the limit and before they are due: some destinations answer a
   * ticket once. A lease that is not settled by `leaseUntil` becomes claimable again.
   */
  claimDeliveries(destination: string, limit: number, now: EpochMs, leaseUntil: EpochMs): Promise<readonly OutboxRow[]>;
  settleDeliveries(settlements: readonly Settlement[], now: EpochMs): Promise<void>;
  /**
   * Decides whether a claimed incident is shown itself (null) or by a digest (its id), and keeps that: one after the other for all
   * processes, when it opens, and anew only when it opens again after its end. Folded is one that at least `storm.incidents`
   * others opened beside, within `storm.withinMs` of its delivery's creation; one that is not foldable leaves its digest. A folded delivery is
   * settled as delivered, and the next revision of the digest put into the outbox, unless one waits there. All of it or nothing.
   */
  placeIncident(placement: Placement, now: EpochMs): Promise<string | null>;
  /** What a digest is to say now. */
  digest(id: string): Promise<Digest | undefined>;
  /** Makes every pending delivery of a destination that is not leased due at once; returns how many waited. */
  hastenDeliveries(destination: string, now: EpochMs): Promise<number>;
  /** Destinations that fail, those that were given up among them. */
  destinations(): Promise<readonly DestinationState[]>;
  /** `failingSince` null: it works. */
  saveDestination(state: DestinationState | { readonly destination: string; readonly failingSince: null }): Promise<void>;
  /** Has a destination tried again that was given up; false: it was not. An entry of the audit log says who asked for it. */
  enableDestination(destination: string, now: EpochMs, by?: string): Promise<boolean>;
  /** What became of the deliveries of each; delivered ones since a time. */
  destinationSummaries(since: EpochMs): Promise<readonly DestinationSummary[]>;
  deliveries(filter?: {
    readonly destination?: string;
    readonly status?: DeliveryStatus;
    /** Only those with one of these keys. */
    readonly keys?: readonly string[];
    /** Only of these alerts, incidents and events. */
    readonly subjects?: readonly string[];
    readonly limit?: number;
  }): Promise<readonly OutboxRow[]>;
  /** The bytes kept with a dead letter. */
  deadLetterBody(key: string): Promise<string | undefined>;
  /**
   * Makes dead letters pending again, attempts kept; returns how many. One that a newer revision of its subject has
   * overtaken at the same destination is settled as skipped instead. An entry of the audit log says who asked for it.
   */
  replayDeadLetters(keys: readonly string[], now: EpochMs, by?: string): Promise<number>;
  /**
   * Takes out what is older than its retention and not referred to any more: not what a delivery refers to that is pending or
   * a dead letter, no open incident and none of its alerts. In many short transactions, of which none holds up an append or
   * a reader for more than half a second; bounded, and continued by the next call. Undefined: another process is at it.
   */
  expire(request: ExpireRequest): Promise<Expired | undefined>;
  /** As Transaction.appendAudit, in a transaction of its own. */
  appendAudit(entry: AuditEntry): Promise<AuditHead>;
  /** The newest entry's number and hash; null when there is none. */
  auditHead(): Promise<AuditHead | null>;
  /** Newest first; with `before`, those with a smaller number; with `after`, those with a larger one, oldest first. */
  audit(filter: { readonly limit: number; readonly before?: number; readonly after?: number }): Promise<readonly AuditRow[]>;
  /** Looks at every row as they are at one moment, and whether one of them has the hash that was noted earlier. */
  verifyAudit(check?: AuditCheck): Promise<AuditVerdict>;
  quarantine(filter?: { readonly source?: string; readonly limit?: number; readonly id?: number }): Promise<readonly Quarantined[]>;
  close(): Promise<void>;
}
