/**
 * Links of records, kept as they were told: "from this time on `from` belonged to `to`", "at this time it ended".
 * What holds at a time depends on nothing but the links up to that time (and the clock tolerance after it): neither on
 * the order in which they came nor on later ones.
 */
import type { EpochMs } from "../event.ts";
import type { ObservedFact } from "./facts.ts";
import { parseLink, type KeyText } from "./links.ts";
import { compacted, heldAt, insertMark, livesOf, reachOf, takenAt, type Held, type Life, type Mark, type Pair } from "./pairs.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS } from "./reach.ts";

/** Marks kept; beyond, the keys that were met longest ago go first (about 250 bytes each). */
const MARKS_MAX = 300_000;
/** Holders of one key; beyond, the oldest goes: an address of a busy node changes hands a few times an hour. */
const HOLDERS_MAX = 256;
/** A holder that gave up an exclusive key, or lost it, is remembered so long: what is told late of it must not make it a new one. */
const GONE_MS = 86_400_000;
/** How the keys of stored facts begin. */
export const LINK_FACT = "link:";

/** A link as it was told; `until` Infinity: not said. */
export interface Told {
  readonly from: KeyText;
  readonly to: KeyText;
  readonly until: EpochMs;
  readonly ends: boolean;
}

/** Links by the key that belongs. */
export interface Bindings {
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

  const drop = (pair: Pair): void => {
    size -= pair.marks.length;
    unsettled.delete(pair);
  };
  const evict = (pairs: Iterable<Pair>): void => {
    for (const pair of pairs) {
      evicted += pair.marks.length;
      drop(pair);
    }
  };
  const put = (from: KeyText, to: KeyText, mark: Mark): Pair => {
    let pairs = keys.get(from);
    if (pairs === undefined) keys.set(from, (pairs = []));
    let pair = pairs.find((one) => one.to === to);
    if (pair === undefined) {
      if (pairs.length >= HOLDERS_MAX) evict(pairs.splice(oldestOf(pairs), 1));
      pairs.push((pair = { from, to, marks: [] }));
      pairs.sort((a, b) => (a.to < b.to ? -1 : 1));
    }
    if (insertMark(pair.marks, mark)) size++;
    for (const [oldest, all] of keys) {
      if (size <= max) break;
      evict(all);
      keys.delete(oldest);
    }
    return pair;
  };

  return {
    add({ from, to, until, ends }, time, origin) {
      unsettled.add(put(from, to, { time, until, ends, origin, saved: false }));
    },
    at(from, time) {
      const pairs = keys.get(from);
      if (pairs === undefined) return [];
      const held = pairs.map((pair) => heldAt(pair, time)).filter((one) => one !== undefined);
      if (pairs.length < 2 || !reachOf(from).exclusive) return held;
      return held.filter(({ to, since }) => takenAt(pairs, to, since) + CLOCK_TOLERANCE_MS > time);
    },
    all: (from) => (keys.get(from) ?? []).flatMap(livesOf).toSorted((a, b) => a.since - b.since || (a.to < b.to ? -1 : 1)),
    isParted(from, a, b) {
      const low = Math.min(a, b) + CLOCK_TOLERANCE_MS;
      const high = Math.max(a, b) - CLOCK_TOLERANCE_MS;
      const lies = (border: EpochMs): boolean => border > low && border <= high;
      return (keys.get(from) ?? []).some((pair) => livesOf(pair).some(({ since, until, ended }) => lies(since) || (ended && lies(until!))));
    },
    settle(watermark) {
      const changed: ObservedFact[] = [];
      for (const pair of unsettled) {
        const before = pair.marks.length;
        pair.marks = compacted(pair, watermark);
        size -= before - pair.marks.length;
        let open = false;
        for (const mark of pair.marks) {
          if (mark.saved) continue;
          // What is younger is read again from the log by every replay.
          if (mark.time > watermark - OBSERVED_MS) open = true;
          else {
            mark.saved = true;
            changed.push(factOf(pair, mark));
          }
        }
        if (!open) unsettled.delete(pair);
      }
      return changed;
    },
    prune(time) {
      for (const [from, pairs] of keys) {
        const gone = pairs.filter((pair) => reachesTo(pair, pairs) < time);
        for (const pair of gone) drop(pair);
        if (gone.length === pairs.length) keys.delete(from);
        else if (gone.length > 0)
          keys.set(
            from,
            pairs.filter((pair) => !gone.includes(pair)),
          );
      }
    },
    restore(fact) {
      if (!fact.key.startsWith(LINK_FACT)) return false;
      const [to, until, ends] = fact.value.split("\t");
      const link = parseLink([fact.key.slice(LINK_FACT.length), to, "", until, ends].join("\t"));
      if (link === undefined) return true;
      const mark = { time: fact.first, until: link.until ?? Infinity, ends: link.ends === true, origin: fact.origin ?? "", saved: true };
      put(link.from, link.to, mark);
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

function oldestOf(pairs: readonly Pair[]): number {
  let oldest = 0;
  const last = (pair: Pair | undefined): EpochMs => pair?.marks.at(-1)?.time ?? -Infinity;
  for (const [index, pair] of pairs.entries()) if (last(pair) < last(pairs[oldest])) oldest = index;
  return oldest;
}

/** The last time that a pair can be asked about. */
function reachesTo(pair: Pair, pairs: readonly Pair[]): EpochMs {
  const { maxMs, lingerMs, exclusive } = reachOf(pair.from);
  const last = pair.marks.at(-1)!;
  const assertion = pair.marks.findLast(({ ends }) => !ends);
  const reach = assertion === undefined ? last.time : assertion.time + maxMs;
  if (!exclusive) return (last.ends ? last.time : reach) + lingerMs;
  const life = livesOf(pair).at(-1);
  const lost = life === undefined ? last.time : takenAt(pairs, pair.to, life.since);
  return Math.min(reach, Math.min(last.ends ? last.time : Infinity, lost) + GONE_MS) + lingerMs;
}

function factOf({ from, to }: Pair, { time, until, ends, origin }: Mark): ObservedFact {
  // The time is part of the value, so that the store never merges two of them.
  const value = [to, until === Infinity ? "" : until, ends ? "ends" : "", time].join("\t");
  return { key: `${LINK_FACT}${from}`, value, first: time, last: time, origin };
}
