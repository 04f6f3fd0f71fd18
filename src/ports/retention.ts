import type { EpochMs } from "../core/event.ts";
import type { Sequence } from "./store.ts";

/** For how long what is kept, in milliseconds; null: for ever. */
export interface Retention {
  /**
   * Events, with the attributions and observed facts that belong to them. By day of receipt. Facts of bindings stay at least
   * 31 days before `keepFrom`, and as long as somebody who had the key before is told of (docs/decisions/0015).
   */
  readonly log: number | null;
  /** Revisions of alerts, by their last time. */
  readonly alerts: number | null;
  /** Revisions of incidents that are closed, by their last time. */
  readonly incidents: number | null;
  /** Deliveries that are settled, dead letters included, by the time of that. */
  readonly deliveries: number | null;
  /** Quarantined records, by their arrival. */
  readonly quarantine: number | null;
  /** Entries of the audit log. */
  readonly audit: number | null;
}

/** What may go at most. */
export interface ExpireRequest {
  readonly retention: Retention;
  readonly now: EpochMs;
  /** Correlation may still read the log from here on; null: nobody knows, so that nothing of the log may go. */
  readonly logKeepFrom: Sequence | null;
  /** As `logKeepFrom`, in event time: facts that reach it stay. */
  readonly keepFrom: EpochMs | null;
  /** As `keepFrom`, for alerts: others that come may still be judged by those that reach it. */
  readonly alertsKeepFrom: EpochMs | null;
  /** Ends the run between two steps. */
  readonly signal: AbortSignal;
}

/** A day of the log that went. */
export interface ExpiredDay {
  /** `2026-01-31`: when its events were received. */
  readonly day: string;
  readonly events: number;
  readonly bytes: number;
}

/** What one run took out. */
export interface Expired {
  readonly days: readonly ExpiredDay[];
  /** Rows by class. */
  readonly rows: Readonly<Record<"facts" | "attributions" | "quarantine" | "deliveries" | "alerts" | "incidents" | "audit", number>>;
  /** Days of the log whose time is over and that are still needed. */
  readonly held: number;
  /** Parts of the log that are left, and bytes of the whole database. */
  readonly parts: number;
  readonly bytes: number;
  /** A limit of one run was reached; there is more to take out. */
  readonly more: boolean;
}
