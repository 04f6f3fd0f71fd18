import { expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import { LEASE_MS } from "../../src/pipeline/deliver.ts";
import type { Outcome } from "../../src/ports/connector.ts";
import type { Store } from "../../src/ports/store.ts";
import { faulty, START } from "./world.ts";
import { store, empty, DELIVERED, all, failure, setUp, put, ids, rows } from "./outbox.ts";

test("a wait that the destination asks for spends no attempt, is kept, and ends within the limit", async () => {
  await put(["a"]);
  const asked = setUp({
    maxAttempts: 1,
    send: () => Promise.reject(failure("retryable", "connector", { retryAfterMs: 90_000, code: "HTTP_THROTTLED" })),
  });
  await asked.run();
  expect((await rows())["a"]).toMatchObject({ status: "pending", attempts: 0, due: 90_000 });
  expect(asked.delivery.hold("d/1")?.until).toBe(START + 90_000);
  for (const retryAfterMs of [Infinity, Number.NaN, 1e18, -1e18]) {
    await empty();
    await put(["a"]);
    await setUp({ send: () => Promise.reject(failure("retryable", "connector", { retryAfterMs })) }).run();
    const { status, due } = (await rows())["a"]!;
    expect(status).toBe("pending");
    expect(due).toBeGreaterThanOrEqual(0);
    expect(due).toBeLessThanOrEqual(24 * 3_600_000);
  }
});

test("an item that the destination throttles holds the whole destination, and the rest of the claim goes back", async () => {
  await put(ids(4));
  const { run, sent, delivery } = setUp({
    limits: { batchItems: 2 },
    send: (batch) =>
      batch.map((_, index) =>
        index === 1 ? { status: "failed", kind: "retryable", code: "HTTP_THROTTLED", message: "slow down", retryAfterMs: 5000 } : DELIVERED,
      ),
  });
  await run();
  expect(sent).toHaveLength(1);
  expect(delivery.hold("d/1")).toMatchObject({ until: START + 5000, paused: false });
  expect((await rows())["a0002"]).toMatchObject({ status: "pending", attempts: 0, due: 0 });
});

test("attempts are bounded: the last one makes a dead letter with the bytes and the reason", async () => {
  await put(["a"]);
  const { run, clock, sent, meter } = setUp({
    maxAttempts: 4,
    send: () => Promise.reject(failure("retryable", "connector", { code: "HTTP_UNAVAILABLE" })),
  });
  for (let round = 0; round < 10; round++) {
    await run();
    clock.move(3_600_000);
  }
  expect(sent).toHaveLength(4);
  expect((await rows())["a"]).toMatchObject({ status: "dead", attempts: 4, note: "HTTP_UNAVAILABLE: no" });
  expect(await store.deadLetterBody("d/1:alert:a:1")).toBe("body of d/1:alert:a:1");
  expect(meter.value("dead_letters_total", { destination: "d/1", code: "HTTP_UNAVAILABLE" })).toBe(1);
});

test("a replayed dead letter is tried again under the same key", async () => {
  await put(["a"]);
  await setUp({ send: () => Promise.reject(failure("permanent", "item")) }).run();
  expect(await store.replayDeadLetters(["d/1:alert:a:1"], START)).toBe(1);
  await setUp().run();
  expect((await rows())["a"]).toMatchObject({ status: "delivered", attempts: 2 });
});

test("a held destination is left alone, probed with doubling waits up to five minutes, and works again", async () => {
  await put(ids(3));
  let down = true;
  const { run, clock, sent, delivery, log, meter } = setUp({
    maxAttempts: 1000,
    send: (batch) => (down ? Promise.reject(failure("retryable", "connector", { code: "HTTP_UNREACHABLE" })) : all(batch)),
  });
  const waits: number[] = [];
  for (let round = 0; round < 12; round++) {
    // Deliveries that back off by themselves for longer would hide the hold.
    await store.settleDeliveries(
      ids(3).map((id) => ({ key: `d/1:alert:${id}:1`, status: "pending", attempts: 0, dueTime: START, note: "" })),
      START,
    );
    await run();
    const wait = delivery.hold("d/1")!.until - clock.now();
    waits.push(wait);
    clock.move(wait - 1);
    const before = sent.length;
    await run();
    expect(sent.length).toBe(before);
    clock.move(1);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000, 300_000]);
  expect(log.lines.filter((line) => line.includes("destination held"))).toHaveLength(1);
  expect(meter.value("destination_held", { destination: "d/1" })).toBe(1);
  down = false;
  clock.move(7_200_000);
  await run();
  expect(delivery.hold("d/1")).toBeUndefined();
  expect(meter.value("destination_held", { destination: "d/1" })).toBe(0);
  expect(Object.values(await rows()).every((row) => row.status === "delivered")).toBe(true);
});

test("when an outage is over, nothing waits out its own back-off", async () => {
  await put(ids(4));
  let down = true;
  const { run, clock } = setUp({
    send: (batch) => (down ? Promise.reject(failure("retryable", "connector", { code: "HTTP_UNREACHABLE" })) : all(batch)),
  });
  await run();
  const late = ids(3).map((id) => ({
    key: `d/1:alert:${id}:1`,
    status: "pending" as const,
    attempts: 9,
    dueTime: START + 7_200_000,
    note: "",
  }));
  await store.settleDeliveries(late, START);
  down = false;
  clock.move(10_000);
  await run();
  expect(Object.values(await rows()).map((row) => row.status)).toEqual(Array(4).fill("delivered"));
});

test("a paused destination is probed after five minutes with one batch; its deliveries lose no attempt", async () => {
  await put(ids(4));
  const { run, clock, sent } = setUp({
    limits: { batchItems: 2 },
    send: () => Promise.reject(failure("permanent", "connector", { code: "HTTP_DENIED" })),
  });
  for (let probe = 1; probe <= 5; probe++) {
    await run();
    await run();
    expect(sent).toHaveLength(probe);
    clock.move(300_000);
  }
  expect(Object.values(await rows()).map((row) => [row.status, row.attempts])).toEqual(Array(4).fill(["pending", 0]));
});

test("deliveries that are skipped or cannot be rendered do not say that a held destination works", async () => {
  await put(["a"]);
  let down = true;
  const { run, clock, delivery } = setUp({
    send: () => Promise.reject(failure("retryable", "connector")),
    render: ({ key }) => (down ? { key, body: "", bytes: 1 } : { key, body: "", bytes: 0, skip: "nothing to say" }),
  });
  await run();
  down = false;
  clock.move(10_000);
  await run();
  expect((await rows())["a"]?.status).toBe("skipped");
  expect(delivery.hold("d/1")?.failures).toBe(1);
});

test("one hanging destination does not hold up another", async () => {
  await put(ids(3), "hanging/1");
  await put(ids(3, "b"), "fine/1");
  const { promise, resolve } = Promise.withResolvers<Outcome[]>();
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const hanging = setUp({ id: "hanging/1", send: () => (enter(), promise) });
  const stuck = hanging.run();
  await entered;
  await setUp({ id: "fine/1" }).run();
  const found = await rows();
  expect([found["b0000"]?.status, found["a0000"]?.status]).toEqual(["delivered", "pending"]);
  resolve([DELIVERED, DELIVERED, DELIVERED]);
  await stuck;
  expect((await rows())["a0000"]?.status).toBe("delivered");
});

test("a destination that hangs past its lease loses the claim to another, and its late answer changes nothing", async () => {
  await put(["a"]);
  const { promise, resolve } = Promise.withResolvers<Outcome[]>();
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const first = setUp({ send: () => (enter(), promise) });
  const stuck = first.run();
  await entered;
  const early = setUp();
  early.clock.move(LEASE_MS - 1);
  await early.run();
  expect(early.sent).toEqual([]);
  const second = setUp();
  second.clock.move(LEASE_MS);
  await second.run();
  expect(second.sent).toEqual([["a"]]);
  resolve([{ status: "failed", kind: "permanent", code: "HTTP_REJECTED", message: "no" }]);
  await stuck;
  expect((await rows())["a"]?.status).toBe("delivered");
});

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
