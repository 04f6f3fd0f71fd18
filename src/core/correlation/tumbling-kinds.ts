import type { Threshold } from "../sigma/rules.ts";
import { addExactly, compareSum, exactSum, meanOf } from "./exact-sum.ts";
import type { ExactSum } from "./exact-sum.ts";
import { percentileOf } from "./percentile.ts";
import { meets, meetsExactly } from "./threshold.ts";
import type { TumblingKind } from "./tumbling.ts";

/** event_count without a lower bound. */
export function countPerWindow(threshold: Threshold): TumblingKind<0> {
  return { keepsExtra: false, emptyHolds: meets(threshold, 0), holds: (_, from, to) => meets(threshold, to - from) };
}

/** value_count without a lower bound. */
export function valuesPerWindow(threshold: Threshold): TumblingKind<string> {
  return {
    keepsExtra: true,
    emptyHolds: meets(threshold, 0),
    holds({ extras }, from, to) {
      return meets(threshold, distinctOf(extras, from, to));
    },
  };
}

/** temporal without a lower bound. */
export function rulesPerWindow(threshold: Threshold): TumblingKind<number> {
  return {
    keepsExtra: true,
    emptyHolds: meets(threshold, 0),
    holds({ extras }, from, to) {
      let set = 0;
      for (let at = from; at < to; at++) set |= extras[at]!;
      let present = 0;
      for (; set !== 0; set &= set - 1) present++;
      return meets(threshold, present);
    },
  };
}

/** value_sum without a lower bound; numbers may be negative. */
export function sumPerWindow(threshold: Threshold): TumblingKind<number> {
  return {
    keepsExtra: true,
    emptyHolds: meets(threshold, 0),
    holds({ extras }, from, to) {
      const sum = sumOf(extras, from, to);
      return meetsExactly(threshold, (limit) => compareSum(sum, limit));
    },
  };
}

/** value_avg: the mean, rounded once. A window without numbers has none. */
export function meanPerWindow(threshold: Threshold): TumblingKind<number> {
  return {
    keepsExtra: true,
    emptyHolds: false,
    holds: ({ extras }, from, to) => from < to && meets(threshold, meanOf(sumOf(extras, from, to), to - from)),
  };
}

/** value_percentile, and value_median with percentile 50. A window without numbers has none. */
export function percentilePerWindow(threshold: Threshold, percentile: number): TumblingKind<number> {
  const of = percentileOf(percentile);
  return {
    keepsExtra: true,
    emptyHolds: false,
    holds: ({ extras }, from, to) => from < to && meets(threshold, of(extras.slice(from, to))),
  };
}

/** Number of distinct values in [from, to). */
export function distinctOf(values: readonly string[], from: number, to: number): number {
  const distinct = new Set<string>();
  for (let at = from; at < to; at++) distinct.add(values[at]!);
  return distinct.size;
}

/** Exact sum of [from, to). */
export function sumOf(numbers: readonly number[], from: number, to: number): ExactSum {
  const sum = exactSum();
  for (let at = from; at < to; at++) addExactly(sum, numbers[at]!);
  return sum;
}
