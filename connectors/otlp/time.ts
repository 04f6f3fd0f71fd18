import { poison } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { FUTURE_MAX_MS } from "../../src/core/record.ts";

/** Digits of the year 2262, the last that 64 bits of nanoseconds reach. */
const DIGITS_MAX = 19;

/**
 * Milliseconds of OTLP nanoseconds, floored: a text of digits (OTLP/JSON and our protobuf reader), or a number, which
 * some exporters write although it is no longer exact. 0 means that there is no time.
 */
export function millisOf(nanos: unknown): EpochMs | undefined {
  if (typeof nanos === "number") return nanos >= 1e6 && nanos < 1e19 ? Math.floor(nanos / 1e6) : undefined;
  if (typeof nanos !== "string" || nanos.length <= 6 || nanos.length > DIGITS_MAX) return undefined;
  for (let index = 0; index < nanos.length; index++) {
    const code = nanos.charCodeAt(index);
    if (code < 48 || code > 57) return undefined;
  }
  const millis = Number(nanos.slice(0, -6));
  return millis > 0 ? millis : undefined;
}

/** The time of a record. @throws {Failure} poison RECORD_NO_TIME, RECORD_TIME_FUTURE */
export function timeOf(first: unknown, second: unknown, received: EpochMs): EpochMs {
  const time = millisOf(first) ?? millisOf(second);
  if (time === undefined) throw poison("RECORD_NO_TIME", "the record has no usable time");
  if (time > received + FUTURE_MAX_MS) throw poison("RECORD_TIME_FUTURE", "the record's time is more than a day in the future");
  return time;
}
