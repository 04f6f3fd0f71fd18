import type { EpochMs } from "../event.ts";

/** When an agent is scheduled to run: hours of days of the week, by the clock of its time zone. */
export interface ActiveHours {
  /** 0 is Sunday. */
  readonly days: readonly number[];
  /** Minutes after midnight. */
  readonly from: number;
  /** Minutes after midnight; at or before `from` it is the next day's. */
  readonly to: number;
  /** IANA name. */
  readonly timezone: string;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Days that are looked through: a heartbeat of 7 days in a week of one hour takes longer than anybody waits. */
const DAYS_MAX = 366;

/** When `durationMs` of scheduled time have passed since `start`; without hours, all time is scheduled. Infinity when never. */
export function activeAfter(hours: ActiveHours | undefined, start: EpochMs, durationMs: number): EpochMs {
  if (hours === undefined) return start + durationMs;
  const zone = zoneOf(hours.timezone);
  const today = Math.floor(zone.local(start) / DAY_MS) * DAY_MS;
  let left = durationMs;
  // Yesterday's hours may reach into today.
  for (let day = today - DAY_MS; day <= today + DAYS_MAX * DAY_MS; day += DAY_MS) {
    if (!hours.days.includes(new Date(day).getUTCDay())) continue;
    const opens = zone.instant(day + hours.from * MINUTE_MS);
    const closes = zone.instant(day + hours.to * MINUTE_MS + (hours.to <= hours.from ? DAY_MS : 0));
    const from = Math.max(opens, start);
    if (closes <= from) continue;
    if (closes - from >= left) return from + left;
    left -= closes - from;
  }
  return Infinity;
}

/** Whether a time zone is one that the runtime knows. */
export function isTimezone(name: string): boolean {
  try {
    zoneOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

interface Zone {
  /** What the zone's clock shows, as if it were UTC. */
  local(time: EpochMs): EpochMs;
  /** When the zone's clock shows this; of an hour that a clock shows twice the first, of one that it leaves out the one after. */
  instant(local: EpochMs): EpochMs;
}

function zoneOf(timezone: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" },
  });
  const local = (time: EpochMs): EpochMs => {
    const part = new Map(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => part.get(type) ?? 0;
    return Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
  };
  const offset = (time: EpochMs): number => local(time) - Math.floor(time / 1000) * 1000;
  return {
    local,
    instant(wanted) {
      const guess = wanted - offset(wanted - DAY_MS / 2);
      return local(guess) === wanted ? guess : wanted - offset(guess);
    },
  };
}
