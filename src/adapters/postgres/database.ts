/** What the store needs of a driver: sessions. PGlite and PostgreSQL differ below this line and nowhere else. */
import { AsyncLocalStorage } from "node:async_hooks";

/** A row as the driver gives it: int8 as number, json parsed. */
export type Row = Record<string, unknown>;

/** Rows of a statement, and how many rows it returned or changed. */
export interface Rows<R> {
  readonly rows: readonly R[];
  readonly count: number;
}

/** One connection, lent for a while. Errors are the driver's own. */
export interface Session {
  /** One statement with parameters, or, without any, also several separated by `;` (the last one's rows). */
  query<R = Row>(sql: string, params?: readonly unknown[]): Promise<Rows<R>>;
  /** Loads rows in COPY's text format. `target` is `table(column, …)`. */
  copy(target: string, text: string): Promise<void>;
}

/** A message that another session, or this one, sent with NOTIFY. */
export interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

/** Receives notifications until it is told that the connection that heard them is lost. */
export interface Listener {
  notified(notification: Notification): void;
  lost(error: Error): void;
}

/** A database behind one driver. */
export interface Database {
  /** Several sessions can be lent at once. */
  readonly concurrent: boolean;
  /**
   * Lends a session to `work` and takes it back when `work` has ended; nobody else uses it meanwhile. With
   * PGlite there is one session, and all others wait.
   */
  session<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Subscribes to a channel; resolves once nothing sent from now on is missed. The result ends it. */
  listen(channel: string, listener: Listener): Promise<() => void>;
  /** Waits for the sessions that are lent. Safe to call twice. */
  close(): Promise<void>;
}

/** Runs one task after the other, in the order in which they came. */
export function serializer(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task);
    // The next task waits for the end of this one, whatever the end is; the caller gets the error.
    last = next.catch(() => undefined);
    return next;
  };
}

const inside = new AsyncLocalStorage<{ open: boolean }>();

/** Runs the body of a transaction so that `refuseInside` knows it. */
export async function markTransaction<T>(body: () => Promise<T>): Promise<T> {
  const mark = { open: true };
  try {
    return await inside.run(mark, body);
  } finally {
    mark.open = false;
  }
}

/**
 * Throws when called from within the body of a transaction. Over PGlite's one session such a call would wait
 * for its own caller for ever; over PostgreSQL it would work, until the pool is empty.
 */
export function refuseInside(what: string): void {
  if (inside.getStore()?.open === true)
    throw new Error(`${what} inside a transaction would wait for itself: use the transaction's methods`);
}
