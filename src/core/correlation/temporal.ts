import type { Threshold } from "../sigma/rules.ts";
import type { EpochMs } from "../event.ts";
import { emptyGroup } from "./group.ts";
import type { Group } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { leastCount, meets } from "./threshold.ts";

/** Most rules that a temporal correlation may refer to: a set of them is the bits of one small integer. */
export const TEMPORAL_RULES_MAX = 30;

/** A group with the latest time of each rule. */
interface TemporalGroup extends Group<number> {
  readonly latest: EpochMs[];
}

/** temporal with a lower bound: how many of `rules` rules have an event in the window. An extra is the set of rules. */
export function temporal(threshold: Threshold, timespanMs: number, rules: number): SlidingKind<number, TemporalGroup> {
  const never = (): EpochMs[] => Array.from({ length: rules }, () => Number.NEGATIVE_INFINITY);
  const holds = (latest: readonly EpochMs[], time: EpochMs): boolean => {
    let present = 0;
    for (const seen of latest) if (seen >= time - timespanMs) present++;
    return meets(threshold, present);
  };
  const least = leastCount(threshold);
  return {
    extra: "number",
    least,
    open: (key) => ({ ...emptyGroup<number>(key), latest: never() }),
    appended({ times, numbers }, { at, size, latest }) {
      const time = times[at + size - 1]!;
      note(latest, numbers[at + size - 1]!, time);
      return holds(latest, time);
    },
    inserting: (_, { latest }, time, set) => note(latest, set, time),
    merged() {},
    dropping() {},
    possible(_, { latest }, from) {
      let present = 0;
      for (const seen of latest) if (seen >= from) present++;
      return present >= least;
    },
    scan(entries, group, from, to, hit) {
      if (from >= to) return;
      const { times, numbers } = entries;
      const end = group.at + group.size;
      const latest = never();
      for (let at = entries.lowerBound(group, times[from]! - timespanMs); at < to; at++) {
        const time = times[at]!;
        note(latest, numbers[at]!, time);
        if (at >= from && (at + 1 === end || times[at + 1] !== time) && holds(latest, time)) hit(time);
      }
    },
  };
}

/** Notes that the rules of a set were seen. */
export function note(latest: EpochMs[], set: number, time: EpochMs): void {
  for (let bits = set; bits !== 0; bits &= bits - 1) {
    const rule = 31 - Math.clz32(bits & -bits);
    if (latest[rule]! < time) latest[rule] = time;
  }
}
