import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/adapters/system/system.ts";
import { sendRows } from "../../src/pipeline/send.ts";
import { requestWindow } from "../../src/pipeline/window.ts";
import { ruleInfo } from "../fixtures/subjects.ts";
import { DELIVERED, ids, put, setUp, store, type Setting } from "./outbox.ts";
import { START } from "./world.ts";
import { directory } from "../../src/core/identity/directory.ts";

describe("the window of requests under way", () => {
  test("begins with one and grows by one for each round of quick answers", () => {
    const window = requestWindow(100);
    const sizes: number[] = [];
    for (let round = 0; round < 6; round++) {
      sizes.push(window.size);
      const inRound = window.size;
      for (let answer = 0; answer < inRound; answer++) window.answered(10);
    }
    expect(sizes[0]).toBe(1);
    for (let round = 1; round < sizes.length; round++) {
      expect(sizes[round]! - sizes[round - 1]!).toBeGreaterThanOrEqual(0);
      expect(sizes[round]! - sizes[round - 1]!).toBeLessThanOrEqual(1);
    }
    expect(sizes.at(-1)).toBeGreaterThanOrEqual(4);
  });

  test("is halved by a failure, and never smaller than one", () => {
    const window = requestWindow(16);
    for (let answer = 0; answer < 1000; answer++) window.answered(10);
    expect(window.size).toBe(16);
    const sizes = Array.from({ length: 6 }, () => (window.failed(), window.size));
    expect(sizes).toEqual([8, 4, 2, 1, 1, 1]);
    for (let answer = 0; answer < 1000; answer++) window.answered(10);
    expect(window.size).toBe(16);
  });

  test("shrinks while answers take more than twice the quickest of late, and grows again when they do not", () => {
    const window = requestWindow(10);
    for (let answer = 0; answer < 200; answer++) window.answered(100);
    expect(window.size).toBe(10);
    window.answered(200);
    expect(window.size, "twice as slow is not too slow").toBe(10);
    for (let answer = 0; answer < 5; answer++) window.answered(250);
    expect(window.size).toBeLessThan(7);
    for (let answer = 0; answer < 200; answer++) window.answered(100);
    expect(window.size).toBe(10);
  });

  test("takes no answer under 50 ms for slow, whatever the quickest was", () => {
    const window = requestWindow(10);
    for (let answer = 0; answer < 200; answer++) window.answered(answer % 2 === 0 ? 1 : 50);
    expect(window.size).toBe(10);
    for (let answer = 0; answer < 30; answer++) window.answered(answer % 2 === 0 ? 1 : 51);
    expect(window.size).toBeLessThan(10);
  });

  test("forgets how quick a server once was: one that moved further away is not slow for ever", () => {
    const window = requestWindow(10);
    for (let answer = 0; answer < 200; answer++) window.answered(60);
    for (let answer = 0; answer < 20; answer++) window.answered(600);
    expect(window.size).toBeLessThan(5);
    for (let answer = 0; answer < 300; answer++) window.answered(600);
    expect(window.size).toBe(10);
  });

  test("stays between one and its limit, whatever happens", () => {
    const step = fc.oneof(fc.constant("failed" as const), fc.double({ min: 0, max: 1e9, noNaN: true }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(step, { maxLength: 300 }), (max, steps) => {
        const window = requestWindow(max);
        for (const one of steps) {
          if (one === "failed") window.failed();
          else window.answered(one);
          expect(window.size).toBeGreaterThanOrEqual(1);
          expect(window.size).toBeLessThanOrEqual(max);
          expect(Number.isInteger(window.size)).toBe(true);
        }
      }),
    );
  });
});

describe("a destination's requests", () => {
  /** The most requests that were under way at once while 60 batches of one were sent. */
  async function mostAtOnce(answer: (request: number) => ReturnType<NonNullable<Setting["send"]>>, concurrency = 8): Promise<number> {
    await put(ids(60));
    let underWay = 0;
    let most = 0;
    let requests = 0;
    const { run } = setUp({
      limits: { batchItems: 1 },
      concurrency,
      send: async () => {
        most = Math.max(most, ++underWay);
        const outcomes = answer(requests++);
        await new Promise(setImmediate);
        underWay--;
        return outcomes;
      },
    });
    await run();
    expect(requests).toBe(60);
    return most;
  }

  test("become more while it answers, up to its limit", async () => {
    expect(await mostAtOnce(() => [DELIVERED])).toBe(8);
  });

  test("stay one at a time when it may have one", async () => {
    expect(await mostAtOnce(() => [DELIVERED], 1)).toBe(1);
  });

  test.each([
    ["it took them", { status: "delivered", receipt: "ok", busy: true }],
    ["it accepted them", { status: "accepted", ticket: "t", askAfterMs: 1000, busy: true }],
  ] as const)("do not become more while it says that it fills up, though %s", async (_, outcome) => {
    expect(await mostAtOnce(() => [outcome])).toBe(1);
  });

  test.each([
    ["answers", DELIVERED, [1, 0]],
    ["says that it fills up", { status: "delivered", receipt: "ok", busy: true }, [0, 1]],
    ["throttles items", { status: "failed", kind: "retryable", code: "HTTP_THROTTLED", message: "no" }, [0, 1]],
    ["refuses items", { status: "failed", kind: "poison", code: "HTTP_REJECTED", message: "no" }, [1, 0]],
  ] as const)("count once for the window when it %s, however many items say so", async (_, outcome, expected) => {
    await put(ids(5));
    const { to, clock, meter } = setUp({ send: (batch) => batch.map(() => outcome) });
    const rows = await store.claimDeliveries("d/1", 10, START, START + 1000);
    const told = [0, 0];
    const window = { size: 1, answered: () => void told[0]!++, failed: () => void told[1]!++ };
    const deps = {
      store,
      now: () => clock.now(),
      meter,
      context: to.context,
      sha256,
      rule: () => ruleInfo(),
      registry: () => directory([]),
    };
    const claim = {
      to,
      rows: new Map(rows.map((row) => [row.key, row])),
      signal: new AbortController().signal,
      until: START + 1000,
      window,
      settlements: [],
      unsettled: 0,
      budget: undefined,
      probing: false,
      storing: [],
      answered: false,
      failure: undefined,
    };
    await sendRows(deps, claim, rows);
    expect(told).toEqual(expected);
  });
});
