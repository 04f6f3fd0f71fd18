/** Silence of an agent, told from silence of the sources that carry it. */
import type { EpochMs } from "../event.ts";
import { activeAfter, type ActiveHours } from "./active-hours.ts";
import { overlaps, type SourceGap } from "./gap.ts";

/** An agent that declares how often it is heard of. */
export interface Beating {
  readonly heartbeatMs: number;
  readonly hours: ActiveHours | undefined;
}

/** A source that carries the agent, as far as silence needs it. */
export interface Carrier {
  /** Complete up to here; undefined: unproven, or stalled. */
  readonly watermark: EpochMs | undefined;
  /** Gaps that are not healed. */
  readonly gaps: readonly Pick<SourceGap, "from" | "to">[];
}

/**
 * When an agent that was last seen at `last` had been silent for its heartbeat, provided that every source that carries it
 * was complete until then and had no gap in which it may have spoken. Undefined: it is not silent, or nobody can tell.
 */
export function silentSince(agent: Beating, last: EpochMs, carriers: readonly Carrier[]): EpochMs | undefined {
  const due = activeAfter(agent.hours, last, agent.heartbeatMs);
  if (carriers.length === 0 || !Number.isFinite(due)) return undefined;
  for (const { watermark, gaps } of carriers) {
    if (watermark === undefined || watermark < due) return undefined;
    if (gaps.some((gap) => overlaps(gap, last, due))) return undefined;
  }
  return due;
}
