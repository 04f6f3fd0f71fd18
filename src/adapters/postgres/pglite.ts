import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { refuseInside, serializer, type Database, type Listener, type Row, type Rows, type Session } from "./database.ts";
import { lockDirectory } from "./lock.ts";

/**
 * After this many sessions PGlite is vacuumed: nothing else would do it, since it has no background processes, and
 * the queue's tables live from inserting and deleting. At 1,000 jobs a minute this is about twice an hour.
 */
const VACUUM_SESSIONS = 100_000;

/**
 * PostgreSQL in this process, in a directory of its own, or in memory when `dataDir` is undefined. The directory
 * is locked until `close`. It runs without fsync: what was committed survives the death of the process, not the
 * loss of power.
 * @throws {Failure} config STORE_LOCKED
 */
export async function openPglite(dataDir: string | undefined): Promise<Database> {
  const release = dataDir === undefined ? () => undefined : lockDirectory(dataDir);
  try {
    const location = dataDir === undefined ? "memory://" : join(dataDir, "database");
    if (dataDir !== undefined) mkdirSync(location, { recursive: true });
    const pglite = await PGlite.create(location);
    // Where BullMQ's statements find their tables; the store's own name their schema.
    await pglite.exec("set search_path to bullmq");
    return pgliteDatabase(pglite, release);
  } catch (error) {
    release();
    throw error;
  }
}

function pgliteDatabase(pglite: PGlite, release: () => void): Database {
  const exclusive = serializer();
  const session = pgliteSession(pglite);
  let sessions = 0;
  let closing: Promise<void> | undefined;
  return {
    session: async (work) => {
      refuseInside("another session");
      return exclusive(async () => {
        if (closing !== undefined) throw new Error("the database is closed");
        try {
          return await work(session);
        } finally {
          // Somebody's open or failed transaction must not swallow the statements of whoever comes next.
          if (pglite.isInTransaction()) await pglite.exec("rollback");
          sessions += 1;
          // Upkeep that fails must not fail the work that happened to trigger it; the next round tries again.
          if (sessions % VACUUM_SESSIONS === 0) await pglite.exec("vacuum analyze").catch(() => undefined);
        }
      });
    },
    listen: (channel, listener) => exclusive(() => listen(pglite, channel, listener)),
    close: () => {
      closing ??= exclusive(() => pglite.close()).finally(release);
      return closing;
    },
  };
}

function pgliteSession(pglite: PGlite): Session {
  return {
    query: async <R = Row>(sql: string, params?: readonly unknown[]): Promise<Rows<R>> => {
      const result = params === undefined ? (await pglite.exec(sql)).at(-1) : await pglite.query(sql, [...params]);
      return { rows: (result?.rows ?? []) as R[], count: result?.rowCount ?? 0 };
    },
    copy: async (target, text) => {
      await pglite.query(`copy ${target} from '/dev/blob'`, [], { blob: new Blob([text]) });
    },
  };
}

async function listen(pglite: PGlite, channel: string, listener: Listener): Promise<() => void> {
  // There is one session, so one LISTEN serves every listener and is never taken back.
  await pglite.exec(`listen ${channel}`);
  return pglite.onNotification((name, payload) => {
    if (name === channel) listener.notified({ channel, payload });
  });
}
