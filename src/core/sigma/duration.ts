import type { DurationMs } from "./rules.ts";

/** Milliseconds per unit; a month is 30.436875 days, a year 365.2425 days (`semantics.md` section 3). */
const UNITS: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
  ["M", 2_629_746_000],
  ["y", 31_556_952_000],
]);
/** Longest duration: a century. Beyond that a number is a mistake, and sums of times must stay exact. */
const DURATION_MAX_MS = 100 * 31_556_952_000;

/**
 * Milliseconds of `<n>` + s, m, h, d, w, M or y;
 * undefined when the text is anything else or over a century.
 */
export function parseDuration(text: unknown): DurationMs | undefined {
  if (typeof text !== "string") return undefined;
  const match = /^(\d{1,12})([smhdwMy])$/.exec(text);
  if (match === null) return undefined;
  const result = Number(match[1]) * UNITS.get(match[2]!)!;
  return result <= DURATION_MAX_MS ? result : undefined;
}
