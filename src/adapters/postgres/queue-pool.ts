/** The database as BullMQ wants it: something shaped like a `pg.Pool`. */
import { EventEmitter } from "node:events";
import type { Database, Notification, Row, Rows, Session } from "./database.ts";

/** What BullMQ gets for a statement. */
interface PoolResult<R> {
  readonly rows: R[];
  readonly rowCount: number;
}

/** A borrowed client; all clients of one pool share its sessions and one listening connection. */
interface PoolClient extends EventEmitter {
  query<R = Row>(sql: string, params?: readonly unknown[]): Promise<PoolResult<R>>;
  release(destroy?: boolean): void;
}

/** Shaped like a `pg.Pool` as far as BullMQ's PostgreSQL backend goes. Errors are the driver's own. */
export interface QueuePool {
  readonly options: { readonly keepAlive: true };
  query<R = Row>(sql: string, params?: readonly unknown[]): Promise<PoolResult<R>>;
  connect(): Promise<PoolClient>;
  /** Lends one session for several statements, such as a migration. */
  session<T>(work: (session: { query: PoolClient["query"] }) => Promise<T>): Promise<T>;
  /** Does nothing: whoever opened the database closes it. */
  end(): Promise<void>;
  /** Does nothing: the pool has no events, and BullMQ would add a listener per queue and never remove it. */
  on(event: string, listener: unknown): QueuePool;
  /** Does nothing. */
  removeAllListeners(event?: string): QueuePool;
}

/** LISTEN is not run on a borrowed session, which would be lost to everybody else, but on the one that listens for all. */
const LISTEN = /^\s*(?:--[^\n]*\n\s*)*listen\s+([a-z_][a-z0-9_]*)\s*;?\s*$/i;

/** A pool over the database. Each statement takes a session for itself, so it never runs in another one's transaction. */
export function queuePool(database: Database): QueuePool {
  const query = <R>(sql: string, params?: readonly unknown[]): Promise<PoolResult<R>> =>
    database.session((session) => session.query<R>(sql, params).then(poolResult));
  const pool: QueuePool = {
    options: { keepAlive: true },
    query,
    connect: async () => poolClient(database, query),
    session: (work) => database.session((session) => work({ query: queryOn(session) })),
    end: async () => undefined,
    on: () => pool,
    removeAllListeners: () => pool,
  };
  return pool;
}

function queryOn(session: Session): PoolClient["query"] {
  return <R>(sql: string, params?: readonly unknown[]) => session.query<R>(sql, params).then(poolResult);
}

function poolClient(database: Database, query: QueuePool["query"]): PoolClient {
  const client = new EventEmitter();
  const ends: (() => void)[] = [];
  let released = false;
  const listen = async (channel: string): Promise<void> => {
    const end = await database.listen(channel, {
      notified: (notification: Notification) => client.emit("notification", notification),
      // Without a listener an "error" event would throw; then nobody waits on this client either.
      lost: (error) => client.listenerCount("error") > 0 && client.emit("error", error),
    });
    if (released) end();
    else ends.push(end);
  };
  return Object.assign(client, {
    query: async <R>(sql: string, params?: readonly unknown[]): Promise<PoolResult<R>> => {
      const channel = LISTEN.exec(sql)?.[1];
      if (channel === undefined) return query<R>(sql, params);
      await listen(channel);
      return { rows: [], rowCount: 0 };
    },
    release: () => {
      released = true;
      for (const end of ends.splice(0)) end();
    },
  });
}

function poolResult<R>(result: Rows<R>): PoolResult<R> {
  return { rows: [...result.rows], rowCount: result.count };
}
