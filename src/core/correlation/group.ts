import type { AlertBaseline } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { CellTexts } from "./cells.ts";
import type { Extra, Entries, Span } from "./entries.ts";
import type { Key } from "./keys.ts";

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
  /** Its group fields, once a backlog has read them. */
  cells?: CellTexts | undefined;
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

/** One group of one correlation; its events lie in order of time (ties in order of arrival) in the correlation's `Entries`. */
export interface Group<X extends Extra> extends Span {
  readonly key: Key;
  /** Canonical JSON; "" until it is needed. */
  text: string;
  late: LateEntries<X> | undefined;
  /** Sorted by start; few. */
  buckets: Bucket[];
}

/** What groups without buckets share; the first bucket gets an array of its own. */
const NO_BUCKETS: Bucket[] = [];

/** A group without events. */
export function emptyGroup<X extends Extra>(key: Key): Group<X> {
  return { key, text: "", block: 0, room: 0, at: 0, size: 0, late: undefined, buckets: NO_BUCKETS };
}

/** Puts an entry that is behind the newest one aside until `mergeLate`. */
export function addLate<X extends Extra>(group: Group<X>, time: EpochMs, mark: Mark, extra: X): void {
  const late = (group.late ??= { times: [], marks: [], extras: [] });
  late.times.push(time);
  late.marks.push(mark);
  late.extras.push(extra);
}

/** Merges what `addLate` put aside, and returns its times, sorted. */
export function mergeLate<X extends Extra>(entries: Entries, group: Group<X>): readonly EpochMs[] {
  const late = group.late;
  if (late === undefined) return [];
  group.late = undefined;
  const order = late.times.map((_, index) => index).sort((a, b) => late.times[a]! - late.times[b]! || a - b);
  entries.makeRoom(group, order.length);
  let from = group.at + group.size - 1;
  let to = from + order.length;
  const { times } = entries;
  for (let at = order.length - 1; at >= 0; at--) {
    const index = order[at]!;
    const time = late.times[index]!;
    for (; from >= group.at && times[from]! > time; from--, to--) entries.copy(from, to);
    entries.put(to, time, late.marks[index]!, late.extras[index]!);
    to--;
  }
  group.size += order.length;
  return order.map((index) => late.times[index]!);
}

/** Forgets the buckets at the front that `over` says are over. */
export function shiftBuckets<X extends Extra>(group: Group<X>, over: (bucket: Bucket) => boolean): void {
  const { buckets } = group;
  let count = 0;
  while (count < buckets.length && over(buckets[count]!)) count++;
  if (count === buckets.length) group.buckets = NO_BUCKETS;
  else if (count > 0) buckets.splice(0, count);
}

/** Groups shorter than this are pruned by sweeps only; longer ones also when their block is full. */
export const PRUNE_MIN = 64;

/** Start of the span of length `span` that holds `time`, counted from the epoch. */
export function alignDown(time: EpochMs, span: number): EpochMs {
  // Adding zero keeps -0 out of alerts.
  return Math.floor(time / span) * span + 0;
}

/** Position of the first bucket that starts at or after `start`. */
export function firstBucket<X extends Extra>({ buckets }: Group<X>, start: EpochMs): number {
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
export function bucketAt<X extends Extra>(group: Group<X>, start: EpochMs): Bucket {
  const { buckets } = group;
  let at = buckets.length;
  // Nearly always the newest one.
  if (at > 0 && buckets[at - 1]!.start >= start) {
    at = firstBucket(group, start);
    const found = buckets[at];
    if (found !== undefined && found.start === start) return found;
  }
  const bucket = newBucket(start);
  if (buckets === NO_BUCKETS) group.buckets = [bucket];
  else buckets.splice(at, 0, bucket);
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
