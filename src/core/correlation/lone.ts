import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { revisionOf } from "./alert-maker.ts";
import type { AlertMaker } from "./alert-maker.ts";
import { alignDown, newBucket } from "./group.ts";
import type { Bucket, Mark } from "./group.ts";

/** A detection rule that raises alerts of its own: each event is an anchor, and the group is empty. */
export interface LoneDetection {
  add(time: EpochMs, mark: Mark): void;
  settle(out: Alert[]): void;
  advance(watermark: EpochMs, out: Alert[]): void;
  /** Events held as evidence. */
  entries(): number;
}

/** One bucket: only its first events are kept, however many there are. */
interface LoneBucket {
  readonly bucket: Bucket;
  events: number;
  /** Sorted by (time, uid). */
  readonly times: EpochMs[];
  readonly marks: Mark[];
}

/** `keepMs`: how long final buckets are still kept, for events that come too late. */
export function loneDetection(maker: AlertMaker, suppressMs: number, keepMs: number, evidenceMax: number): LoneDetection {
  const buckets = new Map<EpochMs, LoneBucket>();
  const text = maker.groupText([]);
  let touched: LoneBucket[] = [];

  function open(start: EpochMs): LoneBucket {
    const made = { bucket: newBucket(start), events: 0, times: [], marks: [] };
    buckets.set(start, made);
    return made;
  }

  function emit(lone: LoneBucket, final: boolean, out: Alert[]): void {
    const { bucket, events } = lone;
    const revision = revisionOf(events, 1);
    if (!final && bucket.revision > 0 && (events < 2 * bucket.count || revision <= bucket.revision)) return;
    if (final && bucket.final && bucket.count === events) return;
    bucket.revision = Math.max(bucket.revision, final ? revision : revision - 1) + 1;
    bucket.final = final;
    bucket.count = events;
    bucket.first = bucket.min;
    bucket.last = bucket.max;
    if (bucket.id === "") bucket.id = maker.id(text, bucket.start);
    out.push(maker.alert([], bucket, lone.marks, final));
  }

  return {
    add(time, mark) {
      const start = alignDown(time, suppressMs);
      const lone = buckets.get(start) ?? open(start);
      const { bucket } = lone;
      lone.events++;
      if (time < bucket.min) bucket.min = time;
      if (time > bucket.max) bucket.max = time;
      keep(lone, time, mark, evidenceMax);
      if (bucket.touched) return;
      bucket.touched = true;
      touched.push(lone);
    },
    settle(out) {
      for (const lone of touched) {
        lone.bucket.touched = false;
        emit(lone, false, out);
      }
      touched = [];
    },
    advance(watermark, out) {
      const ready = [...buckets.values()].filter(({ bucket }) => bucket.start + suppressMs <= watermark);
      ready.sort((a, b) => a.bucket.start - b.bucket.start);
      for (const lone of ready) {
        emit(lone, true, out);
        if (lone.bucket.start + suppressMs <= watermark - keepMs) buckets.delete(lone.bucket.start);
      }
    },
    entries() {
      let held = 0;
      for (const lone of buckets.values()) held += lone.marks.length;
      return held;
    },
  };
}

/** Keeps the event if it is among the first `max` by (time, uid). */
function keep({ times, marks }: LoneBucket, time: EpochMs, mark: Mark, max: number): void {
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
