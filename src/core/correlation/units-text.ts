/** Most binary digits of a sum in units of 2^-1074: 2^53 numbers of the largest size. */
const BITS_MAX = 2200;
const UNITS = /^(-?)([1-9a-f][0-9a-f]{0,550})(?:p(0|[1-9]\d{0,3}))?$/;

/** A count of units as short text: odd hexadecimal digits, then `p` and the number of zero bits behind them; "" for 0. */
export function unitsText(units: bigint): string {
  if (units === 0n) return "";
  const sign = units < 0n ? "-" : "";
  let size = units < 0n ? -units : units;
  let zeros = 0;
  for (let step = 1024; step >= 1; step /= 2) {
    for (; (size & ((1n << BigInt(step)) - 1n)) === 0n; zeros += step) size >>= BigInt(step);
  }
  return `${sign}${size.toString(16)}${zeros === 0 ? "" : `p${zeros}`}`;
}

/** The count that a text stands for; undefined for any other text. */
export function parseUnits(text: string): bigint | undefined {
  if (text === "") return 0n;
  const found = UNITS.exec(text);
  if (found === null) return undefined;
  const [, sign, digits = "", zeros = "0"] = found;
  const shift = Number(zeros);
  if (digits.length * 4 + shift > BITS_MAX) return undefined;
  const size = BigInt(`0x${digits}`) << BigInt(shift);
  return sign === "-" ? -size : size;
}
