import { poison } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";

/** ISO 8601 in UTC with milliseconds. @throws {Failure} poison RENDER_CONTRACT for a time that no calendar has */
export function iso(time: EpochMs): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) throw poison("RENDER_CONTRACT", "a time of the delivery is out of range");
  return date.toISOString();
}
