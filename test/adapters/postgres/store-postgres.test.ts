import pg from "pg";
import { afterAll, expect, test } from "vitest";
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
}
