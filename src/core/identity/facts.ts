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

/**
 * Observations are kept per slot of time, as first and last. A slot is no longer than an observation's whole reach, so
 * everything between the first and the last of a slot is reached by one of the two: no gap is ever bridged.
 */
export function facts({ kind, beforeMs, afterMs, max, slotMs = beforeMs + afterMs }: FactReach): Facts {
  const prefix = `${kind}:`;
  const slots = new Map<string, Map<string, ObservedFact>>();
  let size = 0;
  let evicted = 0;

  const slotOf = (time: EpochMs): number => Math.floor(time / slotMs);
  const open = (key: string): Map<string, ObservedFact> => {
    const found = slots.get(key);
    if (found !== undefined) return found;
    const made = new Map<string, ObservedFact>();
    slots.set(key, made);
    return made;
  };
  const forget = (key: string, slot: ReadonlyMap<string, ObservedFact>): void => {
    slots.delete(key);
    size -= slot.size;
  };
  const merge = (given: ObservedFact): ObservedFact | undefined => {
    const { key, value, first, last, origin } = given;
    const slot = open(key);
    const fact = slot.get(value);
    if (fact !== undefined) {
      const earlier = origin !== undefined && (first < fact.first || (first === fact.first && origin < (fact.origin ?? "")));
      if (first >= fact.first && last <= fact.last && !earlier) return undefined;
      if (earlier) fact.origin = origin;
      fact.first = Math.min(fact.first, first);
      fact.last = Math.max(fact.last, last);
      return fact;
    }
    const made = { ...given };
    slot.set(value, made);
    size++;
    if (size > max) evictOldest();
    return made;
  };
  const evictOldest = (): void => {
    for (const [key, slot] of slots) {
      evicted += slot.size;
      forget(key, slot);
      return;
    }
  };

  const reaching = (subject: string, time: EpochMs): ObservedFact[] => {
    const found: ObservedFact[] = [];
    const last = slotOf(time + beforeMs);
    for (let slot = slotOf(time - afterMs); slot <= last; slot++) {
      for (const fact of slots.get(`${prefix}${subject}@${slot}`)?.values() ?? [])
        if (fact.first <= time + beforeMs && fact.last >= time - afterMs) found.push(fact);
    }
    return found;
  };

  return {
    observe(subject, value, time, origin) {
      const fact = { key: `${prefix}${subject}@${slotOf(time)}`, value, first: time, last: time };
      return merge(origin === undefined ? fact : { ...fact, origin });
    },
    restore(fact) {
      if (!fact.key.startsWith(prefix)) return false;
      merge(fact);
      return true;
    },
    at: (subject, time) => [...new Set(reaching(subject, time).map(({ value }) => value))],
    factsAt: reaching,
    prune(time) {
      // Slots lie in the map about as they came; the first that is still needed ends the search.
      for (const [key, slot] of slots) {
        const end = (Number(key.slice(key.lastIndexOf("@") + 1)) + 1) * slotMs;
        if (end + afterMs >= time) return;
        forget(key, slot);
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
