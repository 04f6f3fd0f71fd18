/**
 * Exact sums of binary64 numbers, so that neither order nor removal changes them. Whole numbers are summed as
 * numbers while that is exact; everything else as a big integer in units of 2^-1074, the smallest binary64 step.
 */

/** Exponent of the unit. */
const UNIT = 1074;

/** A running exact sum: `whole` + `units` * 2^-1074. */
export interface ExactSum {
  whole: number;
  units: bigint;
}

/** A sum of nothing. */
export function exactSum(): ExactSum {
  return { whole: 0, units: 0n };
}

/** Adds a finite number; add its negative to take it out again. */
export function addExactly(sum: ExactSum, value: number): void {
  if (Number.isSafeInteger(value)) {
    const whole = sum.whole + value;
    if (Number.isSafeInteger(whole)) {
      sum.whole = whole;
      return;
    }
  }
  sum.units += toUnits(value);
}

/** sum * times / divisor, rounded once; the divisor is not zero. */
export function ratioOf(sum: ExactSum, divisor: ExactSum, times: number): number {
  const product = sum.whole * times;
  if (sum.units === 0n && divisor.units === 0n && Number.isSafeInteger(product)) return product / divisor.whole;
  const below = totalUnits(divisor);
  const above = (totalUnits(sum) * BigInt(times)) << BigInt(UNIT);
  return below < 0n ? roundUnits(-above, -below) : roundUnits(above, below);
}

/** Sign of sum - limit; NaN when the limit is NaN. */
export function compareSum(sum: ExactSum, limit: number): number {
  if (sum.units === 0n) return sum.whole < limit ? -1 : sum.whole > limit ? 1 : sum.whole === limit ? 0 : Number.NaN;
  if (!Number.isFinite(limit)) return -limit;
  const difference = totalUnits(sum) - toUnits(limit);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The sum divided by a positive count, rounded once. */
export function meanOf(sum: ExactSum, count: number): number {
  // A quotient of two numbers is rounded once by the hardware.
  return sum.units === 0n ? sum.whole / count : roundUnits(totalUnits(sum), BigInt(count));
}

/** The sum in units. */
function totalUnits(sum: ExactSum): bigint {
  return sum.units + toUnits(sum.whole);
}

const float = new Float64Array(1);
const bits = new BigUint64Array(float.buffer);

/** A finite number in units of 2^-1074, exact. */
export function toUnits(value: number): bigint {
  float[0] = value;
  const raw = bits[0]!;
  const exponent = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xf_ffff_ffff_ffffn;
  const size = exponent === 0 ? fraction : (fraction | 0x10_0000_0000_0000n) << BigInt(exponent - 1);
  return raw >> 63n === 1n ? -size : size;
}

/** Bits that a quotient keeps: more than binary64's 53, so that one sticky bit decides every tie. */
const QUOTIENT_BITS = 66;

/** numerator / denominator units as the nearest number, ties to even; the denominator is positive. */
export function roundUnits(numerator: bigint, denominator: bigint): number {
  if (numerator < 0n) return -roundUnits(-numerator, denominator);
  if (numerator === 0n) return 0;
  const size = bitLength(numerator) - bitLength(denominator);
  // Below this the result may be subnormal, where one unit is one step.
  if (size < 52) return roundToStep(numerator, denominator) * 2 ** -UNIT;
  const shift = QUOTIENT_BITS - size;
  const scaled = shift > 0 ? numerator << BigInt(shift) : numerator;
  const divisor = shift < 0 ? denominator << BigInt(-shift) : denominator;
  const quotient = scaled / divisor;
  const sticky = quotient * divisor === scaled ? quotient : quotient | 1n;
  const exponent = -shift - UNIT;
  const half = Math.trunc(exponent / 2);
  // In two steps, because 2^exponent itself may be too small for a number.
  return Number(sticky) * 2 ** half * 2 ** (exponent - half);
}

function roundToStep(numerator: bigint, denominator: bigint): number {
  const quotient = numerator / denominator;
  const rest = (numerator - quotient * denominator) * 2n;
  const up = rest > denominator || (rest === denominator && (quotient & 1n) === 1n);
  return Number(up ? quotient + 1n : quotient);
}

function bitLength(value: bigint): number {
  const text = value.toString(16);
  return (text.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(text[0]!, 16)));
}

/** The same sum, written in one way only: equal sums have equal parts. */
export function canonicalSum(sum: ExactSum): ExactSum {
  if (sum.units === 0n) return { whole: sum.whole + 0, units: 0n };
  const total = totalUnits(sum);
  const whole = total >> BigInt(UNIT);
  if (whole << BigInt(UNIT) === total && Number.isSafeInteger(Number(whole))) return { whole: Number(whole), units: 0n };
  return { whole: 0, units: total };
}
