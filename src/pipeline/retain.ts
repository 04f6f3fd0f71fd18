import type { EpochMs } from "../core/event.ts";
import type { Log } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { Expired, ExpireRequest, Retention } from "../ports/retention.ts";
import type { Store } from "../ports/store.ts";
import { CONTINUOUS_JOB } from "./correlate.ts";

/** When a run is due. Days of the log begin and end once a day; all else comes so slowly that nobody sees ten minutes. */
export const RETAIN_EVERY = "30 */10 * * * *";

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
  /** How long before that alerts may still matter to others, in milliseconds of event time. */
  readonly alertsReachMs: number;
}

/** Takes out of the store what is older than its retention. */
export interface Retainer {
  /** One bounded run. @throws {Failure} of the store */
  run(): Promise<void>;
  /** Resolves when the run that is under way, if any, has ended, however it did. */
  ended(): Promise<void>;
}

/** A retainer; a run begins only when the last one has ended. */
export function retainer(deps: RetainDeps): Retainer {
  let heldBefore = 0;
  let running: Promise<void> = Promise.resolve();
  const one = async (): Promise<void> => {
    const { store, retention, log } = deps;
    const expired = await store.expire({ retention, now: deps.now(), ...(await stillNeeded(deps)), signal: deps.signal });
    if (expired === undefined) return;
    measure(deps.meter, expired);
    const { days, rows, held } = expired;
    if (days.length > 0 || Object.values(rows).some((count) => count > 0)) log.info({ days, ...rows }, "retention took out what was old");
    if (held > 0 && heldBefore === 0) log.warn({ days: held }, "retention leaves days of the log that correlation still needs");
    heldBefore = held;
  };
  return {
    run() {
      running = running.catch(() => undefined).then(one);
      return running;
    },
    ended: () => running.catch(() => undefined),
  };
}

function measure(meter: Meter, { days, rows, held, parts, bytes }: Expired): void {
  for (const [kind, count] of Object.entries({ log: days.length, ...rows })) {
    if (count > 0) meter.count("expired_total", { class: kind }, count);
  }
  meter.gauge("log_days", {}, parts);
  meter.gauge("log_days_held", {}, held);
  meter.gauge("store_bytes", {}, bytes);
}

/** What of the log and of the alerts correlation may come back to: all of it while it has never run. */
async function stillNeeded({
  store,
  neededFrom,
  alertsReachMs,
}: RetainDeps): Promise<Pick<ExpireRequest, "logKeepFrom" | "keepFrom" | "alertsKeepFrom">> {
  const from = neededFrom();
  const offset = await store.offset(CONTINUOUS_JOB);
  if (from === undefined || offset === null) return { logKeepFrom: null, keepFrom: null, alertsKeepFrom: null };
  const keepFrom = Math.max(Math.trunc(from), 0);
  return {
    logKeepFrom: Math.min(offset, await store.sequenceBefore(keepFrom)) + 1,
    keepFrom,
    alertsKeepFrom: Math.max(keepFrom - alertsReachMs, 0),
  };
}
