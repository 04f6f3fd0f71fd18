/**
 * Links of records, kept as they were told: "from this time on `from` belonged to `to`", "at this time it ended".
 * What holds at a time depends on nothing but the links up to that time (and the clock tolerance after it): neither on
 * the order in which they came nor on later ones.
 */
import type { EpochMs } from "../event.ts";
import type { ObservedFact } from "./facts.ts";
import { remembered } from "./forget.ts";
import { parseLink, type KeyText } from "./links.ts";
import { compacted, heldAt, insertMark, livesOf, reachOf, takenAt, type Held, type Life, type Mark, type Pair } from "./pairs.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS } from "./reach.ts";

/** Marks kept; beyond, the keys that were told of longest ago go first (about 250 bytes each). */
const MARKS_MAX = 300_000;
/** Holders of one key; beyond, the oldest goes: an address of a busy node changes hands a few times an hour. */
const HOLDERS_MAX = 256;
/** How the keys of stored facts begin. */
export const LINK_FACT = "link:";

/** A link as it was told; `until` Infinity: not said. */
export interface Told {
  readonly from: KeyText;
  readonly to: KeyText;
  readonly until: EpochMs;
  readonly ends: boolean;
  /** Later than its record; undefined: it holds from that on. */
  readonly since?: EpochMs;
}

/** Links by the key that belongs. */
export interface Bindings {
  /** `time`, `origin`: of the record that told it. */
  add(link: Told, time: EpochMs, origin: string): void;
  /** The holders at a time, by `to`. */
  at(from: KeyText, time: EpochMs): readonly Held[];
  /** Every holder that is known, whenever, by since: to explain why none holds. */
  all(from: KeyText): readonly Life[];
  /** Whether the key changed hands or was given up between two times, by more than the clocks may differ. */
  isParted(from: KeyText, a: EpochMs, b: EpochMs): boolean;
  /** Everything up to `watermark` has been added: drops what says nothing more, and gives what must be stored now. */
  settle(watermark: EpochMs): readonly ObservedFact[];
  /** Forgets what reaches no time from `time` on. */
  prune(time: EpochMs): void;
  /** Takes a stored fact back; false when it is none of a link. */
  restore(fact: ObservedFact): boolean;
  readonly size: number;
  readonly evicted: number;
}

/** No links yet. */
export function bindings(max: number = MARKS_MAX): Bindings {
  const keys = new Map<KeyText, Pair[]>();
  const unsettled = new Set<Pair>();
  let size = 0;
  let evicted = 0;

  const evict = (pairs: Iterable<Pair>): void => {
    for (const pair of pairs) {
      evicted += pair.marks.length;
      size -= pair.marks.length;
      unsettled.delete(pair);
    }
  };
  const evictOldest = (): void => {
    for (const [oldest, all] of keys) {
      if (size <= max) return;
      evict(all);
      keys.delete(oldest);
    }
  };
  const put = (from: KeyText, to: KeyText, mark: Mark): void => {
    const pairs = keys.get(from) ?? [];
    // The key that was told of last is the last to go.
    keys.delete(from);
    keys.set(from, pairs);
    let pair = pairs.find((one) => one.to === to);
    if (pair === undefined) {
      if (pairs.length >= HOLDERS_MAX) evict(pairs.splice(oldestOf(pairs), 1));
      pairs.push((pair = { from, to, marks: [] }));
      pairs.sort((a, b) => (a.to < b.to ? -1 : 1));
    }
    if (insertMark(pair.marks, mark)) size++;
    pair.view = undefined;
    if (!mark.saved) unsettled.add(pair);
    // Also the start of a walk costs: what was told of again has left gaps there.
    if (size > max) evictOldest();
  };
  const forget = (from: KeyText, pairs: readonly Pair[], time: EpochMs): void => {
    const kept = remembered(pairs, time);
    for (const [index, pair] of pairs.entries()) {
      size -= pair.marks.length - kept[index]!.length;
      setMarks(pair, kept[index]!);
      if (pair.marks.length === 0) unsettled.delete(pair);
    }
    const left = pairs.filter(({ marks }) => marks.length > 0);
    if (left.length === 0) keys.delete(from);
    else keys.set(from, left);
  };

  return {
    add({ from, to, until, ends, since }, time, origin) {
      put(from, to, { time: Math.max(since ?? time, time), heard: time, until, ends, origin, saved: false });
    },
    at: (from, time) => holdersAt(from, keys.get(from) ?? [], time),
    all: (from) => (keys.get(from) ?? []).flatMap(livesOf).toSorted((a, b) => a.since - b.since || (a.to < b.to ? -1 : 1)),
    isParted: (from, a, b) => isParted(keys.get(from), Math.min(a, b), Math.max(a, b)),
    settle(watermark) {
      const changed: ObservedFact[] = [];
      for (const pair of unsettled) {
        const before = pair.marks.length;
        setMarks(pair, compacted(pair, watermark));
        size -= before - pair.marks.length;
        changed.push(...saveOld(pair, watermark));
        if (pair.marks.every(({ saved }) => saved)) unsettled.delete(pair);
      }
      return changed;
    },
    prune(time) {
      for (const [from, pairs] of keys) forget(from, pairs, time);
    },
    restore(fact) {
      if (!fact.key.startsWith(LINK_FACT)) return false;
      const link = storedLink(fact);
      if (link !== undefined) put(link.from, link.to, link.mark);
      return true;
    },
    get size() {
      return size;
    },
    get evicted() {
      return evicted;
    },
  };
}

function holdersAt(from: KeyText, pairs: readonly Pair[], time: EpochMs): readonly Held[] {
  const held = pairs.map((pair) => heldAt(pair, time)).filter((one) => one !== undefined);
  if (pairs.length < 2 || !reachOf(from).exclusive) return held;
  return held.filter(({ to, since }) => takenAt(pairs, to, since) + CLOCK_TOLERANCE_MS > time);
}

/** A holder that had lost the key before gives nothing up. */
function isParted(pairs: readonly Pair[] | undefined, early: EpochMs, late: EpochMs): boolean {
  if (pairs === undefined) return false;
  const lies = (border: EpochMs): boolean => border > early + CLOCK_TOLERANCE_MS && border <= late - CLOCK_TOLERANCE_MS;
  return pairs.some((pair) =>
    livesOf(pair).some(({ to, since, until, ended }) => lies(since) || (ended && lies(until!) && takenAt(pairs, to, since) >= until!)),
  );
}

function setMarks(pair: Pair, marks: Mark[]): void {
  pair.marks = marks;
  pair.view = undefined;
}

function oldestOf(pairs: readonly Pair[]): number {
  let oldest = 0;
  const last = (pair: Pair | undefined): EpochMs => pair?.marks.at(-1)?.time ?? -Infinity;
  for (const [index, pair] of pairs.entries()) if (last(pair) < last(pairs[oldest])) oldest = index;
  return oldest;
}

/** What younger records told is read again from the log by every replay. */
function saveOld(pair: Pair, watermark: EpochMs): ObservedFact[] {
  return pair.marks.filter(({ saved, heard }) => !saved && heard <= watermark - OBSERVED_MS).map((mark) => save(pair, mark));
}

function save({ from, to }: Pair, mark: Mark): ObservedFact {
  const { time, until, ends, origin } = mark;
  mark.saved = true;
  // The time is part of the value, so that the store never merges two of them.
  const value = [to, until === Infinity ? "" : until, ends ? "ends" : "", time].join("\t");
  return { key: `${LINK_FACT}${from}`, value, first: time, last: time, origin };
}

function storedLink({ key, value, first, origin = "" }: ObservedFact): { from: KeyText; to: KeyText; mark: Mark } | undefined {
  const [to, untilText, endsText] = value.split("\t");
  const link = parseLink([key.slice(LINK_FACT.length), to, "", untilText, endsText].join("\t"));
  if (link === undefined) return undefined;
  const { from, until = Infinity, ends = false } = link;
  return { from, to: link.to, mark: { time: first, heard: first, until, ends, origin, saved: true } };
}
