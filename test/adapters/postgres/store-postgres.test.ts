import { afterAll, test } from "vitest";
import { storeContract } from "../../contract/store.ts";
import { required, startPostgres } from "../../servers/servers.ts";
import { storeUnderTest } from "./under-test.ts";

const server = required(await startPostgres());
afterAll(() => server?.stop());

if (server === undefined) test.skip("the store on PostgreSQL needs a PostgreSQL server", () => undefined);
else storeContract("PostgreSQL", () => storeUnderTest({ kind: "postgres", url: server.url }));
