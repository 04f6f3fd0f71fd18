/** What is sent again, and what is not, when a process or the store ends in the middle. */
import { expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import { LEASE_MS } from "../../src/pipeline/deliver.ts";
import type { Outcome } from "../../src/ports/connector.ts";
import type { Store } from "../../src/ports/store.ts";
import { faulty } from "./world.ts";
import { store, empty, all, failure, setUp, put, ids, rows } from "./outbox.ts";

test("a crash sends again no more than a few: what was accepted is settled while the next is sent", async () => {
  await put(ids(6));
  const hang = new Promise<Outcome[]>(() => undefined);
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const first = setUp({ limits: { batchItems: 2 }, send: (batch) => (first.sent.length < 3 ? all(batch) : (enter(), hang)) });
  void first.run();
  await entered;
  const statuses = async (): Promise<unknown> => {
    const found = await rows();
    return ids(6).map((id) => found[id]?.status);
  };
  await expect.poll(statuses).toEqual(["delivered", "delivered", "delivered", "delivered", "pending", "pending"]);
  await expect.poll(() => first.meter.value("deliveries_total", { destination: "d/1", result: "delivered" })).toBe(4);
  // The process is killed here; another one takes over when the lease has ended.
  const second = setUp({ limits: { batchItems: 2 } });
  second.clock.move(LEASE_MS);
  await second.run();
  expect(second.sent).toEqual([["a0004", "a0005"]]);
});

test("a store that is slow to settle holds sending up before much could be repeated, and many settlements share a statement", async () => {
  await put(ids(200));
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const statements: number[] = [];
  const slow: Store = {
    ...store,
    settleDeliveries: async (settlements, now) => {
      statements.push(settlements.length);
      await released;
      return store.settleDeliveries(settlements, now);
    },
  };
  const { run, sent } = setUp({ limits: { batchItems: 1 }, over: slow });
  const ran = run();
  await expect.poll(() => sent.length).toBe(65);
  release();
  await ran;
  expect(sent).toHaveLength(200);
  expect(statements[0]).toBe(1);
  expect(statements[1]).toBe(64);
  expect(statements.reduce((sum, count) => sum + count, 0)).toBe(200);
  expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
});

test("a store that fails to settle ends the job, which is tried again", async () => {
  await put(ids(3));
  let fails = true;
  const broken: Store = {
    ...store,
    settleDeliveries: (settlements, now) =>
      fails ? Promise.reject(new Error("the disk is full")) : store.settleDeliveries(settlements, now),
  };
  const { run, clock, sent } = setUp({ limits: { batchItems: 1 }, over: broken });
  await expect(run()).rejects.toThrow("the disk is full");
  fails = false;
  clock.move(LEASE_MS);
  await run();
  expect(new Set(sent.flat())).toEqual(new Set(ids(3)));
  expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
});

test("also the accepted half of a batch that was refused as a whole is settled at once", async () => {
  await put(ids(4));
  const seen: unknown[] = [];
  const { run } = setUp({
    send: async (batch) => {
      seen.push(Object.values(await rows()).filter((row) => row.status === "delivered").length);
      if (batch.some((item) => item.key.includes("a0003"))) throw failure("permanent", "item");
      return all(batch);
    },
  });
  await run();
  expect(seen).toEqual([0, 0, 2, 2, 3]);
  expect((await rows())["a0003"]?.status).toBe("dead");
});

test("at shutdown the request under way is settled, and the rest goes back unspent", async () => {
  await put(ids(6));
  const stop = new AbortController();
  const { run, sent } = setUp({ limits: { batchItems: 2 }, send: (batch) => (stop.abort(), all(batch)) });
  expect(await run(stop.signal)).toBe(false);
  expect(sent).toHaveLength(1);
  const found = Object.values(await rows());
  expect(found.filter((row) => row.status === "delivered")).toHaveLength(2);
  expect(found.filter((row) => row.status === "pending" && row.attempts === 0)).toHaveLength(4);
});

test("a request that shutdown cut off costs no attempt and says nothing against the destination", async () => {
  await put(ids(2));
  const stop = new AbortController();
  const { run, delivery } = setUp({
    send: () => (stop.abort(), Promise.reject(failure("retryable", "connector", { code: "HTTP_UNREACHABLE" }))),
  });
  await run(stop.signal);
  expect(Object.values(await rows()).map((row) => [row.status, row.attempts])).toEqual(Array(2).fill(["pending", 0]));
  expect(delivery.hold("d/1")).toBeUndefined();
});

test("wherever the store fails, nothing is lost: after the lease everything is delivered", async () => {
  const error = () => new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" });
  await put(ids(3));
  const counter = faulty(store, { at: 0, where: "before", error });
  await setUp({ over: counter }).run();
  expect(counter.calls()).toBeGreaterThan(5);
  for (let at = 1; at <= counter.calls(); at++) {
    for (const where of ["before", "after"] as const) {
      await empty();
      await put(ids(3));
      const first = setUp({ over: faulty(store, { at, where, error }) });
      await expect(first.run()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      const second = setUp();
      second.clock.move(LEASE_MS);
      await second.run();
      expect(Object.values(await rows()).map((row) => row.status)).toEqual(Array(3).fill("delivered"));
    }
  }
});
