import type { Threshold } from "../sigma/rules.ts";
import { emptyGroup } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { leastCount, meets, onlyGrows } from "./threshold.ts";

/** event_count with a lower bound: how many events are in the window. */
export function eventCount(threshold: Threshold, timespanMs: number): SlidingKind<0> {
  const least = leastCount(threshold);
  const grows = onlyGrows(threshold);
  return {
    extra: "none",
    least,
    open: emptyGroup,
    // With a lower bound alone, the count holds iff the event that is `least` back lies in the window.
    appended({ times }, { at, size }) {
      const last = at + size - 1;
      return size >= least && times[last + 1 - least]! >= times[last]! - timespanMs;
    },
    inserting() {},
    merged() {},
    dropping() {},
    possible: (entries, group, from) => group.at + group.size - entries.lowerBound(group, from) >= least,
    scan(entries, group, from, to, hit) {
      const { times } = entries;
      const end = group.at + group.size;
      let start = from < to ? entries.lowerBound(group, times[from]! - timespanMs) : 0;
      for (let at = from; at < to; at++) {
        const time = times[at]!;
        if (at + 1 < end && times[at + 1] === time) continue;
        if (grows) {
          if (at + 1 - group.at >= least && times[at + 1 - least]! >= time - timespanMs) hit(time);
          continue;
        }
        while (times[start]! < time - timespanMs) start++;
        if (meets(threshold, at + 1 - start)) hit(time);
      }
    },
  };
}
