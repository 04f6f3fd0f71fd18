import type { EpochMs } from "../event.ts";
import type { BaselineRow } from "./baseline.ts";
import { alignDown } from "./group.ts";
import type { Extra } from "./entries.ts";
import type { Key } from "./keys.ts";
import type { TumblingGroup, TumblingState } from "./tumbling.ts";
import { measureOf, windowMemory } from "./window-memory.ts";
import type { WindowMemory } from "./window-memory.ts";

/** How a correlation with tumbling windows comes to its groups. */
interface Groups<X extends Extra> {
  /** The group of a key; made when there is none. */
  open(key: Key): TumblingGroup<X>;
  /** Notes that a group has an event in a window. */
  note(state: TumblingState<X>, group: TumblingGroup<X>, start: EpochMs): void;
}

/** The memory of a correlation whose kind compares with earlier windows, or that reports silence from its first window on. */
export function tumblingMemory<X extends Extra>(state: TumblingState<X>, groups: Groups<X>): WindowMemory | undefined {
  const { setup, kind, grouped } = state;
  const { past } = kind;
  if (past === undefined && (grouped || !kind.emptyHolds)) return undefined;
  const { timespanMs } = setup;
  const owner = {
    begin: () => (grouped || state.begin === Number.POSITIVE_INFINITY ? undefined : state.begin),
    restore(row: BaselineRow): void {
      if (row.kind === "value") return;
      const group = groups.open(setup.keys.ofValues(row.group));
      if (!grouped) state.begin = Math.min(state.begin, row.time);
      if (row.kind === "first") return;
      past?.restore(group, row.time, measureOf(row));
      // The groups of the last window that was evaluated are asked about the next one, events or not.
      if (row.time === state.done - timespanMs) groups.note(state, group, row.time);
    },
    resume(until: EpochMs): void {
      // Windows that start before the seal have been evaluated, and their events are not wanted again.
      state.done = -alignDown(-until, timespanMs);
      state.skipTo = state.done;
      state.keepFrom = until;
    },
    live(): void {
      state.skipTo = Number.NEGATIVE_INFINITY;
    },
  };
  return windowMemory({ ...setup, windows: past?.windows ?? 1 }, owner, setup.collects);
}
