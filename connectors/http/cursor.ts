/** Where a generic pull stands; everything that is needed to go on lies in it, and no secret ever. */
import { z } from "zod";
import { CURSOR_BYTES_MAX, decodeCursor, encodeCursor } from "../../src/archetypes/cursor.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { utf8Length } from "../../src/core/framing.ts";

/** Hashes of records at the end of the last window, so that the overlap does not bring them again. */
export const SEEN_MAX = 120;
/** Longest cursor or link of the vendor: it has to fit into 4 KiB beside everything else. */
export const NEXT_MAX = 2048;

/** What the pages of one window have added up to so far. */
export interface Run {
  /** `main` goes forward; `again` reads a stretch with a gap, `recheck` every stretch once more. */
  readonly kind: "main" | "again" | "recheck";
  /** Where the main run goes on after this one; null in the main run. */
  readonly back: EpochMs | null;
  /** Records of the pages, repeated ones too. */
  readonly count: number;
  /** Four characters for each distinct record; null when there were too many to remember. */
  readonly ids: string | null;
  /** How many the vendor says that there are. */
  readonly total: number | null;
  /** The vendor said that its answer is not whole. */
  readonly cut: boolean;
  /** Runs since the last main one. */
  readonly turn: number;
}

/** A stretch of time with a gap that is read again from its beginning, so much of it at a time. */
export type Again = readonly [from: EpochMs, to: EpochMs, due: EpochMs, tries: number, step: number];

/** Numbers that a chain left out, between the times of their neighbours. */
export type Hole = readonly [first: number, last: number, from: EpochMs, to: EpochMs];

/** How a chain of numbered records connects. */
export interface Chain {
  /** The highest number so far, and its record's time; null before the first. */
  readonly last: number | null;
  readonly lastTime: EpochMs;
  /** Cursor of the page that had the highest number. */
  readonly previous: string | number | null;
  /** Where reading again begins: the page before the first hole. */
  readonly rewind: string | number | null;
  readonly tries: number;
  readonly due: EpochMs;
  readonly holes: readonly Hole[];
}

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
  readonly run: Run;
  readonly again: readonly Again[];
  /** Up to where everything was read once more, and before when the next stretch is not due. */
  readonly checked: readonly [done: EpochMs, due: EpochMs] | null;
  readonly chain: Chain | null;
}

/** A run at its beginning. */
export const NEW_RUN: Run = { kind: "main", back: null, count: 0, ids: "", total: null, cut: false, turn: 0 };
/** A chain at its beginning. */
export const NEW_CHAIN: Chain = { last: null, lastTime: 0, previous: null, rewind: null, tries: 0, due: 0, holes: [] };

/** The state as a cursor; what it only remembers to save work goes when it would be too long. @throws {Failure} retryable HTTP_MALFORMED */
export function encodeState(state: PullState): string {
  let { ids } = state.run;
  for (let kept = state.seen; ; kept = kept.slice(Math.ceil(kept.length / 8))) {
    const { from, to, next, pages, again, checked, chain } = state;
    const cursor = encodeCursor([from, to, next, pages, kept, { ...state.run, ids }, again, checked, chain]);
    if (utf8Length(cursor) <= CURSOR_BYTES_MAX) return cursor;
    if (kept.length > 0) continue;
    if (ids === null)
      throw new Failure("the vendor's cursor is too long", { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
    ids = null;
  }
}

const whole = z.number().refine(Number.isSafeInteger);
const time = whole.nullable();
const position = z.union([z.string(), z.number()]).nullable();
const run = z.strictObject({
  kind: z.enum(["main", "again", "recheck"]),
  back: time,
  count: whole,
  ids: z.string().nullable(),
  total: z.number().nullable(),
  cut: z.boolean(),
  turn: whole,
});
const chain = z.strictObject({
  last: z.number().nullable(),
  lastTime: z.number(),
  previous: position,
  rewind: position,
  tries: whole,
  due: z.number(),
  holes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])),
});
/** A cursor of before runs were added up has five parts. */
const parts = z.tuple([
  time,
  time,
  position,
  z.number(),
  z.array(z.string()),
  run.default(NEW_RUN),
  z.array(z.tuple([whole, whole, z.number(), whole, whole])).default([]),
  z.tuple([whole, whole]).nullable().default(null),
  chain.nullable().default(null),
]);

/** @throws {Failure} permanent CURSOR_INVALID */
export function decodeState(cursor: string): PullState {
  return decodeCursor(cursor, "a generic pull", (given) => {
    const read = parts.safeParse([...given, ...Array.from({ length: Math.max(0, 9 - given.length) }, () => undefined)]);
    if (!read.success) return undefined;
    const [from, to, next, pages, seen, current, again, checked, connected] = read.data;
    return { from, to, next, pages, seen, run: current, again, checked, chain: connected };
  });
}
