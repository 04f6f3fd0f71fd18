import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { bullmqQueue } from "../../../src/adapters/bullmq/queue.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import type { Job } from "../../../src/ports/queue.ts";
import { arrivals, keptLog } from "../../contract/queue.ts";
import { failureCode } from "../../contract/store.ts";
import { required, startPostgres, startRedis } from "../../servers/servers.ts";

const postgres = required(await startPostgres());
const redis = required(await startRedis());
afterAll(async () => {
  await postgres?.stop();
  await redis?.stop();
});

test("a queue that cannot be reached says so", async () => {
  const log = keptLog();
  expect(await failureCode(bullmqQueue({ kind: "redis", url: "redis://127.0.0.1:1" }, { log }))).toBe("retryable QUEUE_UNAVAILABLE");
});

test.runIf(postgres !== undefined)("a queue whose first use failed works once its backend is there", async () => {
  const { store, pool } = await openStore({ kind: "postgres", url: postgres?.url ?? "" });
  let broken = false;
  const flaky = {
    ...pool,
    connect: () => (broken ? Promise.reject(new Error("connection refused")) : pool.connect()),
    query: <R>(sql: string, params?: readonly unknown[]) =>
      broken ? Promise.reject(new Error("connection refused")) : pool.query<R>(sql, params),
  };
  const queue = await bullmqQueue({ kind: "postgres", pool: flaky }, { log: keptLog() });
  broken = true;
  expect(await failureCode(queue.add("first", { n: 1 }, { deduplicate: "a" }))).toBe("retryable QUEUE_UNAVAILABLE");
  expect(await failureCode(queue.work("first", async () => undefined, { concurrency: 1 }))).toBe("retryable QUEUE_UNAVAILABLE");
  broken = false;
  await queue.add("first", { n: 2 }, { deduplicate: "a" });
  expect(await queue.depth("first")).toBe(1);
  await queue.close();
  await store.close();
});

test.runIf(postgres !== undefined)("a worker on PostgreSQL hears of jobs again after its connections were cut", async () => {
  const url = postgres?.url ?? "";
  const { store, pool } = await openStore({ kind: "postgres", url });
  const queue = await bullmqQueue({ kind: "postgres", pool }, { log: keptLog() });
  const jobs = arrivals<Job>();
  await queue.work("pull", async (job) => jobs.arrive(job), { concurrency: 1 });
  await queue.add("pull", { n: 1 }, { deduplicate: "a" });
  await jobs.wait(1);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'custodes%'");
  // An add that meets a connection which is just being lost is told so, and asks again, as the schedules do.
  for (let tries = 0; tries < 10; tries++) {
    if ((await failureCode(queue.add("pull", { n: 2 }, { deduplicate: "b" }))) === "none") break;
  }
  expect((await jobs.wait(2)).map(({ data }) => data["n"])).toEqual([1, 2]);
  // The job could also have been found by looking, every few seconds; the worker must listen again.
  while ((await client.query("select 1 from pg_stat_activity where query ilike 'listen bullmq_jobs%'")).rows.length === 0);
  await client.end();
  await queue.close();
  await store.close();
});

test.runIf(postgres !== undefined)("many workers of one process share one listening connection", async () => {
  const url = postgres?.url ?? "";
  const { store, pool } = await openStore({ kind: "postgres", url });
  const queue = await bullmqQueue({ kind: "postgres", pool }, { log: keptLog() });
  const jobs = arrivals<Job>();
  for (let n = 0; n < 30; n++) await queue.work(`q${n}`, async (job) => jobs.arrive(job), { concurrency: 2 });
  for (let n = 0; n < 30; n++) await queue.add(`q${n}`, { n }, { deduplicate: "a" });
  await jobs.wait(30);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ count: string }>("select count(*) from pg_stat_activity where application_name like 'custodes%'");
  await client.end();
  expect(Number(rows[0]?.count)).toBeLessThanOrEqual(13);
  await queue.close();
  await store.close();
});

test.runIf(redis !== undefined)("a Redis queue whose server stops says so instead of waiting", async () => {
  const own = required(await startRedis());
  if (own === undefined) throw new Error("the first server started, the second did not");
  const log = keptLog();
  const queue = await bullmqQueue({ kind: "redis", url: own.url }, { log });
  await queue.work("pull", async () => undefined, { concurrency: 1 });
  await queue.add("pull", { n: 1 }, { deduplicate: "a" });
  await own.stop();
  expect(await failureCode(queue.add("pull", { n: 2 }, { deduplicate: "b" }))).toBe("retryable QUEUE_UNAVAILABLE");
  expect(await failureCode(queue.depth("pull"))).toBe("retryable QUEUE_UNAVAILABLE");
  await queue.close();
  expect(log.lines.some(({ level }) => level === "warn")).toBe(true);
});
