import { afterAll, beforeAll, expect, test } from "vitest";
import { bullmqQueue } from "../../../src/adapters/bullmq/queue.ts";
import { openStore, type OpenStore } from "../../../src/adapters/postgres/open.ts";
import type { Job, Queue } from "../../../src/ports/queue.ts";
import { arrivals, keptLog } from "../../contract/queue.ts";
import { failureCode } from "../../contract/store.ts";
import { alert, event, events } from "../../contract/subjects.ts";

let opened: OpenStore;
let queue: Queue;
beforeAll(async () => {
  opened = await openStore({ kind: "pglite" });
  queue = await bullmqQueue({ kind: "postgres", pool: opened.pool }, { log: keptLog() });
});
afterAll(async () => {
  await queue.close();
  await opened.store.close();
});

test("a statement that fails in the queue's pool leaves the one connection usable", async () => {
  const { pool, store } = opened;
  await expect(pool.query("select * from nobody")).rejects.toMatchObject({ code: "42P01" });
  await expect(pool.query("select $1::int", ["x"])).rejects.toMatchObject({ code: "22P02" });
  await expect(pool.session(async (session) => session.query("begin; select 1/0"))).rejects.toMatchObject({ code: "22012" });
  expect(await store.lastSequence()).toBe(0);
  await queue.add("ok", { n: 1 }, { deduplicate: "a" });
  expect(await queue.depth("ok")).toBe(1);
});

test("a session that forgets its transaction does not put others into it", async () => {
  await opened.pool.session((session) => session.query("begin; create table public.forgotten (x integer)"));
  await expect(opened.pool.query("select * from public.forgotten")).rejects.toMatchObject({ code: "42P01" });
});

test("a job that is added while a transaction is open is not in it", async () => {
  const { store } = opened;
  let reached = (): void => undefined;
  const halfway = new Promise<void>((resolve) => (reached = resolve));
  const failing = store.transaction(async (tx) => {
    await tx.appendEvents("kong/main", events("a", 5));
    reached();
    await tx.appendEvents("kong/main", events("b", 5));
    throw new Error("given up");
  });
  await halfway;
  const adding = queue.add("beside", { n: 1 }, { deduplicate: "a" });
  await expect(failing).rejects.toThrow("given up");
  await adding;
  expect(await queue.depth("beside")).toBe(1);
  expect(await store.lastSequence()).toBe(0);
});

test("adding a job inside a transaction is refused at once instead of waiting for ever", async () => {
  const nested = opened.store.transaction(() => queue.add("nested", { n: 1 }, { deduplicate: "a" }));
  expect(await failureCode(nested)).toBe("retryable QUEUE_UNAVAILABLE");
  expect(await queue.depth("nested")).toBe(0);
});

test("the store and the queue work side by side under load, with failures among them", async () => {
  const { store } = opened;
  const jobs = arrivals<Job>();
  await queue.work(
    "load",
    async (job) => {
      const n = Number(job.data["n"]);
      await store
        .transaction(async (tx) => {
          await tx.appendEvents("kong/main", [event(`load:${n}`, n)]);
          if (n % 5 === 0) await tx.saveAlerts([alert("x", 2 ** 40)]).catch(() => undefined);
        })
        .catch(() => undefined);
      jobs.arrive(job);
    },
    { concurrency: 8 },
  );
  for (let n = 0; n < 100; n++) await queue.add("load", { n }, { deduplicate: `key${n}` });
  await jobs.wait(100);
  const uids = (await store.readLog(0, 1000)).map((logged) => logged.event.uid);
  expect(new Set(uids)).toEqual(
    new Set(
      Array.from({ length: 100 }, (_, n) => n)
        .filter((n) => n % 5 !== 0)
        .map((n) => `load:${n}`),
    ),
  );
});
