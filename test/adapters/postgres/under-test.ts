import { openStore, type OpenStore, type StoreLocation } from "../../../src/adapters/postgres/open.ts";
import type { StoreUnderTest } from "../../contract/store.ts";

/** Opens a store that can be emptied. */
export async function storeUnderTest(location: StoreLocation): Promise<StoreUnderTest> {
  const open = await openStore(location);
  return { store: open.store, reset: () => empty(open), close: () => open.store.close() };
}

/** Empties every table of the store except those that know its schema and its parts. */
async function empty({ pool }: OpenStore): Promise<void> {
  const { rows } = await pool.query<{ tables: string }>(
    "select string_agg(format('custodes.%I', tablename), ', ') as tables from pg_tables where schemaname = 'custodes' and tablename not in ('migration', 'log_part')",
  );
  await pool.query("alter table custodes.audit disable trigger user");
  await pool.query(`truncate ${rows[0]?.tables ?? ""} restart identity`);
  await pool.query("alter table custodes.audit enable trigger user");
}
