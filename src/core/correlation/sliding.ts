import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { revisionOf } from "./alert-maker.ts";
import { closing } from "./closing.ts";
import type { Changed } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { addLate, alignDown, bucketAt, dropFirst, firstBucket, lowerBound, mergeLate, pruned, upperBound } from "./group.ts";
import type { Bucket, Group, Mark } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";

/**
 * Closed windows that slide, anchored at each event. With `grows` the condition has lower bounds alone: satisfied
 * anchors are found as events come, and stay. Without, anchors are evaluated when the watermark has passed their bucket.
 */
export function sliding<X, G extends Group<X>>(setup: CorrelatorSetup<X>, kind: SlidingKind<X, G>, grows: boolean): Correlator<X> {
  const { maker, timespanMs, suppressMs, keepMs } = setup;
  const groups = new Map<string, G>();
  const due = closing<G>(maker);
  let behind: G[] = [];
  let touched: Changed<G>[] = [];
  let undelivered: Changed<G>[] = [];
  /** Some undelivered event may be certain already. */
  let certain = false;
  let reached = Number.NEGATIVE_INFINITY;
  let keepFrom = Number.NEGATIVE_INFINITY;
  let sweptFrom = Number.NEGATIVE_INFINITY;
  let held = 0;

  function touch(group: G, bucket: Bucket): void {
    if (bucket.touched) return;
    bucket.touched = true;
    touched.push({ group, bucket });
  }

  function hit(group: G, time: EpochMs): void {
    const bucket = bucketAt(group, alignDown(time, suppressMs));
    if (!bucket.delivered && setup.deliver !== undefined) {
      bucket.delivered = true;
      undelivered.push({ group, bucket });
    }
    if (time < reached) certain = true;
    if (time < bucket.min) bucket.min = time;
    if (time > bucket.max) bucket.max = time;
    touch(group, bucket);
  }

  function drop(group: G): void {
    const count = lowerBound(group.times, keepFrom);
    if (count > 0) {
      if (grows) kind.dropping(group, count);
      dropFirst(group, count, kind.keepsExtra);
      held -= count;
    }
    pruned(group);
  }

  function add(found: Group<X>, time: EpochMs, mark: Mark, extra: X): void {
    const group = found as G;
    const { times } = group;
    held++;
    if (times.length > 0 && times[times.length - 1]! > time) {
      if (group.late === undefined) behind.push(group);
      addLate(group, time, mark, extra);
      return;
    }
    if (times.length >= group.pruneAt) drop(group);
    times.push(time);
    group.marks.push(mark);
    if (kind.keepsExtra) group.extras.push(extra);
    if (!grows) touch(group, bucketAt(group, alignDown(time, suppressMs)));
    else if (kind.appended(group)) hit(group, time);
  }

  /** Merges what came behind the newest entry, and evaluates the anchors that it can have changed. */
  function merge(group: G): void {
    const late = group.late!;
    if (grows) for (let at = 0; at < late.times.length; at++) kind.inserting(group, late.times[at]!, late.extras[at]!);
    const times = mergeLate(group, kind.keepsExtra);
    if (!grows) {
      for (const time of times) touch(group, bucketAt(group, alignDown(time, suppressMs)));
      return;
    }
    kind.merged(group);
    const found = (time: EpochMs): void => hit(group, time);
    for (let at = 0; at < times.length;) {
      const from = times[at]!;
      let end = from + timespanMs;
      for (at++; at < times.length && times[at]! <= end; at++) end = times[at]! + timespanMs;
      kind.scan(group, lowerBound(group.times, from), upperBound(group.times, end), found);
    }
    for (const time of times) touchAround(group, time);
  }

  /** The count of an alert grows with any event between its first and last. */
  function touchAround(group: G, time: EpochMs): void {
    const { buckets } = group;
    for (let at = firstBucket(group, time - suppressMs); at < buckets.length; at++) {
      const bucket = buckets[at]!;
      if (bucket.start > time + timespanMs) return;
      if (time >= bucket.min - timespanMs && time <= bucket.max) touch(group, bucket);
    }
  }

  function emit(group: G, bucket: Bucket, final: boolean, out: Alert[]): void {
    const from = lowerBound(group.times, bucket.min - timespanMs);
    const to = upperBound(group.times, bucket.max);
    // An event older than all that is kept may have been dropped again.
    if (from >= to) return;
    const count = to - from;
    const first = group.times[from]!;
    const revision = grows ? revisionOf(count, kind.least) : 0;
    if (!final && bucket.revision > 0 && (count < 2 * bucket.count || revision <= bucket.revision)) return;
    if (final && bucket.final && bucket.count === count && bucket.first === first && bucket.last === bucket.max) return;
    bucket.revision = Math.max(bucket.revision, final ? revision : revision - 1) + 1;
    bucket.count = count;
    bucket.first = first;
    bucket.last = bucket.max;
    bucket.final = final;
    identify(group, bucket);
    out.push(maker.alert(group.values, bucket, setup.evidence(group, from, to), final));
  }

  function identify(group: G, bucket: Bucket): void {
    if (bucket.id === "") bucket.id = maker.id((group.text ||= maker.groupText(group.values)), bucket.start);
  }

  /** Hands out the inner events whose anchor is certain: no event before or at its time can come any more. */
  function deliver(watermark: EpochMs): void {
    certain = false;
    if (setup.deliver === undefined || undelivered.length === 0) return;
    const waiting: Changed<G>[] = [];
    for (const entry of undelivered) {
      const { group, bucket } = entry;
      if (bucket.min >= watermark) {
        waiting.push(entry);
        continue;
      }
      identify(group, bucket);
      const from = lowerBound(group.times, bucket.min - timespanMs);
      const first = setup.evidence(group, from, upperBound(group.times, bucket.min));
      setup.deliver({ time: bucket.min, mark: { uid: bucket.id, agents: maker.agents(group.values, first) }, values: group.values });
    }
    undelivered = waiting;
  }

  function settle(out: Alert[]): void {
    for (const group of behind) merge(group);
    behind = [];
    for (const { group, bucket } of touched) {
      bucket.touched = false;
      due.open(group, bucket);
      if (grows && setup.alerts) emit(group, bucket, false, out);
    }
    touched = [];
    if (grows && certain) deliver(reached);
  }

  function close(group: G, bucket: Bucket, out: Alert[]): void {
    if (!grows) {
      const from = lowerBound(group.times, bucket.start);
      const to = lowerBound(group.times, bucket.start + suppressMs);
      bucket.min = Number.POSITIVE_INFINITY;
      bucket.max = Number.NEGATIVE_INFINITY;
      // Marked as touched so that it is not noted again: it is being dealt with.
      bucket.touched = true;
      kind.scan(group, from, to, (time) => hit(group, time));
      bucket.touched = false;
    }
    if (bucket.max !== Number.NEGATIVE_INFINITY && setup.alerts) emit(group, bucket, true, out);
  }

  function sweep(): void {
    for (const [key, group] of groups) {
      drop(group);
      // A bucket's windows end with it, so what lies before the kept entries is over.
      while (group.buckets.length > 0 && group.buckets[0]!.start + suppressMs <= keepFrom + timespanMs) group.buckets.shift();
      if (group.times.length === 0 && group.buckets.length === 0 && group.late === undefined) groups.delete(key);
    }
    sweptFrom = keepFrom;
  }

  function advance(watermark: EpochMs, _newest: EpochMs, out: Alert[]): void {
    reached = watermark;
    if (grows) deliver(watermark);
    due.close(watermark - suppressMs, (group, bucket) => close(group, bucket, out));
    if (!grows) deliver(watermark);
    keepFrom = alignDown(watermark - keepMs, suppressMs) - timespanMs;
    if (keepFrom - sweptFrom >= (timespanMs + suppressMs + keepMs) / 2) sweep();
  }

  return {
    group: (key) => groups.get(key),
    open(key, values) {
      const group = kind.open(values);
      groups.set(key, group);
      return group;
    },
    add,
    settle,
    advance,
    reach: () => (grows ? reached : alignDown(reached, suppressMs)),
    entries: () => held,
  };
}
