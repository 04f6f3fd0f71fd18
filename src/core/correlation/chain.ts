import type { EpochMs } from "../event.ts";

/** Progress of the sequences of rules 0 to n - 1 over events that are taken in order of time. */
export interface Chain {
  /** Takes an event that matched a set of rules, as bits. Its time is not before that of the last one. */
  take(time: EpochMs, rules: number): void;
  /** The latest time at which a complete sequence of distinct events starts; -Infinity while there is none. */
  latestStart(): EpochMs;
}

/**
 * For each length k, the latest start of a sequence through rules 0 to k - 1 decides all: a later start can only fit
 * into more windows. Events of one time may serve in any order, each once, so a step at one time is a matching
 * between the next rules and the events of that time.
 */
export function chain(rules: number): Chain {
  const none = Number.NEGATIVE_INFINITY;
  /** Latest start of a sequence through k rules, before and with the events of `now`. */
  const before = Array.from({ length: rules + 1 }, () => none);
  const best = Array.from({ length: rules + 1 }, () => none);
  let now = none;
  /** Rule sets of the events of `now`; of equal sets no more than can all be used. */
  let tied: number[] = [];

  function single(time: EpochMs, set: number): void {
    for (let bits = set; bits !== 0; bits &= bits - 1) {
      const rule = 31 - Math.clz32(bits & -bits);
      const start = rule === 0 ? time : before[rule]!;
      if (start > best[rule + 1]!) best[rule + 1] = start;
    }
  }

  function several(time: EpochMs): void {
    for (let from = 0; from < rules; from++) {
      const start = from === 0 ? time : before[from]!;
      if (start === none) continue;
      const owners = tied.map(() => -1);
      for (let rule = from; rule < rules && assign(rule, tied, owners, new Set()); rule++) {
        if (start > best[rule + 1]!) best[rule + 1] = start;
      }
    }
  }

  return {
    take(time, set) {
      if (time !== now) {
        now = time;
        for (let k = 1; k <= rules; k++) before[k] = best[k]!;
        tied = [set];
        single(time, set);
        return;
      }
      let equal = 0;
      for (const other of tied) if (other === set) equal++;
      if (equal >= rules) return;
      tied.push(set);
      several(time);
    },
    latestStart: () => best[rules]!,
  };
}

/** Gives `rule` an event of its own, moving others where they have a choice (augmenting path). */
export function assign(rule: number, sets: readonly number[], owners: number[], tried: Set<number>): boolean {
  for (let at = 0; at < sets.length; at++) {
    if ((sets[at]! & (1 << rule)) === 0 || tried.has(at)) continue;
    tried.add(at);
    if (owners[at] === -1 || assign(owners[at]!, sets, owners, tried)) {
      owners[at] = rule;
      return true;
    }
  }
  return false;
}
