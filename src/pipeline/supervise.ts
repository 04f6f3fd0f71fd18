/** Ties schedules, queues and steps together: nothing else runs in the background. */
import type { EpochMs } from "../core/event.ts";
import type { Log } from "../ports/context.ts";
import type { Job, Queue, Worker } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import { CONTINUOUS_JOB, type Correlator } from "./correlate.ts";
import type { Deliverer } from "./deliver.ts";
import type { RunningSource } from "./ingest.ts";
import type { PullResult } from "./pull.ts";
import { deliverQueue, relay } from "./relay.ts";
import type { RunningDestination } from "./route.ts";

/** Queue of pull jobs. */
export const PULL_QUEUE = "pull";
/** Queue of correlation jobs. */
const CORRELATE_QUEUE = "correlate";
/** Sources pulled at once: pulls wait for the network most of the time. */
const PULL_CONCURRENCY = 4;
/** The outbox is looked through this often even when nothing said that it changed: retries become due. */
const RELAY_EVERY = "* * * * * *";

/** How often the service looks at itself: silence is counted in minutes. */
const WATCH_EVERY = "*/10 * * * * *";

/** What supervising needs. */
export interface SuperviseDeps {
  readonly store: Store;
  readonly queue: Queue;
  readonly log: Log;
  readonly now: () => EpochMs;
  /** Calls `tick` on a cron schedule until the service stops. */
  readonly schedule: (name: string, expression: string, tick: () => Promise<void>) => void;
  readonly sources: readonly (RunningSource & { readonly every: string })[];
  readonly destinations: readonly RunningDestination[];
  readonly correlateEvery: string;
  readonly pull: (source: RunningSource, signal: AbortSignal) => Promise<PullResult>;
  readonly correlator: Correlator;
  /** Looks for what is wrong with the service itself; correlation tells of it. */
  readonly watch?: () => Promise<void>;
  readonly deliverer: Deliverer;
}

/** The running background work. */
export interface Supervisor {
  /** Asks for a correlation run soon; many calls become one. */
  eventsStored(): void;
  /** Stops taking jobs and waits for those under way. */
  stop(): Promise<void>;
}

/** Starts workers and schedules, and asks for one run of everything at once. */
export async function supervise(deps: SuperviseDeps): Promise<Supervisor> {
  const workers: Worker[] = [];
  const known = new Set(deps.destinations.map((destination) => destination.id));
  let stopped = false;
  let asking = false;
  let stale = false;

  // The queue itself makes one job of many asks: it alone knows which of them were lost or done by another process.
  const askCorrelate = async (): Promise<void> => {
    if (!stopped) await deps.queue.add(CORRELATE_QUEUE, { job: CONTINUOUS_JOB }, { deduplicate: CONTINUOUS_JOB });
  };
  /** As `askCorrelate`, with one ask under way at a time and one more for all that comes meanwhile. */
  const askCorrelateSoon = async (): Promise<void> => {
    stale = true;
    if (asking) return;
    asking = true;
    try {
      while (stale) {
        stale = false;
        await askCorrelate();
      }
    } finally {
      asking = false;
    }
  };
  const askPull = async (source: string): Promise<void> => {
    if (!stopped) await deps.queue.add(PULL_QUEUE, { source }, { deduplicate: source });
  };
  const askRelay = async (): Promise<void> => {
    if (!stopped) await relay(deps.store, deps.queue, known, deps.now());
  };
  const askDeliver = async (destination: string): Promise<void> => {
    if (!stopped) await deps.queue.add(deliverQueue(destination), { destination }, { deduplicate: destination });
  };
  const inBackground = (work: Promise<void>, what: string): void => {
    work.catch((error: unknown) => deps.log.warn({ what, error: String(error) }, "could not enqueue; the schedule will ask again"));
  };

  const onPull = async (job: Job, signal: AbortSignal): Promise<void> => {
    const source = deps.sources.find((one) => one.id === job.data["source"]);
    if (source === undefined) return;
    const result = await deps.pull(source, signal);
    if (result.pages > 0) inBackground(askCorrelateSoon(), "correlate");
    if (result.again) await askPull(source.id);
  };
  const onCorrelate = async (_job: Job, signal: AbortSignal): Promise<void> => {
    const result = await deps.correlator.run(signal);
    for (const destination of result.destinations) inBackground(askDeliver(destination), "deliver");
    if (result.again) await askCorrelate();
  };
  const onDeliver = async (job: Job, signal: AbortSignal): Promise<void> => {
    const destination = deps.destinations.find((one) => one.id === job.data["destination"]);
    if (destination === undefined) return;
    const more = await deps.deliverer.run(destination, signal);
    if (more) await askDeliver(destination.id);
  };

  workers.push(await deps.queue.work(PULL_QUEUE, onPull, { concurrency: PULL_CONCURRENCY }));
  workers.push(await deps.queue.work(CORRELATE_QUEUE, onCorrelate, { concurrency: 1 }));
  for (const destination of deps.destinations) {
    workers.push(await deps.queue.work(deliverQueue(destination.id), onDeliver, { concurrency: 1 }));
  }
  const pulled = deps.sources.filter((source) => source.source !== undefined);
  for (const source of pulled) deps.schedule(`pull ${source.id}`, source.every, () => askPull(source.id));
  deps.schedule("correlate", deps.correlateEvery, askCorrelate);
  deps.schedule("relay", RELAY_EVERY, askRelay);
  const { watch } = deps;
  if (watch !== undefined)
    deps.schedule("watch", WATCH_EVERY, async () => {
      if (!stopped) await watch();
    });
  for (const source of pulled) await askPull(source.id);
  await askCorrelate();
  await askRelay();

  return {
    eventsStored: () => inBackground(askCorrelateSoon(), "correlate"),
    async stop() {
      stopped = true;
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}
