import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrate } from "../../../src/adapters/postgres/migrate.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { openPg } from "../../../src/adapters/postgres/pg.ts";
import { openPglite } from "../../../src/adapters/postgres/pglite.ts";
import type { Database } from "../../../src/adapters/postgres/database.ts";
import { failureCode } from "../../contract/store.ts";
import { events } from "../../contract/subjects.ts";
import { required, startPostgres } from "../../servers/servers.ts";

const server = required(await startPostgres());
afterAll(() => server?.stop());

const FIRST = "create table custodes.one (x integer)";
const SECOND = "create table custodes.two (x integer)";

describe.each(server === undefined ? (["PGlite"] as const) : (["PGlite", "PostgreSQL"] as const))("migrate on %s", (kind) => {
  let database: Database;
  beforeAll(async () => {
    database =
      kind === "PGlite" ? await openPglite(undefined) : openPg(server?.url ?? "", { name: "t", connectionsMax: 4, searchPath: "custodes" });
    await database.session((session) => session.query("drop schema if exists custodes cascade"));
  });
  afterAll(async () => {
    await database.session((session) => session.query("drop schema custodes cascade"));
    await database.close();
  });
  const tables = (): Promise<string[]> =>
    database.session(async (session) => {
      const { rows } = await session.query<{ tablename: string }>(
        "select tablename from pg_tables where schemaname = 'custodes' order by 1",
      );
      return rows.map(({ tablename }) => tablename);
    });

  test("applies what is missing, once, also when several start at the same time", async () => {
    await Promise.all([migrate(database, [FIRST]), migrate(database, [FIRST]), migrate(database, [FIRST])]);
    expect(await tables()).toEqual(["migration", "one"]);
    await migrate(database, [FIRST, SECOND]);
    expect(await tables()).toEqual(["migration", "one", "two"]);
  });

  test("refuses tables of a newer version and leaves them alone", async () => {
    expect(await failureCode(migrate(database, [FIRST]))).toBe("config CONFIG_INVALID");
    await expect(migrate(database, [FIRST])).rejects.toThrow(/newer version.*schema 2, known are 1/);
    expect(await tables()).toEqual(["migration", "one", "two"]);
  });

  test("leaves nothing of a version that fails", async () => {
    const broken = "create table custodes.three (x integer); create table custodes.one (x integer)";
    expect(await failureCode(migrate(database, [FIRST, SECOND, broken]))).toBe("retryable STORE_UNAVAILABLE");
    expect(await tables()).toEqual(["migration", "one", "two"]);
    await migrate(database, [FIRST, SECOND]);
  });
});

describe("openStore", () => {
  test("says that the store is unavailable when nobody listens, without the password", async () => {
    const opening = openStore({ kind: "postgres", url: "postgres://user:hunter2@127.0.0.1:1/db" });
    const error: unknown = await opening.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ kind: "retryable", code: "STORE_UNAVAILABLE" });
    expect(String((error as Error).stack)).not.toContain("hunter2");
  });

  test("gives a store that says that it is unavailable once it is closed", async () => {
    const { store } = await openStore({ kind: "pglite" });
    await Promise.all([store.close(), store.close()]);
    expect(await failureCode(store.lastSequence())).toBe("retryable STORE_UNAVAILABLE");
    expect(await failureCode(store.transaction(async () => 1))).toBe("retryable STORE_UNAVAILABLE");
  });

  test.runIf(server !== undefined)("goes on after its connections were cut", async () => {
    const { store } = await openStore({ kind: "postgres", url: server?.url ?? "" });
    await store.transaction((tx) => tx.appendEvents("kong/main", events("a", 3)));
    const cutting = store.transaction(async (tx) => {
      await tx.appendEvents("kong/main", events("b", 3));
      await cutEverybodyElse();
      await tx.appendEvents("kong/main", events("c", 3));
    });
    expect(await failureCode(cutting)).toBe("retryable STORE_UNAVAILABLE");
    expect((await store.readLog(0, 10)).map((logged) => logged.event.uid)).toEqual(["a0", "a1", "a2"]);
    await store.close();
  });

  test.runIf(server !== undefined)("says that the store is unavailable when its server stops", async () => {
    const own = required(await startPostgres());
    if (own === undefined) throw new Error("the first server started, the second did not");
    const { store } = await openStore({ kind: "postgres", url: own.url });
    await store.transaction((tx) => tx.appendEvents("kong/main", events("a", 3)));
    await own.stop();
    expect(await failureCode(store.lastSequence())).toBe("retryable STORE_UNAVAILABLE");
    expect(await failureCode(store.transaction((tx) => tx.appendEvents("kong/main", events("b", 3))))).toBe("retryable STORE_UNAVAILABLE");
    await store.close();
  });
});

async function cutEverybodyElse(): Promise<void> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: server?.url ?? "" });
  await client.connect();
  await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()",
  );
  await client.end();
}
