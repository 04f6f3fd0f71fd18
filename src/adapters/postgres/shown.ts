/**
 * What destinations show. Guards: whether an incident is shown itself or by a digest is decided once, by one process at a
 * time, and stored together with what follows from it.
 */
import { LEVELS, type Level } from "../../core/alert.ts";
import type { EpochMs } from "../../core/event.ts";
import { DIGEST_COUNTS_MAX, type Digest, type DigestCount } from "../../ports/digest.ts";
import type { Placement } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { LOCK_SPACE } from "./migrate.ts";
import { addDeliveries, settleDeliveries, subjectHash } from "./outbox.ts";
import { storable, storableCut } from "./text.ts";

/** Held while one incident is placed. */
const LOCK_PLACE = 6;
/** A digest that grows is sent again no more often than this, milliseconds: it adds a line to a page that is open. */
const DIGEST_EVERY_MS = 10_000;
/** Names that are counted come out of rules and logs. */
const NAME_BYTES_MAX = 500;

interface Shown {
  readonly opened: EpochMs | null;
  readonly closed: boolean;
  readonly digest: string | null;
}

/** See Store.placeIncident; inside a transaction. */
export async function placeIncident(session: Session, placement: Placement, now: EpochMs): Promise<string | null> {
  await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_PLACE]);
  const { row, closed } = placement;
  const subject = subjectHash(row);
  const { rows } = await session.query<Shown>(
    "select opened_time as opened, closed, digest from custodes.shown where subject = $1 and opened_time is not null",
    [subject],
  );
  const before = rows[0];
  // An end of what was never opened: whoever sends it does no harm.
  if (before === undefined && closed) return null;
  const anew = before === undefined || (before.closed && !closed);
  const opened = anew ? row.createdTime : before.opened;
  const digest = placement.foldable || closed ? (anew ? await digestFor(session, placement, subject) : before.digest) : null;
  await session.query(
    `insert into custodes.shown as old
       (subject, destination, subject_id, opened_time, closed, digest, level, rule, agent, last_time, changed_time)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (subject) do update set opened_time = excluded.opened_time, closed = excluded.closed, digest = excluded.digest,
       level = excluded.level, rule = excluded.rule, agent = excluded.agent, last_time = excluded.last_time, changed_time = excluded.changed_time`,
    [
      subject,
      storable(row.destination),
      storable(row.subjectId),
      opened,
      closed,
      digest,
      placement.level,
      storableCut(placement.rule, NAME_BYTES_MAX),
      storableCut(placement.agent, NAME_BYTES_MAX),
      placement.lastTime,
      now,
    ],
  );
  const left = before?.digest ?? null;
  if (left !== null && left !== digest) await announce(session, left, row.destination, now);
  if (digest !== null) {
    await announce(session, digest, row.destination, now);
    const note = `folded into ${digest}`;
    await settleDeliveries(session, [{ key: row.key, status: "delivered", attempts: row.attempts, dueTime: now, note }], now);
  }
  return digest;
}

/** The digest that an incident that opens belongs to; null: not too many opened beside it. */
async function digestFor(session: Session, { row, storm, digestId }: Placement, subject: string): Promise<string | null> {
  const beside = [storable(row.destination), row.createdTime - storm.withinMs, row.createdTime + storm.withinMs];
  const near = "destination = $1 and opened_time > $2 and opened_time < $3";
  const count = await session.query<{ count: number }>(
    `select count(*)::int as count from custodes.shown where ${near} and subject <> $4`,
    [...beside, subject],
  );
  if ((count.rows[0]?.count ?? 0) < storm.incidents) return null;
  const { rows } = await session.query<{ digest: string }>(
    `select digest from custodes.shown where ${near} and digest is not null
     group by digest having not bool_and(closed) order by max(opened_time) desc, digest limit 1`,
    beside,
  );
  return rows[0]?.digest ?? storable(digestId);
}

/** Sees to it that a revision of the digest is sent which begins after this: one that waits, else a new one. */
async function announce(session: Session, id: string, destination: string, now: EpochMs): Promise<void> {
  // Changed, a row is locked: nobody claims it before what it is to say is stored.
  const waiting = await session.query(
    `update custodes.outbox as one set due_time = one.due_time from custodes.digest
     where digest.id = $1 and one.key = $2 || digest.revision and one.status = 'pending' and one.ticket is null
       and (one.lease_until is null or one.lease_until <= $3)`,
    [id, storable(`${destination}:digest:${id}:`), now],
  );
  if (waiting.count > 0) return;
  const { rows } = await session.query<{ revision: number }>(
    `insert into custodes.digest as old (id, destination, revision, changed_time) values ($1, $2, 1, $3)
     on conflict (id) do update set revision = old.revision + 1, changed_time = excluded.changed_time returning revision`,
    [id, storable(destination), now],
  );
  const revision = rows[0]!.revision;
  const dueTime = revision === 1 ? now : now + DIGEST_EVERY_MS;
  const key = `${destination}:digest:${id}:${revision}`;
  await addDeliveries(session, [
    { key, destination, kind: "digest", subjectId: id, revision, urgency: "first", dueTime, createdTime: now },
  ]);
}

/** See Store.digest. */
export async function digest(session: Session, id: string): Promise<Digest | undefined> {
  const { rows } = await session.query<{
    destination: string | null;
    opened: EpochMs | null;
    newest: EpochMs | null;
    last: EpochMs | null;
    incidents: number;
    open: number;
  }>(
    `select (select destination from custodes.digest where id = $1) as destination, min(opened_time) as opened, max(opened_time) as newest,
       max(last_time) as last, count(*)::int as incidents, count(*) filter (where not closed)::int as open
     from custodes.shown where digest = $1`,
    [storable(id)],
  );
  const found = rows[0];
  if (found === undefined || found.destination === null) return undefined;
  // The last of them may have left it: then it ends when nobody is in it.
  const changed = await session.query<{ time: EpochMs }>("select changed_time as time from custodes.digest where id = $1", [storable(id)]);
  const time = changed.rows[0]?.time ?? 0;
  const open = await countsOf(session, id, "level", "and not closed");
  const levels = await countsOf(session, id, "level");
  return {
    id,
    destination: found.destination,
    openedTime: found.opened ?? time,
    newestTime: found.newest ?? time,
    lastTime: found.last ?? time,
    incidents: found.incidents,
    open: found.open,
    level: highest(open.length === 0 ? levels : open),
    levels,
    rules: await countsOf(session, id, "rule"),
    agents: await countsOf(session, id, "agent"),
  };
}

async function countsOf(session: Session, id: string, column: "level" | "rule" | "agent", which = ""): Promise<readonly DigestCount[]> {
  const { rows } = await session.query<DigestCount>(
    `select ${column} as name, count(*)::int as count from custodes.shown where digest = $1 ${which}
     group by ${column} order by count(*) desc, ${column} limit ${DIGEST_COUNTS_MAX}`,
    [storable(id)],
  );
  return rows.map(({ name, count }) => ({ name, count }));
}

function highest(levels: readonly DigestCount[]): Level {
  return LEVELS.findLast((level) => levels.some(({ name }) => name === level)) ?? LEVELS[0];
}

/** Takes out what nobody will ask for any more: what changed before then and is no incident that is still stored. */
export async function expireShown(session: Session, before: EpochMs, limit: number): Promise<void> {
  await session.query(
    `delete from custodes.shown where subject in (
       select subject from custodes.shown as one where changed_time < $1
         and not exists (select 1 from custodes.incident where id = one.subject_id) limit $2)`,
    [before, limit],
  );
  await session.query(
    `delete from custodes.digest where id in (
       select id from custodes.digest as one where changed_time < $1
         and not exists (select 1 from custodes.shown where digest = one.id) limit $2)`,
    [before, limit],
  );
}
