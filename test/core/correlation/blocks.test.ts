import fc from "fast-check";
import { expect, test } from "vitest";
import { Blocks, ceilPower } from "../../../src/core/correlation/blocks.ts";

/** Takes a block of a power of two, or gives back one of those that are taken. */
const steps = fc.array(fc.oneof(fc.record({ take: fc.nat(6) }), fc.record({ give: fc.nat() })), { maxLength: 200 });

test("blocks are aligned, never overlap, and are one again when all are given back", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const blocks = new Blocks(4);
      const taken: { start: number; length: number }[] = [];
      const give = (at: number): void => {
        const [one] = taken.splice(at, 1);
        if (one !== undefined) blocks.give(one.start, one.length);
      };
      for (const step of list) {
        if ("give" in step) {
          if (taken.length > 0) give(step.give % taken.length);
          continue;
        }
        const length = 2 ** step.take;
        let start = blocks.take(length);
        if (start === undefined) {
          blocks.grow(length);
          start = blocks.take(length);
        }
        expect(start).toBeDefined();
        expect(start! % length).toBe(0);
        expect(start! + length).toBeLessThanOrEqual(blocks.capacity);
        for (const other of taken) expect(start! >= other.start + other.length || start! + length <= other.start).toBe(true);
        taken.push({ start: start!, length });
        expect(blocks.used).toBe(taken.reduce((sum, one) => sum + one.length, 0));
      }
      while (taken.length > 0) give(0);
      expect(blocks.used).toBe(0);
      // The longest block that the capacity, 2^n or 3 * 2^n, can hold.
      const longest = 2 ** Math.floor(Math.log2(blocks.capacity));
      expect(blocks.take(longest)).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test("the smallest power of two that holds a number", () => {
  expect([0, 1, 2, 3, 4, 5, 8, 9, 1000].map(ceilPower)).toEqual([1, 1, 2, 4, 4, 8, 8, 16, 1024]);
});
