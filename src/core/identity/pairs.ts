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

/** A key and one holder; marks by (time, assertions before ends, until). */
export interface Pair {
  readonly from: KeyText;
  readonly to: KeyText;
  marks: Mark[];
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
export function livesOf({ from, to, marks }: Pair): readonly Life[] {
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
export function heldAt({ from, to, marks }: Pair, time: EpochMs): Held | undefined {
  const { maxMs, lingerMs, silenceMs } = reachOf(from);
  let first: Mark | undefined;
  let last: Mark | undefined;
  let found: Held | undefined;
  for (const mark of marks) {
    if (mark.time - CLOCK_TOLERANCE_MS > time) break;
    if (mark.ends) {
      if (mark.time + lingerMs <= time) found = undefined;
      first = last = undefined;
      continue;
    }
    if (last === undefined || mark.time - last.time > silenceMs) first = mark;
    last = mark;
    if (time >= Math.min(mark.until, mark.time + maxMs) + CLOCK_TOLERANCE_MS) continue;
    // The longest end that a record named; one that named none leaves it open.
    const isOpen = mark.until === Infinity || (found !== undefined && found.until === undefined);
    const until = isOpen ? undefined : Math.max(mark.until, found?.until ?? -Infinity);
    found = { to, since: first!.time, origin: first!.origin, until };
  }
  return found;
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
 * The marks without those told again between two that say the same with no silence between them: no question
 * has another answer without them, because nothing new can come before the watermark.
 */
export function compacted({ from, marks }: Pair, watermark: EpochMs): Mark[] {
  const { silenceMs } = reachOf(from);
  const kept: Mark[] = [];
  for (const [index, mark] of marks.entries()) {
    const before = kept.at(-1);
    const after = marks[index + 1];
    const isBetween = !mark.ends && isAlike(before, mark) && isAlike(after, mark) && after!.time <= watermark;
    if (!isBetween || after!.time - before!.time > silenceMs) kept.push(mark);
  }
  return kept;
}

function isAlike(other: Mark | undefined, mark: Mark): boolean {
  return other !== undefined && !other.ends && other.until === mark.until;
}
