/** The extension types, from the text of the semantics alone. */
import type { Correlation } from "../../src/core/sigma/rules.ts";
import { meets } from "./naive-holds.ts";
import type { Item } from "./naive-holds.ts";
import { addAll, fractionOf, roundFraction, sumOf } from "./naive-numbers.ts";
import type { Fraction } from "./naive-numbers.ts";

const DAY = 86_400_000;

/** Its value was not seen in [t - lookback, t), and the group's first event is at least min_history old. */
export function isNew<E>({ newValue }: Correlation<E>, item: Item, items: readonly Item[]): boolean {
  const { lookbackMs, minHistoryMs } = newValue!;
  const seen = items.some((other) => other.value === item.value && other.time >= item.time - lookbackMs && other.time < item.time);
  return !seen && item.time - Math.min(...items.map(({ time }) => time)) >= minHistoryMs;
}

/** metric / baseline of the window that starts at `start` meets the condition. */
export function ratioHolds<E>({ baseline, threshold, timespanMs: span }: Correlation<E>, items: readonly Item[], start: number): boolean {
  const { metric, baselineDays, seasonality, minCount } = baseline!;
  const windowAt = (at: number): Item[] => items.filter(({ time }) => time >= at && time < at + span);
  const measured = (window: readonly Item[]): Fraction => {
    if (metric === "count") return fractionOf(window.length);
    const values = window.map(({ value }) => value);
    return metric === "sum" ? sumOf(values as number[]) : fractionOf(new Set(values).size);
  };
  const season = (at: number): string => {
    const date = new Date(at);
    if (seasonality === "none") return "";
    return seasonality === "hour_of_day" ? `${date.getUTCHours()}` : `${date.getUTCDay()} ${date.getUTCHours()}`;
  };
  const before = Array.from({ length: Math.floor((baselineDays * DAY) / span) }, (_, index) => start - (index + 1) * span);
  const compared = before.filter((at) => season(at) === season(start));
  const window = windowAt(start);
  if (compared.length === 0 || window.length < minCount) return false;
  const total = addAll(compared.map(windowAt).map((one) => (one.length === 0 ? fractionOf(0) : measured(one))));
  // A zero baseline counts as 1 / windows, as if all of them together held 1.
  const sum = total.over === 0n ? { over: 1n, under: 1n } : total;
  const { over, under } = measured(window);
  const sign = sum.over < 0n ? -1n : 1n;
  const ratio = { over: over * BigInt(compared.length) * sum.under * sign, under: under * sum.over * sign };
  return meets(threshold, fractionOf(roundFraction(ratio)));
}
