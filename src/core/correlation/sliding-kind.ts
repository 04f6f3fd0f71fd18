import type { EpochMs } from "../event.ts";
import type { Extra, ExtraKind, Entries } from "./entries.ts";
import type { Group } from "./group.ts";
import type { Key } from "./keys.ts";

/**
 * What is special about a kind of correlation whose closed windows slide, [T - timespan, T] for each event time T.
 * `G` is a group with the kind's own running state, which describes the window at the newest entry. Positions are those
 * of the correlation's entries.
 */
export interface SlidingKind<X extends Extra, G extends Group<X> = Group<X>> {
  /** What it needs of each event. */
  readonly extra: ExtraKind;
  /** Fewest events that can satisfy it; what revisions count from. */
  readonly least: number;
  open(key: Key): G;
  /** The last entry has just been appended. Does the condition hold at its time? Amortised constant time. */
  appended(entries: Entries, group: G): boolean;
  /** An entry is about to be merged behind the newest one. */
  inserting(entries: Entries, group: G, time: EpochMs, extra: X): void;
  /** Entries were merged. */
  merged(entries: Entries, group: G): void;
  /** The first `count` entries are about to be removed. */
  dropping(entries: Entries, group: G, count: number): void;
  /**
   * False when no window that starts at `from` or later can satisfy a condition with lower bounds alone: a shortcut
   * that spares a scan, which may always answer true.
   */
  possible(entries: Entries, group: G, from: EpochMs): boolean;
  /** Calls `hit` with the time of each satisfied anchor among entries [from, to), in order. */
  scan(entries: Entries, group: G, from: number, to: number, hit: (time: EpochMs) => void): void;
}
