import { afterAll, test } from "vitest";
import { bullmqQueue } from "../../../src/adapters/bullmq/queue.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { queueContract } from "../../contract/queue.ts";
import { required, startPostgres } from "../../servers/servers.ts";

const server = required(await startPostgres());
afterAll(() => server?.stop());

if (server === undefined) test.skip("the queue on PostgreSQL needs a PostgreSQL server", () => undefined); // Reason: there is no server to test against on this machine. With CI=true `required` has thrown before, so that it fails instead.
else
  queueContract("PostgreSQL", async () => {
    const { store, pool } = await openStore({ kind: "postgres", url: server.url });
    return { open: (log) => bullmqQueue({ kind: "postgres", pool }, { log }), close: () => store.close() };
  });
