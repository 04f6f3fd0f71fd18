import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Log } from "../../ports/context.ts";
import type { JobData } from "../../ports/queue.ts";
import type { Backend } from "./backend.ts";
import type { Report } from "./failure.ts";

/** All our keys start with this; the braces keep them on one slot of a cluster, as BullMQ's scripts need. */
const PREFIX = "{custodes}";
/** Nobody reads BullMQ's event stream. */
const EVENTS_MAX = 100;
/** A server that does not answer is unavailable after this time. */
const CONNECT_MS_MAX = 10_000;
/** Pause between attempts to connect again, at most; a server that restarts is found again soon. */
const RECONNECT_MS_MAX = 5_000;
/** Keys per SCAN and per UNLINK while clearing: small enough not to hold up the server. */
const CLEAR_KEYS = 500;
/** BullMQ refuses older ones; https://docs.bullmq.io/guide/redis-tm-compatibility. */
const VERSION_MIN = "6.2.0";

/** BullMQ on a Redis server. `url` is `redis://` or `rediss://` (TLS). Warns about settings that lose jobs. */
export async function redisBackend(url: string, log: Log, report: Report): Promise<Backend> {
  const reconnect = { retryStrategy: (attempt: number) => Math.min(attempt * 200, RECONNECT_MS_MAX), connectTimeout: CONNECT_MS_MAX };
  // An add fails soon when the server is gone; a worker waits for it to come back.
  const producer = new Redis(url, { ...reconnect, lazyConnect: true, maxRetriesPerRequest: 1 });
  const consumer = new Redis(url, { ...reconnect, lazyConnect: true, maxRetriesPerRequest: null });
  const connections = new Set([producer, consumer]);
  for (const redis of connections) redis.on("error", report);
  // BullMQ gives each worker copies and ends them with a command, which waits for a server that is gone.
  consumer.duplicate = (override) => {
    const copy = Redis.prototype.duplicate.call(consumer, override);
    connections.add(copy);
    copy.once("end", () => connections.delete(copy));
    return copy;
  };
  const close = async (): Promise<void> => {
    for (const redis of connections) redis.disconnect();
  };
  try {
    await producer.connect();
    await consumer.connect();
    await inspect(producer, log);
  } catch (error) {
    await close();
    throw error;
  }
  const common = { prefix: PREFIX, skipVersionCheck: true };
  return {
    queue: (name) => new Queue<JobData>(name, { ...common, connection: producer, streams: { events: { maxLen: EVENTS_MAX } } }),
    worker: (name, processor, options) => new Worker<JobData, void>(name, processor, { ...options, ...common, connection: consumer }),
    clear: () => clear(producer),
    close,
  };
}

async function inspect(redis: Redis, log: Log): Promise<void> {
  const info = await redis.info();
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy !== undefined && policy !== "noeviction") {
    log.warn({ policy }, "Redis may throw queue jobs away when its memory is full: set maxmemory-policy to noeviction");
  }
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  if (version !== undefined && version.localeCompare(VERSION_MIN, "en", { numeric: true }) < 0) {
    log.warn({ version, needed: VERSION_MIN }, "Redis is older than the queue needs");
  }
}

async function clear(redis: Redis): Promise<void> {
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "MATCH", `${PREFIX}:*`, "COUNT", CLEAR_KEYS);
    if (keys.length > 0) await redis.unlink(...keys);
    cursor = next;
  } while (cursor !== "0");
}
