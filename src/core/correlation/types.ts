import type { Alert } from "../alert.ts";
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

/**
 * When a rule had its first event, of a group where that matters: a silence is only one after it, and a history starts
 * with it. No replay of the horizon tells.
 */
export interface FirstSeen {
  readonly rule: string;
  /** Values of the group, in the order of the rule's group-by. */
  readonly group: readonly string[];
  readonly time: EpochMs;
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
  /** How far before the watermark an event may still matter: where a replay must start. */
  readonly horizonMs: number;
  /** What was first seen since the last call, to be stored: it reaches further back than a replay. */
  firstSeen(): readonly FirstSeen[];
  /** Takes back what was stored, before a replay of the events from `since` on. Of rules that are no more nothing is taken. */
  recall(stored: readonly FirstSeen[], since: EpochMs): void;
  readonly stats: Readonly<EngineStats>;
}
