/** Whether a condition holds for the events of one window, from the text of the semantics alone. */
import type { Correlation, Threshold } from "../../src/core/sigma/rules.ts";
import { fractionOf, roundFraction, sumOf } from "./naive-numbers.ts";
import type { Fraction } from "./naive-numbers.ts";

/** Something that takes part in a correlation: an event or an inner alert, with the rules that it matched. */
export interface Item {
  time: number;
  uid: string;
  rules: string[];
  agents: string[];
  value: unknown;
}

/** Every operator of the condition; nothing meets it without a value. */
export function meets(threshold: Threshold, value: Fraction | undefined): boolean {
  if (value === undefined) return false;
  const compareTo = (limit: number): bigint => {
    const other = fractionOf(limit);
    return value.over * other.under - other.over * value.under;
  };
  const { gt, gte, lt, lte, eq, neq } = threshold;
  return (
    (gt === undefined || compareTo(gt) > 0n) &&
    (gte === undefined || compareTo(gte) >= 0n) &&
    (lt === undefined || compareTo(lt) < 0n) &&
    (lte === undefined || compareTo(lte) <= 0n) &&
    (eq === undefined || compareTo(eq) === 0n) &&
    (neq === undefined || compareTo(neq) !== 0n)
  );
}

export function holds<E>(correlation: Correlation<E>, window: readonly Item[]): boolean {
  const { type, rules, threshold } = correlation;
  const numbers = window.map((item) => item.value as number);
  switch (type) {
    case "event_count":
      return meets(threshold, fractionOf(window.length));
    case "value_count":
      return meets(threshold, fractionOf(new Set(window.map((item) => item.value)).size));
    case "temporal":
      return meets(threshold, fractionOf(rules.filter((rule) => window.some((item) => item.rules.includes(rule))).length));
    case "temporal_ordered":
      return sequence(rules, window, Number.NEGATIVE_INFINITY);
    case "value_sum":
      return meets(threshold, sumOf(numbers));
    case "value_avg":
      return meets(threshold, mean(numbers));
    case "value_median":
      return meets(threshold, percentile(numbers, 50));
    case "value_percentile":
      return meets(threshold, percentile(numbers, correlation.percentile!));
    case "new_value":
    case "baseline_ratio":
      throw new Error("not here");
  }
}

/** Distinct events e1…en, ei matching rule i, with t1 <= … <= tn: every choice is tried. */
function sequence(rules: readonly string[], window: readonly Item[], after: number): boolean {
  const [rule, ...rest] = rules;
  if (rule === undefined) return true;
  return window.some(
    (item) =>
      item.rules.includes(rule) &&
      item.time >= after &&
      sequence(
        rest,
        window.filter((other) => other !== item),
        item.time,
      ),
  );
}

function mean(numbers: readonly number[]): Fraction | undefined {
  if (numbers.length === 0) return undefined;
  const { over, under } = sumOf(numbers);
  return fractionOf(roundFraction({ over, under: under * BigInt(numbers.length) }));
}

/** Type 7; the percentiles of tests have at most one decimal. */
function percentile(numbers: readonly number[], p: number): Fraction | undefined {
  if (numbers.length === 0) return undefined;
  const ascending = [...numbers].sort((a, b) => a - b);
  const thousandths = (ascending.length - 1) * Math.round(p * 10);
  const low = fractionOf(ascending[Math.floor(thousandths / 1000)]!);
  const high = fractionOf(ascending[Math.ceil(thousandths / 1000)]!);
  const rest = BigInt(thousandths % 1000);
  const over = low.over * high.under * (1000n - rest) + high.over * low.under * rest;
  return fractionOf(roundFraction({ over, under: low.under * high.under * 1000n }));
}
