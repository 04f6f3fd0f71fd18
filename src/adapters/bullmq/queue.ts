import type { Job as BullJob } from "bullmq";
import { Failure } from "../../core/errors.ts";
import type { Log } from "../../ports/context.ts";
import type { JobData, Queue, Worker } from "../../ports/queue.ts";
import type { Backend, BullQueue, BullWorker } from "./backend.ts";
import { postgresBackend, type QueuePool } from "./postgres.ts";
import { redisBackend } from "./redis.ts";

/** Where jobs are kept: the pool that `openStore` gives, or a Redis server. */
export type QueueLocation = { readonly kind: "postgres"; readonly pool: QueuePool } | { readonly kind: "redis"; readonly url: string };

/** What the queue needs beside its backend. */
export interface QueueOptions {
  readonly log: Log;
  /** A job whose worker died is running again within this time, milliseconds. Default 60,000. */
  readonly lockMs?: number;
}

const LOCK_MS = 60_000;
/** A job that took so many workers down with it is given up; its schedule will ask again. */
const STALLED_MAX = 10;
/** The port's limit on a job's data: ids only, never bodies. */
const DATA_BYTES_MAX = 1024;
/** After a failure of the backend a worker asks again at this pace. */
const RUN_RETRY_MS = 2_000;

/**
 * The queue on BullMQ.
 * @throws {Failure} retryable QUEUE_UNAVAILABLE
 */
export async function bullmqQueue(location: QueueLocation, options: QueueOptions): Promise<Queue> {
  const { log } = options;
  const backend = await orUnavailable(location.kind === "redis" ? redisBackend(location.url, log) : postgresBackend(location.pool));
  const queues = new Map<string, BullQueue>();
  const workers = new Set<Worker>();
  let closing: Promise<void> | undefined;

  const queueOf = (name: string): BullQueue => {
    if (closing !== undefined) throw unavailable("the queue is closed");
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = backend.queue(safeName(name));
      logErrors(queue, name, log);
      queues.set(name, queue);
    }
    return queue;
  };

  return {
    add: async (name, data, { deduplicate, delayMs = 0 }) => {
      // keepLastIfActive: an add during a run is kept and becomes a job of its own when the run ends.
      const deduplication = { id: deduplicate, keepLastIfActive: true };
      await orUnavailable(
        queueOf(name).add("run", data, {
          deduplication,
          delay: delayMs,
          attempts: 1,
          removeOnComplete: true,
          removeOnFail: true,
          sizeLimit: DATA_BYTES_MAX,
        }),
      );
    },
    work: async (name, handler, { concurrency }) => {
      if (closing !== undefined) throw unavailable("the queue is closed");
      const worker = startWorker(backend, name, handler, { concurrency, lockMs: options.lockMs ?? LOCK_MS, log });
      const handle: Worker = {
        close: () => {
          workers.delete(handle);
          return worker.close();
        },
      };
      workers.add(handle);
      await orUnavailable(worker.ready()).catch(async (error: unknown) => {
        await handle.close();
        throw error;
      });
      return handle;
    },
    depth: async (name) => {
      const counts = await orUnavailable(queueOf(name).getJobCounts("waiting", "delayed"));
      return (counts["waiting"] ?? 0) + (counts["delayed"] ?? 0);
    },
    clear: () => orUnavailable(backend.clear()),
    close: () => {
      closing ??= (async () => {
        await Promise.all([...workers].map((worker) => worker.close()));
        await Promise.all([...queues.values()].map((queue) => queue.close()));
        await backend.close();
      })();
      return closing;
    },
  };
}

interface WorkerSettings {
  readonly concurrency: number;
  readonly lockMs: number;
  readonly log: Log;
}

function startWorker(
  backend: Backend,
  name: string,
  handler: Parameters<Queue["work"]>[1],
  { concurrency, lockMs, log }: WorkerSettings,
): { ready(): Promise<unknown>; close(): Promise<void> } {
  const stopping = new AbortController();
  // Three parameters: BullMQ looks at the function's length to know that it takes a signal.
  const processor = async (job: BullJob<JobData>, _token: string | undefined, lost: AbortSignal | undefined): Promise<void> => {
    const signal = lost === undefined ? stopping.signal : AbortSignal.any([stopping.signal, lost]);
    try {
      await handler({ data: job.data, attempt: Math.max(job.attemptsStarted, 1) }, signal);
    } catch (error) {
      log.error({ queue: name, err: error }, "a job failed");
    }
  };
  const worker: BullWorker = backend.worker(safeName(name), processor, {
    concurrency,
    // A lock is found expired at the second check after it at the latest: together that is lockMs.
    lockDuration: lockMs / 2,
    stalledInterval: lockMs / 4,
    maxStalledCount: STALLED_MAX,
    runRetryDelay: RUN_RETRY_MS,
  });
  logErrors(worker, name, log);
  worker.on("lockRenewalFailed", (ids) => {
    for (const id of ids) worker.cancelJob(id, "the lock of the job was lost");
  });
  return {
    ready: () => worker.waitUntilReady(),
    close: () => {
      stopping.abort();
      return worker.close();
    },
  };
}

function logErrors(emitter: BullQueue | BullWorker, queue: string, log: Log): void {
  emitter.on("error", (error) => log.warn({ queue, err: error }, "the queue's backend failed"));
}

/** BullMQ forbids colons in names. */
function safeName(name: string): string {
  return name.replaceAll("%", "%25").replaceAll(":", "%3A");
}

async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw unavailable(error instanceof Error ? error.message : "the backend failed", error);
  }
}

function unavailable(reason: string, cause?: unknown): Failure {
  const options = { kind: "retryable", code: "QUEUE_UNAVAILABLE", scope: "connector" } as const;
  return new Failure(`the queue is unavailable: ${reason}`, cause === undefined ? options : { ...options, cause });
}
