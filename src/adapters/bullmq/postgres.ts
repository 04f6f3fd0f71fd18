import { createPostgresBackend, runMigrations, withBackend, type PgPool, type PgQueryable } from "bullmq";
import type { JobData } from "../../ports/queue.ts";
import type { Backend } from "./backend.ts";

/** A `pg.Pool`-like whose search path is the schema below, and that can lend one session for several statements. */
export interface QueuePool extends PgPool {
  session<T>(work: (session: PgQueryable) => Promise<T>): Promise<T>;
}

/** Fixed by BullMQ for pools that it is handed. */
const SCHEMA = "bullmq";
/** Nobody reads BullMQ's event stream; this is how much of it stays for whoever looks into the tables. */
const EVENTS_MAX = 100;
/** All that jobs are made of. Cleared in one statement, so that no worker sees half of it. */
const CLEAR = `
  with jobs as (delete from ${SCHEMA}.job), keys as (delete from ${SCHEMA}.dedup), next as (delete from ${SCHEMA}.dedup_next)
  delete from ${SCHEMA}.scheduler`;

/** BullMQ in the database of the pool; brings BullMQ's tables up to date. The pool stays open. */
export async function postgresBackend(pool: QueuePool): Promise<Backend> {
  await pool.session((session) => runMigrations(session, SCHEMA));
  const { Queue, Worker } = withBackend(createPostgresBackend);
  return {
    queue: (name) => new Queue<JobData>(name, { connection: pool, streams: { events: { maxLen: EVENTS_MAX } } }),
    worker: (name, processor, options) => new Worker<JobData, void>(name, processor, { ...options, connection: pool }),
    clear: async () => {
      await pool.query(CLEAR);
    },
    close: async () => undefined,
  };
}
