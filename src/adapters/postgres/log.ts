/** The log of events: its sequence order is its commit order. */
import { decodeEvent, encodeEvent } from "../../core/event-codec.ts";
import type { Category, EpochMs, Event } from "../../core/event.ts";
import type { Appended, Logged, Sequence } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { LOCK_SPACE } from "./migrate.ts";
import { arrayLiteral, copyText, storable, uidHash } from "./text.ts";

/** Held from the first append of a transaction to its end, so that nobody commits a smaller sequence later. */
const LOCK_APPEND = 2;
/** Rows of one COPY: above this it gets no faster, and the text of a chunk stays at a few megabytes. */
const COPY_ROWS_MAX = 2000;
/** As a sub-select the literal is read once and the index is used; without, a small log is scanned and it is read for every row. */
const ANY_OF_1 = "any((select $1::text::uuid[])::uuid[])";
const COLUMNS = "custodes.log(uid_hash, time, source, category, agent_uid, body)";

/** See Transaction.appendEvents. */
export async function appendEvents(session: Session, source: string, events: readonly Event[]): Promise<Appended> {
  if (events.length === 0) return { stored: 0, duplicates: 0, fresh: [] };
  // A statement of its own: the next one must see what was committed while this one waited.
  await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_APPEND]);
  const fresh: Event[] = [];
  for (let start = 0; start < events.length; start += COPY_ROWS_MAX) {
    for (const event of await appendChunk(session, source, events.slice(start, start + COPY_ROWS_MAX))) fresh.push(event);
  }
  return { stored: fresh.length, duplicates: events.length - fresh.length, fresh };
}

/**
 * Looks the uids up and copies what is new straight into the log. Under the lock nobody else can add one of them in
 * between, and this costs half of what a staging table or `on conflict` costs (see test/bench/store.ts).
 */
async function appendChunk(session: Session, source: string, events: readonly Event[]): Promise<Iterable<Event>> {
  const fresh = new Map<string, Event>();
  for (const event of events) {
    const key = uidHash(event.uid);
    if (!fresh.has(key)) fresh.set(key, event);
  }
  const known = await session.query<{ hash: string }>(
    `select replace(uid_hash::text, '-', '') as hash from custodes.log where uid_hash = ${ANY_OF_1}`,
    [arrayLiteral([...fresh.keys()])],
  );
  for (const { hash } of known.rows) fresh.delete(hash);
  if (fresh.size === 0) return [];
  const from = copyText(storable(source));
  let text = "";
  let timeMax = Number.NEGATIVE_INFINITY;
  for (const [key, event] of fresh) {
    if (event.time > timeMax) timeMax = event.time;
    const agent = copyText(event.agentUid === undefined ? undefined : storable(event.agentUid));
    text += `${key}\t${event.time}\t${from}\t${event.category}\t${agent}\t${copyText(encodeEvent(event))}\n`;
  }
  await session.copy(COLUMNS, text);
  await session.query(
    `insert into custodes.log_batch (first_sequence, last_sequence, time_max)
     select last - $1::bigint + 1, last, $2::bigint from (select currval('custodes.log_sequence_seq') as last) as place`,
    [fresh.size, timeMax],
  );
  return fresh.values();
}

/** See Store.readLog. */
export async function readLog(session: Session, after: Sequence, limit: number): Promise<readonly Logged[]> {
  const { rows } = await session.query<{ sequence: number; body: string }>(
    "select sequence, body from custodes.log where sequence > $1 order by sequence limit $2",
    [after, limit],
  );
  return rows.map(({ sequence, body }) => ({ sequence, event: decodeEvent(body) }));
}

/** See Store.sequenceBefore. */
export async function sequenceBefore(session: Session, time: EpochMs): Promise<Sequence> {
  const { rows } = await session.query<{ before: number | null }>(
    `select min(log.sequence) - 1 as before
     from (select first_sequence, last_sequence from custodes.log_batch where time_max >= $1 order by first_sequence limit 1) as batch
     join custodes.log on log.sequence between batch.first_sequence and batch.last_sequence and log.time >= $1`,
    [time],
  );
  return rows[0]?.before ?? (await lastSequence(session));
}

/** See Store.lastSequence. */
export async function lastSequence(session: Session): Promise<Sequence> {
  const { rows } = await session.query<{ last: number }>("select coalesce(max(sequence), 0) as last from custodes.log");
  return rows[0]?.last ?? 0;
}

/** See Store.events; in the order of `uids`, unknown ones left out. */
export async function eventsByUid(session: Session, uids: readonly string[]): Promise<readonly Event[]> {
  return (await loggedByUid(session, uids)).map(({ event }) => event);
}

/** See Store.logged; in the order of `uids`, unknown ones left out. */
export async function loggedByUid(session: Session, uids: readonly string[]): Promise<readonly Logged[]> {
  if (uids.length === 0) return [];
  const { rows } = await session.query<{ sequence: number; body: string }>(
    `select sequence, body from custodes.log where uid_hash = ${ANY_OF_1}`,
    [arrayLiteral(uids.map(uidHash))],
  );
  const found = new Map<string, Logged>();
  for (const { sequence, body } of rows) {
    const event = decodeEvent(body);
    found.set(event.uid, { sequence, event });
  }
  return [...new Set(uids)].map((uid) => found.get(uid)).filter((one) => one !== undefined);
}

/** See Store.eventCounts. */
export async function eventCounts(
  session: Session,
): Promise<readonly { readonly agentUid: string | null; readonly category: Category; readonly count: number }[]> {
  const { rows } = await session.query<{ agentUid: string | null; category: Category; count: number }>(
    `select agent_uid as "agentUid", category, count(*) as count from custodes.log
     group by agent_uid, category order by agent_uid nulls first, category`,
  );
  return rows;
}
