import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { revisionOf } from "./alert-maker.ts";
import type { AlertMaker } from "./alert-maker.ts";
import { newBucket } from "./group.ts";
import type { Bucket, Mark } from "./group.ts";

/** A bucket whose every event counts: only the first are kept, however many there are. */
export interface Tally {
  readonly bucket: Bucket;
  events: number;
  /** Sorted by (time, uid). */
  readonly times: EpochMs[];
  readonly marks: Mark[];
}

/** Without events. */
export function newTally(start: EpochMs): Tally {
  return { bucket: newBucket(start), events: 0, times: [], marks: [] };
}

/** Counts an event, and keeps it if it is among the first `max` by (time, uid). */
export function tallyEvent(tally: Tally, time: EpochMs, mark: Mark, max: number): void {
  const { bucket, times, marks } = tally;
  tally.events++;
  if (time < bucket.min) bucket.min = time;
  if (time > bucket.max) bucket.max = time;
  let at = times.length;
  while (at > 0 && (times[at - 1]! > time || (times[at - 1] === time && marks[at - 1]!.uid > mark.uid))) at--;
  if (at >= max) return;
  times.splice(at, 0, time);
  marks.splice(at, 0, mark);
  if (times.length > max) {
    times.pop();
    marks.pop();
  }
}

/** Appends the alert as it is now, if it is new, has doubled or is final. */
export function emitTally(maker: AlertMaker, values: readonly string[], tally: Tally, final: boolean, out: Alert[]): void {
  const { bucket, events } = tally;
  const revision = revisionOf(events, 1);
  if (!final && bucket.revision > 0 && (events < 2 * bucket.count || revision <= bucket.revision)) return;
  if (final && bucket.final && bucket.count === events) return;
  bucket.revision = Math.max(bucket.revision, final ? revision : revision - 1) + 1;
  bucket.final = final;
  bucket.count = events;
  bucket.first = bucket.min;
  bucket.last = bucket.max;
  if (bucket.id === "") bucket.id = maker.id(maker.groupText(values), bucket.start);
  out.push(maker.alert(values, bucket, tally.marks, final));
}
