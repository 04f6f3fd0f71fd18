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
import { ROOM, room, type RoomLimits } from "./room.ts";

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
  /** `time`, `origin`: of the record that told it. `teller`: whose call it was, to give everybody a share of the memory. */
  add(link: Told, time: EpochMs, origin: string, teller?: string): void;
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
export function bindings(limits: RoomLimits = ROOM): Bindings {
  const unsettled = new Set<Pair>();
  const table = pairTable(limits, (pair) => unsettled.delete(pair));

  const put = (link: Pick<Told, "from" | "to">, mark: Mark, teller?: string): void => {
    const pair = table.put(link, mark, teller);
    // It may have been too much by itself.
    if (!mark.saved && pair.marks.length > 0) unsettled.add(pair);
  };

  return {
    add({ from, to, until, ends, since }, time, origin, teller) {
      put({ from, to }, { time: Math.max(since ?? time, time), heard: time, until, ends, origin, saved: false }, teller);
    },
    at: (from, time) => holdersAt(from, table.of(from), time),
    all: (from) =>
      table
        .of(from)
        .flatMap(livesOf)
        .toSorted((a, b) => a.since - b.since || (a.to < b.to ? -1 : 1)),
    isParted: (from, a, b) => isParted(table.of(from), Math.min(a, b), Math.max(a, b)),
    settle(watermark) {
      const changed: ObservedFact[] = [];
      for (const pair of unsettled) {
        const marks = compacted(pair, watermark);
        if (marks.length < pair.marks.length) table.replace(pair, marks);
        changed.push(...saveOld(pair, watermark));
        if (pair.marks.every(({ saved }) => saved)) unsettled.delete(pair);
      }
      return changed;
    },
    prune: (time) => table.prune(time),
    restore(fact) {
      if (!fact.key.startsWith(LINK_FACT)) return false;
      const link = storedLink(fact);
      if (link !== undefined) put(link, link.mark);
      return true;
    },
    get size() {
      return table.size;
    },
    get evicted() {
      return table.evicted;
    },
  };
}

const NONE: readonly Pair[] = [];

/** Pairs by their key, as many as there is room for. `onGone`: told of each that has no mark any more. */
function pairTable(limits: RoomLimits, onGone: (pair: Pair) => void) {
  const keys = new Map<KeyText, readonly Pair[]>();
  const kept = room(limits);
  let evicted = 0;

  const replace = (pair: Pair, marks: Mark[]): void => {
    kept.replaced(pair, marks);
    if (marks.length === 0) onGone(pair);
  };
  const dropEmpty = (from: KeyText, pairs: readonly Pair[]): void => {
    const left = pairs.filter(({ marks }) => marks.length > 0);
    if (left.length > 0) keys.set(from, left);
    else {
      keys.delete(from);
      kept.gone(from);
    }
  };
  const evict = (pair: Pair): void => {
    evicted += pair.marks.length;
    replace(pair, []);
    dropEmpty(pair.from, keys.get(pair.from) ?? NONE);
  };
  const newPair = ({ from, to }: Pick<Told, "from" | "to">): Pair => {
    const others = keys.get(from) ?? NONE;
    if (others.length >= HOLDERS_MAX) evict(others[oldestOf(others)]!);
    const pair: Pair = { from, to, marks: [] };
    keys.set(
      from,
      [...(keys.get(from) ?? NONE), pair].sort((a, b) => (a.to < b.to ? -1 : 1)),
    );
    return pair;
  };

  return {
    of: (from: KeyText): readonly Pair[] => keys.get(from) ?? NONE,
    replace,
    put(link: Pick<Told, "from" | "to">, mark: Mark, teller: string | undefined): Pair {
      const pair = keys.get(link.from)?.find(({ to }) => to === link.to) ?? newPair(link);
      kept.told(pair, teller, insertMark(pair.marks, mark));
      pair.view = undefined;
      for (const one of kept.beyond(teller)) evict(one);
      for (const key of kept.tooMany()) for (const one of keys.get(key) ?? NONE) evict(one);
      return pair;
    },
    prune(time: EpochMs): void {
      for (const [from, pairs] of keys) {
        // Nothing is forgotten of what was told since.
        if (!pairs.some(({ marks }) => marks[0]!.time < time)) continue;
        let isGone = false;
        for (const [index, marks] of remembered(pairs, time).entries()) {
          const pair = pairs[index]!;
          if (marks.length === pair.marks.length) continue;
          replace(pair, marks);
          isGone ||= marks.length === 0;
        }
        if (isGone) dropEmpty(from, pairs);
      }
    },
    get size() {
      return kept.size;
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
function isParted(pairs: readonly Pair[], early: EpochMs, late: EpochMs): boolean {
  const lies = (border: EpochMs): boolean => border > early + CLOCK_TOLERANCE_MS && border <= late - CLOCK_TOLERANCE_MS;
  return pairs.some((pair) =>
    livesOf(pair).some(({ to, since, until, ended }) => lies(since) || (ended && lies(until!) && takenAt(pairs, to, since) >= until!)),
  );
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
