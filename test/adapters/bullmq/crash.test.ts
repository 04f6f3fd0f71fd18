import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { bullmqQueue, type QueueLocation } from "../../../src/adapters/bullmq/queue.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { arrivals, keptLog } from "../../contract/queue.ts";
import type { Job, Queue } from "../../../src/ports/queue.ts";
import { startChild } from "../../servers/child.ts";
import { required, startPostgres, startRedis } from "../../servers/servers.ts";

const postgres = required(await startPostgres());
const redis = required(await startRedis());
const directory = mkdtempSync(join(tmpdir(), "custodes-queue-"));
afterAll(async () => {
  await postgres?.stop();
  await redis?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Short, so that the test is; the worker's process renews it as long as it lives. */
const LOCK_MS = 2_000;
const worker = new URL("work-forever.ts", import.meta.url);

async function takeOver(queue: Queue): Promise<void> {
  const jobs = arrivals<Job>();
  await queue.work("pull", async (job) => jobs.arrive(job), { concurrency: 1 });
  const taken = await jobs.wait(3);
  // The one that only waited comes first and for the first time, the two that were running for the second.
  expect(new Map(taken.map(({ data, attempt }) => [data["n"], attempt]))).toEqual(
    new Map([
      [0, 2],
      [1, 2],
      [2, 1],
    ]),
  );
  await queue.close();
}

describe("jobs of a worker process that was killed are taken over, and their keys with them", () => {
  const places: readonly (readonly [string, string | undefined])[] = [
    ["PostgreSQL", postgres?.url],
    ["Redis", redis?.url],
  ];
  test.each(places.filter(([, url]) => url !== undefined))("on %s, by a process that was there before", async (_name, url = "") => {
    const opened = url.startsWith("redis") ? undefined : await openStore({ kind: "postgres", url });
    const location: QueueLocation = opened === undefined ? { kind: "redis", url } : { kind: "postgres", pool: opened.pool };
    const queue = await bullmqQueue(location, { log: keptLog(), lockMs: LOCK_MS });
    for (const n of [0, 1, 2]) await queue.add("pull", { n }, { deduplicate: `key${n}` });
    const child = startChild(worker, String(LOCK_MS), url);
    expect([await child.line(), await child.line()].toSorted()).toEqual(["0", "1"]);
    await child.kill();
    await takeOver(queue);
    await opened?.store.close();
  });

  test("on PGlite, by the process that opens the directory next", async () => {
    const child = startChild(worker, String(LOCK_MS), directory, "3");
    expect([await child.line(), await child.line()].toSorted()).toEqual(["0", "1"]);
    await child.kill();
    const { store, pool } = await openStore({ kind: "pglite", dataDir: directory });
    await takeOver(await bullmqQueue({ kind: "postgres", pool }, { log: keptLog(), lockMs: LOCK_MS }));
    await store.close();
  });
});
