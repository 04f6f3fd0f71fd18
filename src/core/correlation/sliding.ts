import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Changed } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { addLate, alignDown, bucketAt, dropFirst, firstBucket, lowerBound, mergeLate, pruned, upperBound } from "./group.ts";
import type { Group, Mark } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { deliver, emit, hit, touch } from "./sliding-state.ts";
import type { SlidingState } from "./sliding-state.ts";

/**
 * Closed windows that slide, anchored at each event. With `grows` the condition has lower bounds alone: satisfied
 * anchors are found as events come, and stay. Without, anchors are evaluated when the watermark has passed their bucket.
 */
export function sliding<X, G extends Group<X>>(setup: CorrelatorSetup<X>, kind: SlidingKind<X, G>, grows: boolean): Correlator<X> {
  const state: SlidingState<X, G> = {
    setup,
    kind,
    grows,
    groups: new Map(),
    due: closing(setup.maker),
    behind: [],
    touched: [],
    undelivered: [],
    certain: false,
    reached: Number.NEGATIVE_INFINITY,
    keepFrom: Number.NEGATIVE_INFINITY,
    sweptFrom: Number.NEGATIVE_INFINITY,
    held: 0,
  };
  return {
    group: (key) => state.groups.get(key),
    open(key, values) {
      const group = kind.open(values);
      state.groups.set(key, group);
      return group;
    },
    // Groups come from `group` and `open` alone, so that they are of the kind.
    add: (group, time, mark, extra) => add(state, group as G, time, mark, extra),
    settle: (out) => settle(state, out),
    advance: (watermark, _newest, out) => advance(state, watermark, out),
    reach: () => (grows ? state.reached : alignDown(state.reached, setup.suppressMs)),
    entries: () => state.held,
  };
}

function add<X, G extends Group<X>>(state: SlidingState<X, G>, group: G, time: EpochMs, mark: Mark, extra: X): void {
  const { kind, grows } = state;
  const { times } = group;
  state.held++;
  if (times.length > 0 && times[times.length - 1]! > time) {
    if (group.late === undefined) state.behind.push(group);
    addLate(group, time, mark, extra);
    return;
  }
  if (times.length === 0) {
    // A first push would reserve room for seventeen entries, and most groups of many never get a second.
    group.times = [time];
    group.marks = [mark];
    if (kind.keepsExtra) group.extras = [extra];
  } else {
    if (times.length >= group.pruneAt) drop(state, group);
    times.push(time);
    group.marks.push(mark);
    if (kind.keepsExtra) group.extras.push(extra);
  }
  if (!grows) touch(state, group, bucketAt(group, alignDown(time, state.setup.suppressMs)));
  else if (kind.appended(group)) hit(state, group, time);
}

function settle<X, G extends Group<X>>(state: SlidingState<X, G>, out: Alert[]): void {
  if (state.behind.length > 0) {
    for (const group of state.behind) merge(state, group);
    state.behind = [];
  }
  if (state.touched.length > 0) {
    for (const entry of state.touched) {
      entry.bucket.touched = false;
      state.due.open(entry.group, entry.bucket);
      if (state.grows && state.setup.alerts) emit(state, entry, false, out);
    }
    state.touched = [];
  }
  if (state.grows && state.certain) deliver(state);
}

/** Merges what came behind the newest entry, and evaluates the anchors that it can have changed. */
function merge<X, G extends Group<X>>(state: SlidingState<X, G>, group: G): void {
  const { kind, grows, setup } = state;
  const late = group.late!;
  if (grows) for (let at = 0; at < late.times.length; at++) kind.inserting(group, late.times[at]!, late.extras[at]!);
  const times = mergeLate(group, kind.keepsExtra);
  if (!grows) {
    for (const time of times) touch(state, group, bucketAt(group, alignDown(time, setup.suppressMs)));
    return;
  }
  kind.merged(group);
  const found = (time: EpochMs): void => hit(state, group, time);
  for (let at = 0; at < times.length;) {
    const from = times[at]!;
    let end = from + setup.timespanMs;
    for (at++; at < times.length && times[at]! <= end; at++) end = times[at]! + setup.timespanMs;
    if (!kind.possible(group, from - setup.timespanMs)) continue;
    kind.scan(group, firstUnknown(group, lowerBound(group.times, from), setup.suppressMs), upperBound(group.times, end), found);
  }
  for (const time of times) touchAround(state, group, time);
}

/** The first entry from `at` on that is not between satisfied anchors of its bucket: those need no scan again. */
function firstUnknown<X>(group: Group<X>, at: number, suppressMs: EpochMs): number {
  const { times, buckets } = group;
  for (let index = at; index < times.length;) {
    const time = times[index]!;
    const start = alignDown(time, suppressMs);
    const bucket = buckets[firstBucket(group, start)];
    if (bucket === undefined || bucket.start !== start || time < bucket.min || time > bucket.max) return index;
    index = upperBound(times, bucket.max);
  }
  return times.length;
}

/** The count of an alert grows with any event between its first and last. */
function touchAround<X, G extends Group<X>>(state: SlidingState<X, G>, group: G, time: EpochMs): void {
  const { timespanMs, suppressMs } = state.setup;
  const { buckets } = group;
  for (let at = firstBucket(group, time - suppressMs); at < buckets.length; at++) {
    const bucket = buckets[at]!;
    if (bucket.start > time + timespanMs) return;
    if (time >= bucket.min - timespanMs && time <= bucket.max) touch(state, group, bucket);
  }
}

function advance<X, G extends Group<X>>(state: SlidingState<X, G>, watermark: EpochMs, out: Alert[]): void {
  const { timespanMs, suppressMs, keepMs } = state.setup;
  state.reached = watermark;
  if (state.grows) deliver(state);
  state.due.close(watermark - suppressMs, (entry) => close(state, entry, out));
  if (!state.grows) deliver(state);
  state.keepFrom = alignDown(watermark - keepMs, suppressMs) - timespanMs;
  if (state.keepFrom - state.sweptFrom >= (timespanMs + suppressMs + keepMs) / 2) sweep(state);
}

function close<X, G extends Group<X>>(state: SlidingState<X, G>, entry: Changed<G>, out: Alert[]): void {
  const { group, bucket } = entry;
  if (!state.grows) {
    const from = lowerBound(group.times, bucket.start);
    const to = lowerBound(group.times, bucket.start + state.setup.suppressMs);
    bucket.min = Number.POSITIVE_INFINITY;
    bucket.max = Number.NEGATIVE_INFINITY;
    // Marked as touched so that it is not noted again: it is being dealt with.
    bucket.touched = true;
    state.kind.scan(group, from, to, (time) => hit(state, group, time));
    bucket.touched = false;
  }
  if (bucket.max !== Number.NEGATIVE_INFINITY && state.setup.alerts) emit(state, entry, true, out);
}

function drop<X, G extends Group<X>>(state: SlidingState<X, G>, group: G): void {
  const count = lowerBound(group.times, state.keepFrom);
  if (count > 0) {
    if (state.grows) state.kind.dropping(group, count);
    dropFirst(group, count, state.kind.keepsExtra);
    state.held -= count;
  }
  pruned(group);
}

function sweep<X, G extends Group<X>>(state: SlidingState<X, G>): void {
  const { timespanMs, suppressMs } = state.setup;
  for (const [key, group] of state.groups) {
    drop(state, group);
    const { buckets } = group;
    // A bucket's windows end with it, so what ends before the kept anchors is over.
    while (buckets.length > 0 && buckets[0]!.start + suppressMs <= state.keepFrom + timespanMs) buckets.shift();
    if (group.times.length === 0 && buckets.length === 0) state.groups.delete(key);
  }
  state.sweptFrom = state.keepFrom;
}
