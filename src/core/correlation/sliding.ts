import type { Extra } from "./entries.ts";
import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Changed } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { Entries } from "./entries.ts";
import { addLate, alignDown, bucketAt, firstBucket, mergeLate, shiftBuckets, PRUNE_MIN } from "./group.ts";
import type { Group, Mark } from "./group.ts";
import { keptFor } from "./keys.ts";
import type { Key } from "./keys.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { deliver, emit, hit, touch } from "./sliding-state.ts";
import type { SlidingState } from "./sliding-state.ts";

/**
 * Closed windows that slide, anchored at each event. With `grows` the condition has lower bounds alone: satisfied
 * anchors are found as events come, and stay. Without, anchors are evaluated when the watermark has passed their bucket.
 */
export function sliding<X extends Extra, G extends Group<X>>(
  setup: CorrelatorSetup<X>,
  kind: SlidingKind<X, G>,
  grows: boolean,
): Correlator<X> {
  const state: SlidingState<X, G> = {
    setup,
    kind,
    grows,
    entries: new Entries(kind.extra),
    groups: [],
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
    add: (key, time, mark, extra) => add(state, key, time, mark, extra),
    idle: (key) => idle(state, key),
    forget: (key) => forget(state, key),
    keepFrom: () => state.keepFrom,
    settle: (out) => settle(state, out),
    advance: (watermark, _newest, out) => advance(state, watermark, out),
    reach: () => (grows ? state.reached : alignDown(state.reached, setup.suppressMs)),
    entries: () => state.held,
  };
}

function add<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, key: Key, time: EpochMs, mark: Mark, extra: X): void {
  const { kind, grows, entries } = state;
  // A slot holds what this correlation has put there.
  const group = (keptFor(key, state.setup.slot) as G | undefined) ?? open(state, key);
  state.held++;
  const end = group.at + group.size;
  if (group.size > 0 && entries.times[end - 1]! > time) {
    if (group.late === undefined) state.behind.push(group);
    addLate(group, time, mark, extra);
    return;
  }
  if (end === group.block + group.room && group.size >= PRUNE_MIN) drop(state, group);
  entries.append(group, time, mark, extra);
  if (!grows) touch(state, group, bucketAt(group, alignDown(time, state.setup.suppressMs)));
  else if (kind.appended(entries, group)) hit(state, group, time);
}

function open<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, key: Key): G {
  const group = state.kind.open(key);
  state.setup.keys.hold(key, state.setup.slot, group);
  state.groups.push(group);
  return group;
}

function settle<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, out: Alert[]): void {
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
function merge<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, group: G): void {
  const { kind, grows, setup } = state;
  const late = group.late!;
  const { entries } = state;
  if (grows) for (let at = 0; at < late.times.length; at++) kind.inserting(entries, group, late.times[at]!, late.extras[at]!);
  const times = mergeLate(entries, group);
  if (!grows) {
    for (const time of times) touch(state, group, bucketAt(group, alignDown(time, setup.suppressMs)));
    return;
  }
  kind.merged(entries, group);
  const found = (time: EpochMs): void => hit(state, group, time);
  for (let at = 0; at < times.length;) {
    const from = times[at]!;
    let end = from + setup.timespanMs;
    for (at++; at < times.length && times[at]! <= end; at++) end = times[at]! + setup.timespanMs;
    if (!kind.possible(entries, group, from - setup.timespanMs)) continue;
    kind.scan(entries, group, firstUnknown(state, group, entries.lowerBound(group, from)), entries.upperBound(group, end), found);
  }
  for (const time of times) touchAround(state, group, time);
}

/** The first entry from `at` on that is not between satisfied anchors of its bucket: those need no scan again. */
function firstUnknown<X extends Extra, G extends Group<X>>({ entries, setup }: SlidingState<X, G>, group: G, position: number): number {
  const { times } = entries;
  const end = group.at + group.size;
  for (let at = position; at < end;) {
    const time = times[at]!;
    const start = alignDown(time, setup.suppressMs);
    const bucket = group.buckets[firstBucket(group, start)];
    if (bucket === undefined || bucket.start !== start || time < bucket.min || time > bucket.max) return at;
    at = entries.upperBound(group, bucket.max);
  }
  return end;
}

/** The count of an alert grows with any event between its first and last. */
function touchAround<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, group: G, time: EpochMs): void {
  const { timespanMs, suppressMs } = state.setup;
  const { buckets } = group;
  for (let at = firstBucket(group, time - suppressMs); at < buckets.length; at++) {
    const bucket = buckets[at]!;
    if (bucket.start > time + timespanMs) return;
    if (time >= bucket.min - timespanMs && time <= bucket.max) touch(state, group, bucket);
  }
}

function advance<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, watermark: EpochMs, out: Alert[]): void {
  const { timespanMs, suppressMs, keepMs } = state.setup;
  state.reached = watermark;
  if (state.grows) deliver(state);
  state.due.close(watermark - suppressMs, (entry) => close(state, entry, out));
  if (!state.grows) deliver(state);
  state.keepFrom = alignDown(watermark - keepMs, suppressMs) - timespanMs;
  if (state.keepFrom - state.sweptFrom >= (timespanMs + suppressMs + keepMs) / 2) sweep(state);
}

function close<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, entry: Changed<G>, out: Alert[]): void {
  const { group, bucket } = entry;
  if (!state.grows) {
    const { entries } = state;
    const from = entries.lowerBound(group, bucket.start);
    const to = entries.lowerBound(group, bucket.start + state.setup.suppressMs);
    bucket.min = Number.POSITIVE_INFINITY;
    bucket.max = Number.NEGATIVE_INFINITY;
    // Marked as touched so that it is not noted again: it is being dealt with.
    bucket.touched = true;
    state.kind.scan(entries, group, from, to, (time) => hit(state, group, time));
    bucket.touched = false;
  }
  if (bucket.max !== Number.NEGATIVE_INFINITY && state.setup.alerts) emit(state, entry, true, out);
}

function drop<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, group: G): void {
  const { entries } = state;
  const count = entries.lowerBound(group, state.keepFrom) - group.at;
  if (count === 0) return;
  if (state.grows) state.kind.dropping(entries, group, count);
  entries.dropFirst(group, count);
  state.held -= count;
}

function sweep<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>): void {
  const { setup, entries, keepFrom } = state;
  const over = keepFrom + setup.timespanMs;
  const isHeld = (group: G): boolean => keptFor(group.key, setup.slot) === group;
  for (const group of state.groups) {
    if (!isHeld(group)) continue;
    drop(state, group);
    // A bucket's windows end with it, so what ends before the kept anchors is over.
    shiftBuckets(group, ({ start }) => start + setup.suppressMs <= over);
    if (group.size === 0 && group.buckets.length === 0) leave(setup, group.key);
  }
  state.groups = state.groups.filter(isHeld);
  entries.compact(state.groups);
  state.sweptFrom = keepFrom;
}

function idle<X extends Extra, G extends Group<X>>({ setup }: SlidingState<X, G>, key: Key): boolean {
  const group = keptFor(key, setup.slot) as G | undefined;
  return group === undefined || (group.buckets.length === 0 && group.late === undefined);
}

function forget<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, key: Key): void {
  const group = keptFor(key, state.setup.slot) as G | undefined;
  if (group === undefined) return;
  state.held -= group.size;
  state.entries.release(group);
  // The next sweep takes it out of the list: many may be forgotten at once.
  leave(state.setup, key);
}

function leave<X extends Extra>(setup: CorrelatorSetup<X>, key: Key): void {
  setup.keys.release(key, setup.slot);
}
