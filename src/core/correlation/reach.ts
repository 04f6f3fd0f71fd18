import type { EpochMs } from "../event.ts";

/** How far back events matter to something; what is restored of its past changes what a replay must tell it. */
export interface Reach {
  /** Before its watermark, when nothing is restored. */
  readonly wholeMs: number;
  /** The same with what is restored now. */
  replayMs(): number;
  /** What came from here on is needed, because restored rows end there; Infinity when none are restored. */
  neededFrom(): EpochMs;
}

/** How far a correlation remembers behind its windows. */
interface Past {
  readonly pastMs: number;
  /** Restored rows know its past up to here. */
  restoredTo(): EpochMs | undefined;
}

/** The furthest of several; 0 of none. */
export function furthestOf(reaches: readonly Reach[]): Reach {
  return {
    wholeMs: Math.max(0, ...reaches.map(({ wholeMs }) => wholeMs)),
    replayMs: () => Math.max(0, ...reaches.map((reach) => reach.replayMs())),
    neededFrom: () => Math.min(...reaches.map((reach) => reach.neededFrom())),
  };
}

/** Of something over others, whose own windows and open buckets reach back `windowsMs`. */
export function reachOver(inners: readonly Reach[], windowsMs: number, past?: Past): Reach {
  const inner = furthestOf(inners);
  const pastMs = past?.pastMs ?? 0;
  return {
    wholeMs: pastMs + windowsMs + inner.wholeMs,
    replayMs: () => (past?.restoredTo() === undefined ? pastMs : 0) + windowsMs + inner.replayMs(),
    neededFrom: () => Math.min((past?.restoredTo() ?? Number.POSITIVE_INFINITY) - inner.replayMs(), inner.neededFrom()),
  };
}
