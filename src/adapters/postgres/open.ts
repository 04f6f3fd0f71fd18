import type { EpochMs } from "../../core/event.ts";
import type { Store } from "../../ports/store.ts";
import type { Log } from "../../ports/context.ts";
import type { Database, Session } from "./database.ts";
import { storeFailure, withSession } from "./failure.ts";
import { migrate } from "./migrate.ts";
import { openPg } from "./pg.ts";
import { releaseLeases } from "./outbox.ts";
import { openPglite } from "./pglite.ts";
import { queuePool, type QueuePool } from "./queue-pool.ts";
import { postgresStore } from "./store.ts";

/** Where the store lies. `pglite` without a directory is in memory and ends with the process. */
export type StoreLocation =
  | { readonly kind: "pglite"; readonly dataDir?: string | undefined }
  | { readonly kind: "postgres"; readonly url: string };

/** An open store, and the same database for BullMQ. */
export interface OpenStore {
  readonly store: Store;
  /** For `bullmqQueue`; close the queue before the store. */
  readonly pool: QueuePool;
}

/** What may be given to a store beside its place. */
export interface OpenOptions {
  readonly log?: Log;
  /** The clock that tells on which day events are received; default the machine's. */
  readonly now?: () => EpochMs;
}

/** Sessions of the store per process: the pipeline's jobs are few, and each holds one during its transaction. */
const STORE_CONNECTIONS_MAX = 8;
/** BullMQ's statements are short; a separate pool, so that long transactions do not hold up the renewal of its locks. */
const QUEUE_CONNECTIONS_MAX = 4;
/** The schema of BullMQ's tables: its statements name them without one. */
const QUEUE_SCHEMA = "bullmq";

/**
 * Opens the store and brings its tables up to date. PGlite and PostgreSQL run the same statements. The log is told when
 * the embedded store breaks off, and when it works again.
 * @throws {Failure} retryable STORE_UNAVAILABLE; config STORE_LOCKED when another process has the data directory,
 *   CONFIG_INVALID when that cannot be written, the tables are newer than this program, or the server is older than
 *   PostgreSQL 14
 */
export async function openStore(location: StoreLocation, { log, now }: OpenOptions = {}): Promise<OpenStore> {
  if (location.kind === "pglite") {
    const database = await openPglite(location.dataDir, log).catch((error: unknown) => {
      throw storeFailure(error);
    });
    // The directory's lock says that no other process works here: a lease in it is that of a process that was killed.
    return start([database], { own: database, queue: database, now }, releaseLeases);
  }
  const own = openPg(location.url, { name: "custodes", connectionsMax: STORE_CONNECTIONS_MAX, searchPath: "custodes" });
  const queue = openPg(location.url, { name: "custodes queue", connectionsMax: QUEUE_CONNECTIONS_MAX, searchPath: QUEUE_SCHEMA });
  return start([own, queue], { own, queue, now });
}

async function start(
  databases: readonly Database[],
  { own, queue, now }: { readonly own: Database; readonly queue: Database; readonly now: (() => EpochMs) | undefined },
  prepare: (session: Session) => Promise<void> = async () => undefined,
): Promise<OpenStore> {
  const close = async (): Promise<void> => {
    await Promise.all(databases.map((database) => database.close()));
  };
  try {
    await migrate(own);
    await withSession(own, prepare);
  } catch (error) {
    await close();
    throw error;
  }
  return { store: postgresStore(own, close, now), pool: queuePool(queue) };
}
