/** The log of events: its sequence order is its commit order. */
import { decodeEvent, encodeEvent } from "../../core/event-codec.ts";
import { ATTRIBUTION, type Category, type EpochMs, type Event } from "../../core/event.ts";
import type { Appended, Logged, Sequence } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { beforeOpen, LAST_SEQUENCE, NEWEST_PART, placeAt, type Newest, type Place } from "./log-parts.ts";
import { refRows, SAVE_REFS } from "./log-refs.ts";
import { LOCK_SPACE } from "./migrate.ts";
import { arrayLiteral, copyText, storable, uidHash } from "./text.ts";

/** Held from the first append of a transaction to its end, so that nobody commits a smaller sequence later. */
const LOCK_APPEND = 2;
/** Rows of one COPY: above this it gets no faster, and the text of a chunk stays at a few megabytes. */
const COPY_ROWS_MAX = 2000;
/** As a sub-select the literal is read once and the index is used; without, a small log is scanned and it is read for every row. */
const ANY_OF_1 = "any((select $1::text::uuid[])::uuid[])";
const COLUMNS = "custodes.log(sequence, uid_hash, time, category, agent_uid, body)";
/** An agent's id is part of an index row, which takes 2.7 KB at most; longer ones are found by nobody. */
const AGENT_CHARACTERS_MAX = 500;

/** See Transaction.appendEvents; `now` decides which day's part the events go to. */
export async function appendEvents(session: Session, events: readonly Event[], now: EpochMs): Promise<Appended> {
  if (events.length === 0) return { stored: 0, duplicates: 0, fresh: [] };
  // A statement of its own: the next one must see what was committed while this one waited.
  await lockAppend(session);
  const fresh: Event[] = [];
  let place: Place | undefined;
  for (let start = 0; start < events.length; start += COPY_ROWS_MAX) {
    const wanted = distinct(events.slice(start, start + COPY_ROWS_MAX));
    const { known, newest } = await knownOf(session, [...wanted.keys()]);
    place ??= await placeAt(session, newest, now);
    for (const hash of known) wanted.delete(hash);
    if (wanted.size > 0) await appendChunk(session, place, wanted);
    for (const event of wanted.values()) fresh.push(event);
  }
  return { stored: fresh.length, duplicates: events.length - fresh.length, fresh };
}

/** Of events with one uid the first, by the hash of it. */
function distinct(events: readonly Event[]): Map<string, Event> {
  const wanted = new Map<string, Event>();
  for (const event of events) {
    const key = uidHash(event.uid);
    if (!wanted.has(key)) wanted.set(key, event);
  }
  return wanted;
}

/** Which of the uids are stored, and where the log ends: one statement, since each costs as much as dozens of events. */
async function knownOf(
  session: Session,
  hashes: readonly string[],
): Promise<{ readonly known: readonly string[]; readonly newest: Newest | undefined }> {
  const { rows } = await session.query<Partial<Newest> & { known: string | null }>(
    `select part.number, part.day, ${LAST_SEQUENCE} as last, uid.known
     from (select string_agg(replace(hash::text, '-', ''), ',') as known from custodes.log_uid where hash = ${ANY_OF_1}) as uid
     left join (${NEWEST_PART}) as part on true`,
    [arrayLiteral(hashes)],
  );
  const { known = null, number, day, last = null } = rows[0] ?? {};
  // Without any part all of its columns are null.
  const newest = typeof number === "number" && typeof day === "number" ? { number, day, last } : undefined;
  return { known: known?.split(",") ?? [], newest };
}

/** Nobody else appends until the transaction ends. */
export async function lockAppend(session: Session): Promise<void> {
  await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_APPEND]);
}

/**
 * Copies what is new straight into the log. Under the lock nobody else can add one of the uids since they were
 * looked up, and this costs half of what a staging table or `on conflict` costs (see test/bench/store.ts).
 */
async function appendChunk(session: Session, place: Place, fresh: ReadonlyMap<string, Event>): Promise<void> {
  const first = place.last + 1;
  let text = "";
  let shared = "";
  const refs = refRows();
  let timeMax = Number.NEGATIVE_INFINITY;
  for (const [key, event] of fresh) {
    const sequence = ++place.last;
    if (event.time > timeMax) timeMax = event.time;
    const agent = copyText(event.agentUid === undefined ? undefined : storable(event.agentUid));
    text += `${sequence}\t${key}\t${event.time}\t${event.category}\t${agent}\t${copyText(encodeEvent(event))}\n`;
    if (event.attributionId === ATTRIBUTION.shared) shared += sharedRows(sequence, event);
    refs.add(event, sequence);
  }
  await session.copy(COLUMNS, text);
  if (shared !== "") await session.copy("custodes.log_shared(agent_uid, time, sequence, confidence)", shared);
  // All that is derived in one statement; the hashes are in the rows that were just written, and are cheaper taken from there.
  await session.query(
    `with uids as (
       insert into custodes.log_uid (hash, sequence) select uid_hash, sequence from custodes.log where sequence between $1 and $2
     ), refs as (${SAVE_REFS("$4")})
     insert into custodes.log_batch (first_sequence, last_sequence, time_max) values ($1, $2, $3)`,
    [first, place.last, timeMax, refs.end()],
  );
}

/** Each agent that may have caused an event finds it by a row of its own. */
function sharedRows(sequence: Sequence, { agents = [], time, attributionConfidence = 0 }: Event): string {
  const candidates = new Set(agents.map(storable).filter((agent) => agent.length <= AGENT_CHARACTERS_MAX));
  return [...candidates].map((agent) => `${copyText(agent)}\t${time}\t${sequence}\t${attributionConfidence}\n`).join("");
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
     from (
       select first_sequence, last_sequence from custodes.log_batch
       where time_max >= $1 and first_sequence > $2 order by first_sequence limit 1) as batch
     join custodes.log on log.sequence between batch.first_sequence and batch.last_sequence and log.time >= $1`,
    [time, await beforeOpen(session)],
  );
  return rows[0]?.before ?? (await lastSequence(session));
}

/** See Store.lastSequence. */
export async function lastSequence(session: Session): Promise<Sequence> {
  const { rows } = await session.query<{ last: number }>(`select coalesce(${LAST_SEQUENCE}, 0) as last`);
  return rows[0]?.last ?? 0;
}

/** See Store.events; in the order of `uids`, unknown ones left out. */
export async function eventsByUid(session: Session, uids: readonly string[]): Promise<readonly Event[]> {
  return (await loggedByUid(session, uids)).map(({ event }) => event);
}

/** See Store.logged; in the order of `uids`, unknown ones left out. */
export async function loggedByUid(session: Session, uids: readonly string[]): Promise<readonly Logged[]> {
  if (uids.length === 0) return [];
  const places = await session.query<{ sequence: number }>(`select sequence from custodes.log_uid where hash = ${ANY_OF_1}`, [
    arrayLiteral(uids.map(uidHash)),
  ]);
  const rows = await eventsAt(
    session,
    places.rows.map(({ sequence }) => sequence),
  );
  const found = new Map(rows.map((row) => [row.event.uid, row]));
  return [...new Set(uids)].map((uid) => found.get(uid)).filter((one) => one !== undefined);
}

/** The events at these sequences, in their order; only the parts that hold one of them are looked into. */
export async function eventsAt(session: Session, sequences: readonly Sequence[]): Promise<readonly Logged[]> {
  if (sequences.length === 0) return [];
  const { rows } = await session.query<{ sequence: number; body: string }>(
    "select sequence, body from custodes.log where sequence = any($1::bigint[]) order by sequence",
    [arrayLiteral(sequences.map(String))],
  );
  return rows.map(({ sequence, body }) => ({ sequence, event: decodeEvent(body) }));
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
