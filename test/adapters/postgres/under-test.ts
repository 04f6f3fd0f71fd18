import { openStore, type OpenStore, type StoreLocation } from "../../../src/adapters/postgres/open.ts";
import type { StoreUnderTest } from "../../contract/store.ts";

/** Opens a store that can be emptied. */
export async function storeUnderTest(location: StoreLocation): Promise<StoreUnderTest> {
  const clock = { now: Date.now() };
  const open = await openStore(location, { now: () => clock.now });
  return {
    store: open.store,
    clock,
    query: async (sql) => (await open.pool.query(sql)).rows,
    reset: async () => {
      clock.now = Date.now();
      await empty(open);
    },
    close: () => open.store.close(),
  };
}

/** Empties every table of the store except the one that knows its schema; the log has no parts then. */
async function empty({ pool }: OpenStore): Promise<void> {
  const { rows } = await pool.query<{ tables: string; parts: string | null }>(
    `select (select string_agg(format('custodes.%I', tablename), ', ') from pg_tables where schemaname = 'custodes' and tablename <> 'migration'
       and tablename !~ '^log_[0-9]+$') as tables,
     (select string_agg(format('custodes.%I', tablename), ', ') from pg_tables where schemaname = 'custodes' and tablename ~ '^log_[0-9]+$') as parts`,
  );
  if (typeof rows[0]?.parts === "string") await pool.query(`drop table ${rows[0].parts}`);
  await pool.query("alter table custodes.audit disable trigger user");
  await pool.query(`truncate ${rows[0]?.tables ?? ""} restart identity`);
  await pool.query("alter table custodes.audit enable trigger user");
}
