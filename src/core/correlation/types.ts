import type { Alert } from "../alert.ts";
import type { BaselineChange, BaselineHead, BaselineRow } from "./baseline.ts";
import type { Category, EpochMs } from "../event.ts";

/**
 * Up to when the input is complete: a rule reads the minimum over the categories that feed it. `all` stands for
 * categories that are not in the map and for plain events. Never moves back.
 */
export interface Watermarks {
  readonly all: EpochMs;
  readonly byCategory?: ReadonlyMap<Category, EpochMs>;
}

/** What an engine counts. */
export interface EngineStats {
  /** Events pushed that were not seen before. */
  events: number;
  /** Events whose uid was seen before. */
  duplicates: number;
  /** Events behind a watermark that had passed their windows; evaluated best-effort. */
  late: number;
  /** Events that matched a rule but lack a group field. */
  ungrouped: number;
  /** Window entries held now. */
  entries: number;
}

/** Runs a set of compiled rules over events of type E. In memory, no I/O, event time only. */
export interface Engine<E> {
  /**
   * Takes events in any order and returns the alerts that are new or changed enough to be emitted (first match,
   * severity rises, count doubles), as provisional revisions. An event whose uid was seen within the horizon changes nothing.
   */
  push(events: readonly E[]): readonly Alert[];
  /** Closes what the watermarks have passed: final alerts, and those that only emit finals. */
  advance(watermarks: Watermarks): readonly Alert[];
  /** The input has ended: the watermark passes every deadline and bucket. Returns the remaining final alerts. */
  finish(): readonly Alert[];
  /**
   * Takes stored rows of the past, part by part, before any event: the head with the first part. From then to `live`,
   * events are taken to be a replay: those that the rows know already change nothing. False when no rule has these rows.
   */
  restore(head: BaselineHead, rows: readonly BaselineRow[]): boolean;
  /** The replay is over. */
  live(): void;
  /** Rows of the past that changed since the last call, to be stored with what was read; none unless they are wanted. */
  changedBaselines(): readonly BaselineChange[];
  /** How far before the watermark an event may still matter: where a replay must start, once all is restored. */
  readonly horizonMs: number;
  readonly stats: Readonly<EngineStats>;
}
