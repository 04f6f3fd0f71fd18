/** Exact fractions of binary64 numbers, for the naive evaluator. */

/** over / under; `under` is positive. */
export interface Fraction {
  over: bigint;
  under: bigint;
}

export function fractionOf(value: number): Fraction {
  // A ratio may overflow; what it is compared with never does.
  if (!Number.isFinite(value)) return { over: BigInt(Math.sign(value)) << 2000n, under: 1n };
  let whole = value;
  let under = 1n;
  // Doubling is exact, and ends at the latest when the smallest binary64 step has become one.
  while (!Number.isInteger(whole)) {
    whole *= 2;
    under *= 2n;
  }
  return { over: BigInt(whole), under };
}

/** The sum of fractions whose `under` are powers of two, as those of `fractionOf` are. */
export function addAll(parts: readonly Fraction[]): Fraction {
  let under = 1n;
  for (const part of parts) if (part.under > under) under = part.under;
  let over = 0n;
  for (const part of parts) over += part.over * (under / part.under);
  return { over, under };
}

export function sumOf(numbers: readonly number[]): Fraction {
  return addAll(numbers.map(fractionOf));
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
