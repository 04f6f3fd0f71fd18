import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { revisionOf } from "./alert-maker.ts";
import type { Entries, MatchBranch } from "./branch-match.ts";
import { closing } from "./closing.ts";
import type { Changed, Closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { addLate, alignDown, bucketAt, dropFirst, emptyGroup, lowerBound, mergeLate, pruned, upperBound } from "./group.ts";
import type { Bucket, Group, Mark } from "./group.ts";
import { identify, innerMark } from "./sliding-state.ts";

/** What a boolean condition asks of the events of its rules. */
export interface Branching {
  readonly rules: number;
  /** Each with the rules that it wants, as bits. */
  readonly branches: readonly { readonly match: MatchBranch; readonly wanted: number }[];
  /** The rules whose events are counted and may be evidence, as bits: those that some branch wants. */
  readonly counted: number;
}

/** A group whose anchors before `decided` have been evaluated. */
interface BranchingGroup extends Group<number> {
  decided: EpochMs;
}

interface BranchingState extends Branching {
  readonly setup: CorrelatorSetup<number>;
  readonly groups: Map<string, BranchingGroup>;
  /** Groups with anchors that are not decided, by the span of time that those lie in. */
  readonly undecided: Map<EpochMs, Set<BranchingGroup>>;
  readonly due: Closing<BranchingGroup>;
  behind: BranchingGroup[];
  /** Anchors before this have been evaluated. */
  reached: EpochMs;
  keepFrom: EpochMs;
  sweptFrom: EpochMs;
  held: number;
}

/**
 * A boolean condition: an anchor is decided once the watermark is a timespan past it, when nothing that it forbids or
 * wants can come any more, and its alert is emitted then. It is final when all anchors of its bucket are decided.
 */
export function branching(setup: CorrelatorSetup<number>, condition: Branching): Correlator<number> {
  const state: BranchingState = {
    ...condition,
    setup,
    groups: new Map(),
    undecided: new Map(),
    due: closing(setup.maker),
    behind: [],
    reached: Number.NEGATIVE_INFINITY,
    keepFrom: Number.NEGATIVE_INFINITY,
    sweptFrom: Number.NEGATIVE_INFINITY,
    held: 0,
  };
  return {
    group: (key) => state.groups.get(key),
    open(key, values) {
      const group = { ...emptyGroup<number>(values), decided: Number.NEGATIVE_INFINITY };
      state.groups.set(key, group);
      return group;
    },
    // Groups come from `group` and `open` alone.
    add: (group, time, mark, set) => add(state, group as BranchingGroup, time, mark, set),
    settle() {
      for (const group of state.behind) mergeLate(group, true);
      state.behind = [];
    },
    advance: (watermark, _newest, out) => advance(state, watermark, out),
    reach: () => state.reached,
    entries: () => state.held,
  };
}

function add(state: BranchingState, group: BranchingGroup, time: EpochMs, mark: Mark, set: number): void {
  const { times } = group;
  const { timespanMs } = state.setup;
  state.held++;
  const span = alignDown(time, timespanMs);
  const waiting = state.undecided.get(span);
  if (waiting === undefined) state.undecided.set(span, new Set([group]));
  else waiting.add(group);
  // Too late: the anchors that it can have changed are decided again, as far as they are still there.
  if (time - timespanMs < group.decided) group.decided = Math.max(time - timespanMs, state.keepFrom + timespanMs);
  if (times.length > 0 && times[times.length - 1]! > time) {
    if (group.late === undefined) state.behind.push(group);
    addLate(group, time, mark, set);
    return;
  }
  if (times.length >= group.pruneAt) drop(state, group);
  times.push(time);
  group.marks.push(mark);
  group.extras.push(set);
}

function advance(state: BranchingState, watermark: EpochMs, out: Alert[]): void {
  const { timespanMs, suppressMs, keepMs } = state.setup;
  // An anchor at t looks as far as t + timespan, where events may come until the watermark has passed that.
  const until = watermark - timespanMs;
  state.reached = until;
  const changed: Changed<BranchingGroup>[] = [];
  for (const [span, groups] of state.undecided) {
    if (span >= until) continue;
    for (const group of groups) decide(state, group, until, changed);
    if (span + timespanMs <= until) state.undecided.delete(span);
  }
  changed.sort((a, b) => a.bucket.start - b.bucket.start);
  for (const entry of changed) {
    entry.bucket.touched = false;
    if (state.setup.alerts) emit(state, entry, false, out);
  }
  state.due.close(until - suppressMs, (entry) => {
    if (state.setup.alerts) emit(state, entry, true, out);
  });
  state.keepFrom = alignDown(until - keepMs, suppressMs) - timespanMs;
  if (state.keepFrom - state.sweptFrom >= (timespanMs + suppressMs + keepMs) / 2) sweep(state);
}

/** Evaluates the anchors of a group in [decided, until), in order. */
function decide(state: BranchingState, group: BranchingGroup, until: EpochMs, changed: Changed<BranchingGroup>[]): void {
  const { setup, branches } = state;
  const from = group.decided;
  if (from >= until) return;
  group.decided = until;
  const entries = entriesOf(state, group, from - setup.timespanMs, until + setup.timespanMs);
  const found: { readonly anchor: EpochMs; readonly from: EpochMs; readonly to: EpochMs; readonly branch: number }[] = [];
  for (const [branch, { match }] of branches.entries()) {
    match(entries, from, until, (anchor, window) => found.push({ anchor, ...window, branch }));
  }
  found.sort((a, b) => a.anchor - b.anchor || a.branch - b.branch);
  for (const one of found) {
    const bucket = bucketAt(group, alignDown(one.anchor, setup.suppressMs));
    widen(bucket, group, one.from, one.to, branches[one.branch]!.wanted);
    state.due.open(group, bucket);
    if (!bucket.touched) {
      bucket.touched = true;
      changed.push({ group, bucket });
    }
    if (setup.deliver === undefined || bucket.delivered) continue;
    bucket.delivered = true;
    const mark = innerMark(setup, group, bucket, lowerBound(group.times, one.from), upperBound(group.times, one.to));
    setup.deliver({ time: one.anchor, mark, values: group.values });
  }
}

/** The entries of a group, with those of each rule in [from, to] by themselves. */
function entriesOf({ rules }: BranchingState, { times, extras }: BranchingGroup, from: EpochMs, to: EpochMs): Entries {
  const ofRule: EpochMs[][] = Array.from({ length: rules }, () => []);
  for (let at = lowerBound(times, from); at < times.length && times[at]! <= to; at++) {
    for (let bits = extras[at]!; bits !== 0; bits &= bits - 1) ofRule[31 - Math.clz32(bits & -bits)]!.push(times[at]!);
  }
  return { times, extras, ofRule };
}

/** Widens a bucket's alert by the wanted events of a satisfied window [from, to]. */
function widen(bucket: Bucket, { times, extras }: BranchingGroup, from: EpochMs, to: EpochMs, wanted: number): void {
  let first = lowerBound(times, from);
  let last = upperBound(times, to) - 1;
  while ((extras[first]! & wanted) === 0) first++;
  while ((extras[last]! & wanted) === 0) last--;
  if (times[first]! < bucket.min) bucket.min = times[first]!;
  if (times[last]! > bucket.max) bucket.max = times[last]!;
}

function emit(state: BranchingState, { group, bucket }: Changed<BranchingGroup>, final: boolean, out: Alert[]): void {
  const { setup, counted } = state;
  const from = lowerBound(group.times, bucket.min);
  const to = upperBound(group.times, bucket.max);
  let count = 0;
  for (let at = from; at < to; at++) if ((group.extras[at]! & counted) !== 0) count++;
  if (count === 0) return;
  const revision = revisionOf(count, 1);
  if (!final && bucket.revision > 0 && (count < 2 * bucket.count || revision <= bucket.revision)) return;
  if (final && bucket.final && bucket.count === count && bucket.first === bucket.min && bucket.last === bucket.max) return;
  bucket.revision = Math.max(bucket.revision, final ? revision : revision - 1) + 1;
  bucket.count = count;
  bucket.first = bucket.min;
  bucket.last = bucket.max;
  bucket.final = final;
  identify(setup, group, bucket);
  out.push(setup.maker.alert(group.values, bucket, setup.evidence(group, from, to), final));
}

function drop(state: BranchingState, group: BranchingGroup): void {
  const count = lowerBound(group.times, state.keepFrom);
  dropFirst(group, count, true);
  state.held -= count;
  pruned(group);
}

function sweep(state: BranchingState): void {
  const { timespanMs, suppressMs } = state.setup;
  for (const [key, group] of state.groups) {
    drop(state, group);
    const { buckets } = group;
    while (buckets.length > 0 && buckets[0]!.start + suppressMs <= state.keepFrom + timespanMs) buckets.shift();
    if (group.times.length === 0 && buckets.length === 0) state.groups.delete(key);
  }
  state.sweptFrom = state.keepFrom;
}
