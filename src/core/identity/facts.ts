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
}

/** How far an observation reaches, and how many facts are kept. */
export interface FactReach {
  readonly kind: string;
  /** An observation holds this long before it was made. */
  readonly beforeMs: number;
  /** An observation holds this long after it was made. */
  readonly afterMs: number;
  readonly max: number;
}

/** Observations of one kind. */
export interface Facts {
  /** Remembers one; returns the fact when it changed. */
  observe(subject: string, value: string, time: EpochMs): ObservedFact | undefined;
  /** Takes a stored fact back; false when it is of another kind. */
  restore(fact: ObservedFact): boolean;
  /** The distinct values that reach `time`. */
  at(subject: string, time: EpochMs): readonly string[];
  /** Forgets what reaches no time from `time` on. */
  prune(time: EpochMs): void;
  readonly size: number;
  /** Facts that had to go because there were too many. */
  readonly evicted: number;
}

/**
 * Observations are kept per slot of time, as first and last. A slot is as long as an observation's whole reach, so
 * everything between the first and the last of a slot is reached by one of the two: no gap is ever bridged.
 */
export function facts({ kind, beforeMs, afterMs, max }: FactReach): Facts {
  const slotMs = beforeMs + afterMs;
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
  const merge = (key: string, value: string, first: EpochMs, last: EpochMs): ObservedFact | undefined => {
    const slot = open(key);
    const fact = slot.get(value);
    if (fact !== undefined) {
      if (first >= fact.first && last <= fact.last) return undefined;
      fact.first = Math.min(fact.first, first);
      fact.last = Math.max(fact.last, last);
      return fact;
    }
    const made = { key, value, first, last };
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

  return {
    observe: (subject, value, time) => merge(`${prefix}${subject}@${slotOf(time)}`, value, time, time),
    restore(fact) {
      if (!fact.key.startsWith(prefix)) return false;
      merge(fact.key, fact.value, fact.first, fact.last);
      return true;
    },
    at(subject, time) {
      const found: string[] = [];
      const last = slotOf(time + beforeMs);
      for (let slot = slotOf(time - afterMs); slot <= last; slot++) {
        for (const fact of slots.get(`${prefix}${subject}@${slot}`)?.values() ?? []) {
          if (fact.first > time + beforeMs || fact.last < time - afterMs) continue;
          if (!found.includes(fact.value)) found.push(fact.value);
        }
      }
      return found;
    },
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
