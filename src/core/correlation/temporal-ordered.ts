import type { EpochMs } from "../event.ts";
import type { Entries } from "./entries.ts";
import { emptyGroup } from "./group.ts";
import type { Group } from "./group.ts";
import { chain } from "./chain.ts";
import type { Chain } from "./chain.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { note } from "./temporal.ts";

/** A group with the progress of its sequences. */
interface OrderedGroup extends Group<number> {
  /** Undefined when it has to be replayed. */
  progress: Chain | undefined;
  /** Latest time of each rule. */
  readonly latest: EpochMs[];
}

/**
 * temporal_ordered: the window holds distinct events, one of each of `rules` rules, in their order; events of one time
 * have no order among themselves. Any valid assignment counts. An extra is the set of rules.
 */
export function temporalOrdered(timespanMs: number, rules: number): SlidingKind<number, OrderedGroup> {
  /** Progress after the entries of the window at the newest one. */
  function replay(entries: Entries, group: Group<number>): Chain {
    const progress = chain(rules);
    const { times, numbers } = entries;
    const end = group.at + group.size;
    for (let at = entries.lowerBound(group, times[end - 1]! - timespanMs); at < end; at++) progress.take(times[at]!, numbers[at]!);
    return progress;
  }
  return {
    extra: "number",
    least: rules,
    open(key) {
      const latest = Array.from({ length: rules }, () => Number.NEGATIVE_INFINITY);
      return { ...emptyGroup<number>(key), progress: chain(rules), latest };
    },
    appended(entries, group) {
      const { latest, at, size } = group;
      const time = entries.times[at + size - 1]!;
      const set = entries.numbers[at + size - 1]!;
      note(latest, set, time);
      if (group.progress !== undefined) group.progress.take(time, set);
      // A replay can wait as long as some rule is missing.
      else if (all(latest, time - timespanMs)) group.progress = replay(entries, group);
      return group.progress !== undefined && group.progress.latestStart() >= time - timespanMs;
    },
    inserting: (_, { latest }, time, set) => note(latest, set, time),
    merged(_, group) {
      group.progress = undefined;
    },
    dropping() {},
    possible: (_, { latest }, from) => all(latest, from),
    scan(entries, group, from, to, hit) {
      if (from >= to) return;
      const { times, numbers } = entries;
      const end = group.at + group.size;
      const progress = chain(rules);
      for (let at = entries.lowerBound(group, times[from]! - timespanMs); at < to; at++) {
        const time = times[at]!;
        progress.take(time, numbers[at]!);
        if (at >= from && (at + 1 === end || times[at + 1] !== time) && progress.latestStart() >= time - timespanMs) hit(time);
      }
    },
  };
}

function all(latest: readonly EpochMs[], from: EpochMs): boolean {
  for (const seen of latest) if (seen < from) return false;
  return true;
}
