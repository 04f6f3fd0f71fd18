import type { AlertBaseline } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { Threshold } from "../sigma/rules.ts";
import { addExactly, compareSum, exactSum, meanOf, ratioOf } from "./exact-sum.ts";
import type { ExactSum } from "./exact-sum.ts";
import type { Extra, ExtraKind, Entries } from "./entries.ts";
import type { Group } from "./group.ts";
import { meets } from "./threshold.ts";
import type { TumblingKind } from "./tumbling.ts";
import { dropWindows, emptyHistory, measureAt, recordWindow } from "./window-memory.ts";
import type { History } from "./window-memory.ts";

/** What a window is compared with. */
export interface BaselineSetup {
  readonly timespanMs: number;
  readonly baselineDays: number;
  readonly seasonality: "none" | "hour_of_day" | "hour_of_week";
  readonly minCount: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The epoch began on a Thursday; any fixed origin serves to compare hours of the week. */
const WEEK_MS = 7 * DAY_MS;

/** Windows that a baseline is the mean of. */
export function baselineWindows({ baselineDays, timespanMs }: Pick<BaselineSetup, "baselineDays" | "timespanMs">): number {
  return Math.floor((baselineDays * DAY_MS) / timespanMs);
}

/**
 * baseline_ratio: what is measured in a window, divided by its mean over the windows of `baselineDays` before, of the
 * same season. Windows without events count as 0, also before the first event.
 */
export function baselineRatio<X extends Extra>(
  threshold: Threshold,
  setup: BaselineSetup,
  measure: (entries: Entries, from: number, to: number) => ExactSum,
  extra: ExtraKind,
): TumblingKind<X> {
  const { timespanMs, minCount } = setup;
  const windows = baselineWindows(setup);
  const histories = new WeakMap<Group<X>, History>();
  const period = setup.seasonality === "hour_of_day" ? DAY_MS : WEEK_MS;
  const hour = (start: EpochMs): number => Math.floor((((start % period) + period) % period) / HOUR_MS);
  const inSeason = (start: EpochMs, of: EpochMs): boolean => setup.seasonality === "none" || hour(start) === hour(of);

  let counted = { start: Number.NaN, windows };
  /** How many of the windows before `start` are of its season; the groups of a window share the answer. */
  function seasonal(start: EpochMs): number {
    if (setup.seasonality === "none" || counted.start === start) return counted.windows;
    let found = 0;
    for (let back = 1; back <= windows; back++) if (inSeason(start - back * timespanMs, start)) found++;
    counted = { start, windows: found };
    return found;
  }

  function history(group: Group<X>): History {
    let known = histories.get(group);
    if (known === undefined) histories.set(group, (known = emptyHistory()));
    return known;
  }

  return {
    extra,
    emptyHolds: minCount <= 0 && meets(threshold, 0),
    remembers: (group, from) => (histories.get(group)?.starts.at(-1) ?? Number.NEGATIVE_INFINITY) >= from - windows * timespanMs,
    past: {
      windows,
      restore(group, start, measured) {
        const known = history(group);
        recordWindow(known, start, measured);
        known.restoredTo = Math.max(known.restoredTo, start);
      },
      measured(group, start) {
        const known = history(group);
        const at = known.starts.lastIndexOf(start);
        return at === -1 ? undefined : measureAt(known, at);
      },
    },
    holds(entries, group, from, to, start) {
      const known = history(group);
      const { starts, wholes, units } = known;
      const measured = measure(entries, from, to);
      const oldest = start - windows * timespanMs;
      const total = exactSum();
      let expired = 0;
      for (let at = 0; at < starts.length && starts[at]! < start; at++) {
        if (starts[at]! < oldest) expired = at + 1;
        else if (inSeason(starts[at]!, start)) {
          addExactly(total, wholes[at]!);
          if (units.length > 0) total.units += units[at]!;
        }
      }
      // A window before this one that is evaluated again misses what is dropped here; it is too late anyway.
      dropWindows(known, expired);
      if (from < to) recordWindow(known, start, measured);
      if (to - from < minCount) return false;
      const count = seasonal(start);
      if (count === 0) return false;
      // Zero may be written as parts that cancel, so it is compared and not looked at.
      if (compareSum(total, 0) === 0) {
        total.whole = 1;
        total.units = 0n;
      }
      if (!meets(threshold, ratioOf(measured, total, count))) return false;
      const found: AlertBaseline = { numerator: meanOf(measured, 1), baseline: meanOf(total, count), windows: count };
      return found;
    },
  };
}
