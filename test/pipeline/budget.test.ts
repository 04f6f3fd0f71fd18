import fc from "fast-check";
import { expect, test } from "vitest";
import { minuteBudget } from "../../src/pipeline/budget.ts";
import { DELIVERED, ids, put, rows, setUp } from "./outbox.ts";

test("in no 60 seconds more than the limit is taken, however it is asked, and the limit is made use of", () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 30_000 }), want: fc.integer({ min: 0, max: 50 }) });
  fc.assert(
    fc.property(fc.integer({ min: 6, max: 600 }), fc.array(step, { minLength: 1, maxLength: 60 }), (perMinute, steps) => {
      const budget = minuteBudget(perMinute);
      const taken: { time: number; count: number }[] = [];
      let now = 0;
      for (const { wait, want } of steps) {
        now += wait;
        const count = Math.min(want, budget.left(now));
        budget.take(now, count);
        taken.push({ time: now, count });
        const within = taken.filter(({ time }) => time > now - 60_000).reduce((sum, one) => sum + one.count, 0);
        expect(within).toBeLessThanOrEqual(perMinute);
      }
    }),
  );
  const budget = minuteBudget(120);
  let sent = 0;
  for (let now = 0; now < 600_000; now += 1000) {
    const count = budget.left(now);
    budget.take(now, count);
    sent += count;
  }
  expect(sent).toBeGreaterThan(990);
});

test("a clock that is set back neither fills nor blocks it", () => {
  const budget = minuteBudget(60);
  budget.take(1_000_000, 10);
  expect(budget.left(0)).toBe(0);
  expect(budget.left(12_000)).toBe(10);
});

test("a destination gets what its budget allows, and the rest when it has filled up again; nothing of it is spent", async () => {
  await put(ids(50));
  const { run, sent, clock, to, delivery } = setUp({ limits: { batchItems: 1, perMinute: 120 } });
  expect(await run()).toBe(false);
  expect(sent).toHaveLength(20);
  expect(await run()).toBe(false);
  expect(sent).toHaveLength(20);
  clock.move(3000);
  await run();
  expect(sent).toHaveLength(25);
  clock.move(60_000);
  await delivery.run(to, new AbortController().signal);
  expect(sent).toHaveLength(45);
  const waiting = Object.values(await rows()).filter(({ status }) => status === "pending");
  expect(waiting.every(({ attempts, note }) => attempts === 0 && note === null)).toBe(true);
});

test("what is refused takes from the budget too", async () => {
  await put(ids(30));
  const refused = { status: "failed", kind: "permanent", code: "HTTP_REJECTED", message: "no" } as const;
  const { run, sent } = setUp({
    limits: { batchItems: 1, perMinute: 60 },
    send: (batch) => batch.map((one) => (one.key.includes("a0000") ? refused : DELIVERED)),
  });
  await run();
  expect(sent).toHaveLength(10);
});
