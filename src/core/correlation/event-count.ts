import type { Threshold } from "../sigma/rules.ts";
import { emptyGroup, lowerBound } from "./group.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { leastCount, meets, onlyGrows } from "./threshold.ts";

/** event_count with a lower bound: how many events are in the window. */
export function eventCount(threshold: Threshold, timespanMs: number): SlidingKind<0> {
  const least = leastCount(threshold);
  const grows = onlyGrows(threshold);
  return {
    keepsExtra: false,
    least,
    open: emptyGroup,
    // With a lower bound alone, the count holds iff the event that is `least` back lies in the window.
    appended({ times }) {
      const last = times.length - 1;
      return last + 1 >= least && times[last + 1 - least]! >= times[last]! - timespanMs;
    },
    inserting() {},
    merged() {},
    dropping() {},
    possible: ({ times }, from) => times.length - lowerBound(times, from) >= least,
    scan({ times }, from, to, hit) {
      let start = from < to ? lowerBound(times, times[from]! - timespanMs) : 0;
      for (let at = from; at < to; at++) {
        const time = times[at]!;
        if (times[at + 1] === time) continue;
        if (grows) {
          if (at + 1 >= least && times[at + 1 - least]! >= time - timespanMs) hit(time);
          continue;
        }
        while (times[start]! < time - timespanMs) start++;
        if (meets(threshold, at + 1 - start)) hit(time);
      }
    },
  };
}
