import type { Threshold } from "../sigma/rules.ts";
import { addExactly, compareSum, exactSum } from "./exact-sum.ts";
import type { ExactSum } from "./exact-sum.ts";
import { emptyGroup, lowerBound } from "./group.ts";
import type { Group } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { meetsExactly } from "./threshold.ts";

/** A group with the sum of the window at its newest entry. */
interface SumGroup extends Group<number> {
  /** Sum of entries [head, end). */
  sum: ExactSum;
  head: number;
}

/** value_sum with a lower bound: the exact sum of the window. An extra is the number, never negative. */
export function valueSum(threshold: Threshold, timespanMs: number): SlidingKind<number, SumGroup> {
  const holds = (sum: ExactSum): boolean => meetsExactly(threshold, (limit) => compareSum(sum, limit));
  return {
    keepsExtra: true,
    least: 1,
    open: (values) => ({ ...emptyGroup<number>(values), sum: exactSum(), head: 0 }),
    appended(group) {
      const { times, extras, sum } = group;
      addExactly(sum, extras[extras.length - 1]!);
      const start = times[times.length - 1]! - timespanMs;
      while (times[group.head]! < start) addExactly(sum, -extras[group.head++]!);
      return holds(sum);
    },
    inserting({ times, sum }, time, value) {
      if (time >= times[times.length - 1]! - timespanMs) addExactly(sum, value);
    },
    merged(group) {
      group.head = lowerBound(group.times, group.times[group.times.length - 1]! - timespanMs);
    },
    dropping(group, count) {
      for (let at = group.head; at < count; at++) addExactly(group.sum, -group.extras[at]!);
      group.head = Math.max(0, group.head - count);
    },
    possible({ times, extras, sum, head }, from) {
      const all = { ...sum };
      for (let at = lowerBound(times, from); at < head; at++) addExactly(all, extras[at]!);
      return holds(all);
    },
    scan({ times, extras }, from, to, hit) {
      if (from >= to) return;
      const sum = exactSum();
      let start = lowerBound(times, times[from]! - timespanMs);
      for (let at = start; at < to; at++) {
        addExactly(sum, extras[at]!);
        const time = times[at]!;
        if (at < from || times[at + 1] === time) continue;
        for (; times[start]! < time - timespanMs; start++) addExactly(sum, -extras[start]!);
        if (holds(sum)) hit(time);
      }
    },
  };
}
