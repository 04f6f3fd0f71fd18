/** Exact fractions of binary64 numbers, for the naive evaluator. */

/** over / under; `under` is positive. */
export interface Fraction {
  over: bigint;
  under: bigint;
}

export function fractionOf(value: number): Fraction {
  let whole = value;
  let under = 1n;
  // Doubling is exact, and ends at the latest when the smallest binary64 step has become one.
  while (!Number.isInteger(whole)) {
    whole *= 2;
    under *= 2n;
  }
  return { over: BigInt(whole), under };
}

export function sumOf(numbers: readonly number[]): Fraction {
  let sum: Fraction = { over: 0n, under: 1n };
  for (const value of numbers) {
    const next = fractionOf(value);
    sum = { over: sum.over * next.under + next.over * sum.under, under: sum.under * next.under };
  }
  return sum;
}

/** The nearest number: by a decimal text so long that JavaScript's own correct rounding of texts decides. */
export function roundFraction({ over, under }: Fraction): number {
  const sign = over < 0n ? "-" : "";
  const size = over < 0n ? -over : over;
  const digits = 1100n;
  const scaled = size * 10n ** digits;
  const sticky = scaled % under === 0n ? "0" : "1";
  return Number(`${sign}${scaled / under}${sticky}e-${digits + 1n}`);
}
