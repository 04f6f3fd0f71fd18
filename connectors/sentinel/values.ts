import { poison } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { safeText } from "../../src/core/safe-text.ts";

/** Longest short text (names, ids, paths), UTF-16 units: ASIM sets no limit, nothing real is longer. */
const NAME_MAX = 1024;
/** Longest title or list entry: Sentinel cuts alert names at 256 bytes ("Service limits for Microsoft Sentinel"). */
export const TITLE_MAX = 250;
/** Longest description, UTF-16 units of at most 3 bytes: below the 32 KB at which older pages say values are cut. */
const LONG_MAX = 8_000;
/** Entries of a list: what a person reads, and far from the limit of AdditionalFields for usual lengths. */
export const LIST_MAX = 40;

/** The text, safe and short; an empty one counts as none. */
export function short(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : safeText(text, NAME_MAX);
}

/** The text, safe and of a paragraph's length; an empty one counts as none. */
export function long(text: string): string | undefined {
  return text === "" ? undefined : safeText(text, LONG_MAX);
}

/** ISO 8601 in UTC with milliseconds. @throws {Failure} poison RENDER_CONTRACT for a time that no calendar has */
export function iso(time: EpochMs): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) throw poison("RENDER_CONTRACT", "a time of the delivery is out of range");
  return date.toISOString();
}
