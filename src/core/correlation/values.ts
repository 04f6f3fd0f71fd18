/** How values become groups, counted values and numbers (`semantics.md` section 8, Values). */

/**
 * Canonical text of a group, counted or compared value: JSON's, without the quotes of a string. Undefined for what is
 * not a value there: missing, null, arrays, maps and numbers that JSON does not know.
 */
export function canonicalText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      // Adding zero turns -0 into 0, which is what JSON prints.
      return Number.isFinite(value) ? String(value + 0) : undefined;
    case "boolean":
      return value ? "true" : "false";
    default:
      return undefined;
  }
}

/** Longest numeric text that counts as a number: binary64 needs at most about 800 digits, logs at most 30. */
const NUMERIC_TEXT_MAX = 1100;

/** The finite number that an event gives: a number, or text of sign, digits, fraction and exponent; else undefined. */
export function usableNumber(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string" || !isNumericText(value)) return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function isNumericText(text: string): boolean {
  if (text.length > NUMERIC_TEXT_MAX) return false;
  const start = text[0] === "+" || text[0] === "-" ? 1 : 0;
  const whole = digitsEnd(text, start);
  let end = whole;
  let digits = whole - start;
  if (text[end] === ".") {
    const fraction = digitsEnd(text, end + 1);
    digits += fraction - end - 1;
    end = fraction;
  }
  if (digits === 0) return false;
  if (text[end] === "e" || text[end] === "E") {
    const sign = text[end + 1] === "+" || text[end + 1] === "-" ? 1 : 0;
    const exponent = digitsEnd(text, end + 1 + sign);
    if (exponent === end + 1 + sign) return false;
    end = exponent;
  }
  return end === text.length;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) break;
    at++;
  }
  return at;
}

/** One text for several values, such that different lists never give the same text. */
export function tupleText(values: readonly string[]): string {
  let text = "";
  for (const value of values) text += `${value.length}:${value}`;
  return text;
}

/** The values that `tupleText` made a text of. */
export function tupleOf(text: string): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at < text.length;) {
    const colon = text.indexOf(":", at);
    const end = colon + 1 + Number(text.slice(at, colon));
    values.push(text.slice(colon + 1, end));
    at = end;
  }
  return values;
}
