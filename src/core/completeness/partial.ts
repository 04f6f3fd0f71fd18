import type { EpochMs } from "../event.ts";
import { overlaps, type SourceGap } from "./gap.ts";

/** A gap as alerts and incidents name it. */
export type GapNote = Pick<SourceGap, "source" | "from" | "to" | "why">;

/** What was missing when something was decided. Absent, or without members: nothing that is known of. */
export interface Missing {
  /** Sources that had stalled before the time in question, or had proven nothing yet, sorted. */
  readonly missing: readonly string[];
  /** Gaps that overlap it, by their beginning. */
  readonly gaps: readonly GapNote[];
}

/** Gaps that one alert or incident names; the rest are in the state of the sources. */
const GAPS_MAX = 10;

/** How far each source was complete, and what it lacks. */
export interface Known {
  readonly missing: readonly string[];
  readonly bySource?: readonly { readonly source: string; readonly watermark: EpochMs | undefined }[];
  readonly gaps?: readonly SourceGap[];
}

/** What is missing of the time from `from` to `to`. A source that stalled later was complete for it. */
export function missingIn({ missing, bySource, gaps }: Known, from: EpochMs, to: EpochMs): Missing {
  const reached = new Map(bySource?.map(({ source, watermark }) => [source, watermark]));
  const lacking = (gaps ?? []).filter((gap) => gap.state !== "healed" && overlaps(gap, from, to));
  return {
    missing: missing.filter((source) => (reached.get(source) ?? -Infinity) < to),
    gaps: lacking
      .toSorted((a, b) => a.from - b.from || (a.id < b.id ? -1 : 1))
      .slice(0, GAPS_MAX)
      .map(({ source, from: begin, to: end, why }) => ({ source, from: begin, to: end, why })),
  };
}

/** Whether anything is missing. */
export function isPartial({ missing, gaps }: Missing): boolean {
  return missing.length > 0 || gaps.length > 0;
}
