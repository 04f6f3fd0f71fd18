import { Failure } from "../../core/errors.ts";
import type { Database } from "./database.ts";
import { MIGRATIONS } from "./schema.ts";
import { runTransaction } from "./transaction.ts";

/** Our half of PostgreSQL's two-part advisory locks: the bytes of "CUST". */
export const LOCK_SPACE = 0x43555354;
/** Held while the schema changes. */
const LOCK_MIGRATION = 1;
/** PostgreSQL 14 is the oldest version that is tested and supported by its makers. */
const SERVER_VERSION_MIN = 140_000;

/**
 * Brings the tables up to the version that this program knows, in one transaction; several processes may start at once.
 * @throws {Failure} retryable STORE_UNAVAILABLE; config CONFIG_INVALID when the tables are newer than this program,
 *   or the server is too old
 */
export async function migrate(database: Database, migrations: readonly string[] = MIGRATIONS): Promise<void> {
  await runTransaction(database, async (session) => {
    await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_MIGRATION]);
    const server = await session.query<{ version: number }>("select current_setting('server_version_num')::int as version");
    if ((server.rows[0]?.version ?? 0) < SERVER_VERSION_MIN)
      throw refused("the PostgreSQL server is too old: version 14 or newer is needed");
    await session.query(`
      create schema if not exists custodes;
      create table if not exists custodes.migration (version integer primary key, applied_at timestamptz not null default now());
    `);
    const stored = await session.query<{ version: number }>("select coalesce(max(version), 0)::int as version from custodes.migration");
    const version = stored.rows[0]?.version ?? 0;
    if (version > migrations.length) {
      throw refused(
        `the database was written by a newer version of this program (schema ${version}, known are ${migrations.length}): use that one`,
      );
    }
    for (const [index, sql] of migrations.entries()) {
      if (index < version) continue;
      await session.query(sql);
      await session.query("insert into custodes.migration (version) values ($1)", [index + 1]);
    }
  });
}

function refused(message: string): Failure {
  return new Failure(message, { kind: "config", code: "CONFIG_INVALID", scope: "connector" });
}
