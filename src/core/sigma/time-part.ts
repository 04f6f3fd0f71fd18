import { parseTime } from "../record.ts";

/** Modifiers that take a part of a timestamp, in UTC; `week` is the ISO week. */
export const TIME_PARTS = ["minute", "hour", "day", "week", "month", "year"] as const;
/** A part of a timestamp. */
export type TimePart = (typeof TIME_PARTS)[number];

const DAY_MS = 86_400_000;

/** The part of a timestamp as events write it (`parseTime`); undefined when the value is not a time. */
export function timePart(part: TimePart, value: unknown): number | undefined {
  const time = parseTime(value);
  if (time === undefined) return undefined;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return undefined;
  switch (part) {
    case "minute":
      return date.getUTCMinutes();
    case "hour":
      return date.getUTCHours();
    case "day":
      return date.getUTCDate();
    case "week":
      return isoWeek(date);
    case "month":
      return date.getUTCMonth() + 1;
    case "year":
      return date.getUTCFullYear();
  }
}

/**
 * ISO 8601 week: that of the Thursday of the same Monday-to-Sunday week, counted from its year's
 * start.
 */
function isoWeek(date: Date): number {
  const weekday = (date.getUTCDay() + 6) % 7;
  const thursday = new Date(date.getTime() + (3 - weekday) * DAY_MS);
  const first = new Date(thursday);
  first.setUTCMonth(0, 1);
  return Math.floor((thursday.getTime() - first.getTime()) / DAY_MS / 7) + 1;
}
