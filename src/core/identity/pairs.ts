/** What records told of one key and one holder of it, and what follows for a time. */
import type { EpochMs } from "../event.ts";
import type { KeyText, LinkKind } from "./links.ts";
import { CLOCK_TOLERANCE_MS, REACH, type Reach } from "./reach.ts";

/** One telling of a link. */
export interface Mark {
  /** From when on it holds. */
  readonly time: EpochMs;
  /** Of the first record that told it; not after `time`. */
  heard: EpochMs;
  /** Infinity: not said. */
  readonly until: EpochMs;
  readonly ends: boolean;
  /** Uid of the event that told it. */
  origin: string;
  /** It is in the store. */
  saved: boolean;
}

/** A key and one holder. */
export interface Pair {
  readonly from: KeyText;
  readonly to: KeyText;
  /** By (time, assertions before ends, until). */
  marks: Mark[];
  /** What follows from the marks, as long as they stay the same. */
  view?: View | undefined;
  /** Who told of it last, where what one may tell is limited (room.ts). */
  teller?: string | undefined;
}

/** What follows from the marks of a pair up to each of them. */
interface View {
  readonly lives: readonly Life[];
  /** For each mark the first one of its holding: no end and no silence lies between. An end is its own. */
  readonly first: readonly number[];
  /** For each mark the one of its holding so far that reaches furthest. */
  readonly furthest: readonly number[];
}

/** A link that holds at a time. */
export interface Held {
  readonly to: KeyText;
  /** When this holder began. */
  readonly since: EpochMs;
  /** When it ends as the records say; undefined: they do not. */
  readonly until: EpochMs | undefined;
  /** Uid of the event that told of it first. */
  readonly origin: string;
}

/** What lies between two ends, or long silences: an address that a pod gave up may be given to it again. */
export interface Life extends Held {
  /** `until` is when a record ended it; else how far its tellings reach. */
  readonly ended: boolean;
  /** When it was told last. */
  readonly told: EpochMs;
}

/** The reach of a key's links. */
export function reachOf(key: KeyText): Reach {
  return REACH[key.slice(0, key.indexOf(":")) as LinkKind];
}

/** Adds a mark in its place; false when it was there. */
export function insertMark(marks: Mark[], mark: Mark): boolean {
  let at = marks.length;
  while (at > 0 && order(marks[at - 1]!, mark) > 0) at--;
  const same = marks[at - 1];
  if (same === undefined || order(same, mark) !== 0) {
    marks.splice(at, 0, mark);
    return true;
  }
  if (mark.origin < same.origin) same.origin = mark.origin;
  same.saved ||= mark.saved;
  same.heard = Math.min(same.heard, mark.heard);
  return false;
}

function order(a: Mark, b: Mark): number {
  return a.time - b.time || Number(a.ends) - Number(b.ends) || (a.until === b.until ? 0 : a.until - b.until);
}

/** All lives of a pair, in order. */
export function livesOf(pair: Pair): readonly Life[] {
  return viewOf(pair).lives;
}

function viewOf(pair: Pair): View {
  return (pair.view ??= { lives: findLives(pair), ...findHoldings(pair) });
}

/** How far an assertion goes by itself. */
function endOf({ time, until }: Mark, maxMs: number): EpochMs {
  return Math.min(until, time + maxMs);
}

function findHoldings({ from, marks }: Pair): Pick<View, "first" | "furthest"> {
  const { maxMs, silenceMs } = reachOf(from);
  const first: number[] = [];
  const furthest: number[] = [];
  for (const [index, mark] of marks.entries()) {
    const before = marks[index - 1];
    const goesOn = !mark.ends && before !== undefined && !before.ends && mark.time - before.time <= silenceMs;
    const best = furthest[index - 1];
    first.push(goesOn ? first[index - 1]! : index);
    furthest.push(goesOn && endOf(marks[best!]!, maxMs) > endOf(mark, maxMs) ? best! : index);
  }
  return { first, furthest };
}

function findLives({ from, to, marks }: Pair): readonly Life[] {
  const { maxMs, silenceMs } = reachOf(from);
  const lives: Life[] = [];
  let first: Mark | undefined;
  let last: Mark | undefined;
  let reach = -Infinity;
  const close = (until: EpochMs, ended: boolean): void => {
    if (first !== undefined) lives.push({ to, since: first.time, until, origin: first.origin, ended, told: last!.time });
    first = last = undefined;
    reach = -Infinity;
  };
  for (const mark of marks) {
    if (mark.ends) {
      // What was over by itself cannot be ended: it may be forgotten by then.
      if (last !== undefined && mark.time - last.time > maxMs) close(reach, false);
      close(mark.time, true);
      continue;
    }
    if (last !== undefined && mark.time - last.time > silenceMs) close(reach, false);
    first ??= mark;
    last = mark;
    reach = Math.max(reach, Math.min(mark.until, mark.time + maxMs));
  }
  close(reach, false);
  return lives;
}

/** Whether the holder of a pair has the key at a time, others not considered. */
export function heldAt(pair: Pair, time: EpochMs): Held | undefined {
  const { from, to, marks } = pair;
  const { maxMs, lingerMs } = reachOf(from);
  const { first, furthest } = viewOf(pair);
  // One step back for each holding, however often it was told.
  for (let at = countUntil(marks, time + CLOCK_TOLERANCE_MS) - 1; at >= 0; at = first[at]! - 1) {
    const mark = marks[at]!;
    if (mark.ends) {
      if (mark.time + lingerMs <= time) return undefined;
      continue;
    }
    const best = marks[furthest[at]!]!;
    if (time >= endOf(best, maxMs) + CLOCK_TOLERANCE_MS) continue;
    const begin = marks[first[at]!]!;
    return { to, since: begin.time, origin: begin.origin, until: best.until === Infinity ? undefined : best.until };
  }
  return undefined;
}

/** How many marks are not later than a time. */
function countUntil(marks: readonly Mark[], time: EpochMs): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (marks[middle]!.time <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** When somebody else got an exclusive key after a holder did; Infinity: nobody. */
export function takenAt(pairs: readonly Pair[], to: KeyText, since: EpochMs): EpochMs {
  let taken = Infinity;
  for (const pair of pairs) {
    if (pair.to === to) continue;
    for (const life of livesOf(pair)) if (life.since > since && life.since < taken) taken = life.since;
  }
  return taken;
}

/**
 * The marks without those that say nothing beside their neighbours: what is told between two tellings, with no end or silence
 * between them, adds nothing where the two, or a longer one before, cover all of it. No question from `asked` on has another answer
 * without them, because nothing new can come before the watermark. A key that is told of again and again thus costs a mark for each
 * time that its tellings would have run out.
 */
export function compacted({ from, marks }: Pair, watermark: EpochMs, asked: EpochMs = -Infinity): Mark[] {
  const { maxMs, silenceMs } = reachOf(from);
  const kept: Mark[] = [];
  /** How far the kept ones of this holding go together. */
  let covered = -Infinity;
  for (const [index, mark] of marks.entries()) {
    const before = kept.at(-1);
    const after = marks[index + 1];
    const end = endOf(mark, maxMs);
    if (mark.ends || before === undefined || before.ends || mark.time - before.time > silenceMs) covered = -Infinity;
    else if (after !== undefined && !after.ends && after.time <= watermark && after.time - before.time <= silenceMs) {
      const isJoined = covered + 2 * CLOCK_TOLERANCE_MS >= after.time && endOf(after, maxMs) >= end;
      if (end <= covered || isJoined || end + CLOCK_TOLERANCE_MS <= asked) continue;
    }
    kept.push(mark);
    if (!mark.ends) covered = Math.max(covered, end);
  }
  return kept;
}
