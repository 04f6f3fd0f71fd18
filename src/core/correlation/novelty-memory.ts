import type { EpochMs } from "../event.ts";
import type { BaselineRow, Memory } from "./baseline.ts";
import { alignDown } from "./group.ts";
import { textOf, valuesOf } from "./keys.ts";
import type { Key } from "./keys.ts";
import type { HashKey, KeyedHash } from "./keyed-hash.ts";
import { knownTimes } from "./known-times.ts";
import type { KnownTimes } from "./known-times.ts";

/** What is remembered of a group while it has events that are not sealed. */
export interface Remembered {
  readonly key: Key;
  readonly hash: HashKey;
  /** Time of its first event ever; Infinity before the first is decided. */
  first: EpochMs;
  /** Latest decided time of the values that it had since the seal. */
  readonly latest: Map<string, EpochMs>;
}

/** How far back a rule remembers, and how long an event may still be decided again. */
export interface NoveltySpan {
  readonly lookbackMs: number;
  readonly suppressMs: number;
  readonly keepMs: number;
  readonly lagMs: number;
}

/**
 * First times of groups and latest times of their values. What was decided before the seal is a hash and a time;
 * what is later keeps its text, because a restart replays it.
 */
export interface NoveltyMemory extends Memory {
  remembered(key: Key): Remembered;
  latest(group: Remembered, value: string): EpochMs | undefined;
  /** Notes a decided event, after all of its time were asked about. */
  note(group: Remembered, value: string, time: EpochMs): void;
  /** Events before this are replayed and in the rows already; -Infinity when none are. */
  readonly skipTo: EpochMs;
  /** What is before is in rows. */
  readonly sealed: EpochMs;
  readonly entries: number;
  /** Bytes of the tables. */
  readonly bytes: number;
}

/** Values are sealed in steps of at least this, however short the suppression window is. */
export const SEAL_STEP_MIN_MS = 60_000;

/** Remembers nothing yet. `collects`: changes are kept for `changed`. */
export function noveltyMemory(span: NoveltySpan, hashOf: KeyedHash, collects: boolean): NoveltyMemory {
  const { lookbackMs, suppressMs, keepMs, lagMs } = span;
  const stepMs = suppressMs * Math.max(1, Math.ceil(SEAL_STEP_MIN_MS / suppressMs));
  const known = sealedTimes(hashOf);
  const unsealed = unsealedTimes(stepMs);
  let sealed = Number.NEGATIVE_INFINITY;
  let forgotten = Number.NEGATIVE_INFINITY;
  let forgetBefore: EpochMs | undefined;
  let skipTo = Number.NEGATIVE_INFINITY;
  let moved = false;
  let rows: BaselineRow[] = [];

  function fold(group: Remembered, value: string, time: EpochMs): void {
    const fresh = known.fold(group, value, time);
    if (collects) rows.push(...fresh);
    if (group.latest.get(value) === time) group.latest.delete(value);
  }

  return {
    depthMs: lookbackMs,
    timespanMs: 0,
    remembered(key) {
      const hash = hashOf(key.text);
      return { key, hash, first: known.firsts.get(hash) ?? Number.POSITIVE_INFINITY, latest: new Map() };
    },
    latest: (group, value) => group.latest.get(value) ?? known.values.get(hashOf(value, group.hash)),
    note(group, value, time) {
      if (time < sealed) {
        fold(group, value, time);
        return;
      }
      const before = group.latest.get(value);
      if (before === undefined || before < time) group.latest.set(value, time);
      unsealed.note(group, value, time);
    },
    restore: (stored) => known.restore(stored),
    resume(until) {
      sealed = until;
      skipTo = until;
    },
    live() {
      skipTo = Number.NEGATIVE_INFINITY;
    },
    seal(watermark, newest) {
      const to = watermark === Number.POSITIVE_INFINITY ? newest + 1 : alignDown(watermark - keepMs - lagMs, stepMs);
      if (!(to > sealed)) return;
      unsealed.take(to, fold);
      sealed = to;
      moved = true;
      // Whatever is decided again after a restart is not before the seal.
      if (sealed - forgotten < lookbackMs / 8 + stepMs) return;
      forgotten = sealed;
      forgetBefore = sealed - lookbackMs;
      known.values.forget(forgetBefore);
    },
    changed() {
      if (!moved && rows.length === 0) return undefined;
      const change = { until: sealed, rows, forgetBefore };
      rows = [];
      forgetBefore = undefined;
      moved = false;
      return change;
    },
    get skipTo() {
      return skipTo;
    },
    get sealed() {
      return sealed;
    },
    get entries() {
      return known.firsts.size + known.values.size;
    },
    get bytes() {
      return known.firsts.bytes + known.values.bytes;
    },
  };
}

/** Decided and not sealed, by step: each value once. */
interface UnsealedTimes {
  note(group: Remembered, value: string, time: EpochMs): void;
  /** Hands over what lies in steps before a time, in order of steps, and forgets it. */
  take(before: EpochMs, each: (group: Remembered, value: string, time: EpochMs) => void): void;
}

function unsealedTimes(stepMs: number): UnsealedTimes {
  const steps = new Map<EpochMs, Map<Remembered, Map<string, EpochMs>>>();
  return {
    note(group, value, time) {
      const start = alignDown(time, stepMs);
      let step = steps.get(start);
      if (step === undefined) steps.set(start, (step = new Map()));
      const noted = step.get(group);
      if (noted === undefined) step.set(group, new Map([[value, time]]));
      else if ((noted.get(value) ?? Number.NEGATIVE_INFINITY) < time) noted.set(value, time);
    },
    take(before, each) {
      for (const start of [...steps.keys()].filter((one) => one < before).sort((a, b) => a - b)) {
        for (const [group, noted] of steps.get(start)!) for (const [value, time] of noted) each(group, value, time);
        steps.delete(start);
      }
    },
  };
}

/** First times of groups and latest times of values, by hash. */
interface SealedTimes {
  readonly firsts: KnownTimes;
  readonly values: KnownTimes;
  /** Takes a decided event of a group; returns the rows that changed. */
  fold(group: Remembered, value: string, time: EpochMs): BaselineRow[];
  restore(rows: readonly BaselineRow[]): void;
}

function sealedTimes(hashOf: KeyedHash): SealedTimes {
  const firsts = knownTimes();
  const values = knownTimes();
  return {
    firsts,
    values,
    fold(group, value, time) {
      const rows: BaselineRow[] = [];
      const hash = hashOf(value, group.hash);
      const before = values.get(hash);
      if (before === undefined || before < time) {
        values.set(hash, time);
        rows.push({ kind: "value", group: valuesOf(group.key), value, time });
      }
      const first = firsts.get(group.hash);
      if (first === undefined || first > group.first) {
        firsts.set(group.hash, group.first);
        rows.push({ kind: "first", group: valuesOf(group.key), time: group.first });
      }
      return rows;
    },
    restore(stored) {
      for (const row of stored) {
        if (row.kind === "window") continue;
        const group = hashOf(textOf(row.group));
        if (row.kind === "first") firsts.set(group, Math.min(firsts.get(group) ?? row.time, row.time));
        else {
          const hash = hashOf(row.value, group);
          values.set(hash, Math.max(values.get(hash) ?? row.time, row.time));
        }
      }
    },
  };
}
