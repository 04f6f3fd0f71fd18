import type { SourceGap } from "../core/completeness/gap.ts";
import type { Watermarks } from "../core/correlation/types.ts";
import { CATEGORIES, type Category, type EpochMs } from "../core/event.ts";
import type { SourceCoverage } from "../core/incident.ts";
import type { SourceState, Store } from "../ports/store.ts";
import type { RunningSource } from "./ingest.ts";

/** What is complete up to when, and which sources do not say. */
export interface Coverage {
  readonly watermarks: Watermarks;
  /** Sources that stalled past their budget, for which alerts no longer wait, and those that have not proven anything yet. */
  readonly missing: readonly string[];
  /** How far each source is complete, by name. */
  readonly bySource?: readonly SourceCoverage[];
  /** Gaps of the sources that are not healed. */
  readonly gaps?: readonly SourceGap[];
}

/**
 * Why nobody waits for a source any longer: `silent`, it did not succeed for its stall budget; `stuck`, it does, but for
 * that and its lateness it came no further. A restart is no sign of life: what an open outage says stays until it is heard
 * of. `startTime` is when this process began to listen: what was not heard of before counts from then.
 */
export function stallOf(
  { id, stallMs, latenessMs }: RunningSource,
  state: SourceState | undefined,
  now: EpochMs,
  startTime: EpochMs,
  gaps: readonly SourceGap[],
): "silent" | "stuck" | undefined {
  const heard = state?.lastSuccessTime ?? startTime;
  const further = state?.progressTime ?? heard;
  const out = gaps.some((gap) => gap.source === id && gap.state === "open" && gap.to === null);
  if (now - Math.max(heard, startTime) > stallMs || (out && heard < startTime)) return "silent";
  if (now - Math.max(further, startTime) > stallMs + latenessMs || (out && further < startTime)) return "stuck";
  return undefined;
}

/**
 * The watermark of each category is the minimum over the sources that feed it. A source that is stalled (see `stallOf`) is
 * left out and named; one that has proven nothing yet is named, too; a category that no source feeds is complete by definition.
 * `startTime` is when this process began to listen: a source never heard of counts from then.
 */
export function coverage(
  sources: readonly RunningSource[],
  states: readonly SourceState[],
  now: EpochMs,
  startTime: EpochMs,
  gaps: readonly SourceGap[] = [],
): Coverage {
  const byId = new Map(states.map((state) => [state.source, state]));
  const byCategory = new Map<Category, EpochMs>();
  const missing: string[] = [];
  let all = now;
  for (const source of sources) {
    const state = byId.get(source.id);
    if (stallOf(source, state, now, startTime, gaps) !== undefined) {
      missing.push(source.id);
      continue;
    }
    const watermark = state?.watermark ?? -Infinity;
    // It is waited for, but what is told meanwhile was decided without it.
    if (watermark === -Infinity) missing.push(source.id);
    all = Math.min(all, watermark);
    for (const category of source.connector.categories ?? CATEGORIES) {
      byCategory.set(category, Math.min(byCategory.get(category) ?? now, watermark));
    }
  }
  for (const category of CATEGORIES) if (!byCategory.has(category)) byCategory.set(category, now);
  const bySource = sources.map(({ id }) => ({ source: id, watermark: byId.get(id)?.watermark ?? undefined }));
  bySource.sort((a, b) => (a.source < b.source ? -1 : 1));
  const known = new Set(sources.map(({ id }) => id));
  const open = gaps.filter((gap) => known.has(gap.source) && gap.state !== "healed");
  return { watermarks: { all, byCategory }, missing: missing.sort(), bySource, gaps: open };
}

/** Alerts are about the last hours; a gap that was given up longer ago than this is about none of them. */
const GAPS_BACK_MS = 86_400_000;

/** As `coverage`, of what is stored now. @throws {Failure} of the store */
export async function coverageNow(
  store: Pick<Store, "sources" | "gaps">,
  sources: readonly RunningSource[],
  now: EpochMs,
  startTime: EpochMs,
): Promise<Coverage> {
  return coverage(sources, await store.sources(), now, startTime, await store.gaps({ recent: now - GAPS_BACK_MS }));
}

/** A watermark as it is stored: undefined where nothing is proven, or everything. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
