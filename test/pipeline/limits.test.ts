import { expect, test } from "vitest";
import { limitWatch } from "../../src/pipeline/limits.ts";

const HOUR = 3_600_000;

test("the resolver is not well for an hour after a limit was met, and well when counts stay", () => {
  const watch = limitWatch();
  const ok = (now: number): boolean => watch.health(now).ok;
  watch.note({ forced: 0, evicted: 0 }, 0);
  expect(watch.health(0)).toEqual({ name: "resolver", ok: true, message: "works" });
  watch.note({ forced: 3, evicted: 0 }, 1000);
  expect(watch.health(1000)).toMatchObject({ ok: false, message: expect.stringMatching(/^3 events/) as string });
  watch.note({ forced: 3, evicted: 0 }, 2000);
  expect([ok(HOUR + 999), ok(HOUR + 1000)]).toEqual([false, true]);
  watch.note({ forced: 3, evicted: 7 }, 2 * HOUR);
  expect(watch.health(2 * HOUR)).toMatchObject({ ok: false, message: expect.stringMatching(/^7 bindings/) as string });
});

test("counts that begin again at 0 tell nothing, and what they grow to then does", () => {
  const watch = limitWatch();
  watch.note({ forced: 5, evicted: 0 }, 0);
  watch.note({ forced: 0, evicted: 0 }, 2 * HOUR);
  expect(watch.health(2 * HOUR).ok).toBe(true);
  watch.note({ forced: 5, evicted: 0 }, 4 * HOUR);
  watch.note({ forced: 2, evicted: 0 }, 6 * HOUR);
  expect(watch.health(6 * HOUR).ok).toBe(false);
});
