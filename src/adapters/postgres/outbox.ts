/** The outbox: a delivery is pending, leased to one sender at a time, and settled once. */
import type { EpochMs } from "../../core/event.ts";
import type { DeliveryStatus, OutboxRow, Settlement, Store, Transaction } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable, storableCut, uidHash } from "./text.ts";

/** What a destination refused is kept up to this size; it is the largest request body of any destination's contract. */
const BODY_BYTES_MAX = 1_048_576;
/** A note is a code and a sentence; a vendor's receipt can be long. */
const NOTE_BYTES_MAX = 4096;

/** Deliveries beyond a claim's limit that share its tickets: ten of the largest batches. What is left is asked about later. */
const SHARING_MAX = 5000;

const COLUMNS = `key, destination, kind, subject_id as "subjectId", revision, status, attempts,
  due_time as "dueTime", created_time as "createdTime", settled_time as "settledTime", note,
  ticket, ticket_time as "ticketTime", sent_hash as "sentHash", sent_time as "sentTime"`;

/** Pending, due and leased to nobody at `$now`. */
const DUE = (now: string): string =>
  `one.status = 'pending' and one.due_time <= ${now} and (one.lease_until is null or one.lease_until <= ${now})`;

/**
 * Neither behind an earlier revision of its subject that is still pending, nor beside any revision that is being sent.
 * As scalar sub-selects: an anti-join over a large outbox has been seen to take half a minute.
 */
const IN_ORDER = (now: string): string => `one.revision <= (
    select min(other.revision) from custodes.outbox as other where other.status = 'pending' and other.subject = one.subject
  ) and coalesce((
    select max(other.lease_until) from custodes.outbox as other where other.status = 'pending' and other.subject = one.subject
  ), 0) <= ${now}`;

/** See Transaction.addDeliveries. */
export async function addDeliveries(session: Session, rows: Parameters<Transaction["addDeliveries"]>[0]): Promise<void> {
  if (rows.length === 0) return;
  const stored = rows.map((row) => ({
    ...row,
    key: storable(row.key),
    destination: storable(row.destination),
    subjectId: storable(row.subjectId),
    subject: subjectHash(row),
    urgency: row.urgency === "first" ? 0 : 1,
  }));
  await session.query(
    `insert into custodes.outbox (key, destination, kind, subject_id, revision, subject, urgency, due_time, created_time)
     select key, destination, kind, "subjectId", revision, subject, urgency, "dueTime", "createdTime"
     from rows from (json_to_recordset($1::json) as
       (key text, destination text, kind text, "subjectId" text, revision integer, subject uuid, urgency smallint, "dueTime" bigint, "createdTime" bigint)
     ) with ordinality as new
     order by ordinality
     on conflict (key) do nothing`,
    [JSON.stringify(stored)],
  );
}

/** See Store.haveDue. */
export async function haveDue(session: Session, destinations: readonly string[], now: EpochMs): Promise<readonly string[]> {
  const { rows } = await session.query<{ destination: string }>(
    `select known.destination from json_array_elements_text($2::json) as known(destination)
     where exists (select from custodes.outbox as one where one.destination = known.destination and ${DUE("$1")})
     order by known.destination`,
    [now, JSON.stringify(destinations.map(storable))],
  );
  return rows.map(({ destination }) => destination);
}

/** Destination, kind and id of a subject as one. */
export function subjectHash({ destination, kind, subjectId }: Pick<OutboxRow, "destination" | "kind" | "subjectId">): string {
  return uidHash(JSON.stringify([destination, kind, subjectId]));
}

/** See Store.dueDestinations; deliveries that are being sent are not counted, those that wait for an earlier revision are. */
export async function dueDestinations(
  session: Session,
  now: EpochMs,
): Promise<readonly { readonly destination: string; readonly due: number }[]> {
  const { rows } = await session.query<{ destination: string; due: number }>(
    `select destination, count(*) as due from custodes.outbox as one where ${DUE("$1")} group by destination order by destination`,
    [now],
  );
  return rows;
}

/** See Store.claimDeliveries. */
export async function claimDeliveries(
  session: Session,
  destination: string,
  limit: number,
  now: EpochMs,
  leaseUntil: EpochMs,
): Promise<readonly OutboxRow[]> {
  // Two claims at once: the second one skips the rows that the first holds, and PostgreSQL checks the lease again on
  // a row that changed between its snapshot and its lock.
  const { rows } = await session.query<OutboxRow>(
    `with chosen as (
       select key from custodes.outbox as one
       where one.destination = $1 and ${DUE("$2")} and ${IN_ORDER("$2")}
       order by urgency, created_time, number limit $4
       for update skip locked
     ), leased as (
       update custodes.outbox set lease_until = $3 where key in (select key from chosen) returning *
     )
     select ${COLUMNS}, held.memory, held.digest from leased
     left join lateral (select memory, digest from custodes.shown where shown.subject = leased.subject) as held on true
     order by urgency, created_time, number`,
    [storable(destination), now, leaseUntil, limit],
  );
  const tickets = new Set(rows.flatMap(({ ticket }) => ticket ?? []));
  return tickets.size === 0 ? rows : [...rows, ...(await claimSharing(session, destination, [...tickets], now, leaseUntil))];
}

/** Leases what shares these tickets: it was in order when it was accepted, and may be asked about before it is due. */
async function claimSharing(
  session: Session,
  destination: string,
  tickets: readonly string[],
  now: EpochMs,
  leaseUntil: EpochMs,
): Promise<readonly OutboxRow[]> {
  const { rows } = await session.query<OutboxRow>(
    `with chosen as (
       select key from custodes.outbox
       where destination = $1 and status = 'pending' and (lease_until is null or lease_until <= $2)
         and ticket in (select json_array_elements_text($4::json))
       order by created_time, number limit $5
       for update skip locked
     ), leased as (
       update custodes.outbox set lease_until = $3 where key in (select key from chosen) returning *
     )
     select ${COLUMNS}, held.memory, held.digest from leased
     left join lateral (select memory, digest from custodes.shown where shown.subject = leased.subject) as held on true
     order by created_time, number`,
    [storable(destination), now, leaseUntil, JSON.stringify(tickets), SHARING_MAX],
  );
  return rows;
}

/**
 * See Store.settleDeliveries. A delivery that somebody settled for good stays so: the late answer of a sender that
 * lost its lease must not bring it back. The limit tells the planner how few rows these are, and `settled_time` instead of the
 * status keeps it from walking the index of all that is pending.
 */
export async function settleDeliveries(session: Session, settlements: readonly Settlement[], now: EpochMs): Promise<void> {
  // Of two settlements of one delivery the last counts, as if they came one by one.
  const last = new Map(settlements.map((settlement) => [settlement.key, settlement]));
  if (last.size === 0) return;
  const rows = [...last.values()].map((settlement) => ({
    ...settlement,
    key: storable(settlement.key),
    note: storableCut(settlement.note, NOTE_BYTES_MAX),
    body: settlement.body === undefined ? undefined : storableCut(settlement.body, BODY_BYTES_MAX),
    ticket: settlement.ticket === undefined ? undefined : storable(settlement.ticket.text),
    ticketTime: settlement.ticket?.time,
    hash: settlement.sent?.hash,
    sentTime: settlement.sent?.time,
    memory: settlement.memory === undefined ? undefined : storable(settlement.memory),
  }));
  await session.query(
    `with settled as (update custodes.outbox as one set
       status = new.status, attempts = new.attempts, due_time = new."dueTime", note = new.note, lease_until = null,
       settled_time = case when new.status = 'pending' then null else $2::bigint end,
       body = case when new.status = 'dead' then new.body end,
       ticket = new.ticket, ticket_time = new."ticketTime",
       sent_hash = coalesce(new.hash, one.sent_hash), sent_time = coalesce(new."sentTime", one.sent_time)
     from (
       select * from json_to_recordset($1::json) as
         new(key text, status text, attempts integer, "dueTime" bigint, note text, body text,
           ticket text, "ticketTime" bigint, hash text, "sentTime" bigint, memory text)
       limit $3
     ) as new
     where one.key = new.key and one.settled_time is null
     returning one.subject, one.destination, one.subject_id, one.revision, new.memory)
     insert into custodes.shown (subject, destination, subject_id, memory, changed_time)
     select distinct on (subject) subject, destination, subject_id, memory, $2::bigint from settled where memory is not null
     order by subject, revision desc
     on conflict (subject) do update set memory = excluded.memory, changed_time = excluded.changed_time`,
    [JSON.stringify(rows), now, rows.length],
  );
}

/**
 * Takes every lease back, so that what a killed process was sending is due again at once.
 * Only for whoever knows that nobody else works on the database.
 */
export async function releaseLeases(session: Session): Promise<void> {
  await session.query("update custodes.outbox set lease_until = null where status = 'pending' and lease_until is not null");
}

/** See Store.hastenDeliveries. */
export async function hastenDeliveries(session: Session, destination: string, now: EpochMs): Promise<number> {
  const { count } = await session.query(
    `update custodes.outbox set due_time = $2
     where destination = $1 and status = 'pending' and due_time > $2 and (lease_until is null or lease_until <= $2)`,
    [storable(destination), now],
  );
  return count;
}

/** See Store.deliveries; newest first. */
export async function deliveries(session: Session, filter: Parameters<Store["deliveries"]>[0] = {}): Promise<readonly OutboxRow[]> {
  const { rows } = await session.query<OutboxRow>(
    `select ${COLUMNS} from custodes.outbox
     where ($1::text is null or destination = $1) and ($2::text is null or status = $2)
       and ($4::json is null or subject_id in (select json_array_elements_text($4::json)))
       ${filter.keys === undefined ? "" : "and key in (select json_array_elements_text($5::json))"}
     order by number desc limit $3`,
    [
      filter.destination === undefined ? null : storable(filter.destination),
      filter.status ?? null,
      filter.limit ?? null,
      filter.subjects === undefined ? null : JSON.stringify(filter.subjects.map(storable)),
      ...(filter.keys === undefined ? [] : [JSON.stringify(filter.keys.map(storable))]),
    ],
  );
  return rows;
}

/** See Store.deadLetterBody. */
export async function deadLetterBody(session: Session, key: string): Promise<string | undefined> {
  const dead: DeliveryStatus = "dead";
  const { rows } = await session.query<{ body: string | null }>("select body from custodes.outbox where key = $1 and status = $2", [
    storable(key),
    dead,
  ]);
  return rows[0]?.body ?? undefined;
}

/**
 * See Store.replayDeadLetters. A revision that a newer one has overtaken at its destination is settled as skipped:
 * sent now, it would undo what the newer one said, and open pages again that were resolved.
 */
export async function replayDeadLetters(session: Session, keys: readonly string[], now: EpochMs): Promise<number> {
  const { rows } = await session.query<{ status: DeliveryStatus }>(
    `with chosen as (
       select key, subject, revision from custodes.outbox
       where status = 'dead' and key in (select json_array_elements_text($1::json))
     ), newest as (
       select subject, max(revision) as revision from custodes.outbox
       where subject in (select subject from chosen) and status <> 'dead' group by subject
     )
     update custodes.outbox as one set
       status = case when newest.revision > chosen.revision then 'skipped' else 'pending' end,
       note = case when newest.revision > chosen.revision then 'overtaken by revision ' || newest.revision else one.note end,
       due_time = $2, lease_until = null, body = null,
       settled_time = case when newest.revision > chosen.revision then $2::bigint end
     from chosen left join newest on newest.subject = chosen.subject
     where one.key = chosen.key
     returning one.status`,
    [JSON.stringify(keys.map(storable)), now],
  );
  return rows.filter((row) => row.status === "pending").length;
}
