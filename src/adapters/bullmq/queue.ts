import type { Log } from "../../ports/context.ts";
import type { Queue, Worker } from "../../ports/queue.ts";
import type { Backend, BullQueue } from "./backend.ts";
import { backendReport, orUnavailable, timeout, unavailable, type Report } from "./failure.ts";
import { postgresBackend, type QueuePool } from "./postgres.ts";
import { redisBackend } from "./redis.ts";
import { startWorker } from "./worker.ts";

/** Where jobs are kept: the pool that `openStore` gives, or a Redis server (`redis://`, or `rediss://` for TLS). */
export type QueueLocation = { readonly kind: "postgres"; readonly pool: QueuePool } | { readonly kind: "redis"; readonly url: string };

/** What the queue needs beside its backend. */
export interface QueueOptions {
  readonly log: Log;
  /** A job whose worker died is running again within this time, milliseconds. Default 60,000. */
  readonly lockMs?: number;
}

const LOCK_MS = 60_000;
/** The port's limit on a job's data: ids only, never bodies. */
const DATA_BYTES_MAX = 1024;
/** Closing the queues' connections takes no longer than this, reachable or not. */
const CLOSE_MS_MAX = 5_000;

/**
 * The queue on BullMQ. With a pool, close the queue before the store that the pool belongs to.
 * @throws {Failure} retryable QUEUE_UNAVAILABLE
 */
export async function bullmqQueue(location: QueueLocation, options: QueueOptions): Promise<Queue> {
  const { log, lockMs = LOCK_MS } = options;
  const report = backendReport(log);
  const backend = await orUnavailable(location.kind === "redis" ? redisBackend(location.url, log, report) : postgresBackend(location.pool));
  const queues = openQueues(backend, report);
  const workers = new Set<Worker>();
  let closing: Promise<void> | undefined;

  const refuseClosed = (): void => {
    if (closing !== undefined) throw unavailable("the queue is closed");
  };
  const close = async (): Promise<void> => {
    await Promise.all([...workers].map((worker) => worker.close()));
    const late = timeout(CLOSE_MS_MAX);
    await Promise.race([queues.close(), late.passed]);
    late.cancel();
    await backend.close();
  };

  return {
    add: async (name, data, { deduplicate, delayMs = 0 }) => {
      refuseClosed();
      if (JSON.stringify(data).length > DATA_BYTES_MAX)
        throw new Error(`the data of a job is larger than ${DATA_BYTES_MAX} bytes: it holds ids only`);
      // keepLastIfActive: an add during a run is kept and becomes a job of its own when the run ends.
      const deduplication = { id: deduplicate, keepLastIfActive: true };
      const kept = { attempts: 1, removeOnComplete: true, removeOnFail: true };
      await orUnavailable(queues.get(name).then((queue) => queue.add("run", data, { deduplication, delay: delayMs, ...kept })));
    },
    work: async (name, handler, { concurrency }) => {
      refuseClosed();
      const names = { shown: name, safe: safeName(name) };
      const started = startWorker(backend, names, handler, { concurrency, lockMs, log, report });
      const worker: Worker = {
        close: () => {
          workers.delete(worker);
          return started.close();
        },
      };
      workers.add(worker);
      try {
        await orUnavailable(started.ready());
      } catch (error) {
        await worker.close();
        throw error;
      }
      return worker;
    },
    depth: async (name) => {
      refuseClosed();
      const counts = await orUnavailable(queues.get(name).then((queue) => queue.getJobCounts("waiting", "delayed")));
      return (counts["waiting"] ?? 0) + (counts["delayed"] ?? 0);
    },
    clear: async () => {
      refuseClosed();
      await orUnavailable(backend.clear());
    },
    close: () => (closing ??= close()),
  };
}

/**
 * BullMQ's queues by name, each made once it is needed. One that could not start is thrown away: it would remember
 * the error for ever.
 */
function openQueues(backend: Backend, report: Report): { get(name: string): Promise<BullQueue>; close(): Promise<unknown> } {
  const queues = new Map<string, Promise<BullQueue>>();
  const open = async (name: string): Promise<BullQueue> => {
    const queue = backend.queue(safeName(name));
    queue.on("error", report);
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      queues.delete(name);
      queue.close().catch(report);
      throw error;
    }
  };
  return {
    get: (name) => {
      let queue = queues.get(name);
      if (queue === undefined) {
        queue = open(name);
        queues.set(name, queue);
      }
      return queue;
    },
    close: () => Promise.allSettled([...queues.values()].map((opening) => opening.then((queue) => queue.close()))),
  };
}

/** BullMQ forbids colons in names. */
function safeName(name: string): string {
  return name.replaceAll("%", "%25").replaceAll(":", "%3A");
}
