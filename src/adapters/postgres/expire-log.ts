/**
 * Days of the log go one by one: taken out of the log (from then on nobody reads them), their uids forgotten in small
 * steps, then dropped. Every step is a transaction of its own and can be done again, so that a run may end anywhere.
 */
import type { ExpiredDay, ExpireRequest } from "../../ports/retention.ts";
import { appendAudit } from "./audit.ts";
import type { Database, Session } from "./database.ts";
import { withSession } from "./failure.ts";
import { beforePart, beginToday, DAY_MS, dayOf, partTable } from "./log-parts.ts";
import { LOCK_SPACE } from "./migrate.ts";
import type { Step } from "./expire.ts";
import { lockAppend } from "./log.ts";

/** Days of one run. A clock that is wrong for an hour, or a retention that was mistyped, must not cost the whole log at once. */
const DAYS_MAX = 2;
/** Uids of one step: tens of milliseconds, in which nobody else can append. */
const UIDS_MAX = 2000;
/** Rows about stretches of the log of one step: they lie in order and go quickly. */
const STRETCHES_MAX = 5000;

/** What became of the log in one run. */
export interface ExpiredLog {
  readonly days: readonly ExpiredDay[];
  readonly attributions: number;
  readonly held: number;
  readonly more: boolean;
}

interface Part {
  readonly number: number;
  readonly day: number;
  readonly state: string;
}

/** Takes out the days whose time is over and that nothing needs. Undefined: another process is at it. */
export async function expireLog(database: Database, step: Step, request: ExpireRequest): Promise<ExpiredLog | undefined> {
  const days: ExpiredDay[] = [];
  let attributions = 0;
  for (;;) {
    const next = await step((session) => choose(session, request));
    if (next === undefined) return undefined;
    const { part, held } = next;
    if (part === undefined) return { days, attributions, held, more: false };
    if (days.length >= DAYS_MAX || request.signal.aborted) return { days, attributions, held, more: true };
    if (!(await detach(database, part))) return undefined;
    const cleared = await clear(step, part, request.signal);
    if (cleared === undefined) return undefined;
    attributions += cleared.attributions;
    if (!cleared.done) return { days, attributions, held, more: true };
    const day = await step((session) => drop(session, part, request));
    if (day === undefined) return undefined;
    days.push(day);
  }
}

/** A part that was begun to be taken out, else the oldest, when it may go; marks it. */
async function choose(session: Session, request: ExpireRequest): Promise<{ readonly part: Part | undefined; readonly held: number }> {
  const { retention, now, logKeepFrom } = request;
  const begun = await session.query<Part>("select number, day, state from custodes.log_part where state <> 'open' order by number limit 1");
  if (begun.rows[0] !== undefined) return { part: begun.rows[0], held: 0 };
  if (retention.log === null) return { part: undefined, held: 0 };
  const lastDay = dayOf(now - retention.log) - 1;
  const parts = await oldParts(session, lastDay, now);
  const first = parts[0];
  if (first === undefined) return { part: undefined, held: 0 };
  if (logKeepFrom === null || beforePart(first.number + 1) >= logKeepFrom) return { part: undefined, held: parts.length };
  await session.query("update custodes.log_part set state = 'leaving' where number = $1", [first.number]);
  return { part: first, held: 0 };
}

/** The parts, oldest first, all of whose events came on `lastDay` or before. Never the one that is appended to. */
async function oldParts(session: Session, lastDay: number, now: number): Promise<readonly Part[]> {
  const { rows } = await session.query<Part & { ended: number; newest: boolean }>(
    `select number, day, state, number = max(number) over () as newest,
       -- What was received in it was received before any later part began, whatever a wrong clock made of its own day.
       min(day) over (order by number rows between current row and unbounded following) as ended
     from custodes.log_part order by number`,
  );
  const old = rows.filter(({ ended }) => ended <= lastDay);
  if (!old.some(({ newest }) => newest)) return old;
  // Nothing was appended for so long that the part of the last events is old, too.
  await lockAppend(session);
  await beginToday(session, now);
  return old;
}

/** Takes a part out of the log. False: another process is at it. */
async function detach(database: Database, part: Part): Promise<boolean> {
  const table = partTable(part.number);
  return withSession(database, async (session) => {
    // A lock of the session: detaching without holding up anybody is not possible in a transaction.
    const lock = [LOCK_SPACE, LOCK_DETACH];
    const { rows } = await session.query<{ got: boolean }>("select pg_try_advisory_lock($1, $2) as got", lock);
    if (rows[0]?.got !== true) return false;
    try {
      const held = await session.query<{ pending: boolean }>(
        "select inhdetachpending as pending from pg_inherits where inhrelid = to_regclass($1) and inhparent = 'custodes.log'::regclass",
        [table],
      );
      const pending = held.rows[0]?.pending;
      if (pending === undefined) return true;
      // PGlite has one session: there is nobody to hold up, and waiting for others would never end.
      const how = pending ? "finalize" : database.concurrent ? "concurrently" : "";
      await session.query(`alter table custodes.log detach partition ${table} ${how}`);
      return true;
    } finally {
      // When the connection is lost the lock is, too.
      await session.query("select pg_advisory_unlock($1, $2)", lock).catch(() => undefined);
    }
  });
}

/** Held while a part is taken out of the log. */
const LOCK_DETACH = 5;

/** Forgets the uids of a part, the attributions of its events, and where its ids are. Undefined: another process is at it. */
async function clear(
  step: Step,
  part: Part,
  signal: AbortSignal,
): Promise<{ readonly done: boolean; readonly attributions: number } | undefined> {
  let attributions = 0;
  for (;;) {
    if (signal.aborted) return { done: false, attributions };
    const gone = await step((session) => clearSome(session, part.number));
    if (gone === undefined) return undefined;
    attributions += gone.attributions;
    if (gone.events < UIDS_MAX) break;
  }
  for (const table of ["log_refs", "log_batch"] as const) {
    let count: number | undefined = STRETCHES_MAX;
    while (count === STRETCHES_MAX) {
      if (signal.aborted) return { done: false, attributions };
      count = await step((session) => clearStretches(session, table, part.number));
    }
    if (count === undefined) return undefined;
  }
  return { done: true, attributions };
}

/** Undefined: another process has dropped the part. */
async function clearSome(
  session: Session,
  number: number,
): Promise<{ readonly events: number; readonly attributions: number } | undefined> {
  const left = await session.query("select 1 from custodes.log_part where number = $1", [number]);
  if (left.count === 0) return undefined;
  const { rows } = await session.query<{ events: number; attributions: number }>(
    `with gone as (
       select sequence, uid_hash from ${partTable(number)}
       where sequence > (select coalesce(cleared, -1) from custodes.log_part where number = $1) order by sequence limit $2
     ), uids as (
       delete from custodes.log_uid where hash in (select uid_hash from gone)
     ), shared as (
       delete from custodes.log_shared where sequence in (select sequence from gone)
     ), attributed as (
       delete from custodes.attribution where uid_hash in (select uid_hash from gone) returning 1
     ), noted as (
       update custodes.log_part set events = events + (select count(*) from gone), cleared = (select max(sequence) from gone)
       where number = $1 and exists (select 1 from gone)
     )
     select (select count(*) from gone) as events, (select count(*) from attributed) as attributions`,
    [number, UIDS_MAX],
  );
  return rows[0] ?? { events: 0, attributions: 0 };
}

/** The newest batch of all stays: it says where the log ends. */
async function clearStretches(session: Session, table: "log_refs" | "log_batch", number: number): Promise<number> {
  const notLast = table === "log_batch" ? "and first_sequence < (select max(first_sequence) from custodes.log_batch)" : "";
  const { count } = await session.query(
    `delete from custodes.${table} where first_sequence in (
       select first_sequence from custodes.${table} where last_sequence <= $1 ${notLast} order by first_sequence limit $2
     )`,
    [beforePart(number + 1), STRETCHES_MAX],
  );
  return count;
}

/** Undefined: another process did it. */
async function drop(session: Session, part: Part, { now }: ExpireRequest): Promise<ExpiredDay | undefined> {
  const table = partTable(part.number);
  const { rows } = await session.query<{ events: number; bytes: number }>(
    "select events, pg_total_relation_size(to_regclass($2)) as bytes from custodes.log_part where number = $1",
    [part.number, table],
  );
  if (rows[0] === undefined) return undefined;
  const { events, bytes } = rows[0];
  const day = new Date(part.day * DAY_MS).toISOString().slice(0, 10);
  await session.query(`drop table ${table}`);
  await session.query("delete from custodes.log_part where number = $1", [part.number]);
  await appendAudit(session, { time: now, actor: "custodes", action: "log.expired", subject: day, details: { events, bytes } });
  return { day, events, bytes };
}
