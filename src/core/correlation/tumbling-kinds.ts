import type { Threshold } from "../sigma/rules.ts";
import { addExactly, compareSum, exactSum, meanOf } from "./exact-sum.ts";
import type { ExactSum } from "./exact-sum.ts";
import { percentileOf } from "./percentile.ts";
import { meets, meetsExactly } from "./threshold.ts";
import type { TumblingKind } from "./tumbling.ts";

/** event_count without a lower bound. */
export function countPerWindow(threshold: Threshold): TumblingKind<0> {
  return { extra: "none", emptyHolds: meets(threshold, 0), holds: (_entries, _group, from, to) => meets(threshold, to - from) };
}

/** value_count without a lower bound. */
export function valuesPerWindow(threshold: Threshold): TumblingKind<string> {
  return {
    extra: "text",
    emptyHolds: meets(threshold, 0),
    holds({ texts }, _group, from, to) {
      return meets(threshold, distinctOf(texts, from, to));
    },
  };
}

/** temporal without a lower bound. */
export function rulesPerWindow(threshold: Threshold): TumblingKind<number> {
  return {
    extra: "number",
    emptyHolds: meets(threshold, 0),
    holds({ numbers }, _group, from, to) {
      let set = 0;
      for (let at = from; at < to; at++) set |= numbers[at]!;
      let present = 0;
      for (; set !== 0; set &= set - 1) present++;
      return meets(threshold, present);
    },
  };
}

/** value_sum without a lower bound; numbers may be negative. */
export function sumPerWindow(threshold: Threshold): TumblingKind<number> {
  return {
    extra: "number",
    emptyHolds: meets(threshold, 0),
    holds({ numbers }, _group, from, to) {
      const sum = sumOf(numbers, from, to);
      return meetsExactly(threshold, (limit) => compareSum(sum, limit));
    },
  };
}

/** value_avg: the mean, rounded once. A window without numbers has none. */
export function meanPerWindow(threshold: Threshold): TumblingKind<number> {
  return {
    extra: "number",
    emptyHolds: false,
    holds: ({ numbers }, _group, from, to) => from < to && meets(threshold, meanOf(sumOf(numbers, from, to), to - from)),
  };
}

/** value_percentile, and value_median with percentile 50. A window without numbers has none. */
export function percentilePerWindow(threshold: Threshold, percentile: number): TumblingKind<number> {
  const of = percentileOf(percentile);
  return {
    extra: "number",
    emptyHolds: false,
    holds: ({ numbers }, _group, from, to) =>
      from < to && meets(threshold, of(Array.from({ length: to - from }, (_, index) => numbers[from + index]!))),
  };
}

/** Number of distinct values in [from, to). */
export function distinctOf(values: { readonly [position: number]: string }, from: number, to: number): number {
  const distinct = new Set<string>();
  for (let at = from; at < to; at++) distinct.add(values[at]!);
  return distinct.size;
}

/** Exact sum of [from, to). */
export function sumOf(numbers: { readonly [position: number]: number }, from: number, to: number): ExactSum {
  const sum = exactSum();
  for (let at = from; at < to; at++) addExactly(sum, numbers[at]!);
  return sum;
}
