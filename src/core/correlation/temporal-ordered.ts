import { emptyGroup, lowerBound } from "./group.ts";
import type { Group } from "./group.ts";
import { chain } from "./chain.ts";
import type { Chain } from "./chain.ts";
import type { SlidingKind } from "./sliding-kind.ts";

/** A group with the progress of its sequences. */
interface OrderedGroup extends Group<number> {
  progress: Chain;
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
    open: (values) => ({ ...emptyGroup<number>(values), progress: chain(rules) }),
    appended({ progress, times, extras }) {
      const time = times[times.length - 1]!;
      progress.take(time, extras[extras.length - 1]!);
      return progress.latestStart() >= time - timespanMs;
    },
    inserting() {},
    merged(group) {
      group.progress = replay(group, group.times.length);
    },
    dropping() {},
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
