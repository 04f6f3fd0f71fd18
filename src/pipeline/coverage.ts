import type { Watermarks } from "../core/correlation/types.ts";
import { CATEGORIES, type Category, type EpochMs } from "../core/event.ts";
import type { SourceCoverage } from "../core/incident.ts";
import type { SourceState } from "../ports/store.ts";
import type { RunningSource } from "./ingest.ts";

/** What is complete up to when, and which sources do not say. */
export interface Coverage {
  readonly watermarks: Watermarks;
  /** Sources that stalled past their budget: alerts no longer wait for them, and say so. */
  readonly missing: readonly string[];
  /** How far each source is complete, by name. */
  readonly bySource?: readonly SourceCoverage[];
}

/**
 * The watermark of each category is the minimum over the sources that feed it. A source that has not succeeded for
 * its stall budget is left out and named; a category that no source feeds is complete by definition.
 * `startTime` is when this process began to listen: a source never heard of counts from then.
 */
export function coverage(sources: readonly RunningSource[], states: readonly SourceState[], now: EpochMs, startTime: EpochMs): Coverage {
  const byId = new Map(states.map((state) => [state.source, state]));
  const byCategory = new Map<Category, EpochMs>();
  const missing: string[] = [];
  let all = now;
  for (const source of sources) {
    const state = byId.get(source.id);
    const heard = Math.max(state?.lastSuccessTime ?? startTime, startTime);
    if (now - heard > source.stallMs) {
      missing.push(source.id);
      continue;
    }
    const watermark = state?.watermark ?? -Infinity;
    all = Math.min(all, watermark);
    for (const category of source.connector.categories ?? CATEGORIES) {
      byCategory.set(category, Math.min(byCategory.get(category) ?? now, watermark));
    }
  }
  for (const category of CATEGORIES) if (!byCategory.has(category)) byCategory.set(category, now);
  const bySource = sources.map(({ id }) => ({ source: id, watermark: byId.get(id)?.watermark ?? undefined }));
  bySource.sort((a, b) => (a.source < b.source ? -1 : 1));
  return { watermarks: { all, byCategory }, missing: missing.sort(), bySource };
}

/** A watermark as it is stored: undefined where nothing is proven, or everything. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
