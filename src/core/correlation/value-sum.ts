import type { Threshold } from "../sigma/rules.ts";
import { addExactly, compareSum, exactSum } from "./exact-sum.ts";
import type { ExactSum } from "./exact-sum.ts";
import { emptyGroup } from "./group.ts";
import type { Group } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { meetsExactly } from "./threshold.ts";

/** A group with the sum of the window at its newest entry. */
interface SumGroup extends Group<number> {
  /** Sum of the entries of the window. */
  sum: ExactSum;
  /** Entries at the front that are no longer in the window. */
  head: number;
}

/** value_sum with a lower bound: the exact sum of the window. An extra is the number, never negative. */
export function valueSum(threshold: Threshold, timespanMs: number): SlidingKind<number, SumGroup> {
  const holds = (sum: ExactSum): boolean => meetsExactly(threshold, (limit) => compareSum(sum, limit));
  return {
    extra: "number",
    least: 1,
    open: (key) => ({ ...emptyGroup<number>(key), sum: exactSum(), head: 0 }),
    appended({ times, numbers }, group) {
      const { at, size, sum } = group;
      const last = at + size - 1;
      addExactly(sum, numbers[last]!);
      const start = times[last]! - timespanMs;
      while (times[at + group.head]! < start) addExactly(sum, -numbers[at + group.head++]!);
      return holds(sum);
    },
    inserting({ times }, { at, size, sum }, time, value) {
      if (time >= times[at + size - 1]! - timespanMs) addExactly(sum, value);
    },
    merged(entries, group) {
      group.head = entries.lowerBound(group, entries.times[group.at + group.size - 1]! - timespanMs) - group.at;
    },
    dropping({ numbers }, group, count) {
      for (let index = group.head; index < count; index++) addExactly(group.sum, -numbers[group.at + index]!);
      group.head = Math.max(0, group.head - count);
    },
    possible(entries, group, from) {
      const all = { ...group.sum };
      const head = group.at + group.head;
      for (let at = entries.lowerBound(group, from); at < head; at++) addExactly(all, entries.numbers[at]!);
      return holds(all);
    },
    scan(entries, group, from, to, hit) {
      if (from >= to) return;
      const { times, numbers } = entries;
      const end = group.at + group.size;
      const sum = exactSum();
      let start = entries.lowerBound(group, times[from]! - timespanMs);
      for (let at = start; at < to; at++) {
        addExactly(sum, numbers[at]!);
        const time = times[at]!;
        if (at < from || (at + 1 < end && times[at + 1] === time)) continue;
        for (; times[start]! < time - timespanMs; start++) addExactly(sum, -numbers[start]!);
        if (holds(sum)) hit(time);
      }
    },
  };
}
