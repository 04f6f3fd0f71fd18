import { expect, test } from "vitest";
import fc from "fast-check";
import { LATENESS_BUCKETS, mergeLateness, NO_LATENESS, quantile, sketchOf } from "../../../src/core/completeness/lateness.ts";

const DAY = 86_400_000;

test("nothing has no quantile", () => {
  expect(quantile(NO_LATENESS, 0.5)).toBeUndefined();
  expect(quantile(sketchOf([]), 0.99)).toBeUndefined();
});

test("a quantile is never less than the true one, nor more than a quarter above it, and never above the latest", () => {
  const late = fc.integer({ min: -1000, max: 20 * DAY });
  fc.assert(
    fc.property(fc.array(late, { minLength: 1, maxLength: 200 }), fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1), (list, q) => {
      const sorted = list.map((one) => Math.max(0, one)).sort((a, b) => a - b);
      const truth = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
      const told = quantile(sketchOf(list), q) ?? -1;
      expect(told).toBeGreaterThanOrEqual(truth);
      expect(told).toBeLessThanOrEqual(Math.max(100, truth * 1.25 + 1));
      expect(told).toBeLessThanOrEqual(Math.max(0, sorted.at(-1) ?? 0));
    }),
  );
});

test("two sketches are as one of both", () => {
  const late = fc.array(fc.integer({ min: 0, max: 90 * DAY }), { maxLength: 50 });
  fc.assert(
    fc.property(late, late, (a, b) => {
      expect(mergeLateness(sketchOf(a), sketchOf(b))).toEqual(sketchOf([...a, ...b]));
    }),
  );
});

test("what is later than the last bucket is counted, and its latest is known", () => {
  const sketch = sketchOf([90 * DAY]);
  expect(sketch.counts).toHaveLength(LATENESS_BUCKETS);
  expect(sketch.counts.at(-1)).toBe(1);
  expect(quantile(sketch, 0.5)).toBe(90 * DAY);
});
