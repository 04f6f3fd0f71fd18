/**
 * What the log showed about subjects such as addresses. Whether a fact holds at a time depends on nothing but the
 * observations that reach that time: neither on those in between nor on when one asks.
 */
import type { EpochMs } from "../event.ts";

/** "`key` meant `value` from first to last", as observed; `key` is `<kind>:<subject>@<slot>`. */
export interface ObservedFact {
  readonly key: string;
  readonly value: string;
  first: EpochMs;
  last: EpochMs;
  /** Uid of the event that showed it at `first`; of several the smallest. Names of addresses have none. */
  origin?: string;
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
}

/** Observations of one kind. */
export interface Facts {
  /** Remembers one; returns the fact when it changed. */
  observe(subject: string, value: string, time: EpochMs, origin?: string): ObservedFact | undefined;
  /** Takes a stored fact back; false when it is of another kind. */
  restore(fact: ObservedFact): boolean;
  /** The distinct values that reach `time`. */
  at(subject: string, time: EpochMs): readonly string[];
  /** The facts that reach `time`, the earliest first. */
  factsAt(subject: string, time: EpochMs): readonly Readonly<ObservedFact>[];
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
  readonly byValue: Map<string, ObservedFact>;
}

/**
 * Observations are kept per slot of time, as first and last. A slot is no longer than an observation's whole reach, so
 * everything between the first and the last of a slot is reached by one of the two: no gap is ever bridged.
 */
export function facts({ kind, beforeMs, afterMs, max, slotMs = beforeMs + afterMs }: FactReach): Facts {
  const prefix = `${kind}:`;
  const subjects = new Map<string, Map<number, Slot>>();
  /** About as they came; those before `head` are gone. */
  let order: Slot[] = [];
  let head = 0;
  let size = 0;
  let evicted = 0;

  const slotOf = (time: EpochMs): number => Math.floor(time / slotMs);
  const open = (subject: string, number: number): Slot => {
    let slots = subjects.get(subject);
    if (slots === undefined) subjects.set(subject, (slots = new Map()));
    let slot = slots.get(number);
    if (slot === undefined) {
      slots.set(number, (slot = { subject, number, byValue: new Map() }));
      order.push(slot);
    }
    return slot;
  };
  const forgetOldest = (): Slot => {
    const slot = order[head++]!;
    const slots = subjects.get(slot.subject);
    slots?.delete(slot.number);
    if (slots?.size === 0) subjects.delete(slot.subject);
    size -= slot.byValue.size;
    if (head * 2 > order.length) {
      order = order.slice(head);
      head = 0;
    }
    return slot;
  };
  const merge = (slot: Slot, value: string, first: EpochMs, last: EpochMs, origin: string | undefined): ObservedFact | undefined => {
    const fact = slot.byValue.get(value);
    if (fact !== undefined) return widened(fact, first, last, origin) ? fact : undefined;
    const key = `${prefix}${slot.subject}@${slot.number}`;
    const made: ObservedFact = origin === undefined ? { key, value, first, last } : { key, value, first, last, origin };
    slot.byValue.set(value, made);
    size++;
    if (size > max) evicted += forgetOldest().byValue.size;
    return made;
  };
  const reaching = (subject: string, time: EpochMs): ObservedFact[] => {
    const found: ObservedFact[] = [];
    const slots = subjects.get(subject);
    if (slots === undefined) return found;
    const last = slotOf(time + beforeMs);
    for (let number = slotOf(time - afterMs); number <= last; number++) {
      for (const fact of slots.get(number)?.byValue.values() ?? [])
        if (fact.first <= time + beforeMs && fact.last >= time - afterMs) found.push(fact);
    }
    return found;
  };

  return {
    observe: (subject, value, time, origin) => merge(open(subject, slotOf(time)), value, time, time, origin),
    restore({ key, value, first, last, origin }) {
      if (!key.startsWith(prefix)) return false;
      const at = key.lastIndexOf("@");
      merge(open(key.slice(prefix.length, at), Number(key.slice(at + 1))), value, first, last, origin);
      return true;
    },
    at: (subject, time) => [...new Set(reaching(subject, time).map(({ value }) => value))],
    factsAt: reaching,
    prune(time) {
      for (let oldest = order[head]; oldest !== undefined; oldest = order[head]) {
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

/** Makes a fact reach to an observation; false when it did. */
function widened(fact: ObservedFact, first: EpochMs, last: EpochMs, origin: string | undefined): boolean {
  const isEarlier = origin !== undefined && (first < fact.first || (first === fact.first && origin < (fact.origin ?? "")));
  if (first >= fact.first && last <= fact.last && !isEarlier) return false;
  if (isEarlier) fact.origin = origin;
  fact.first = Math.min(fact.first, first);
  fact.last = Math.max(fact.last, last);
  return true;
}
