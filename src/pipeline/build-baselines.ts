import type { BaselineChange } from "../core/correlation/baseline.ts";
import type { EpochMs } from "../core/event.ts";
import type { Store } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";
import { CONTINUOUS_JOB, WATERMARK_JOB } from "./correlate.ts";

/** Events of one read. */
const STEP_MAX = 2000;
/** While it reads, the watermark stays this far behind the newest event: later ones count as far too late. */
const SLACK_MS = 86_400_000;

/** Which part of the log is learned. */
export interface LogPart {
  /** How far back from its end. */
  readonly sinceMs: number;
  /**
   * Up to the last event, decided or not: for what goes elsewhere. Else up to where the service has decided, so that it
   * goes on from there.
   */
  readonly toEnd: boolean;
}

/** Reads the log into a fresh analysis and gives what its rules remember, part by part; no alert leaves it. */
export async function* learnLog(store: Store, analysis: Analysis, { sinceMs, toEnd }: LogPart): AsyncGenerator<readonly BaselineChange[]> {
  const watermark = toEnd ? await newestTime(store) : await store.offset(WATERMARK_JOB);
  const last = toEnd ? await store.lastSequence() : await store.offset(CONTINUOUS_JOB);
  if (watermark === null || last === null) return;
  let position = await store.sequenceBefore(watermark - sinceMs);
  let newest = Number.NEGATIVE_INFINITY;
  while (position < last) {
    const rows = await store.readLog(position, Math.min(STEP_MAX, last - position));
    const end = rows.at(-1);
    if (end === undefined) break;
    const events = rows.filter((row) => row.sequence <= last).map((row) => row.event);
    for (const event of events) newest = Math.max(newest, event.time);
    analysis.push(events);
    analysis.advance({ all: Math.min(newest - SLACK_MS, watermark) });
    yield analysis.changedBaselines();
    position = end.sequence;
  }
  if (toEnd) analysis.finish();
  else analysis.advance({ all: watermark });
  yield analysis.changedBaselines();
}

async function newestTime(store: Store): Promise<EpochMs | null> {
  const times = (await store.sources()).map((source) => source.newestTime).filter((time) => time !== null);
  return times.length === 0 ? null : Math.max(...times);
}
