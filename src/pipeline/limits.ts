import type { EpochMs } from "../core/event.ts";
import type { ResolverStats } from "../core/identity/resolver.ts";
import type { PartHealth } from "./health.ts";

/** So long after a limit was met the service is not called well: whoever looks once an hour sees it. */
const TOLD_MS = 3_600_000;

/** Remembers when the resolver met a limit: who did what may be missing since. */
export interface LimitWatch {
  /** Takes the counts as they are now; they begin at 0 again when the engine is rebuilt. */
  note(stats: Pick<ResolverStats, "forced" | "evicted">, now: EpochMs): void;
  health(now: EpochMs): PartHealth;
}

/** No limit was met yet. */
export function limitWatch(): LimitWatch {
  const forced = growth();
  const evicted = growth();
  return {
    note(stats, now) {
      forced.note(stats.forced, now);
      evicted.note(stats.evicted, now);
    },
    health(now) {
      const early = `${forced.count} events went on before all was known of them: more than may wait came at once`;
      const gone = `${evicted.count} bindings or names were forgotten: more were told than are kept`;
      const met = [...(forced.isFresh(now) ? [early] : []), ...(evicted.isFresh(now) ? [gone] : [])];
      return { name: "resolver", ok: met.length === 0, message: met.length === 0 ? "works" : met.join("; ") };
    },
  };
}

/** What a count that may begin at 0 again grew by since the start, and when it did last. */
function growth() {
  let count = 0;
  let last = 0;
  let grownTime = -Infinity;
  return {
    note(value: number, now: EpochMs): void {
      const by = value < last ? value : value - last;
      if (by > 0) grownTime = now;
      count += by;
      last = value;
    },
    isFresh: (now: EpochMs): boolean => now - grownTime < TOLD_MS,
    get count() {
      return count;
    },
  };
}
