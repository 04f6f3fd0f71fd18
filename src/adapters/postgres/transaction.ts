import { markTransaction, type Database, type Session } from "./database.ts";
import { withSession } from "./failure.ts";

/**
 * Runs `work` in a transaction of its own. A statement that fails dooms the transaction even when `work` catches
 * the error: PostgreSQL would answer COMMIT with a silent ROLLBACK, and the caller would believe it was stored.
 * A `snapshot` only reads, and all its statements see what the first one saw.
 * @throws {Failure} retryable STORE_UNAVAILABLE; whatever `work` throws
 */
export function runTransaction<T>(
  database: Database,
  work: (session: Session) => Promise<T>,
  kind: "change" | "snapshot" = "change",
): Promise<T> {
  return withSession(database, async (session) => {
    // Not the server's default: an append must see what was committed while it waited for the lock of the log.
    await session.query(`begin isolation level ${kind === "snapshot" ? "repeatable read read only" : "read committed"}`);
    const guard = guarded(session);
    let result: T;
    try {
      result = await markTransaction(() => work(guard.session));
      guard.end();
    } catch (error) {
      guard.close();
      // A rollback that fails has lost its connection, which ends the transaction too; the first error says more.
      await session.query("rollback").catch(() => undefined);
      throw error;
    }
    await session.query("commit");
    return result;
  });
}

/** A session that remembers its first error and refuses everything after it, and after the end. */
function guarded(session: Session): { readonly session: Session; end(): void; close(): void } {
  let doom: { readonly error: unknown } | undefined;
  let closed = false;
  const run = async <R>(statement: () => Promise<R>): Promise<R> => {
    if (closed) throw new Error("the transaction has ended");
    if (doom !== undefined) throw doom.error;
    try {
      return await statement();
    } catch (error) {
      doom ??= { error };
      throw error;
    }
  };
  return {
    session: {
      query: (sql, params) => run(() => session.query(sql, params)),
      copy: (target, text) => run(() => session.copy(target, text)),
    },
    end() {
      closed = true;
      if (doom !== undefined) throw doom.error;
    },
    close() {
      closed = true;
    },
  };
}
