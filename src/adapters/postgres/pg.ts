import pg from "pg";
import { copyIn } from "./copy.ts";
import { refuseInside, serializer, type Database, type Listener, type Row, type Rows, type Session } from "./database.ts";

/** What a pool is for; sizes are per process, and PostgreSQL allows 100 connections by default. */
export interface PoolOptions {
  readonly name: string;
  readonly connectionsMax: number;
  /** Schemas that unqualified names mean. */
  readonly searchPath: string;
}

/** A server that does not answer at all is unavailable after this time. */
const CONNECT_MS_MAX = 10_000;
/** No statement of ours needs longer, the count over a large log included; a stuck one must not hold the log's lock. */
const STATEMENT_MS_MAX = 120_000;
/** A transaction whose owner hangs is ended by the server, so that others can append again. */
const IDLE_IN_TRANSACTION_MS_MAX = 60_000;
/** Idle connections find out that their server is gone within this time. */
const KEEP_ALIVE_MS = 10_000;
const INT8 = 20;

/** A pool of connections to a PostgreSQL server; nothing is connected before the first use. */
export function openPg(url: string, options: PoolOptions): Database {
  const config: pg.PoolConfig = {
    connectionString: url,
    application_name: options.name,
    // Compiling a statement costs more than any of ours takes.
    options: `-c search_path=${options.searchPath} -c jit=off`,
    max: options.connectionsMax,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: { getTypeParser: (type, format) => (type === INT8 ? Number : pg.types.getTypeParser(type, format as "text")) },
  };
  const pool = new pg.Pool(config);
  // A connection that breaks while idle is dropped by the pool; whoever needs one next gets a new one.
  pool.on("error", () => undefined);
  const channels = channelListener(config);
  let closing: Promise<void> | undefined;
  return {
    concurrent: true,
    session: async (work) => {
      refuseInside("another session");
      const client = await pool.connect();
      let broken = false;
      const onError = (): void => void (broken = true);
      client.on("error", onError);
      try {
        return await work(pgSession(client));
      } catch (error) {
        // After an error nobody knows what state the connection is in; opening another one is cheap and rare.
        broken = true;
        throw error;
      } finally {
        client.off("error", onError);
        client.release(broken);
      }
    },
    listen: channels.listen,
    close: () => {
      closing ??= Promise.all([pool.end(), channels.close()]).then(() => undefined);
      return closing;
    },
  };
}

function pgSession(client: pg.PoolClient): Session {
  return {
    query: async <R = Row>(sql: string, params?: readonly unknown[]): Promise<Rows<R>> => {
      const answer: unknown = await client.query(sql, params === undefined ? undefined : [...params]);
      const result = (Array.isArray(answer) ? answer.at(-1) : answer) as pg.QueryResult;
      return { rows: result.rows as R[], count: result.rowCount ?? 0 };
    },
    copy: (target, text) => copyIn(client, target, text),
  };
}

/** One connection that listens for everybody in this process, made when it is first needed and again after a loss. */
function channelListener(config: pg.PoolConfig): { listen: Database["listen"]; close(): Promise<void> } {
  const listeners = new Map<Listener, string>();
  const inOrder = serializer();
  let connecting: Promise<pg.Client> | undefined;

  const lose = (client: pg.Client, error: Error): void => {
    connecting = undefined;
    const lost = [...listeners.keys()];
    listeners.clear();
    client.end().catch(() => undefined);
    for (const listener of lost) listener.lost(error);
  };
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ ...config, statement_timeout: 0 });
    client.on("notification", ({ channel, payload }) => {
      for (const [listener, wanted] of listeners) {
        if (wanted === channel) listener.notified(payload === undefined ? { channel } : { channel, payload });
      }
    });
    let ended = false;
    const end = (error: Error): void => {
      if (ended) return;
      ended = true;
      lose(client, error);
    };
    client.on("error", end);
    client.on("end", () => end(new Error("the listening connection has ended")));
    await client.connect();
    return client;
  };

  return {
    listen: async (channel, listener) => {
      connecting ??= connect();
      const attempt = connecting;
      try {
        const client = await attempt;
        listeners.set(listener, channel);
        await inOrder(() => client.query(`listen ${channel}`));
      } catch (error) {
        listeners.delete(listener);
        if (connecting === attempt) connecting = undefined;
        throw error;
      }
      return () => void listeners.delete(listener);
    },
    close: async () => {
      listeners.clear();
      const client = await connecting?.catch(() => undefined);
      await client?.end();
    },
  };
}
