import { Failure } from "../../core/errors.ts";
import { refuseInside, type Database, type Session } from "./database.ts";

/**
 * The Failure for a driver's error. Only the error's code is kept: messages and details of PostgreSQL quote the
 * values of the statement, and PGlite's errors carry its parameters.
 */
export function storeFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = errorCode(error);
  const reason = code === undefined ? "the connection is closed or broken" : `the database answered ${code}`;
  return new Failure(`the store is unavailable: ${reason}`, { kind: "retryable", code: "STORE_UNAVAILABLE", scope: "connector" });
}

/** SQLSTATE or system error code (`ECONNREFUSED`) of an error, when it has one. */
function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^[A-Z0-9_]{5,40}$/.test(error.code) ? error.code : undefined;
}

/** Lends a session whose errors are Failures; what `work` itself throws passes unchanged. @throws {Failure} */
export async function withSession<T>(database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  refuseInside("a call of the store");
  let lent = false;
  try {
    return await database.session((session) => {
      lent = true;
      return work(failing(session));
    });
  } catch (error) {
    throw lent ? error : storeFailure(error);
  }
}

function failing(session: Session): Session {
  return {
    query: (sql, params) => session.query<never>(sql, params).catch(rethrow),
    copy: (target, text) => session.copy(target, text).catch(rethrow),
  };
}

function rethrow(error: unknown): never {
  throw storeFailure(error);
}
