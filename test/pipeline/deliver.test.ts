import { expect, test } from "vitest";
import { Failure, type FailureKind } from "../../src/core/errors.ts";
import { LEASE_MS } from "../../src/pipeline/deliver.ts";
import { incidentSubject } from "../fixtures/subjects.ts";
import { START } from "./world.ts";
import { store, empty, DELIVERED, all, failure, setUp, put, ids, rows, type Send } from "./outbox.ts";

test("what is due is rendered, sent in batches in order, and settled with the receipt", async () => {
  await put(ids(5));
  const { run, sent, meter } = setUp({ limits: { batchItems: 2 } });
  expect(await run()).toBe(false);
  expect(sent).toEqual([["a0000", "a0001"], ["a0002", "a0003"], ["a0004"]]);
  expect((await rows())["a0003"]).toEqual({ status: "delivered", attempts: 1, due: 0, note: "ok" });
  expect(meter.value("deliveries_total", { destination: "d/1", result: "delivered" })).toBe(5);
  await run();
  expect(sent).toHaveLength(3);
});

test("more than one claim is sent in one job, and a long one hands over after its slice", async () => {
  await put(ids(1001));
  const quick = setUp({ limits: { batchItems: 500 } });
  expect(await quick.run()).toBe(false);
  expect(quick.sent.map((batch) => batch.length)).toEqual([500, 500, 1]);
  await empty();
  await put(ids(1001));
  const slow = setUp({ limits: { batchItems: 500 }, send: (batch) => (slow.clock.move(20_000), all(batch)) });
  expect(await slow.run()).toBe(true);
  expect(slow.sent).toHaveLength(1);
});

interface Case {
  readonly kind: FailureKind;
  readonly scope: "item" | "connector";
  readonly status: string;
  readonly attempts: number;
  readonly due: number;
  readonly held: "no" | "held" | "paused";
}
const THROWN: readonly Case[] = [
  { kind: "retryable", scope: "item", status: "pending", attempts: 1, due: 500, held: "held" },
  { kind: "retryable", scope: "connector", status: "pending", attempts: 1, due: 500, held: "held" },
  { kind: "permanent", scope: "item", status: "dead", attempts: 1, due: 0, held: "no" },
  { kind: "permanent", scope: "connector", status: "pending", attempts: 0, due: 0, held: "paused" },
  { kind: "poison", scope: "item", status: "dead", attempts: 1, due: 0, held: "no" },
  { kind: "poison", scope: "connector", status: "pending", attempts: 0, due: 0, held: "paused" },
  { kind: "config", scope: "item", status: "pending", attempts: 0, due: 300_000, held: "paused" },
  { kind: "config", scope: "connector", status: "pending", attempts: 0, due: 0, held: "paused" },
];
test.each(THROWN)(
  "a thrown $kind failure of scope $scope leaves a delivery $status, the destination: $held",
  async ({ kind, scope, status, attempts, due, held }) => {
    await put(["a"]);
    const { run, delivery } = setUp({ send: () => Promise.reject(failure(kind, scope)) });
    await run();
    expect((await rows())["a"]).toEqual({ status, attempts, due, note: "HTTP_REJECTED: no" });
    const hold = delivery.hold("d/1");
    expect(hold === undefined ? "no" : hold.paused ? "paused" : "held").toBe(held);
  },
);

test.each([
  { kind: "retryable", status: "pending", attempts: 1, due: 500 },
  { kind: "permanent", status: "dead", attempts: 1, due: 0 },
  { kind: "poison", status: "dead", attempts: 1, due: 0 },
  { kind: "config", status: "pending", attempts: 0, due: 300_000 },
] as const)(
  "an item that fails as $kind is $status, those beside it are delivered and the destination goes on",
  async ({ kind, status, attempts, due }) => {
    await put(["a", "b", "c"]);
    const { run, delivery } = setUp({
      send: (batch) =>
        batch.map((item) => (item.key.includes(":b:") ? { status: "failed", kind, code: "HTTP_REJECTED", message: "no" } : DELIVERED)),
    });
    await run();
    const found = await rows();
    expect(found["b"]).toEqual({ status, attempts, due, note: "HTTP_REJECTED: no" });
    expect([found["a"]?.status, found["c"]?.status]).toEqual(["delivered", "delivered"]);
    expect(delivery.hold("d/1")).toBeUndefined();
  },
);

test.each([
  ["for its content", failure("permanent", "item")],
  ["as poison", failure("poison", "item")],
  ["for its size", failure("permanent", "item", { code: "HTTP_TOO_LARGE" })],
  ["for its size, whatever the connector thinks of retrying", failure("retryable", "connector", { code: "HTTP_TOO_LARGE" })],
])("a batch that is refused %s is halved until the bad item stands alone; only it is dead, with its bytes", async (_, thrown) => {
  await put(ids(33));
  const { run, sent, delivery } = setUp({
    send: (batch) => (batch.some((item) => item.key.includes("a0020")) ? Promise.reject(thrown) : all(batch)),
  });
  await run();
  const found = await rows();
  expect(Object.values(found).filter((row) => row.status === "delivered")).toHaveLength(32);
  expect(found["a0020"]).toMatchObject({ status: "dead", note: `${thrown.code}: no` });
  expect(await store.deadLetterBody("d/1:alert:a0020:1")).toBe("body of d/1:alert:a0020:1");
  expect(sent.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(33)) + 1);
  expect(delivery.hold("d/1")).toBeUndefined();
});

test("when the destination fails in the middle of a bisection, the other half is not sent", async () => {
  await put(ids(8));
  let requests = 0;
  const { run, sent } = setUp({
    send: () => {
      requests++;
      return Promise.reject(
        requests === 1 ? failure("permanent", "item") : failure("retryable", "connector", { code: "HTTP_UNAVAILABLE" }),
      );
    },
  });
  await run();
  expect(sent.map((batch) => batch.length)).toEqual([8, 4]);
  const found = await rows();
  expect(ids(8).map((id) => found[id]?.attempts)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
});

test("no request begins in the second half of the lease, not even to find a bad item", async () => {
  await put(ids(64));
  const slow = setUp({
    send: () => {
      slow.clock.move(LEASE_MS / 5);
      return Promise.reject(failure("permanent", "item"));
    },
  });
  await slow.run();
  expect(slow.sent).toHaveLength(3);
  const found = Object.values(await rows());
  expect(found.every((row) => row.status === "pending" && row.attempts === 0)).toBe(true);
});

test("what a claim did not get to goes back at once, unspent", async () => {
  await put(ids(4));
  const slow = setUp({ limits: { batchItems: 1 }, send: (batch) => (slow.clock.move(LEASE_MS / 4), all(batch)) });
  await slow.run();
  expect(slow.sent).toHaveLength(2);
  const { run, sent, clock } = setUp();
  clock.move(LEASE_MS / 2);
  await run();
  expect(sent).toEqual([["a0002", "a0003"]]);
  expect((await rows())["a0003"]?.attempts).toBe(1);
});

test("a connector that returns another number of outcomes, none, or throws anything is tried again and reported as a bug", async () => {
  const wrong: readonly Send[] = [
    () => [],
    () => [DELIVERED, DELIVERED, DELIVERED],
    () => undefined as never,
    () => Promise.reject(new TypeError("secret-value")),
    () => Promise.reject("text" as never),
  ];
  for (const send of wrong) {
    await empty();
    await put(["a", "b"]);
    const { run, delivery, log } = setUp({ send });
    await run();
    for (const row of Object.values(await rows())) expect(row).toMatchObject({ status: "pending", attempts: 1 });
    expect((await rows())["a"]?.note).toMatch(/^RECORD_BUG: /);
    expect(delivery.hold("d/1")?.paused).toBe(false);
    expect(log.lines.join()).not.toContain("secret-value");
  }
});

test("a delivery that cannot be rendered is dead with the reason, the others are sent", async () => {
  await put(["a", "b", "c", "d"]);
  const { run, sent } = setUp({
    render: ({ key }) => {
      if (key.includes(":a:")) throw new Failure("a field is too long", { kind: "poison", code: "RENDER_CONTRACT" });
      if (key.includes(":b:")) throw new TypeError("undefined is not a function");
      return { key, body: "x".repeat(10), bytes: key.includes(":c:") ? 1001 : 1000 };
    },
  });
  await run();
  expect(sent).toEqual([["d"]]);
  const found = await rows();
  expect(["a", "b", "c", "d"].map((id) => [found[id]?.status, found[id]?.note])).toEqual([
    ["dead", "RENDER_CONTRACT: a field is too long"],
    ["dead", "RECORD_BUG: the connector failed to render it"],
    ["dead", "RENDER_CONTRACT: 1001 bytes exceed the item limit"],
    ["delivered", "ok"],
  ]);
  expect(await store.deadLetterBody("d/1:alert:c:1")).toBe("xxxxxxxxxx");
});

test("a skipped delivery is settled with its reason and sends nothing", async () => {
  await put(["a"]);
  const { run, sent } = setUp({ render: ({ key }) => ({ key, body: "", bytes: 0, skip: "only final alerts" }) });
  await run();
  expect(sent).toEqual([]);
  expect((await rows())["a"]).toMatchObject({ status: "skipped", note: "only final alerts" });
});

test("an incident is rendered from the revision that its delivery names, also when a newer one exists", async () => {
  const { incident } = incidentSubject();
  await store.transaction(async (tx) => {
    await tx.saveIncidents([{ ...incident, revision: 1, title: "first" }]);
    await tx.saveIncidents([{ ...incident, revision: 2, title: "second" }]);
    await tx.addDeliveries([
      { key: "k", destination: "d/1", kind: "incident", subjectId: incident.id, revision: 1, dueTime: START, createdTime: START },
    ]);
  });
  const seen: unknown[] = [];
  const { run } = setUp({
    render: ({ key, subject }) => {
      seen.push(subject.kind === "incident" && subject.incident.title);
      return { key, body: "", bytes: 1 };
    },
  });
  await run();
  expect(seen).toEqual(["first"]);
});

test("a delivery whose subject is gone is dead, not stuck", async () => {
  await store.transaction((tx) =>
    tx.addDeliveries([{ key: "k", destination: "d/1", kind: "alert", subjectId: "gone", revision: 1, dueTime: START, createdTime: START }]),
  );
  await setUp().run();
  expect((await rows())["gone"]?.status).toBe("dead");
});
