import type { Failure } from "../../core/errors.ts";
import type { Log } from "../../ports/context.ts";
import { refuseInside, serializer, type Database, type Listener, type Row, type Rows, type Session } from "./database.ts";
import { noSpace, removedFailure, unusable } from "./disk.ts";
import { storeFailure } from "./failure.ts";
import { lockDirectory } from "./lock.ts";
import { openInstance, type Instance } from "./pglite-instance.ts";

/**
 * After this many sessions PGlite is vacuumed: nothing else would do it, since it has no background processes, and
 * the queue's tables live from inserting and deleting. At 1,000 jobs a minute this is about twice an hour.
 */
const VACUUM_SESSIONS = 100_000;
/** First wait before a database that broke off is opened again; doubles up to the longest. Opening takes a second of CPU. */
const REOPEN_MS = 1000;
const REOPEN_MS_MAX = 30_000;
/** A database that has worked so long has recovered: the next wait is the first one again. */
const RECOVERED_MS = 60_000;

/**
 * PostgreSQL in this process, in a directory of its own, or in memory when `dataDir` is undefined. The directory
 * is locked until `close`. It runs without fsync: what was committed survives the death of the process, not the
 * loss of power. When its disk fails, every session is refused with the reason until the disk works again; then it
 * is opened again with all that was committed. A directory that was removed is not.
 * @throws {Failure} config STORE_LOCKED, CONFIG_INVALID; retryable STORE_UNAVAILABLE when the disk is full
 */
export async function openPglite(dataDir: string | undefined, log?: Log): Promise<Database> {
  const instances = lastingInstance(dataDir, log);
  let release = (): void => undefined;
  try {
    if (dataDir !== undefined) release = lockDirectory(dataDir, () => instances.lose());
    await instances.alive();
    return pgliteDatabase(instances, release);
  } catch (error) {
    release();
    throw dataDir === undefined ? error : unusable(dataDir, error);
  }
}

/** The instance that works at present. */
interface LastingInstance {
  /** Opens it when there is none that lives. @throws {Failure} STORE_UNAVAILABLE with the reason */
  alive(): Promise<Instance>;
  /** Subscribes to a channel on this instance and all that follow it. */
  listen(channel: string, listener: Listener): Promise<() => void>;
  /** The directory is not ours any more: nothing is opened there again. */
  lose(): void;
  close(): Promise<void>;
}

function lastingInstance(dataDir: string | undefined, log: Log | undefined): LastingInstance {
  const listeners = new Map<Listener, string>();
  let current: Instance | undefined;
  let lost = false;
  /** Set while there is no instance that lives. */
  let down: { readonly failure: Failure; readonly until: number } | undefined;
  let failures = 0;
  let opened = 0;
  const fail = (error: unknown): void => {
    const now = performance.now();
    failures = now - opened > RECOVERED_MS ? 1 : failures + 1;
    down = { failure: storeFailure(error), until: now + Math.min(REOPEN_MS * 2 ** (failures - 1), REOPEN_MS_MAX) };
  };
  const open = async (): Promise<Instance> => {
    const instance = await openInstance(dataDir);
    // Where BullMQ's statements find their tables; the store's own name their schema.
    await instance.pglite.exec("set search_path to bullmq");
    instance.pglite.onNotification((channel, payload) => {
      for (const [listener, wanted] of listeners) if (wanted === channel) listener.notified({ channel, payload });
    });
    // There is one session, so one LISTEN serves every listener and is never taken back.
    for (const channel of new Set(listeners.values())) await instance.pglite.exec(`listen ${channel}`);
    opened = performance.now();
    return instance;
  };
  /** What keeps a database that broke off from being opened again now. */
  const obstacle = (): Failure | undefined => {
    if (down === undefined) return undefined;
    if (lost || performance.now() < down.until) return down.failure;
    return dataDir === undefined ? undefined : noSpace(dataDir);
  };
  const reopen = async (): Promise<Instance> => {
    const reason = obstacle();
    if (reason !== undefined) throw reason;
    try {
      current = await open();
    } catch (error) {
      fail(error);
      throw error;
    }
    if (down !== undefined) log?.info({}, "the embedded store works again");
    down = undefined;
    return current;
  };
  return {
    alive: async () => {
      if (current === undefined) return reopen();
      lost ||= current.removed();
      if (lost && dataDir !== undefined) current.end(removedFailure(dataDir));
      const death = current.dead();
      if (death === undefined) return current;
      await current.close();
      current = undefined;
      fail(death);
      log?.error({ error: death.message }, "the embedded store failed");
      throw death;
    },
    listen: async (channel, listener) => {
      listeners.set(listener, channel);
      return () => void listeners.delete(listener);
    },
    lose: () => {
      lost = true;
    },
    close: async () => {
      await current?.close();
    },
  };
}

function pgliteDatabase(instances: LastingInstance, release: () => void): Database {
  const exclusive = serializer();
  let sessions = 0;
  let closing: Promise<void> | undefined;
  return {
    concurrent: false,
    session: async (work) => {
      refuseInside("another session");
      return exclusive(async () => {
        if (closing !== undefined) throw new Error("the database is closed");
        const instance = await instances.alive();
        const { pglite } = instance;
        try {
          return await work(pgliteSession(instance));
        } finally {
          if (instance.dead() === undefined) {
            // Somebody's open or failed transaction must not swallow the statements of whoever comes next.
            if (pglite.isInTransaction()) await pglite.exec("rollback");
            sessions += 1;
            // Upkeep that fails must not fail the work that happened to trigger it; the next round tries again.
            if (sessions % VACUUM_SESSIONS === 0) await pglite.exec("vacuum analyze").catch(() => undefined);
          }
        }
      });
    },
    listen: (channel, listener) =>
      exclusive(async () => {
        const { pglite } = await instances.alive();
        await pglite.exec(`listen ${channel}`);
        return instances.listen(channel, listener);
      }),
    close: () => {
      closing ??= exclusive(() => instances.close()).finally(release);
      return closing;
    },
  };
}

function pgliteSession(instance: Instance): Session {
  const { pglite } = instance;
  const ask = <T>(statement: () => Promise<T>): Promise<T> =>
    statement().catch((error: unknown) => {
      throw instance.fatal(error) ?? error;
    });
  return {
    query: <R = Row>(sql: string, params?: readonly unknown[]): Promise<Rows<R>> =>
      ask(async () => {
        const result = params === undefined ? (await pglite.exec(sql)).at(-1) : await pglite.query(sql, [...params]);
        return { rows: (result?.rows ?? []) as R[], count: result?.rowCount ?? 0 };
      }),
    copy: (target, text) => ask(async () => void (await pglite.query(`copy ${target} from '/dev/blob'`, [], { blob: new Blob([text]) }))),
  };
}
