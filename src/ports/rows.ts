/** What the store keeps, row by row. */
import type { Level } from "../core/alert.ts";
import type { LatenessSketch } from "../core/completeness/lateness.ts";
import type { BaselineRow } from "../core/correlation/baseline.ts";
import type { EpochMs, Event } from "../core/event.ts";
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
  /** When it last came further: its watermark moved, or it gave what it still had to catch up with; null or absent: not known. */
  readonly progressTime?: EpochMs | null;
  readonly lastError: string | null;
  /** Paused until a human acts, with the reason. */
  readonly pausedReason: string | null;
  readonly events: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly lateEvents: number;
  /** Gaps that are open; absent: nobody has counted. */
  readonly openGaps?: number;
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

/** What one agent did. */
export interface AgentActivity {
  /** In no order. */
  readonly direct: readonly Event[];
  /** What it shares with others that may have done it instead, with how likely it was this one (0 to 100). */
  readonly possible: readonly { readonly event: Event; readonly confidence: number }[];
  /** Events of `direct` that there are, read or not. */
  readonly total: number;
  /** There are no more of either. */
  readonly complete: boolean;
}

/** State of a delivery in the outbox. */
export type DeliveryStatus = "pending" | "delivered" | "skipped" | "dead";

/** One row of the outbox. The body is not here: it is rendered from the alert or incident revision. */
export interface OutboxRow {
  readonly key: string;
  readonly destination: string;
  readonly kind: "alert" | "incident" | "event" | "digest";
  readonly subjectId: string;
  readonly revision: number;
  /** What is claimed first: `first` before `usual`. */
  readonly urgency?: Urgency;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  /** Not before this time. */
  readonly dueTime: EpochMs;
  readonly createdTime: EpochMs;
  readonly settledTime: EpochMs | null;
  /** Receipt, or the reason of the last failure as `<CODE>: <message>`. */
  readonly note: string | null;
  /** Set while the destination has taken it and not confirmed it: what to ask with. */
  readonly ticket: string | null;
  readonly ticketTime: EpochMs | null;
  /** SHA-256 of the bytes of the last attempt, lower-case hex; null before the first. */
  readonly sentHash: string | null;
  readonly sentTime: EpochMs | null;
  /** Of a claimed row: what an earlier revision of its subject left (Outcome.memory), and the digest that shows its incident. */
  readonly memory?: string | null;
  readonly digest?: string | null;
}

/** What must not wait behind the rest: ends, critical incidents and digests. */
export type Urgency = "first" | "usual";

/** An incident that is to ask for attention at a destination, or no longer does. */
export interface Placement {
  readonly row: OutboxRow;
  /** What a digest counts it by. */
  readonly level: Level;
  readonly rule: string;
  readonly agent: string;
  readonly lastTime: EpochMs;
  readonly closed: boolean;
  /** It may be folded; a critical one may not. */
  readonly foldable: boolean;
  readonly storm: { readonly incidents: number; readonly withinMs: number };
  /** Id of the digest that it begins, should it begin one. */
  readonly digestId: string;
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
  /** What to ask the destination with, while it has not confirmed; absent: nothing to ask. */
  readonly ticket?: { readonly text: string; readonly time: EpochMs };
  /** What was sent in this attempt; absent: nothing was, and what was sent before stands. */
  readonly sent?: { readonly hash: string; readonly time: EpochMs };
  /** Replaces what its subject left at its destination (Outcome.memory); absent: that stays. */
  readonly memory?: string;
}

/** One revision of an alert or incident. */
export interface Revision {
  readonly id: string;
  readonly revision: number;
}

/** A destination that fails. */
export interface DestinationState {
  readonly destination: string;
  readonly failingSince: EpochMs;
  /** When its grace period was over; null: it is still tried. */
  readonly disabledTime: EpochMs | null;
  readonly reason: string;
}

/** What became of a destination's deliveries. */
export interface DestinationSummary {
  readonly destination: string;
  readonly pending: number;
  /** When the oldest of these was put into the outbox. */
  readonly oldestPending: EpochMs | null;
  /** Within the time that was asked about, as the quantiles. */
  readonly delivered: number;
  readonly dead: number;
  readonly lastDelivered: EpochMs | null;
  /** From the outbox to the destination's answer, milliseconds. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** How late records of one source came. */
export interface SourceLateness {
  readonly source: string;
  /** How far the source itself lags: from an event to its receipt. */
  readonly lag: LatenessSketch;
  /** How far behind what had come before, or behind the watermark, records came; 0 for those in order. */
  readonly late: LatenessSketch;
}

/** When an agent was last seen by a source. */
export interface AgentSeen {
  readonly agent: string;
  readonly source: string;
  readonly last: EpochMs;
}

/** What became of events that were appended. */
export interface Appended {
  readonly stored: number;
  readonly duplicates: number;
  /** The events that are new, in order. */
  readonly fresh: readonly Event[];
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
  /** It came further with this change: see `SourceState.progressTime`. Absent: it did not. */
  readonly progress?: boolean;
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

/** "This alert is about this entity" (see `entitiesOf`). */
export interface AlertLink {
  readonly entity: string;
  readonly alertId: string;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
}
