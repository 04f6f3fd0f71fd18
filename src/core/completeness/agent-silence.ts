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
  /** Complete up to here; undefined: nothing is proven. */
  readonly watermark: EpochMs | undefined;
  /** Stretches in which the agent may have spoken unheard; `to` null: it lasts. */
  readonly unheard: readonly Pick<SourceGap, "from" | "to">[];
}

/**
 * Since when an agent is silent that was last seen at `last`: for its heartbeat of scheduled time, all of it heard by every
 * source that carries it. A stretch in which it may have spoken unheard begins the count again at its end. Undefined: it is
 * not silent, or nobody can tell.
 */
export function silentSince(agent: Beating, last: EpochMs, carriers: readonly Carrier[]): EpochMs | undefined {
  let since = last;
  let due = activeAfter(agent.hours, since, agent.heartbeatMs);
  for (const stretch of carriers.flatMap(({ unheard }) => unheard).toSorted((a, b) => a.from - b.from)) {
    if (!overlaps(stretch, since, due)) continue;
    if (stretch.to === null) return undefined;
    since = stretch.to;
    due = activeAfter(agent.hours, since, agent.heartbeatMs);
  }
  if (carriers.length === 0 || !Number.isFinite(due)) return undefined;
  return carriers.every(({ watermark }) => watermark !== undefined && watermark >= due) ? since : undefined;
}
