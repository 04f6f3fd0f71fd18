import { roundUnits, toUnits } from "./exact-sum.ts";

/**
 * A percentile (0 to 100) by linear interpolation between the two nearest ranks, Hyndman and Fan's type 7: rank
 * (n - 1) * p / 100, counted from 0. `p` is taken as the decimal that it is written as, so that 99.9 of 1001 numbers is
 * exactly one of them. Exact, and rounded once. The returned function sorts its argument.
 */
export function percentileOf(percentile: number): (numbers: number[]) => number {
  const { numerator, denominator } = decimalFraction(percentile);
  const per = denominator * 100n;
  return (numbers) => {
    numbers.sort((a, b) => a - b);
    const rank = BigInt(numbers.length - 1) * numerator;
    const below = Number(rank / per);
    const rest = rank % per;
    const low = numbers[below]!;
    const high = numbers[below + 1] ?? low;
    if (rest === 0n || low === high) return low;
    return roundUnits(toUnits(low) * (per - rest) + toUnits(high) * rest, per);
  };
}

/** The shortest decimal text of a number, as a fraction. */
function decimalFraction(value: number): { numerator: bigint; denominator: bigint } {
  const [mantissa, exponent] = String(value).split("e");
  const [whole, fraction = ""] = mantissa!.split(".");
  const shift = fraction.length - Number(exponent ?? 0);
  const digits = BigInt(whole! + fraction);
  return shift > 0
    ? { numerator: digits, denominator: 10n ** BigInt(shift) }
    : { numerator: digits * 10n ** BigInt(-shift), denominator: 1n };
}
