/**
 * Which ids occur where in the log: a Bloom filter per stretch of it. An index entry per id would make every append a third
 * more expensive, since most events bring a trace and a request id that nobody has seen before; a filter costs four bytes
 * per id, is written in one piece, and sends a reader to the few stretches that may hold what it looks for.
 */
import { decodeEvent } from "../../core/event-codec.ts";
import type { Event } from "../../core/event.ts";
import type { Logged, Sequence } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { sequencesNear } from "./log-parts.ts";

/** Events of one stretch: what a reader has to look through for one id that a filter knows. */
const STRETCH_EVENTS = 256;
/** Bits per id: with 8 probes, one stretch in 24,000 is looked through in vain. */
const BITS_PER_ID = 24;
/** Probes per id: near the best for so many bits, and cheaper than that. */
const PROBES = 8;
/** So that a filter is never moved out of its row (PostgreSQL's rows end at 8 KB); with more ids it only tells less. */
const BITS_MAX = 32_768;

/** The ids by which events of one run are found together. */
function refsOf(event: Event): readonly (string | undefined)[] {
  return [event.runUid, event.sessionUid, event.traceUid, event.conversationUid, event.requestUid];
}

/** Collects the rows of custodes.log_refs for one append. */
export interface RefRows {
  /** Takes the next event and its sequence. */
  add(event: Event, sequence: Sequence): void;
  /** The rows as JSON, for SAVE_REFS. */
  end(): string;
}

/** A fresh collector. */
export function refRows(): RefRows {
  const rows: { readonly first: Sequence; readonly last: Sequence; readonly bits: string }[] = [];
  let first = 0;
  let last = 0;
  let events = 0;
  const ids = new Set<string>();
  const flush = (): void => {
    // What has no ids needs no row: nobody looks for it.
    if (ids.size > 0) rows.push({ first, last, bits: filterOf(ids).toString("hex") });
    events = 0;
    ids.clear();
  };
  return {
    add(event, sequence) {
      if (events === STRETCH_EVENTS) flush();
      if (events === 0) first = sequence;
      last = sequence;
      events++;
      for (const ref of refsOf(event)) if (ref !== undefined && ref !== "") ids.add(ref);
    },
    end() {
      flush();
      return JSON.stringify(rows);
    },
  };
}

/** The insertion of what was collected, as a part of a statement; `parameter` holds the rows. */
export const SAVE_REFS = (parameter: string): string => `
  insert into custodes.log_refs (first_sequence, last_sequence, bits)
  select first, last, decode(bits, 'hex') from json_to_recordset(${parameter}::json) as new(first bigint, last bigint, bits text)`;

/** A stretch that may hold an id. */
interface Stretch {
  readonly first: Sequence;
  readonly last: Sequence;
  /** Which of the ids that were asked for, by their places. */
  readonly hits: readonly number[];
}

/**
 * The stretches that may hold one of the ids, newest first, no more than `limit`. `ids` must be few: the statement has eight
 * tests for each.
 */
async function stretchesOf(
  session: Session,
  ids: readonly string[],
  near: { readonly first: Sequence; readonly last: Sequence } | undefined,
  limit: number,
): Promise<readonly Stretch[]> {
  const tests = ids.map((id) =>
    placesOf(id)
      .map((place) => `get_bit(bits, ${place} % size) = 1`)
      .join(" and "),
  );
  const { rows } = await session.query<{ first: number; last: number; hits: string }>(
    `select first_sequence as first, last_sequence as last, concat_ws(',', ${tests.map((test, index) => `case when bits is null or (${test}) then ${index} end`).join(", ")}) as hits
     from (select first_sequence, last_sequence, bits, octet_length(bits) * 8 as size from custodes.log_refs
       where $2::bigint is null or first_sequence between $2 and $3 offset 0) as stretch
     where bits is null or ${tests.map((test) => `(${test})`).join(" or ")}
     order by first_sequence desc limit $1`,
    [limit, ...(near === undefined ? [null, null] : sequencesNear(near.first, near.last))],
  );
  return rows.map(({ first, last, hits }) => ({ first, last, hits: hits.split(",").map(Number) }));
}

/** Ids of one question. */
const IDS_MAX = 32;
/** Stretches that are looked through: a million events, about a second. Only what came before there were filters needs as many. */
const STRETCHES_MAX = 4096;

/** See Store.eventsByRefs. */
export async function eventsByRefs(
  session: Session,
  given: readonly string[],
  limit: number,
  near?: { readonly first: Sequence; readonly last: Sequence },
): Promise<{ readonly events: readonly Logged[]; readonly complete: boolean }> {
  const ids = [...new Set(given)].slice(0, IDS_MAX);
  if (ids.length === 0) return { events: [], complete: true };
  const stretches = await stretchesOf(session, ids, near, STRETCHES_MAX + 1);
  const places = stretches.slice(0, STRETCHES_MAX).flatMap(({ first, last, hits }) => {
    // As the id stands in the stored text; that it is one of the event's ids is seen when that has been read.
    return hits.map((hit) => ({ first, last, needle: JSON.stringify(ids[hit]) }));
  });
  // Within each stretch by the key, and no further: as a plain join the planner has been seen to read the whole log.
  const { rows } = await session.query<{ sequence: number; body: string }>(
    `select found.sequence, found.body from json_to_recordset($1::json) as place(first bigint, last bigint, needle text)
     cross join lateral (
       select sequence, body from custodes.log
       where sequence between place.first and place.last and strpos(body, place.needle) > 0 order by sequence limit ${STRETCH_ROWS_MAX}
     ) as found limit $2`,
    [JSON.stringify(places), limit * 2],
  );
  const wanted = new Set<string | undefined>(ids);
  const events = new Map<Sequence, Event>();
  for (const { sequence, body } of rows) {
    if (events.has(sequence)) continue;
    const event = decodeEvent(body);
    if (refsOf(event).some((ref) => wanted.has(ref))) events.set(sequence, event);
  }
  const complete = given.length <= IDS_MAX && stretches.length <= STRETCHES_MAX && rows.length < limit * 2 && events.size <= limit;
  return { events: [...events].slice(0, limit).map(([sequence, event]) => ({ sequence, event })), complete };
}

/** Rows of one stretch; those of before there were filters have holes, never more rows. */
const STRETCH_ROWS_MAX = STRETCH_EVENTS;

function filterOf(ids: ReadonlySet<string>): Buffer {
  const bytes = Buffer.alloc(Math.ceil(Math.min(ids.size * BITS_PER_ID, BITS_MAX) / 8));
  for (const id of ids) {
    for (const place of placesOf(id)) {
      const bit = place % (bytes.length * 8);
      // As PostgreSQL's get_bit counts: the lowest bit of each byte first.
      bytes[bit >>> 3]! |= 1 << (bit & 7);
    }
  }
  return bytes;
}

/** Where an id's bits are, before it is known how many bits there are: whole numbers below 2^32. */
function placesOf(id: string): readonly number[] {
  const [start, step] = [hash(id, SEEDS[0]), hash(id, SEEDS[1]) | 1];
  return Array.from({ length: PROBES }, (_, probe) => (start + Math.imul(probe, step)) >>> 0);
}

const SEEDS = [0x9e3779b9, 0x85ebca6b] as const;

/** 32 bits of an id. Whoever makes two ids meet here only makes us look through a stretch in vain. */
function hash(text: string, seed: number): number {
  let state = seed ^ text.length;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x5bd1e995) ^ (state >>> 15);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) | 0;
}
