import type { AlertBaseline } from "../alert.ts";
import type { EpochMs } from "../event.ts";

/** An event that an inner alert stands for. */
export interface Behind {
  readonly time: EpochMs;
  readonly uid: string;
}

/** What remains of an event, shared by all windows that hold it. */
export interface Mark {
  readonly uid: string;
  /** Its agent; several for an inner alert. */
  readonly agents: string | readonly string[] | undefined;
  /** Set for an inner alert alone: the first events of its earliest satisfied window, by (time, uid). */
  readonly behind?: readonly Behind[];
}

/** Entries that arrived behind the newest one and wait for the end of the batch, in order of arrival. */
export interface LateEntries<X> {
  readonly times: EpochMs[];
  readonly marks: Mark[];
  readonly extras: X[];
}

/** What is known of one suppression bucket of one group. */
export interface Bucket {
  readonly start: EpochMs;
  /** Earliest and latest satisfied anchor; min > max while there is none. For tumbling windows: first and last time. */
  min: EpochMs;
  max: EpochMs;
  /** Id of its alert; "" until it is needed. */
  id: string;
  /** Last emission: its revision (0: none), count, and first and last time. */
  revision: number;
  count: number;
  first: EpochMs;
  last: EpochMs;
  /** It waits for the watermark. */
  open: boolean;
  /** It is in the list of what changed since the last settling. */
  touched: boolean;
  /** The rules that refer to this one have its event, or will get it when it is certain. */
  delivered: boolean;
  /** Its last emission was final. */
  final: boolean;
  /** What the alert compares, if it does. */
  baseline: AlertBaseline | undefined;
}

/** The events of one group of one correlation, in order of time (ties in order of arrival), as parallel arrays. */
export interface Group<X> {
  readonly values: readonly string[];
  /** Canonical JSON; "" until it is needed. */
  text: string;
  times: EpochMs[];
  marks: Mark[];
  /** What the kind of correlation needs of each event; left empty by kinds that need nothing. */
  extras: X[];
  late: LateEntries<X> | undefined;
  /** Sorted by start; few. */
  buckets: Bucket[];
  /** Length at which expired entries are looked for, so that looking costs nothing per event. */
  pruneAt: number;
}

/** Groups shorter than this are pruned by sweeps only. */
const PRUNE_MIN = 64;

/** A group without events. */
export function emptyGroup<X>(values: readonly string[]): Group<X> {
  return { values, text: "", times: [], marks: [], extras: [], late: undefined, buckets: [], pruneAt: PRUNE_MIN };
}

/** Index of the first entry at or after `time`. */
export function lowerBound(times: readonly EpochMs[], time: EpochMs): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first entry after `time`. */
export function upperBound(times: readonly EpochMs[], time: EpochMs): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts an entry that is behind the newest one aside until `mergeLate`. */
export function addLate<X>(group: Group<X>, time: EpochMs, mark: Mark, extra: X): void {
  const late = (group.late ??= { times: [], marks: [], extras: [] });
  late.times.push(time);
  late.marks.push(mark);
  late.extras.push(extra);
}

/** Merges what `addLate` put aside, and returns its times, sorted. */
export function mergeLate<X>(group: Group<X>, keepsExtra: boolean): readonly EpochMs[] {
  const late = group.late;
  if (late === undefined) return [];
  group.late = undefined;
  const order = late.times.map((_, index) => index).sort((a, b) => late.times[a]! - late.times[b]! || a - b);
  const { times, marks, extras } = group;
  let from = times.length - 1;
  let to = times.length + order.length - 1;
  // Grown by pushing, because assigning past the end or setting the length would leave holes and slow arrays.
  for (const index of order) {
    times.push(late.times[index]!);
    marks.push(late.marks[index]!);
    if (keepsExtra) extras.push(late.extras[index]!);
  }
  for (let at = order.length - 1; at >= 0; at--) {
    const index = order[at]!;
    const time = late.times[index]!;
    for (; from >= 0 && times[from]! > time; from--, to--) {
      times[to] = times[from]!;
      marks[to] = marks[from]!;
      if (keepsExtra) extras[to] = extras[from]!;
    }
    times[to] = time;
    marks[to] = late.marks[index]!;
    if (keepsExtra) extras[to] = late.extras[index]!;
    to--;
  }
  return order.map((index) => late.times[index]!);
}

/** Removes the first `count` entries. */
export function dropFirst<X>(group: Group<X>, count: number, keepsExtra: boolean): void {
  if (count === 0) return;
  group.times.splice(0, count);
  group.marks.splice(0, count);
  if (keepsExtra) group.extras.splice(0, count);
}

/** Sets the length at which the group is looked at again. */
export function pruned<X>(group: Group<X>): void {
  group.pruneAt = Math.max(PRUNE_MIN, 2 * group.times.length);
}

/** Start of the span of length `span` that holds `time`, counted from the epoch. */
export function alignDown(time: EpochMs, span: number): EpochMs {
  // Adding zero keeps -0 out of alerts.
  return Math.floor(time / span) * span + 0;
}

/** Position of the first bucket that starts at or after `start`. */
export function firstBucket<X>({ buckets }: Group<X>, start: EpochMs): number {
  let low = 0;
  let high = buckets.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (buckets[middle]!.start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bucket that starts at `start`; made when there is none. */
export function bucketAt<X>(group: Group<X>, start: EpochMs): Bucket {
  const { buckets } = group;
  let at = buckets.length;
  // Nearly always the newest one.
  if (at > 0 && buckets[at - 1]!.start >= start) {
    at = firstBucket(group, start);
    const found = buckets[at];
    if (found !== undefined && found.start === start) return found;
  }
  const bucket = newBucket(start);
  buckets.splice(at, 0, bucket);
  return bucket;
}

/** A bucket of which nothing is known. */
export function newBucket(start: EpochMs): Bucket {
  return {
    start,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    id: "",
    revision: 0,
    count: 0,
    first: 0,
    last: 0,
    open: false,
    touched: false,
    delivered: false,
    final: false,
    baseline: undefined,
  };
}
