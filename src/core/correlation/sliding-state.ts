import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { revisionOf } from "./alert-maker.ts";
import type { Changed, Closing } from "./closing.ts";
import type { CorrelatorSetup } from "./correlator.ts";
import { timesOf } from "./evidence.ts";
import type { Extra, Entries } from "./entries.ts";
import { alignDown, bucketAt } from "./group.ts";
import type { Bucket, Group, Mark } from "./group.ts";
import { InnerMark } from "./inner-mark.ts";
import { valuesOf } from "./keys.ts";
import type { SlidingKind } from "./sliding-kind.ts";

/** A correlation with sliding windows at work. */
export interface SlidingState<X extends Extra, G extends Group<X>> {
  readonly setup: CorrelatorSetup<X>;
  readonly kind: SlidingKind<X, G>;
  /** The condition has lower bounds alone: a satisfied anchor stays satisfied. */
  readonly grows: boolean;
  readonly entries: Entries;
  groups: G[];
  readonly due: Closing<G>;
  /** Groups with late entries to merge. */
  behind: G[];
  /** Buckets that may have changed since the last settling. */
  touched: Changed<G>[];
  /** Buckets whose inner event has not been handed out. */
  undelivered: Changed<G>[];
  /** Some of those may be certain already. */
  certain: boolean;
  reached: EpochMs;
  /** Entries before this may be dropped. */
  keepFrom: EpochMs;
  sweptFrom: EpochMs;
  held: number;
}

/** Notes that something about a bucket may have changed. */
export function touch<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, group: G, bucket: Bucket): void {
  if (bucket.touched) return;
  bucket.touched = true;
  state.touched.push({ group, bucket });
}

/** Notes a satisfied anchor. */
export function hit<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>, group: G, time: EpochMs): void {
  const bucket = bucketAt(group, alignDown(time, state.setup.suppressMs));
  if (!bucket.delivered && state.setup.deliver !== undefined) {
    bucket.delivered = true;
    state.undelivered.push({ group, bucket });
  }
  if (time < state.reached) state.certain = true;
  if (time < bucket.min) bucket.min = time;
  if (time > bucket.max) bucket.max = time;
  touch(state, group, bucket);
}

/** Appends the bucket's alert as it is now, if it is new, has doubled or is final. */
export function emit<X extends Extra, G extends Group<X>>(
  state: SlidingState<X, G>,
  { group, bucket }: Changed<G>,
  final: boolean,
  out: Alert[],
): void {
  const { setup, kind, grows, entries } = state;
  const from = entries.lowerBound(group, bucket.min - setup.timespanMs);
  const to = entries.upperBound(group, bucket.max);
  // An event older than all that is kept may have been dropped again.
  if (from >= to) return;
  const count = to - from;
  const first = entries.times[from]!;
  const revision = grows ? revisionOf(count, kind.least) : 0;
  if (!final && bucket.revision > 0 && (count < 2 * bucket.count || revision <= bucket.revision)) return;
  if (final && bucket.final && bucket.count === count && bucket.first === first && bucket.last === bucket.max) return;
  bucket.revision = Math.max(bucket.revision, final ? revision : revision - 1) + 1;
  bucket.count = count;
  bucket.first = first;
  bucket.last = bucket.max;
  bucket.final = final;
  identify(setup, group, bucket);
  out.push(setup.maker.alert(valuesOf(group.key), bucket, setup.evidence(entries, group, from, to), final));
}

/** Hands out the inner events whose anchor is certain: no event before or at its time can come any more. */
export function deliver<X extends Extra, G extends Group<X>>(state: SlidingState<X, G>): void {
  const { setup, entries } = state;
  state.certain = false;
  if (setup.deliver === undefined || state.undelivered.length === 0) return;
  const waiting: Changed<G>[] = [];
  for (const entry of state.undelivered) {
    const { group, bucket } = entry;
    if (bucket.min >= state.reached) {
      waiting.push(entry);
      continue;
    }
    const from = entries.lowerBound(group, bucket.min - setup.timespanMs);
    const mark = innerMark(setup, entries, group, bucket, from, entries.upperBound(group, bucket.min));
    setup.deliver({ time: bucket.min, mark, values: valuesOf(group.key) });
  }
  state.undelivered = waiting;
}

/** Gives the bucket's alert its id. */
export function identify<X extends Extra>({ maker }: CorrelatorSetup<X>, group: Group<X>, bucket: Bucket): void {
  if (bucket.id === "") bucket.id = maker.id((group.text ||= maker.groupText(valuesOf(group.key))), bucket.start);
}

/** What the bucket's alert is to the rules that refer to its rule; entries [from, to) are its earliest satisfied window. */
export function innerMark<X extends Extra>(
  setup: CorrelatorSetup<X>,
  entries: Entries,
  group: Group<X>,
  bucket: Bucket,
  from: number,
  to: number,
): Mark {
  const window = setup.evidence(entries, group, from, to);
  const times = timesOf(entries, group, from, window);
  return new InnerMark(window, times, () => {
    identify(setup, group, bucket);
    return { uid: bucket.id, agents: setup.maker.agents(valuesOf(group.key), window) };
  });
}
