import type { EpochMs } from "../event.ts";
import type { Branch } from "./boolean.ts";
import { assign, chain } from "./chain.ts";
import { lowerBound, upperBound } from "./sorted.ts";

/** BranchEntries of one group in order of time, as far as branches look at them. An extra is the set of rules. */
export interface BranchEntries {
  readonly times: readonly EpochMs[];
  readonly extras: readonly number[];
  /** Times of the entries of each rule. */
  readonly ofRule: readonly (readonly EpochMs[])[];
}

/** Tells of each satisfied anchor of a branch: its first and last event, and the window that they are taken from. */
export type Found = (anchor: EpochMs, window: { readonly from: EpochMs; readonly to: EpochMs }) => void;

/** Calls `found` for the satisfied anchors of a branch in [from, to), in order. */
export type MatchBranch = (entries: BranchEntries, from: EpochMs, to: EpochMs, found: Found) => void;

/** The matcher of a branch of a temporal or temporal_ordered condition. */
export function matchBranch(branch: Branch, ordered: boolean, timespanMs: number): MatchBranch {
  const anchors = bitsOf(branch.positives);
  if (branch.negatives.length === 0) return ordered ? completeSequence(branch, anchors, timespanMs) : complete(branch, anchors, timespanMs);
  const holds = ordered ? sequenceWithout(branch, timespanMs) : allWithout(branch, timespanMs);
  return (entries, from, to, found) => {
    eachAnchor(entries, anchors, from, to, (time) => {
      if (holds(entries, time)) found(time, { from: time, to: time + timespanMs });
    });
  };
}

/** The bits of some rules. */
export function bitsOf(rules: readonly number[]): number {
  let bits = 0;
  for (const rule of rules) bits |= 1 << rule;
  return bits;
}

function eachAnchor({ times, extras }: BranchEntries, wanted: number, from: EpochMs, to: EpochMs, visit: (time: EpochMs) => void): void {
  let last = Number.NaN;
  for (let at = lowerBound(times, from); at < times.length && times[at]! < to; at++) {
    if ((extras[at]! & wanted) === 0 || times[at] === last) continue;
    last = times[at]!;
    visit(last);
  }
}

function occurs({ ofRule }: BranchEntries, rule: number, from: EpochMs, to: EpochMs): boolean {
  const times = ofRule[rule]!;
  const at = lowerBound(times, from);
  return at < times.length && times[at]! <= to;
}

/** Every rule in [T - timespan, T]. */
function complete({ positives }: Branch, anchors: number, timespanMs: number): MatchBranch {
  return (entries, from, to, found) => {
    eachAnchor(entries, anchors, from, to, (time) => {
      if (positives.every((rule) => occurs(entries, rule, time - timespanMs, time))) found(time, { from: time - timespanMs, to: time });
    });
  };
}

/** A sequence of every rule in [T - timespan, T]. */
function completeSequence({ positives }: Branch, anchors: number, timespanMs: number): MatchBranch {
  return ({ times, extras }, from, to, found) => {
    const progress = chain(positives.length);
    for (let at = lowerBound(times, from - timespanMs); at < times.length && times[at]! < to; at++) {
      const time = times[at]!;
      const set = extras[at]!;
      if ((set & anchors) !== 0) progress.take(time, positionsOf(set, positives));
      if (time < from || times[at + 1] === time) continue;
      const first = lowerBound(times, time);
      let anchored = false;
      for (let tied = first; tied <= at; tied++) anchored ||= (extras[tied]! & anchors) !== 0;
      if (anchored && progress.latestStart() >= time - timespanMs) found(time, { from: time - timespanMs, to: time });
    }
  };
}

/** Every positive in [t, t + timespan], and no negative in [t - timespan, t + timespan]. */
function allWithout({ positives, negatives }: Branch, timespanMs: number): (entries: BranchEntries, time: EpochMs) => boolean {
  return (entries, time) =>
    positives.every((rule) => occurs(entries, rule, time, time + timespanMs)) &&
    !negatives.some((rule) => occurs(entries, rule, time - timespanMs, time + timespanMs));
}

/**
 * A sequence of distinct events of the positives from time t on, within timespan, with no negative between its
 * neighbours: none in [t_last - timespan, t) for leading ones, none in (t_last, t + timespan] for trailing ones.
 */
function sequenceWithout({ positives, negatives }: Branch, timespanMs: number): (entries: BranchEntries, time: EpochMs) => boolean {
  const length = positives.length;
  /** Negatives before the first positive, between neighbours, and after the last. */
  const gaps = Array.from({ length: length + 1 }, (_, gap) =>
    negatives.filter((rule) => (gap === 0 || rule > positives[gap - 1]!) && (gap === length || rule < positives[gap]!)),
  );
  const gapBits = gaps.map(bitsOf);

  return (entries, time) => {
    const { times, extras } = entries;
    const end = time + timespanMs;
    // What leading and trailing negatives ask of the last event's time.
    const after = latest(entries, gaps[0]!, time) + timespanMs;
    const atLeast = latest(entries, gaps[length]!, end + 1);
    if (lastOf(entries, positives[length - 1]!, end) < atLeast) return false;
    let alive = positives.map(() => false);
    for (let at = lowerBound(times, time); at < times.length && times[at]! <= end;) {
      const now = times[at]!;
      const tieEnd = upperBound(times, now);
      let seen = 0;
      const sets: number[] = [];
      for (; at < tieEnd; at++) {
        seen |= extras[at]!;
        const set = positionsOf(extras[at]!, positives);
        // Of equal events no more can be used than there are positives.
        if (set !== 0 && sets.filter((other) => other === set).length < length) sets.push(set);
      }
      const reached = positives.map(() => false);
      for (let from = 0; from < length; from++) {
        if (from === 0 ? now !== time : !alive[from]) continue;
        const owners = sets.map(() => -1);
        let next = from;
        while (next < length && assign(next, sets, owners, new Set())) {
          next++;
          if (next < length) reached[next] = true;
        }
        if (next === length && now >= atLeast && now > after) return true;
      }
      alive = alive.map((was, k) => reached[k]! || (was && (seen & gapBits[k]!) === 0));
    }
    return false;
  };
}

/** Latest time before `before` at which one of the rules occurs; -Infinity when none does. */
function latest(entries: BranchEntries, rules: readonly number[], before: EpochMs): EpochMs {
  let found = Number.NEGATIVE_INFINITY;
  for (const rule of rules) {
    const times = entries.ofRule[rule]!;
    const at = lowerBound(times, before) - 1;
    if (at >= 0 && times[at]! > found) found = times[at]!;
  }
  return found;
}

function lastOf(entries: BranchEntries, rule: number, until: EpochMs): EpochMs {
  const times = entries.ofRule[rule]!;
  return times[upperBound(times, until) - 1] ?? Number.NEGATIVE_INFINITY;
}

/** Set of rules -> set of positions in `positives`. */
function positionsOf(set: number, positives: readonly number[]): number {
  let positions = 0;
  for (let at = 0; at < positives.length; at++) if ((set & (1 << positives[at]!)) !== 0) positions |= 1 << at;
  return positions;
}
