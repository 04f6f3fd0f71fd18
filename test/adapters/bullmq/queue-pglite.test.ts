import { bullmqQueue } from "../../../src/adapters/bullmq/queue.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { queueContract } from "../../contract/queue.ts";

queueContract("PGlite", async () => {
  const { store, pool } = await openStore({ kind: "pglite" });
  return { open: (log) => bullmqQueue({ kind: "postgres", pool }, { log }), close: () => store.close() };
});
