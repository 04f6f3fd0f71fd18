import type { Threshold } from "../sigma/rules.ts";
import { emptyGroup, lowerBound } from "./group.ts";
import type { Group } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { leastCount, meets } from "./threshold.ts";

/** A group with the values of the window at its newest entry. */
interface ValueGroup extends Group<string> {
  /** How often each value occurs in entries [head, end). */
  readonly occurrences: Map<string, number>;
  head: number;
}

/** value_count with a lower bound: how many distinct values are in the window. An extra is the value's text. */
export function valueCount(threshold: Threshold, timespanMs: number): SlidingKind<string, ValueGroup> {
  const least = leastCount(threshold);
  function expire(group: ValueGroup): void {
    const { times, extras, occurrences } = group;
    const start = times[times.length - 1]! - timespanMs;
    while (times[group.head]! < start) remove(occurrences, extras[group.head++]!);
  }
  return {
    keepsExtra: true,
    least,
    open: (values) => ({ ...emptyGroup<string>(values), occurrences: new Map(), head: 0 }),
    appended(group) {
      add(group.occurrences, group.extras[group.extras.length - 1]!);
      expire(group);
      return meets(threshold, group.occurrences.size);
    },
    inserting(group, time, value) {
      const { times } = group;
      if (time >= times[times.length - 1]! - timespanMs) add(group.occurrences, value);
    },
    merged(group) {
      group.head = lowerBound(group.times, group.times[group.times.length - 1]! - timespanMs);
    },
    dropping(group, count) {
      for (let at = group.head; at < count; at++) remove(group.occurrences, group.extras[at]!);
      group.head = Math.max(0, group.head - count);
    },
    possible({ times, extras, occurrences, head }, from) {
      // The values of the newest window, and those before it that are not among them.
      let bound = occurrences.size;
      const counted = new Set<string>();
      for (let at = lowerBound(times, from); at < head && bound < least; at++) {
        const value = extras[at]!;
        if (occurrences.has(value) || counted.has(value)) continue;
        counted.add(value);
        bound++;
      }
      return bound >= least;
    },
    scan({ times, extras }, from, to, hit) {
      if (from >= to) return;
      const occurrences = new Map<string, number>();
      let start = lowerBound(times, times[from]! - timespanMs);
      for (let at = start; at < to; at++) {
        add(occurrences, extras[at]!);
        const time = times[at]!;
        if (at < from || times[at + 1] === time) continue;
        for (; times[start]! < time - timespanMs; start++) remove(occurrences, extras[start]!);
        if (meets(threshold, occurrences.size)) hit(time);
      }
    },
  };
}

function add(occurrences: Map<string, number>, value: string): void {
  occurrences.set(value, (occurrences.get(value) ?? 0) + 1);
}

function remove(occurrences: Map<string, number>, value: string): void {
  const left = occurrences.get(value)! - 1;
  if (left === 0) occurrences.delete(value);
  else occurrences.set(value, left);
}
