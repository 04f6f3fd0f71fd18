import type { EpochMs } from "../event.ts";
import type { Group } from "./group.ts";

/**
 * What is special about a kind of correlation whose closed windows slide, [T - timespan, T] for each event time T.
 * `G` is a group with the kind's own running state, which describes the window at the newest entry.
 */
export interface SlidingKind<X, G extends Group<X> = Group<X>> {
  /** It needs a group's `extras`. */
  readonly keepsExtra: boolean;
  /** Fewest events that can satisfy it; what revisions count from. */
  readonly least: number;
  open(values: readonly string[]): G;
  /** The last entry has just been appended. Does the condition hold at its time? Amortised constant time. */
  appended(group: G): boolean;
  /** An entry is about to be merged behind the newest one. */
  inserting(group: G, time: EpochMs, extra: X): void;
  /** Entries were merged: positions have changed. */
  merged(group: G): void;
  /** The first `count` entries are about to be removed. */
  dropping(group: G, count: number): void;
  /**
   * False when no window that starts at `from` or later can satisfy a condition with lower bounds alone: a shortcut
   * that spares a scan, which may always answer true.
   */
  possible(group: G, from: EpochMs): boolean;
  /** Calls `hit` with the time of each satisfied anchor among entries [from, to), in order. */
  scan(group: G, from: number, to: number, hit: (time: EpochMs) => void): void;
}
