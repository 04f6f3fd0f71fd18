/** The parts of the log: one per day of receipt, each a range of sequences and a partition of its own. */
import type { EpochMs } from "../../core/event.ts";
import type { Sequence } from "../../ports/store.ts";
import type { Session } from "./database.ts";

/**
 * Sequences of one part. At 100,000 events a second a day has 8.6 x 10^9 events, so a part never runs full; and
 * 131,072 parts, 359 years of days, fit into the whole numbers that JavaScript tells apart.
 */
const PART_SEQUENCES = 2 ** 36;
/** Parts are of one day: the unit in which the log is forgotten. */
export const DAY_MS = 86_400_000;

/** Where the next event goes. */
export interface Place {
  /** The newest sequence; the next event gets a larger one. */
  last: Sequence;
}

/** The name of a part's table, with its schema. */
export function partTable(number: number): string {
  return `custodes.log_${number}`;
}

/** The sequence before the first of a part. */
export function beforePart(number: number): Sequence {
  return number * PART_SEQUENCES - 1;
}

/** The sequence before the first that can be read: what is known of batches outlives the events that are on their way out. */
export async function beforeOpen(session: Session): Promise<Sequence> {
  const { rows } = await session.query<{ number: number | null }>(
    "select min(number) as number from custodes.log_part where state = 'open'",
  );
  return beforePart(rows[0]?.number ?? 0);
}

/** How far apart the events of one run are received: a source that was away for longer is behind its watermark. */
const NEAR_PARTS = 3;

/** The sequences, first and last, of the days about which events were received that have these sequences. */
export function sequencesNear(first: Sequence, last: Sequence): readonly [Sequence, Sequence] {
  const partOf = (sequence: Sequence): number => Math.floor(sequence / PART_SEQUENCES);
  return [beforePart(partOf(first) - NEAR_PARTS) + 1, beforePart(partOf(last) + NEAR_PARTS + 1)];
}

/** The day of a time, in days since the epoch. */
export function dayOf(time: EpochMs): number {
  return Math.floor(time / DAY_MS);
}

/** The newest sequence, as a sub-select; null when nothing was ever appended. */
export const LAST_SEQUENCE = "(select last_sequence from custodes.log_batch order by first_sequence desc limit 1)";
/** The newest part, as a query. */
export const NEWEST_PART = "select number, day from custodes.log_part order by number desc limit 1";

/** The newest part, and the newest sequence. */
export interface Newest {
  readonly number: number;
  readonly day: number;
  readonly last: Sequence | null;
}

/** Begins a part for today when the newest one is of another day. Only under the append's lock. */
export async function beginToday(session: Session, now: EpochMs): Promise<void> {
  const { rows } = await session.query<Newest>(`select number, day, null as last from (${NEWEST_PART}) as newest`);
  await placeAt(session, rows[0], now);
}

/** Finds the place for an append at `now`, and begins the part of a new day. Only under the append's lock. */
export async function placeAt(session: Session, newest: Newest | undefined, now: EpochMs): Promise<Place> {
  const today = dayOf(now);
  let number = newest?.number ?? 0;
  // Yesterday's clock of another process goes on in today's part. A part of a day that is further ahead was begun by a wrong
  // clock: with a new one the time of everything behind it is told right again.
  if (newest === undefined || today > newest.day || today < newest.day - 1) number = await beginPart(session, number + 1, today);
  return { last: Math.max(newest?.last ?? 0, beforePart(number)) };
}

/**
 * Made as a table of its own and attached then: neither waits for readers or holds them up, while `create table …
 * partition of` would wait for all of them.
 */
async function beginPart(session: Session, number: number, day: number): Promise<number> {
  const table = partTable(number);
  const from = beforePart(number) + 1;
  const to = beforePart(number + 1) + 1;
  await session.query(`
    create table ${table} (like custodes.log including all, constraint part_bounds check (sequence >= ${from} and sequence < ${to}));
    alter table custodes.log attach partition ${table} for values from (${from}) to (${to});
    alter table ${table} drop constraint part_bounds;
  `);
  await session.query("insert into custodes.log_part (number, day) values ($1, $2)", [number, day]);
  return number;
}
