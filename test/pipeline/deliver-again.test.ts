import { expect, test } from "vitest";
import { LEASE_MS } from "../../src/pipeline/deliver.ts";
import type { Outcome } from "../../src/ports/connector.ts";
import { START } from "./world.ts";
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
    send: () => Promise.reject(failure("retryable", "item", { code: "HTTP_UNAVAILABLE" })),
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

test("an outage of days makes no dead letters: only its first failure counts as an attempt", async () => {
  await put(ids(3));
  let works = false;
  const { run, clock, sent } = setUp({
    maxAttempts: 2,
    send: (batch) => (works ? all(batch) : Promise.reject(failure("retryable", "connector", { code: "HTTP_UNREACHABLE" }))),
  });
  for (let round = 0; round < 100; round++) {
    await run();
    clock.move(3_600_000);
  }
  expect(sent.length).toBe(100);
  expect(Object.values(await rows()).map(({ status, attempts }) => `${status} ${attempts}`)).toEqual([
    "pending 1",
    "pending 1",
    "pending 1",
  ]);
  works = true;
  await run();
  expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
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
