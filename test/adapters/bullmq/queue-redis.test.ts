import { afterAll, describe, expect, test } from "vitest";
import { bullmqQueue } from "../../../src/adapters/bullmq/queue.ts";
import { keptLog, queueContract } from "../../contract/queue.ts";
import { required, startRedis } from "../../servers/servers.ts";

const server = required(await startRedis());
afterAll(() => server?.stop());

if (server === undefined) test.skip("the queue on Redis needs a Redis server", () => undefined); // Reason: there is no server to test against on this machine. With CI=true `required` has thrown before, so that it fails instead.
else {
  const { url } = server;
  queueContract("Redis", async () => ({ open: (log) => bullmqQueue({ kind: "redis", url }, { log }), close: async () => undefined }));

  describe("the settings of Redis", () => {
    test("are not warned about when nothing is evicted", async () => {
      const log = keptLog();
      await (await bullmqQueue({ kind: "redis", url }, { log })).close();
      expect(log.lines).toEqual([]);
    });

    test("are warned about when jobs could be evicted", async () => {
      const evicting = required(await startRedis({ "maxmemory-policy": "allkeys-lru" }));
      if (evicting === undefined) throw new Error("the first server started, the second did not");
      const log = keptLog();
      await (await bullmqQueue({ kind: "redis", url: evicting.url }, { log })).close();
      await evicting.stop();
      expect(log.lines).toMatchObject([{ level: "warn", fields: { policy: "allkeys-lru" } }]);
    });
  });
}
