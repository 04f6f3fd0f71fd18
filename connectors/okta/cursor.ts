/** Where the pull of a System Log stands: its next link, and how far everything was read once more. */
import { decodeCursor, encodeCursor } from "../../src/archetypes/cursor.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Cursor } from "../../src/ports/connector.ts";

/** The one path that is asked, and that links may lead to. */
export const PATH = "/api/v1/logs";
/** Longest link that is kept: two of them and the rest have to fit into the 4096 bytes of a cursor; Okta's have about 150. */
const LINK_MAX = 1900;

/** State between two pages. */
export interface LogState {
  /** Path and query of the next live request. */
  readonly link: string;
  /** Up to here everything was read once more. */
  readonly done: EpochMs;
  /** The next stretch is not read once more before. */
  readonly due: EpochMs;
  /** The stretch that is being read once more ends at `to`; null: the live log is read. */
  readonly again: { readonly link: string; readonly to: EpochMs } | null;
  /** Since this event time a full page has had no next link, or the clock is too wrong to say what is read; null: neither. */
  readonly stuck: EpochMs | null;
}

/** The state as a cursor. */
export function encodeState({ link, done, due, again, stuck }: LogState): Cursor {
  return encodeCursor([link, done, due, again === null ? null : [again.link, again.to], stuck]);
}

/** A state from its cursor; an older cursor is the link alone. @throws {Failure} permanent CURSOR_INVALID */
export function decodeState(cursor: Cursor, now: EpochMs, recheck: number): LogState {
  if (isLink(cursor)) return { link: cursor, done: now, due: now + recheck, again: null, stuck: null };
  try {
    return decodeCursor(cursor, "a System Log", stateOf);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { kind, code, scope } = error;
    const message = "the stored cursor is not a link of the System Log; remove the source's state to start again";
    throw new Failure(message, { kind, code, scope });
  }
}

function stateOf([link, done, due, again, stuck]: readonly unknown[]): LogState | undefined {
  if (!isLink(link) || !isTime(done) || !isTime(due) || (stuck !== null && !isTime(stuck))) return undefined;
  if (again === null) return { link, done, due, again, stuck };
  if (!Array.isArray(again)) return undefined;
  const [second, to] = again as readonly unknown[];
  return isLink(second) && isTime(to) ? { link, done, due, again: { link: second, to }, stuck } : undefined;
}

/** Only what this source itself made: a cursor decides where the credential goes. */
export function isLink(value: unknown): value is string {
  return typeof value === "string" && value.startsWith(`${PATH}?`) && value.length <= LINK_MAX && /^[\x21-\x7e]+$/.test(value);
}

function isTime(value: unknown): value is EpochMs {
  return typeof value === "number" && Number.isSafeInteger(value);
}
