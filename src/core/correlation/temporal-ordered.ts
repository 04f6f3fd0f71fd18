import type { EpochMs } from "../event.ts";
import { emptyGroup, lowerBound } from "./group.ts";
import type { Group } from "./group.ts";
import { chain } from "./chain.ts";
import type { Chain } from "./chain.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { note } from "./temporal.ts";

/** A group with the progress of its sequences. */
interface OrderedGroup extends Group<number> {
  /** Undefined when it has to be replayed. */
  progress: Chain | undefined;
  /** Latest time of each rule. */
  readonly latest: EpochMs[];
}

/**
 * temporal_ordered: the window holds distinct events, one of each of `rules` rules, in their order; events of one time
 * have no order among themselves. Any valid assignment counts. An extra is the set of rules.
 */
export function temporalOrdered(timespanMs: number, rules: number): SlidingKind<number, OrderedGroup> {
  /** Progress after the entries of the window that ends at entry `to - 1`. */
  function replay({ times, extras }: Group<number>, to: number): Chain {
    const progress = chain(rules);
    if (to === 0) return progress;
    for (let at = lowerBound(times, times[to - 1]! - timespanMs); at < to; at++) progress.take(times[at]!, extras[at]!);
    return progress;
  }
  return {
    keepsExtra: true,
    least: rules,
    open(values) {
      const latest = Array.from({ length: rules }, () => Number.NEGATIVE_INFINITY);
      return { ...emptyGroup<number>(values), progress: chain(rules), latest };
    },
    appended(group) {
      const { times, extras, latest } = group;
      const time = times[times.length - 1]!;
      const set = extras[extras.length - 1]!;
      note(latest, set, time);
      if (group.progress !== undefined) group.progress.take(time, set);
      // A replay can wait as long as some rule is missing.
      else if (all(latest, time - timespanMs)) group.progress = replay(group, times.length);
      return group.progress !== undefined && group.progress.latestStart() >= time - timespanMs;
    },
    inserting: ({ latest }, time, set) => note(latest, set, time),
    merged(group) {
      group.progress = undefined;
    },
    dropping() {},
    possible: ({ latest }, from) => all(latest, from),
    scan({ times, extras }, from, to, hit) {
      if (from >= to) return;
      const progress = chain(rules);
      for (let at = lowerBound(times, times[from]! - timespanMs); at < to; at++) {
        const time = times[at]!;
        progress.take(time, extras[at]!);
        if (at >= from && times[at + 1] !== time && progress.latestStart() >= time - timespanMs) hit(time);
      }
    },
  };
}

function all(latest: readonly EpochMs[], from: EpochMs): boolean {
  for (const seen of latest) if (seen < from) return false;
  return true;
}
