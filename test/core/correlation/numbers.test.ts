import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addExactly, compareSum, exactSum, meanOf, ratioOf } from "../../../src/core/correlation/exact-sum.ts";
import { percentileOf } from "../../../src/core/correlation/percentile.ts";
import { canonicalText, tupleText, usableNumber } from "../../../src/core/correlation/values.ts";
import { fractionOf, roundFraction, sumOf } from "../../property/naive-numbers.ts";

const finite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0.1, 1e300, -1e300, 5e-324, 2 ** 53),
);
const list = fc.array(finite, { minLength: 1, maxLength: 12 });

function summed(numbers: readonly number[]) {
  const sum = exactSum();
  for (const one of numbers) addExactly(sum, one);
  return sum;
}

describe("exact sums", () => {
  it("compare as the fractions that the numbers are", () => {
    fc.assert(
      fc.property(list, finite, (numbers, limit) => {
        const exact = sumOf(numbers);
        const other = fractionOf(limit);
        const difference = exact.over * other.under - other.over * exact.under;
        expect(compareSum(summed(numbers), limit)).toBe(difference < 0n ? -1 : difference > 0n ? 1 : 0);
      }),
    );
  });

  it("lose nothing when numbers are taken out again, in any order", () => {
    fc.assert(
      fc.property(list, list, (stay, go) => {
        const sum = summed([...stay, ...go]);
        for (const one of [...go].reverse()) addExactly(sum, -one);
        expect(meanOf(sum, 1)).toBe(meanOf(summed(stay), 1));
      }),
    );
  });

  it("have a mean and ratios that are rounded once", () => {
    fc.assert(
      fc.property(list, list, (numbers, others) => {
        const { over, under } = sumOf(numbers);
        expect(meanOf(summed(numbers), 7)).toBe(roundFraction({ over, under: under * 7n }) + 0);
        const below = sumOf(others);
        fc.pre(below.over !== 0n);
        const sign = below.over < 0n ? -1n : 1n;
        const expected = roundFraction({ over: over * 3n * below.under * sign, under: under * below.over * sign });
        expect(ratioOf(summed(numbers), summed(others), 3) + 0).toBe(expected + 0);
      }),
    );
  });

  it("find that 0.1 + 0.2 is more than 0.3, and that the mean of 0.1, 0.2 and 0.3 is 0.2", () => {
    expect(compareSum(summed([0.1, 0.2]), 0.3)).toBe(1);
    expect(meanOf(summed([0.1, 0.2, 0.3]), 3)).toBe(0.2);
  });
});

describe("percentiles", () => {
  it("interpolate between ranks", () => {
    expect(percentileOf(50)([4, 1, 3, 2])).toBe(2.5);
    expect(percentileOf(0)([3, 1, 2])).toBe(1);
    expect(percentileOf(100)([3, 1, 2])).toBe(3);
    expect(percentileOf(90)([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toBe(9.1);
  });

  it("take the percentile as the decimal that was written", () => {
    const numbers = Array.from({ length: 1001 }, (_, index) => index);
    expect(percentileOf(99.9)(numbers)).toBe(999);
    expect(percentileOf(1e-7)([0, 1e9])).toBe(1);
  });
});

describe("values", () => {
  it("have the text that JSON gives them", () => {
    expect([7, 10.0, -0, 1e21, true, "", "10.0"].map(canonicalText)).toEqual(["7", "10", "0", "1e+21", "true", "", "10.0"]);
    expect([null, undefined, [1], {}, Number.NaN, Number.POSITIVE_INFINITY].map(canonicalText)).toEqual(Array(6).fill(undefined));
  });

  it("are numbers when they have sign, digits, fraction and exponent, nothing else", () => {
    expect(["1", "-1.5", "+.5", "2.", "1e3", "1E-3", 0.1].map(usableNumber)).toEqual([1, -1.5, 0.5, 2, 1000, 0.001, 0.1]);
    const wrong = ["", " 1", "1 ", "0x10", "1_0", ".", "e5", "1e", "--1", "Infinity", "1e999", true, null, Number.NaN];
    expect(wrong.map(usableNumber)).toEqual(Array(wrong.length).fill(undefined));
  });

  it("make different tuples different texts", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (a, b) => {
        expect(tupleText(a) === tupleText(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});
