/**
 * What the log showed about subjects such as addresses. Whether a fact holds at a time depends on nothing but the
 * observations that reach that time: neither on those in between nor on when one asks.
 */
import type { EpochMs } from "../event.ts";

/** "`key` meant `value` from first to last", as it is stored; `key` is `<kind>:<subject>@<slot>`. */
export interface ObservedFact {
  readonly key: string;
  readonly value: string;
  readonly first: EpochMs;
  readonly last: EpochMs;
  /** Uid of the event that showed it at `first`; of several the smallest. Names of addresses have none. */
  readonly origin?: string;
}

/** A value that a subject was seen with, as it is held in memory. */
export interface Observed {
  readonly value: string;
  readonly first: EpochMs;
  readonly last: EpochMs;
  readonly origin: string | undefined;
}

/** How far an observation reaches, and how many facts are kept. */
export interface FactReach {
  readonly kind: string;
  /** An observation holds this long before it was made. */
  readonly beforeMs: number;
  /** An observation holds this long after it was made. */
  readonly afterMs: number;
  readonly max: number;
  /** Facts of one value; beyond, its own oldest go, so that nobody's many subjects push out those of others. As many as of all when absent. */
  readonly maxOfOne?: number;
  /** Length of a slot of time; the whole reach when absent. A shorter one tells more of what was seen when. */
  readonly slotMs?: number;
  /** They reach further back than a replay. */
  readonly stored: boolean;
}

/** Observations of one kind. */
export interface Facts {
  /** Remembers one. */
  observe(subject: string, value: string, time: EpochMs, origin?: string): void;
  /** The facts that changed since the last call, to be stored; only where `stored` says that they are. */
  changed(): readonly ObservedFact[];
  /** Takes a stored fact back; false when it is of another kind. */
  restore(fact: ObservedFact): boolean;
  /** The distinct values that reach `time`. */
  at(subject: string, time: EpochMs): readonly string[];
  /** The facts that reach `time`, the earliest first. */
  factsAt(subject: string, time: EpochMs): readonly Observed[];
  /** Every fact of a subject. */
  ever(subject: string): readonly Observed[];
  /** Forgets what reaches no time from `time` on. */
  prune(time: EpochMs): void;
  readonly size: number;
  /** Facts that had to go because there were too many. */
  readonly evicted: number;
}

/** Values of one slot that are found by looking at each. */
const LISTED_MAX = 16;

/** The facts of one subject in one slot of time, one for each value. Most have a single one: a map for each would be most of the memory. */
interface Slot {
  readonly subject: string;
  readonly number: number;
  readonly facts: Fact[];
  /** The same by value, where there are many. */
  byValue?: Map<string, Fact> | undefined;
}

interface Fact extends Observed {
  readonly slot: Slot;
  first: EpochMs;
  last: EpochMs;
  origin: string | undefined;
}

/**
 * Observations are kept per slot of time, as first and last. A slot is no longer than an observation's whole reach, so
 * everything between the first and the last of a slot is reached by one of the two: no gap is ever bridged.
 */
export function facts({ kind, beforeMs, afterMs, max, maxOfOne, stored, slotMs = beforeMs + afterMs }: FactReach): Facts {
  const prefix = `${kind}:`;
  const table = slotTable();
  const shares = shareTable();
  const changed = new Set<Fact>();
  let size = 0;
  let evicted = 0;

  const slotOf = (time: EpochMs): number => Math.floor(time / slotMs);
  const forgetOldest = (): number => {
    const gone = table.takeOldest()?.facts ?? [];
    for (const fact of gone) shares.leave(fact);
    size -= gone.length;
    return gone.length;
  };
  const merge = (slot: Slot, value: string, first: EpochMs, last: EpochMs, origin: string | undefined): Fact | undefined => {
    const fact = factOf(slot, value);
    if (fact !== undefined) return widened(fact, first, last, origin) ? fact : undefined;
    const made = { slot, value, first, last, origin };
    addFact(slot, made);
    size++;
    const gone = maxOfOne === undefined ? 0 : shares.join(made, maxOfOne, (empty) => table.drop(empty));
    size -= gone;
    evicted += gone;
    if (size > max) evicted += forgetOldest();
    return made;
  };
  const reaching = (subject: string, time: EpochMs): Fact[] => {
    const found: Fact[] = [];
    const slots = table.of(subject);
    if (slots === undefined) return found;
    const last = slotOf(time + beforeMs);
    const first = slotOf(time - afterMs);
    for (const slot of slots) if (slot.number >= first && slot.number <= last) addReaching(found, slot, time - afterMs, time + beforeMs);
    return found;
  };

  return {
    observe(subject, value, time, origin) {
      const fact = merge(table.open(subject, slotOf(time)), value, time, time, origin);
      if (stored && fact !== undefined) changed.add(fact);
    },
    changed() {
      const list = [...changed].map((fact) => storedFact(prefix, fact));
      changed.clear();
      return list;
    },
    restore({ key, value, first, last, origin }) {
      if (!key.startsWith(prefix)) return false;
      const at = key.lastIndexOf("@");
      merge(table.open(key.slice(prefix.length, at), Number(key.slice(at + 1))), value, first, last, origin);
      return true;
    },
    at: (subject, time) => [...new Set(reaching(subject, time).map(({ value }) => value))],
    factsAt: reaching,
    ever: (subject) => (table.of(subject) ?? []).flatMap((slot) => slot.facts),
    prune(time) {
      for (let oldest = table.oldest(); oldest !== undefined; oldest = table.oldest()) {
        if ((oldest.number + 1) * slotMs + afterMs >= time) return;
        forgetOldest();
      }
    },
    get size() {
      return size;
    },
    get evicted() {
      return evicted;
    },
  };
}

/** Facts by value, the oldest first. */
function shareTable() {
  const shares = new Map<string, Set<Fact>>();
  const leave = (fact: Fact): void => {
    const share = shares.get(fact.value);
    share?.delete(fact);
    if (share?.size === 0) shares.delete(fact.value);
  };
  return {
    leave,
    /** Takes the oldest from their slots when there are more than `max`, and says how many; `onEmpty`: told of a slot without any. */
    join(made: Fact, max: number, onEmpty: (slot: Slot) => void): number {
      const share = shares.get(made.value) ?? new Set();
      shares.set(made.value, share.add(made));
      const before = share.size;
      if (before <= max) return 0;
      for (const fact of share) {
        // Some more at once: a walk over what was taken from the start of a set meets the gaps.
        if (share.size <= max - Math.floor(max / 16)) break;
        dropFact(fact);
        if (fact.slot.facts.length === 0) onEmpty(fact.slot);
        leave(fact);
      }
      return before - share.size;
    },
  };
}

/** Slots by subject and number, and in about the order in which they came. */
function slotTable() {
  /** The slots of each subject by number: a few, so that a list is found through faster than a map, and is smaller. */
  const subjects = new Map<string, Slot[]>();
  /** Those before `head` are gone. */
  let order: Slot[] = [];
  let head = 0;
  /** Of those that are not gone by order: empty ones. */
  let dropped = 0;
  const forgetSlot = ({ subject, number }: Slot): void => {
    const slots = subjects.get(subject) ?? [];
    const at = slots.findIndex((slot) => slot.number === number);
    if (at >= 0) slots.splice(at, 1);
    if (slots.length === 0) subjects.delete(subject);
  };
  const skipDropped = (): void => {
    while (order[head]?.facts.length === 0) {
      head++;
      dropped--;
    }
  };
  return {
    of: (subject: string): readonly Slot[] | undefined => subjects.get(subject),
    open(subject: string, number: number): Slot {
      let slots = subjects.get(subject);
      if (slots === undefined) subjects.set(subject, (slots = []));
      let at = slots.length;
      while (at > 0 && slots[at - 1]!.number > number) at--;
      const known = slots[at - 1];
      if (known?.number === number) return known;
      const slot: Slot = { subject, number, facts: [] };
      slots.splice(at, 0, slot);
      order.push(slot);
      return slot;
    },
    oldest(): Slot | undefined {
      skipDropped();
      return order[head];
    },
    takeOldest(): Slot | undefined {
      skipDropped();
      const slot = order[head];
      if (slot === undefined) return undefined;
      head++;
      forgetSlot(slot);
      if (head * 2 > order.length) {
        order = order.slice(head);
        head = 0;
      }
      return slot;
    },
    /** An empty slot says nothing. */
    drop(slot: Slot): void {
      forgetSlot(slot);
      if (++dropped * 2 <= order.length - head) return;
      order = order.slice(head).filter(({ facts }) => facts.length > 0);
      head = 0;
      dropped = 0;
    },
  };
}

function factOf({ facts, byValue }: Slot, value: string): Fact | undefined {
  return byValue === undefined ? facts.find((fact) => fact.value === value) : byValue.get(value);
}

function addFact(slot: Slot, fact: Fact): void {
  slot.facts.push(fact);
  if (slot.byValue !== undefined) slot.byValue.set(fact.value, fact);
  else if (slot.facts.length > LISTED_MAX) slot.byValue = new Map(slot.facts.map((one) => [one.value, one]));
}

function dropFact({ slot, value }: Fact): void {
  const at = slot.facts.findIndex((fact) => fact.value === value);
  if (at >= 0) slot.facts.splice(at, 1);
  slot.byValue?.delete(value);
}

function addReaching(found: Fact[], { facts }: Slot, from: EpochMs, to: EpochMs): void {
  for (const fact of facts) if (fact.first <= to && fact.last >= from) found.push(fact);
}

function storedFact(prefix: string, { slot, value, first, last, origin }: Fact): ObservedFact {
  const key = `${prefix}${slot.subject}@${slot.number}`;
  return origin === undefined ? { key, value, first, last } : { key, value, first, last, origin };
}

/** Makes a fact reach to an observation; false when it did. */
function widened(fact: Fact, first: EpochMs, last: EpochMs, origin: string | undefined): boolean {
  const isEarlier = origin !== undefined && (first < fact.first || (first === fact.first && origin < (fact.origin ?? "")));
  if (first >= fact.first && last <= fact.last && !isEarlier) return false;
  if (isEarlier) fact.origin = origin;
  fact.first = Math.min(fact.first, first);
  fact.last = Math.max(fact.last, last);
  return true;
}
