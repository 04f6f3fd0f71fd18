import type { EpochMs } from "../event.ts";
import type { BaselineRow, Memory } from "./baseline.ts";
import { canonicalSum, exactSum } from "./exact-sum.ts";
import type { ExactSum } from "./exact-sum.ts";
import { alignDown } from "./group.ts";
import { valuesOf } from "./keys.ts";
import type { Key } from "./keys.ts";

/** Windows of a group that had events: their starts, ascending, and what was measured: 16 bytes each, mostly. */
export interface History {
  readonly starts: EpochMs[];
  /** whole + units * 2^-1074 of each; `units` is empty while all are 0. */
  readonly wholes: number[];
  readonly units: bigint[];
  /** Windows up to here came from rows, which know more than a replay. */
  restoredTo: EpochMs;
}

/** A history without windows. */
export function emptyHistory(): History {
  return { starts: [], wholes: [], units: [], restoredTo: Number.NEGATIVE_INFINITY };
}

/** What was measured in the window at a position. */
export function measureAt({ wholes, units }: History, at: number): ExactSum {
  return { whole: wholes[at]!, units: units[at] ?? 0n };
}

/** Records a window's measure; one that came from rows stays as it is. */
export function recordWindow(history: History, start: EpochMs, measured: ExactSum): void {
  const { starts, wholes, units } = history;
  let at = starts.length;
  while (at > 0 && starts[at - 1]! > start) at--;
  const known = starts[at - 1] === start;
  if (known && start <= history.restoredTo) return;
  // Filled up when the first fraction comes: most rules count.
  if (measured.units !== 0n && units.length === 0) for (const _ of starts) units.push(0n);
  if (known) {
    wholes[at - 1] = measured.whole;
    if (units.length > 0) units[at - 1] = measured.units;
    return;
  }
  starts.splice(at, 0, start);
  wholes.splice(at, 0, measured.whole);
  if (units.length > 0 || measured.units !== 0n) units.splice(at, 0, measured.units);
}

/** Forgets the first windows. */
export function dropWindows({ starts, wholes, units }: History, count: number): void {
  if (count === 0) return;
  starts.splice(0, count);
  wholes.splice(0, count);
  units.splice(0, count);
}

/** How far back a rule remembers, and how long a window may still be evaluated again. */
export interface WindowSpan {
  readonly timespanMs: number;
  readonly suppressMs: number;
  readonly keepMs: number;
  readonly lagMs: number;
  /** Windows that a baseline is the mean of; 1 where nothing is compared. */
  readonly windows: number;
}

/** What a memory of windows needs of the correlation whose windows they are. */
export interface WindowOwner {
  /** Without group-by there is one group, whose windows count from its first event on. */
  readonly begin: () => EpochMs | undefined;
  restore(row: BaselineRow): void;
  resume(until: EpochMs): void;
  live(): void;
}

/** Measures that are not sealed yet, and rows that are. */
export interface WindowMemory extends Memory {
  /** Notes that a window was evaluated. */
  note(key: Key, start: EpochMs, measured: ExactSum): void;
}

/** Remembers nothing yet. `collects`: changes are kept for `changed`. */
export function windowMemory(span: WindowSpan, owner: WindowOwner, collects: boolean): WindowMemory {
  const { timespanMs, suppressMs, keepMs, lagMs, windows } = span;
  /** By window: the newest measure of each group. */
  const waiting = new Map<EpochMs, Map<Key, ExactSum>>();
  let sealed = Number.NEGATIVE_INFINITY;
  let forgotten = Number.NEGATIVE_INFINITY;
  let forgetBefore: EpochMs | undefined;
  let begun: EpochMs | undefined;
  let moved = false;
  let rows: BaselineRow[] = [];
  return {
    depthMs: windows * timespanMs,
    timespanMs,
    note(key, start, measured) {
      if (!collects) return;
      const at = waiting.get(start);
      if (at === undefined) waiting.set(start, new Map([[key, measured]]));
      else at.set(key, measured);
    },
    restore(stored) {
      for (const row of stored) {
        if (row.kind === "first") begun = row.time;
        owner.restore(row);
      }
    },
    resume(until) {
      sealed = until;
      owner.resume(until);
    },
    live: () => owner.live(),
    seal(watermark, newest) {
      const end = watermark === Number.POSITIVE_INFINITY;
      // At the end of the input the window of the newest event is perhaps not over.
      const to = end
        ? alignDown(newest, timespanMs)
        : alignDown(alignDown(watermark, timespanMs) - timespanMs - keepMs - lagMs, suppressMs);
      if (!(to > sealed)) return;
      for (const start of [...waiting.keys()].filter((one) => one < to).sort((a, b) => a - b)) {
        for (const [key, measured] of waiting.get(start)!)
          rows.push({ kind: "window", group: valuesOf(key), time: start, ...canonicalSum(measured) });
        waiting.delete(start);
      }
      sealed = to;
      moved = true;
      if (sealed - forgotten < (windows * timespanMs) / 8 + suppressMs) return;
      forgotten = sealed;
      forgetBefore = sealed - (windows + 1) * timespanMs;
    },
    changed() {
      const begin = collects ? owner.begin() : undefined;
      // Later than the seal, a replay finds it.
      if (begin !== undefined && begin < sealed && begin !== begun) rows.push({ kind: "first", group: [], time: (begun = begin) });
      if (!moved && rows.length === 0) return undefined;
      const change = { until: sealed, rows, forgetBefore };
      rows = [];
      forgetBefore = undefined;
      moved = false;
      return change;
    },
  };
}

/** The measure of a row. */
export function measureOf(row: BaselineRow): ExactSum {
  return row.kind === "window" ? { whole: row.whole, units: row.units } : exactSum();
}
