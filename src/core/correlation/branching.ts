import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { revisionOf } from "./alert-maker.ts";
import type { BranchEntries, MatchBranch } from "./branch-match.ts";
import { closing } from "./closing.ts";
import type { Changed, Closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { Entries } from "./entries.ts";
import { addLate, alignDown, bucketAt, emptyGroup, mergeLate, shiftBuckets, PRUNE_MIN } from "./group.ts";
import type { Bucket, Group, Mark } from "./group.ts";
import { keptFor, valuesOf } from "./keys.ts";
import type { Key } from "./keys.ts";
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
  readonly entries: Entries;
  groups: BranchingGroup[];
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
    entries: new Entries("number"),
    groups: [],
    undecided: new Map(),
    due: closing(setup.maker),
    behind: [],
    reached: Number.NEGATIVE_INFINITY,
    keepFrom: Number.NEGATIVE_INFINITY,
    sweptFrom: Number.NEGATIVE_INFINITY,
    held: 0,
  };
  return {
    add: (key, time, mark, set) => add(state, key, time, mark, set),
    // What a condition forbids matters also where nothing that it wants has been.
    idle: (key) => keptFor(key, setup.slot) === undefined,
    forget() {},
    keepFrom: () => state.keepFrom,
    settle() {
      for (const group of state.behind) mergeLate(state.entries, group);
      state.behind = [];
    },
    advance: (watermark, _newest, out) => advance(state, watermark, out),
    reach: () => state.reached,
    entries: () => state.held,
  };
}

function open(state: BranchingState, key: Key): BranchingGroup {
  const group = { ...emptyGroup<number>(key), decided: Number.NEGATIVE_INFINITY };
  state.setup.keys.hold(key, state.setup.slot, group);
  state.groups.push(group);
  return group;
}

function add(state: BranchingState, key: Key, time: EpochMs, mark: Mark, set: number): void {
  const { entries } = state;
  // A slot holds what this correlation has put there.
  const group = (keptFor(key, state.setup.slot) as BranchingGroup | undefined) ?? open(state, key);
  const { timespanMs } = state.setup;
  state.held++;
  const span = alignDown(time, timespanMs);
  const waiting = state.undecided.get(span);
  if (waiting === undefined) state.undecided.set(span, new Set([group]));
  else waiting.add(group);
  // Too late: the anchors that it can have changed are decided again, as far as they are still there.
  if (time - timespanMs < group.decided) group.decided = Math.max(time - timespanMs, state.keepFrom + timespanMs);
  const end = group.at + group.size;
  if (group.size > 0 && entries.times[end - 1]! > time) {
    if (group.late === undefined) state.behind.push(group);
    addLate(group, time, mark, set);
    return;
  }
  if (end === group.block + group.room && group.size >= PRUNE_MIN) drop(state, group);
  entries.append(group, time, mark, set);
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
  const { setup, branches, entries } = state;
  const from = group.decided;
  if (from >= until) return;
  group.decided = until;
  const around = entriesOf(state, group, from - setup.timespanMs, until + setup.timespanMs);
  const found: { readonly anchor: EpochMs; readonly from: EpochMs; readonly to: EpochMs; readonly branch: number }[] = [];
  for (const [branch, { match }] of branches.entries()) {
    match(around, from, until, (anchor, window) => found.push({ anchor, ...window, branch }));
  }
  found.sort((a, b) => a.anchor - b.anchor || a.branch - b.branch);
  for (const one of found) {
    const bucket = bucketAt(group, alignDown(one.anchor, setup.suppressMs));
    widen(bucket, entries, group, one.from, one.to, branches[one.branch]!.wanted);
    state.due.open(group, bucket);
    if (!bucket.touched) {
      bucket.touched = true;
      changed.push({ group, bucket });
    }
    if (setup.deliver === undefined || bucket.delivered) continue;
    bucket.delivered = true;
    const mark = innerMark(setup, entries, group, bucket, entries.lowerBound(group, one.from), entries.upperBound(group, one.to));
    setup.deliver({ time: one.anchor, mark, values: valuesOf(group.key) });
  }
}

/** The entries of a group in [from, to], with those of each rule by themselves. */
function entriesOf({ rules, entries }: BranchingState, group: BranchingGroup, from: EpochMs, to: EpochMs): BranchEntries {
  const times: EpochMs[] = [];
  const extras: number[] = [];
  const ofRule: EpochMs[][] = Array.from({ length: rules }, () => []);
  const end = entries.upperBound(group, to);
  for (let at = entries.lowerBound(group, from); at < end; at++) {
    const time = entries.times[at]!;
    times.push(time);
    extras.push(entries.numbers[at]!);
    for (let bits = entries.numbers[at]!; bits !== 0; bits &= bits - 1) ofRule[31 - Math.clz32(bits & -bits)]!.push(time);
  }
  return { times, extras, ofRule };
}

/** Widens a bucket's alert by the wanted events of a satisfied window [from, to]. */
function widen(bucket: Bucket, entries: Entries, group: BranchingGroup, from: EpochMs, to: EpochMs, wanted: number): void {
  const { times, numbers } = entries;
  let first = entries.lowerBound(group, from);
  let last = entries.upperBound(group, to) - 1;
  while ((numbers[first]! & wanted) === 0) first++;
  while ((numbers[last]! & wanted) === 0) last--;
  if (times[first]! < bucket.min) bucket.min = times[first]!;
  if (times[last]! > bucket.max) bucket.max = times[last]!;
}

function emit(state: BranchingState, { group, bucket }: Changed<BranchingGroup>, final: boolean, out: Alert[]): void {
  const { setup, counted, entries } = state;
  const from = entries.lowerBound(group, bucket.min);
  const to = entries.upperBound(group, bucket.max);
  let count = 0;
  for (let at = from; at < to; at++) if ((entries.numbers[at]! & counted) !== 0) count++;
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
  out.push(setup.maker.alert(valuesOf(group.key), bucket, setup.evidence(entries, group, from, to), final));
}

function drop(state: BranchingState, group: BranchingGroup): void {
  const { entries } = state;
  const count = entries.lowerBound(group, state.keepFrom) - group.at;
  entries.dropFirst(group, count);
  state.held -= count;
}

function sweep(state: BranchingState): void {
  const { setup, entries, keepFrom } = state;
  const over = keepFrom + setup.timespanMs;
  for (const group of state.groups) {
    drop(state, group);
    shiftBuckets(group, ({ start }) => start + setup.suppressMs <= over);
    if (group.size > 0 || group.buckets.length > 0) continue;
    setup.keys.release(group.key, setup.slot);
  }
  state.groups = state.groups.filter((group) => keptFor(group.key, setup.slot) === group);
  entries.compact(state.groups);
  state.sweptFrom = keepFrom;
}
