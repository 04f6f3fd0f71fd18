import type { Job as BullJob } from "bullmq";
import type { Log } from "../../ports/context.ts";
import type { JobData, Queue, Worker } from "../../ports/queue.ts";
import type { Backend, BullWorker } from "./backend.ts";
import { timeout, type Report } from "./failure.ts";

/** What a worker needs beside its handler. */
export interface WorkerSettings {
  readonly concurrency: number;
  /** A job whose worker died is running again within this time, milliseconds. */
  readonly lockMs: number;
  readonly log: Log;
  readonly report: Report;
}

/** A job that took so many workers down with it is given up; its schedule will ask again. */
const STALLED_MAX = 10;
/** After a failure of the backend a worker asks again at this pace. */
const RUN_RETRY_MS = 2_000;
/** Once all handlers have ended, the backend gets this long to hear of it: when it is gone, it never will. */
const CLOSE_MS_MAX = 5_000;

/** Starts a worker of BullMQ; `ready` rejects with the driver's error when the backend cannot be reached. */
export function startWorker(
  backend: Backend,
  name: { readonly shown: string; readonly safe: string },
  handler: Parameters<Queue["work"]>[1],
  { concurrency, lockMs, log, report }: WorkerSettings,
): Worker & { ready(): Promise<unknown> } {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const handle = async (job: BullJob<JobData>, lost: AbortSignal | undefined): Promise<void> => {
    const signal = lost === undefined ? stopping.signal : AbortSignal.any([stopping.signal, lost]);
    try {
      await handler({ data: job.data, attempt: Math.max(job.attemptsStarted, 1) }, signal);
    } catch (error) {
      log.error({ queue: name.shown, err: error }, "a job failed");
    }
  };
  // Three parameters: BullMQ looks at the function's length to know that it takes a signal.
  const processor = async (job: BullJob<JobData>, _token: string | undefined, lost: AbortSignal | undefined): Promise<void> => {
    const run = handle(job, lost);
    running.add(run);
    await run;
    running.delete(run);
  };
  const worker: BullWorker = backend.worker(name.safe, processor, {
    concurrency,
    // A lock is found expired at the second check after it at the latest: together that is lockMs.
    lockDuration: lockMs / 2,
    stalledInterval: lockMs / 4,
    maxStalledCount: STALLED_MAX,
    runRetryDelay: RUN_RETRY_MS,
  });
  worker.on("error", report);
  worker.on("lockRenewalFailed", (ids) => {
    for (const id of ids) worker.cancelJob(id, "the lock of the job was lost");
  });
  const stop = async (): Promise<void> => {
    stopping.abort();
    const closed = worker.close();
    while (running.size > 0) await Promise.all(running);
    const late = timeout(CLOSE_MS_MAX);
    await Promise.race([closed, late.passed]);
    late.cancel();
  };
  let stopped: Promise<void> | undefined;
  return {
    ready: () => worker.waitUntilReady(),
    close: () => (stopped ??= stop()),
  };
}
