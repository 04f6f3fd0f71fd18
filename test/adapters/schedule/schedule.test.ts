import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { scheduler } from "../../../src/adapters/schedule/schedule.ts";
import { testLog } from "../../pipeline/world.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 2, 31, 8, 59, 58, 500) });
});
afterEach(() => {
  vi.useRealTimers();
});

test("a schedule ticks at its times, and no more once it is closed", async () => {
  const made = scheduler(testLog());
  const ticks: number[] = [];
  made.add("seconds", "*/2 * * * * *", async () => void ticks.push(Date.now() % 60_000));
  await vi.advanceTimersByTimeAsync(6000);
  expect(ticks.map((tick) => Math.floor(tick / 1000))).toEqual([0, 2, 4]);
  await made.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ticks).toHaveLength(3);
});

test("times are UTC unless a zone is given", async () => {
  const made = scheduler(testLog());
  const ticked: string[] = [];
  made.add("utc", "0 9 * * *", async () => void ticked.push("utc"));
  made.add("berlin", "0 11 * * *", async () => void ticked.push("berlin"), "Europe/Berlin");
  made.add("nine in berlin", "0 9 * * *", async () => void ticked.push("nine in berlin"), "Europe/Berlin");
  await vi.advanceTimersByTimeAsync(5000);
  expect(ticked.sort()).toEqual(["berlin", "utc"]);
  await made.close();
});

test("a tick that fails is logged, and the next one comes", async () => {
  const log = testLog();
  const made = scheduler(log);
  let ticks = 0;
  made.add("failing", "* * * * * *", () => {
    ticks++;
    return ticks === 1 ? Promise.reject(new Error("queue gone")) : Promise.resolve();
  });
  await vi.advanceTimersByTimeAsync(3000);
  expect(ticks).toBeGreaterThanOrEqual(2);
  expect(log.lines).toEqual([expect.stringContaining("queue gone")]);
  await made.close();
});

test("a tick that takes longer than its interval does not run twice at once", async () => {
  const made = scheduler(testLog());
  let running = 0;
  let most = 0;
  made.add("slow", "* * * * * *", async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    running--;
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(most).toBe(1);
  await made.close();
});
