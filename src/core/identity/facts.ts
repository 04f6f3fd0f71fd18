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

/** The facts of one subject in one slot of time, by value. */
interface Slot {
  readonly subject: string;
  readonly number: number;
  readonly byValue: Map<string, Fact>;
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
export function facts({ kind, beforeMs, afterMs, max, stored, slotMs = beforeMs + afterMs }: FactReach): Facts {
  const prefix = `${kind}:`;
  const table = slotTable();
  const changed = new Set<Fact>();
  let size = 0;
  let evicted = 0;

  const slotOf = (time: EpochMs): number => Math.floor(time / slotMs);
  const forgetOldest = (): number => {
    const count = table.takeOldest()?.byValue.size ?? 0;
    size -= count;
    return count;
  };
  const merge = (slot: Slot, value: string, first: EpochMs, last: EpochMs, origin: string | undefined): Fact | undefined => {
    const fact = slot.byValue.get(value);
    if (fact !== undefined) return widened(fact, first, last, origin) ? fact : undefined;
    const made = { slot, value, first, last, origin };
    slot.byValue.set(value, made);
    size++;
    if (size > max) evicted += forgetOldest();
    return made;
  };
  const reaching = (subject: string, time: EpochMs): Fact[] => {
    const found: Fact[] = [];
    const slots = table.of(subject);
    if (slots === undefined) return found;
    const last = slotOf(time + beforeMs);
    for (let number = slotOf(time - afterMs); number <= last; number++) {
      const slot = slots.get(number);
      if (slot !== undefined) addReaching(found, slot, time - afterMs, time + beforeMs);
    }
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
    ever: (subject) => [...(table.of(subject)?.values() ?? [])].flatMap(({ byValue }) => [...byValue.values()]),
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

/** Slots by subject and number, and in about the order in which they came. */
function slotTable() {
  const subjects = new Map<string, Map<number, Slot>>();
  /** Those before `head` are gone. */
  let order: Slot[] = [];
  let head = 0;
  return {
    of: (subject: string): ReadonlyMap<number, Slot> | undefined => subjects.get(subject),
    open(subject: string, number: number): Slot {
      let slots = subjects.get(subject);
      if (slots === undefined) subjects.set(subject, (slots = new Map()));
      const known = slots.get(number);
      if (known !== undefined) return known;
      const slot = { subject, number, byValue: new Map<string, Fact>() };
      slots.set(number, slot);
      order.push(slot);
      return slot;
    },
    oldest: (): Slot | undefined => order[head],
    takeOldest(): Slot | undefined {
      const slot = order[head];
      if (slot === undefined) return undefined;
      head++;
      const slots = subjects.get(slot.subject);
      slots?.delete(slot.number);
      if (slots?.size === 0) subjects.delete(slot.subject);
      if (head * 2 > order.length) {
        order = order.slice(head);
        head = 0;
      }
      return slot;
    },
  };
}

function addReaching(found: Fact[], { byValue }: Slot, from: EpochMs, to: EpochMs): void {
  for (const fact of byValue.values()) if (fact.first <= to && fact.last >= from) found.push(fact);
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
