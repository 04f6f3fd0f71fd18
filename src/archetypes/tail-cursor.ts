/** Where a tail stands: which files it knows and how far, small enough for a cursor. */
import type { EpochMs } from "../core/event.ts";
import { utf8Length } from "../core/framing.ts";
import type { Cursor } from "../ports/connector.ts";
import { CURSOR_BYTES_MAX, decodeCursor, encodeCursor } from "./cursor.ts";

/** Files that are known at a time; older ones are remembered by the sweep alone. */
const KNOWN_MAX = 48;

/** One known file. */
export interface Known {
  /** `<device>:<inode>`. */
  readonly fileId: string;
  /** Hash of its first `hashed` bytes, so that a copy or an archive of it is recognized. */
  readonly hash: string;
  readonly hashed: number;
  /** Lines: decompressed bytes that are read. Documents: size of the file when it was read. */
  readonly offset: number;
  /** Lines: lines that are read. Documents: records that are read. */
  readonly line: number;
  /** An archive or document that is read to its end. */
  readonly done: boolean;
  /** `offset` lies inside of a line that is longer than the limit. */
  readonly skipping: boolean;
  /** Bytes that were there and not read yet at the last look; 1 where nobody can count them (archives, documents). */
  readonly pending: number;
}

/**
 * Files are read in sweeps. A sweep takes what changed in [from, to) by modification time, then by path; `at` is the
 * last one finished. What changed before `from` is read and needs no entry. Known files are read whenever they grow.
 */
export interface TailState {
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly at: readonly [EpochMs, string] | null;
  /** Least recently read first. */
  readonly known: readonly Known[];
}

/** A cursor of before bytes were counted has no last part. */
type Row = readonly [string, string, number, number, number, number, number?];

/** The cursor of a state that fits (`trimmed`). */
export function encodeState(state: TailState): Cursor {
  const rows = state.known.map(({ fileId, hash, hashed, offset, line, done, skipping, pending }): Row => {
    const flags = (done ? 1 : 0) + (skipping ? 2 : 0);
    return pending > 0 ? [fileId, hash, hashed, offset, line, flags, pending] : [fileId, hash, hashed, offset, line, flags];
  });
  return encodeCursor([state.from, state.to, state.at, rows]);
}

/** @throws {Failure} permanent CURSOR_INVALID */
export function decodeState(cursor: Cursor): TailState {
  return decodeCursor(cursor, "a tail", stateOf);
}

function stateOf([from, to, at, rows]: readonly unknown[]): TailState | undefined {
  if (typeof from !== "number" || typeof to !== "number" || !Array.isArray(rows) || !isPlace(at)) return undefined;
  if (!rows.every(isRow)) return undefined;
  const known = rows.map(([fileId, hash, hashed, offset, line, flags, pending]) => ({
    fileId,
    hash,
    hashed,
    offset,
    line,
    done: (flags & 1) !== 0,
    skipping: (flags & 2) !== 0,
    pending: pending ?? 0,
  }));
  return { from, to, at, known };
}

function isPlace(at: unknown): at is readonly [EpochMs, string] | null {
  return at === null || (Array.isArray(at) && typeof at[0] === "number" && typeof at[1] === "string");
}

function isRow(row: unknown): row is Row {
  return (
    Array.isArray(row) &&
    row.every((cell, index) => typeof cell === (index < 2 ? "string" : "number")) &&
    (row.length === 6 || row.length === 7)
  );
}

/**
 * The state without its least useful entries, so that its cursor fits; `lost` counts entries that were still needed,
 * whose files will be read again from their start.
 */
export function trimmed(state: TailState, needed: (one: Known) => boolean): { readonly state: TailState; readonly lost: number } {
  const known = [...state.known];
  let lost = 0;
  let result = { ...state, known };
  while (known.length > KNOWN_MAX || utf8Length(encodeState(result)) > CURSOR_BYTES_MAX) {
    const index = known.findIndex((one) => !needed(one));
    if (index === -1) lost += 1;
    if (known.length === 0) break;
    known.splice(Math.max(index, 0), 1);
    result = { ...state, known };
  }
  return { state: result, lost };
}
