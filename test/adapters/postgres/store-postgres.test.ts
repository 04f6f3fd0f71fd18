import { AsyncLocalStorage } from "node:async_hooks";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import type { Database } from "../../../src/adapters/postgres/database.ts";
import { openPg } from "../../../src/adapters/postgres/pg.ts";
import { postgresStore } from "../../../src/adapters/postgres/store.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { storeContract } from "../../contract/store.ts";
import { required, startPostgres } from "../../servers/servers.ts";
import { storeUnderTest } from "./under-test.ts";

const server = required(await startPostgres());
afterAll(() => server?.stop());

if (server === undefined) test.skip("the store on PostgreSQL needs a PostgreSQL server", () => undefined); // Reason: there is no server to test against on this machine. With CI=true `required` has thrown before, so that it fails instead.
else {
  storeContract("PostgreSQL", () => storeUnderTest({ kind: "postgres", url: server.url }));

  test("a claim takes what is free instead of waiting for the rows of another one", async () => {
    const { store } = await openStore({ kind: "postgres", url: server.url });
    const row = (subjectId: string) => {
      return { key: `d:${subjectId}`, destination: "d", kind: "alert" as const, subjectId, revision: 1, dueTime: 0, createdTime: 0 };
    };
    await store.transaction((tx) => tx.addDeliveries(["a", "b", "c"].map(row)));
    const other = new pg.Client({ connectionString: server.url });
    await other.connect();
    await other.query("begin; select * from custodes.outbox where key in ('d:a', 'd:b') for update");
    expect((await store.claimDeliveries("d", 10, 1, 5)).map(({ key }) => key)).toEqual(["d:c"]);
    await other.end();
    await store.close();
  });

  test("the audit log is looked at as it is at one moment, whatever is appended meanwhile", async () => {
    const database = openPg(server.url, { name: "test", connectionsMax: 2, searchPath: "public" });
    const { store } = await openStore({ kind: "postgres", url: server.url });
    const entry = { time: 1, actor: "a", action: "b", subject: "", details: {} };
    const head = await store.appendAudit(entry);
    // Another process knows nothing of the transaction that is under way in this one.
    const outside = AsyncLocalStorage.snapshot();
    const append = async () => (await outside(() => store.appendAudit(entry))).number;
    let appended = 0;
    /** As the database, but another process appends before the rows are read. */
    const busy: Database = {
      ...database,
      session: (work) =>
        database.session((session) =>
          work({
            ...session,
            query: async (sql, params) => {
              if (sql.includes("from custodes.audit where number >=")) appended = await append();
              return session.query(sql, params);
            },
          }),
        ),
    };
    const verdict = await postgresStore(busy, () => database.close()).verifyAudit();
    expect(appended).toBe(head.number + 1);
    expect(verdict).toMatchObject({ head, problem: null });
    expect(await store.verifyAudit()).toMatchObject({ head: { number: appended }, problem: null });
    await store.close();
    await database.close();
  });
}
