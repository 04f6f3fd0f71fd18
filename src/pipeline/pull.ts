import { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import type { Context } from "../ports/context.ts";
import { ingest, type IngestDeps, type RunningSource } from "./ingest.ts";
import { askedWait, backoff } from "./wait.ts";

/** One job pulls no longer than this, so that a long backfill shares the worker with others. */
const SLICE_MS = 20_000;
/** Pages of one job at most, whatever the clock says: a source that answers "more" for ever must end. */
const PAGES_MAX = 10_000;
/** A source that was refused is asked again this often: a rotated secret heals it without a restart. */
const PROBE_MS = 300_000;
/** First wait after a failed pull; doubles with each failure up to PROBE_MS. */
const BACKOFF_MS = 1000;

/** What a job did, and whether it should be asked for again at once. */
export interface PullResult {
  readonly pages: number;
  /** The source has more. After a failure it is false: the source's own schedule asks again. */
  readonly again: boolean;
}

interface Hold {
  readonly until: EpochMs;
  readonly failures: number;
  /** A human must act. */
  readonly paused: boolean;
}

/** Pulls sources; remembers per source how long to leave it alone after a failure. */
export function puller(deps: IngestDeps, context: Context): (source: RunningSource, signal: AbortSignal) => Promise<PullResult> {
  const holds = new Map<string, Hold>();
  return async (running, signal) => {
    const hold = holds.get(running.id);
    if (running.source === undefined || (hold !== undefined && deps.now() < hold.until)) return { pages: 0, again: false };
    const end = deps.now() + SLICE_MS;
    let pages = 0;
    try {
      for (let more = true; more && pages < PAGES_MAX;) {
        const before = await deps.store.source(running.id);
        const page = await running.source.pull(before?.cursor ?? null, { ...context, signal });
        await ingest(deps, running, { ...page, before });
        if (before?.pausedReason !== null || before.lastError !== null) {
          await deps.store.noteSource(running.id, { error: null, pausedReason: null, now: deps.now() });
        }
        pages++;
        more = page.more && !signal.aborted;
        if (more && deps.now() >= end) return { pages, again: true };
      }
      if (holds.delete(running.id)) context.log.info({ source: running.id }, "source works again");
      deps.meter.count("source_pulls_total", { source: running.id, result: "ok" });
      deps.meter.gauge("source_paused", { source: running.id }, 0);
      return { pages, again: false };
    } catch (error) {
      if (signal.aborted) return { pages, again: false };
      return await refused(deps, context, running, holds, error, pages);
    }
  };
}

async function refused(
  deps: IngestDeps,
  context: Context,
  running: RunningSource,
  holds: Map<string, Hold>,
  error: unknown,
  pages: number,
): Promise<PullResult> {
  const failure = error instanceof Failure ? error : undefined;
  const code = failure?.code ?? "RECORD_BUG";
  // Another worker pulled the same page and won; its result is ours.
  if (code === "CURSOR_MOVED") return { pages, again: false };
  const before = holds.get(running.id);
  const failures = (before?.failures ?? 0) + 1;
  const paused = failure !== undefined && failure.kind !== "retryable";
  const ownMs = Math.round(backoff(BACKOFF_MS, failures, PROBE_MS) * (0.5 + context.random() / 2));
  const delayMs = paused ? PROBE_MS : Math.max(askedWait(failure), ownMs);
  holds.set(running.id, { until: deps.now() + delayMs, failures, paused });
  const message = `${code}: ${failure?.message ?? "the connector failed unexpectedly"}`;
  await deps.store.noteSource(running.id, { error: message, pausedReason: paused ? message : null, now: deps.now() });
  deps.meter.count("source_pulls_total", { source: running.id, result: paused ? "paused" : "failed" });
  deps.meter.gauge("source_paused", { source: running.id }, paused ? 1 : 0);
  if (before?.paused !== paused)
    context.log.warn(
      { source: running.id, code, failures, delayMs, error: failure?.message ?? String(error) },
      paused ? "source paused" : "pull failed",
    );
  return { pages, again: false };
}
