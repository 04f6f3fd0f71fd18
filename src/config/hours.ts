import { z } from "zod";
import type { ActiveHours } from "../core/completeness/active-hours.ts";

/** In the order of `Date.getUTCDay`. */
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, "write a time of day as 08:00");

/** When an agent is scheduled to run: `{days: [mon, tue], from: "08:00", to: "18:00"}`; what is left out is every day, or all day. */
export const hours = z.looseObject({
  days: z.array(z.enum(DAYS)).min(1).optional(),
  from: clock.optional(),
  to: clock.optional().describe("At or before `from` it is the next day's"),
});

/** The hours as the profile has them; undefined when the schedule names none. The time zone is UTC unless it is given. */
export function activeHours(given: z.output<typeof hours> | undefined, timezone: string | undefined): ActiveHours | undefined {
  if (given === undefined || (given.days === undefined && given.from === undefined && given.to === undefined)) return undefined;
  return {
    days: (given.days ?? DAYS).map((day) => DAYS.indexOf(day)),
    from: minutes(given.from ?? "00:00"),
    to: minutes(given.to ?? "24:00"),
    timezone: timezone ?? "UTC",
  };
}

function minutes(text: string): number {
  const [hour = 0, minute = 0] = text.split(":").map(Number);
  return hour * 60 + minute;
}
