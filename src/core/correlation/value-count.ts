import type { Threshold } from "../sigma/rules.ts";
import type { Entries } from "./entries.ts";
import { emptyGroup } from "./group.ts";
import type { Group } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { leastCount, meets } from "./threshold.ts";

/** A group with the values of the window at its newest entry. */
interface ValueGroup extends Group<string> {
  /** How often each value occurs among the entries of the window; undefined when that holds one entry at most. */
  occurrences: Map<string, number> | undefined;
  /** Entries at the front that are no longer in the window. */
  head: number;
}

/** value_count with a lower bound: how many distinct values are in the window. An extra is the value's text. */
export function valueCount(threshold: Threshold, timespanMs: number): SlidingKind<string, ValueGroup> {
  const least = leastCount(threshold);

  function expire({ times, texts }: Entries, group: ValueGroup, occurrences: Map<string, number>): void {
    const { at, size } = group;
    const start = times[at + size - 1]! - timespanMs;
    while (times[at + group.head]! < start) remove(occurrences, texts[at + group.head++]!);
  }

  /** The table of a group, of its first `count` entries if it has to be made: without one, all of them are in the window. */
  function tableOf({ texts }: Entries, group: ValueGroup, count: number): Map<string, number> {
    if (group.occurrences !== undefined) return group.occurrences;
    const occurrences = new Map<string, number>();
    for (let index = 0; index < count; index++) add(occurrences, texts[group.at + index]!);
    group.occurrences = occurrences;
    return occurrences;
  }

  return {
    extra: "text",
    least,
    open: (key) => ({ ...emptyGroup<string>(key), occurrences: undefined, head: 0 }),
    appended(entries, group) {
      // Most groups of many never get a second entry, and need no table.
      if (group.size === 1) return meets(threshold, 1);
      const occurrences = tableOf(entries, group, group.size - 1);
      add(occurrences, entries.texts[group.at + group.size - 1]!);
      expire(entries, group, occurrences);
      return meets(threshold, occurrences.size);
    },
    inserting(entries, group, time, value) {
      const occurrences = tableOf(entries, group, group.size);
      if (time >= entries.times[group.at + group.size - 1]! - timespanMs) add(occurrences, value);
    },
    merged(entries, group) {
      group.head = entries.lowerBound(group, entries.times[group.at + group.size - 1]! - timespanMs) - group.at;
    },
    dropping({ texts }, group, count) {
      const { at, head, occurrences } = group;
      if (occurrences !== undefined) for (let index = head; index < count; index++) remove(occurrences, texts[at + index]!);
      if (count === group.size) group.occurrences = undefined;
      group.head = Math.max(0, head - count);
    },
    possible(entries, group, from) {
      const { texts } = entries;
      // The values of the newest window, and those before it that are not among them.
      const newest = group.occurrences;
      if (newest === undefined) return true;
      let bound = newest.size;
      const counted = new Set<string>();
      const head = group.at + group.head;
      for (let at = entries.lowerBound(group, from); at < head && bound < least; at++) {
        const value = texts[at]!;
        if (newest.has(value) || counted.has(value)) continue;
        counted.add(value);
        bound++;
      }
      return bound >= least;
    },
    scan(entries, group, from, to, hit) {
      if (from >= to) return;
      const { times, texts } = entries;
      const end = group.at + group.size;
      const occurrences = new Map<string, number>();
      let start = entries.lowerBound(group, times[from]! - timespanMs);
      for (let at = start; at < to; at++) {
        add(occurrences, texts[at]!);
        const time = times[at]!;
        if (at < from || (at + 1 < end && times[at + 1] === time)) continue;
        for (; times[start]! < time - timespanMs; start++) remove(occurrences, texts[start]!);
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
