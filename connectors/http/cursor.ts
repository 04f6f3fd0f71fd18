/** Where a generic pull stands; everything that is needed to go on lies in it, and no secret ever. */
import { CURSOR_BYTES_MAX, decodeCursor, encodeCursor } from "../../src/archetypes/cursor.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { utf8Length } from "../../src/core/framing.ts";

/** Hashes of records at the end of the last window, so that the overlap does not bring them again. */
export const SEEN_MAX = 120;
/** Longest cursor or link of the vendor: it has to fit into 4 KiB beside everything else. */
export const NEXT_MAX = 2048;

/** State between two pages. */
export interface PullState {
  /** Window that is being read, ends included; both null when the source has none. */
  readonly from: EpochMs | null;
  readonly to: EpochMs | null;
  /** The vendor's cursor, link or page number for the next request; null: the first page. */
  readonly next: string | number | null;
  /** Pages read since the start of the window or chain. */
  readonly pages: number;
  /** Records of the newest windows, newest last. */
  readonly seen: readonly string[];
}

/** The state as a cursor; the oldest hashes go when it would be too long. @throws {Failure} retryable HTTP_MALFORMED */
export function encodeState({ from, to, next, pages, seen }: PullState): string {
  for (let kept = seen; ; kept = kept.slice(Math.ceil(kept.length / 8))) {
    const cursor = encodeCursor([from, to, next, pages, kept]);
    if (utf8Length(cursor) <= CURSOR_BYTES_MAX) return cursor;
    if (kept.length === 0)
      throw new Failure("the vendor's cursor is too long", { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
  }
}

/** @throws {Failure} permanent CURSOR_INVALID */
export function decodeState(cursor: string): PullState {
  return decodeCursor(cursor, "a generic pull", stateOf);
}

function stateOf([from, to, next, pages, seen]: readonly unknown[]): PullState | undefined {
  if (!isTime(from) || !isTime(to) || typeof pages !== "number" || !Array.isArray(seen)) return undefined;
  if (next !== null && typeof next !== "string" && typeof next !== "number") return undefined;
  if (!seen.every((one): one is string => typeof one === "string")) return undefined;
  return { from, to, next, pages, seen };
}

function isTime(value: unknown): value is EpochMs | null {
  return value === null || (typeof value === "number" && Number.isSafeInteger(value));
}
