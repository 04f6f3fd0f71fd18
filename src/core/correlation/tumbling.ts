import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { addLate, alignDown, bucketAt, dropFirst, emptyGroup, lowerBound, mergeLate, pruned, upperBound } from "./group.ts";
import type { Bucket, Group, Mark } from "./group.ts";

/** What is special about a kind of correlation whose windows tumble. */
export interface TumblingKind<X> {
  readonly keepsExtra: boolean;
  /** Whether the condition holds for entries [from, to) of a group: one window, perhaps empty. */
  holds(group: Group<X>, from: number, to: number): boolean;
}

/** A group that remembers for which window it was last noted. */
interface TumblingGroup<X> extends Group<X> {
  noted: EpochMs;
}

/**
 * Longest silence that is reported window by window without group-by, in windows: two years of minutes. Behind it the
 * silence is so old that only a wrong clock can have made it.
 */
const SILENT_WINDOWS_MAX = 1_051_200;

/** Windows [k * timespan, (k + 1) * timespan), each evaluated once when the watermark passes its end; only finals. */
export function tumbling<X>(setup: CorrelatorSetup<X>, kind: TumblingKind<X>, grouped: boolean): Correlator<X> {
  const { maker, timespanMs, suppressMs, keepMs } = setup;
  const groups = new Map<string, TumblingGroup<X>>();
  /** Groups with an event in a window, by the window's start. */
  const seen = new Map<EpochMs, Set<TumblingGroup<X>>>();
  const due = closing<TumblingGroup<X>>(maker);
  let behind: TumblingGroup<X>[] = [];
  let again: { readonly group: TumblingGroup<X>; readonly start: EpochMs }[] = [];
  /** Start of the first window of all, without group-by. */
  let begin = Number.POSITIVE_INFINITY;
  /** Windows that start before this have been evaluated. */
  let done = Number.NEGATIVE_INFINITY;
  let ended = false;
  let keepFrom = Number.NEGATIVE_INFINITY;
  let sweptFrom = Number.NEGATIVE_INFINITY;
  let held = 0;

  function drop(group: TumblingGroup<X>): void {
    const count = lowerBound(group.times, keepFrom);
    dropFirst(group, count, kind.keepsExtra);
    held -= count;
    pruned(group);
  }

  function note(group: TumblingGroup<X>, time: EpochMs): void {
    const start = alignDown(time, timespanMs);
    if (start < begin) begin = start;
    // Too late: what it amends is evaluated again, as long as the window is still there as a whole.
    if (start < done && start >= keepFrom) again.push({ group, start });
    if (start === group.noted) return;
    group.noted = start;
    const noted = seen.get(start);
    if (noted === undefined) seen.set(start, new Set([group]));
    else noted.add(group);
  }

  function add(found: Group<X>, time: EpochMs, mark: Mark, extra: X): void {
    const group = found as TumblingGroup<X>;
    held++;
    note(group, time);
    if (group.times.length > 0 && group.times[group.times.length - 1]! > time) {
      if (group.late === undefined) behind.push(group);
      addLate(group, time, mark, extra);
      return;
    }
    if (group.times.length >= group.pruneAt) drop(group);
    group.times.push(time);
    group.marks.push(mark);
    if (kind.keepsExtra) group.extras.push(extra);
  }

  function evaluate(group: TumblingGroup<X>, start: EpochMs): void {
    const from = lowerBound(group.times, start);
    const to = lowerBound(group.times, start + timespanMs);
    if (!kind.holds(group, from, to)) return;
    const bucket = bucketAt(group, alignDown(start, suppressMs));
    bucket.min = Math.min(bucket.min, from < to ? group.times[from]! : start);
    bucket.max = Math.max(bucket.max, from < to ? group.times[to - 1]! : start);
    due.open(group, bucket);
    if (setup.deliver === undefined || bucket.delivered) return;
    bucket.delivered = true;
    identify(group, bucket);
    const agents = maker.agents(group.values, setup.evidence(group, from, to));
    setup.deliver({ time: start, mark: { uid: bucket.id, agents }, values: group.values });
  }

  function identify(group: TumblingGroup<X>, bucket: Bucket): void {
    if (bucket.id === "") bucket.id = maker.id((group.text ||= maker.groupText(group.values)), bucket.start);
  }

  /** Evaluates the windows that start in [done, end), in order. */
  function evaluateUntil(end: EpochMs): void {
    const starts = new Set<EpochMs>();
    for (const start of seen.keys()) {
      if (start >= done && start < end) starts.add(start);
      if (start + timespanMs >= done && start + timespanMs < end) starts.add(start + timespanMs);
    }
    const global = grouped ? undefined : groups.get("");
    if (global !== undefined && kind.holds(global, 0, 0)) {
      const last = end - timespanMs;
      const first = Math.max(begin, done, last - SILENT_WINDOWS_MAX * timespanMs);
      for (let start = first; start <= last; start += timespanMs) starts.add(start);
    }
    for (const start of [...starts].sort((a, b) => a - b)) {
      const here = seen.get(start);
      for (const group of here ?? []) evaluate(group, start);
      for (const group of seen.get(start - timespanMs) ?? []) if (here?.has(group) !== true) evaluate(group, start);
      if (global !== undefined && here === undefined && !seen.has(start - timespanMs)) evaluate(global, start);
    }
    for (const start of seen.keys()) if (start < end - timespanMs) seen.delete(start);
    done = end;
  }

  function close(group: TumblingGroup<X>, bucket: Bucket, out: Alert[]): void {
    if (!setup.alerts) return;
    const from = lowerBound(group.times, bucket.min);
    const to = upperBound(group.times, bucket.max);
    if (bucket.final && bucket.count === to - from && bucket.first === bucket.min && bucket.last === bucket.max) return;
    bucket.count = to - from;
    bucket.first = bucket.min;
    bucket.last = bucket.max;
    bucket.revision++;
    bucket.final = true;
    identify(group, bucket);
    out.push(maker.alert(group.values, bucket, setup.evidence(group, from, to), true));
  }

  function sweep(): void {
    for (const [key, group] of groups) {
      drop(group);
      while (group.buckets.length > 0 && group.buckets[0]!.start < keepFrom) group.buckets.shift();
      // The global group stays: it says that the rule's first event has been.
      if (grouped && group.times.length === 0 && group.buckets.length === 0 && group.late === undefined) groups.delete(key);
    }
    sweptFrom = keepFrom;
  }

  return {
    group: (key) => groups.get(key),
    open(key, values) {
      const group = { ...emptyGroup<X>(values), noted: Number.NEGATIVE_INFINITY };
      groups.set(key, group);
      return group;
    },
    add,
    settle() {
      for (const group of behind) mergeLate(group, kind.keepsExtra);
      behind = [];
      for (const { group, start } of again) evaluate(group, start);
      again = [];
    },
    advance(watermark, newest, out) {
      ended ||= watermark === Number.POSITIVE_INFINITY;
      const end = ended ? alignDown(newest, timespanMs) + timespanMs : alignDown(watermark, timespanMs);
      if (end > done) evaluateUntil(end);
      due.close(ended ? Number.POSITIVE_INFINITY : done - suppressMs, (group, bucket) => close(group, bucket, out));
      // The previous window stays: its groups are still to be asked about the next one.
      keepFrom = ended ? Number.POSITIVE_INFINITY : alignDown(done - timespanMs - keepMs, suppressMs);
      if (keepFrom - sweptFrom >= (timespanMs + suppressMs + keepMs) / 2) sweep();
    },
    reach: () => (ended ? Number.POSITIVE_INFINITY : done),
    entries: () => held,
  };
}
