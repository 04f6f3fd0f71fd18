/** What can be asked about sources: how complete they are, how late, and what they lack. */
import type { SourceGap } from "./core/completeness/gap.ts";
import { quantile, type LatenessSketch } from "./core/completeness/lateness.ts";
import type { FieldGap } from "./pipeline/gaps.ts";
import type { SourceState, Store } from "./ports/store.ts";

/** Lateness is told of the last week: what a vendor did before fades. */
export const LATENESS_DAYS_MS = 7 * 86_400_000;
/** Gaps that ended in this time are shown, too. */
const ENDED_MS = 86_400_000;
/** Shares of the records, by name. */
export const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** Milliseconds within which shares of the records came; null without records. */
export type Quantiles = Readonly<Record<keyof typeof QUANTILES | "max", number>> | null;

/** One source, as `custodes sources --json` prints it. */
export interface SourceRow extends SourceState {
  /** From the watermark to now. */
  readonly lagMs: number | null;
  /** From events to their receipt, over a week. */
  readonly settleLagMs: Quantiles;
  /** How far behind their order records came, over a week. */
  readonly latenessMs: Quantiles;
  /** Open ones, and those that ended within a day; newest found first. */
  readonly gaps: readonly SourceGap[];
  readonly neverSupplied: readonly FieldGap[] | null;
}

/** What a row is made of beside the store. */
interface Live {
  readonly configured?: readonly string[];
  readonly fieldGaps?: (source: string) => readonly FieldGap[];
}

/** Every source that is stored or configured, by name. */
export async function sourceRows(store: Store, now: number, live: Live | undefined): Promise<readonly SourceRow[]> {
  const states = await store.sources();
  const gaps = await store.gaps({ recent: now - ENDED_MS });
  const lateness = new Map((await store.lateness(now - LATENESS_DAYS_MS)).map((one) => [one.source, one]));
  const unheard = (live?.configured ?? []).filter((source) => !states.some((state) => state.source === source)).map(neverHeard);
  return [...states, ...unheard]
    .map((state) => ({
      ...state,
      lagMs: state.watermark === null ? null : now - state.watermark,
      settleLagMs: quantiles(lateness.get(state.source)?.lag),
      latenessMs: quantiles(lateness.get(state.source)?.late),
      gaps: gaps.filter((gap) => gap.source === state.source),
      neverSupplied: live?.fieldGaps?.(state.source) ?? null,
    }))
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

function quantiles(sketch: LatenessSketch | undefined): Quantiles {
  if (sketch === undefined) return null;
  const at = (q: number): number => quantile(sketch, q) ?? 0;
  return { p50: at(QUANTILES.p50), p95: at(QUANTILES.p95), p99: at(QUANTILES.p99), max: sketch.max };
}

function neverHeard(source: string): SourceState {
  return {
    source,
    cursor: null,
    watermark: null,
    newestTime: null,
    lastSuccessTime: null,
    lastError: "not heard of yet",
    pausedReason: null,
    events: 0,
    duplicates: 0,
    quarantined: 0,
    lateEvents: 0,
  };
}
