import type { EpochMs } from "../core/event.ts";
import type { Log } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { Retention } from "../ports/retention.ts";
import type { Store } from "../ports/store.ts";
import { CONTINUOUS_JOB } from "./correlate.ts";

/** What taking old rows out needs. */
export interface RetainDeps {
  readonly store: Store;
  readonly retention: Retention;
  readonly now: () => EpochMs;
  readonly meter: Meter;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Event time from which on correlation may read the log again; undefined while nobody knows. */
  readonly neededFrom: () => EpochMs | undefined;
}

/** Takes out of the store what is older than its retention; each call is one bounded run. */
export function retainer(deps: RetainDeps): () => Promise<void> {
  let heldBefore = 0;
  return async () => {
    const { store, retention, meter, log } = deps;
    const keep = await stillNeeded(deps);
    const expired = await store.expire({ retention, now: deps.now(), ...keep, signal: deps.signal });
    if (expired === undefined) return;
    const { days, rows, held, parts, bytes } = expired;
    for (const [kind, count] of Object.entries(rows)) if (count > 0) meter.count("expired_total", { class: kind }, count);
    if (days.length > 0) meter.count("expired_total", { class: "log" }, days.length);
    meter.gauge("log_days", {}, parts);
    meter.gauge("log_days_held", {}, held);
    meter.gauge("store_bytes", {}, bytes);
    if (days.length > 0 || Object.values(rows).some((count) => count > 0)) log.info({ days, ...rows }, "retention took out what was old");
    if (held > 0 && heldBefore === 0)
      log.warn(
        { days: held },
        "retention leaves days of the log that correlation still needs: it has not come so far, or rules look further back",
      );
    heldBefore = held;
  };
}

/** What of the log and of the alerts correlation may come back to: all of it while it has never run. */
async function stillNeeded({
  store,
  neededFrom,
}: RetainDeps): Promise<{ readonly logKeepFrom: number | null; readonly keepFrom: EpochMs | null }> {
  const from = neededFrom();
  const offset = await store.offset(CONTINUOUS_JOB);
  if (from === undefined || offset === null) return { logKeepFrom: null, keepFrom: null };
  const keepFrom = Math.max(Math.trunc(from), 0);
  return { logKeepFrom: Math.min(offset, await store.sequenceBefore(keepFrom)) + 1, keepFrom };
}
