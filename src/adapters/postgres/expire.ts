/** Retention: takes out what is old, in steps so small that nobody waits for one, and never what is still referred to. */
import type { EpochMs } from "../../core/event.ts";
import { LINK_FACT } from "../../core/identity/bindings.ts";
import { SEEN_FACT } from "../../core/identity/graph.ts";
import { BINDINGS_KEPT_MS } from "../../core/identity/reach.ts";
import { INCIDENT_STATUS } from "../../core/incident.ts";
import type { Expired, ExpireRequest } from "../../ports/retention.ts";
import { appendAudit, expireAudit } from "./audit.ts";
import type { Database, Session } from "./database.ts";
import { expireLog } from "./expire-log.ts";
import { withSession } from "./failure.ts";
import { LOCK_SPACE } from "./migrate.ts";
import { expireShown } from "./shown.ts";
import { incidents } from "./subjects.ts";
import { runTransaction } from "./transaction.ts";

/** Held during each step, so that of several processes one works and the others leave it to that. */
const LOCK_EXPIRE = 4;
/** Rows of one step. A quarantined record has 64 KB at most, so that a step stays well below a second. */
const ROWS_MAX = 1000;
/** Steps of one class in one run: half a million rows, more than come in the time between two runs. */
const STEPS_MAX = 500;
/** No step waits longer for somebody else's lock, and nobody longer for a step that waits. */
const LOCK_WAIT_MS = 500;
/** How the keys of bindings begin; see core/identity. */
const IS_BINDING = `(starts_with(key, '${LINK_FACT}') or starts_with(key, '${SEEN_FACT}'))`;
/** Alerts of open incidents are kept; of more, as many as correlation remembers. */
const OPEN_MAX = 10_000;

/** Does one step in a transaction of its own. Undefined: another process is at it. */
export type Step = <T>(work: (session: Session) => Promise<T>) => Promise<T | undefined>;

/** See Store.expire. */
export async function expire(database: Database, request: ExpireRequest): Promise<Expired | undefined> {
  const step: Step = (work) =>
    runTransaction(database, async (session) => {
      const { rows } = await session.query<{ got: boolean }>("select pg_try_advisory_xact_lock($1, $2) as got", [LOCK_SPACE, LOCK_EXPIRE]);
      if (rows[0]?.got !== true) return undefined;
      await session.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
      return work(session);
    });
  const log = await expireLog(database, step, request);
  if (log === undefined) return undefined;
  const rows: { -readonly [K in keyof Expired["rows"]]: Expired["rows"][K] } = {
    facts: 0,
    attributions: log.attributions,
    quarantine: 0,
    deliveries: 0,
    alerts: 0,
    incidents: 0,
    audit: 0,
  };
  let more = log.more;
  try {
    for (const [kind, work] of classes(request)) {
      for (let steps = 0; ; steps++) {
        if (steps === STEPS_MAX || request.signal.aborted) {
          more = true;
          break;
        }
        const count = await step(work);
        if (count === undefined) return undefined;
        rows[kind] += count;
        if (count < ROWS_MAX) break;
      }
    }
  } finally {
    // What went has gone, however the run ends.
    await noteExpired(database, request.now, rows);
  }
  const { parts, bytes } = await withSession(database, size);
  return { days: log.days, rows, held: log.held, parts, bytes, more };
}

/** One entry of the audit log for a run; days of the log, and the audit log's own rows, have theirs. */
async function noteExpired(
  database: Database,
  now: EpochMs,
  { alerts, incidents: closed, deliveries, quarantine }: Expired["rows"],
): Promise<void> {
  if (alerts + closed + deliveries + quarantine === 0) return;
  const details = { alerts, incidents: closed, deliveries, quarantine };
  await runTransaction(database, (session) =>
    appendAudit(session, { time: now, actor: "custodes", action: "rows.expired", subject: "", details }),
  );
}

type Class = readonly [kind: keyof Expired["rows"], step: (session: Session) => Promise<number>];

/** Deliveries first: what they refer to can go with them. */
function classes({ retention, now, keepFrom, alertsKeepFrom }: ExpireRequest): readonly Class[] {
  const list: Class[] = [];
  const add = (kind: Class[0], keptMs: number | null, step: (session: Session, before: EpochMs) => Promise<number>): void => {
    if (keptMs !== null) list.push([kind, (session) => step(session, Math.trunc(now - keptMs))]);
  };
  add("quarantine", retention.quarantine, expireQuarantine);
  add("deliveries", retention.deliveries, expireDeliveries);
  add("incidents", retention.incidents, expireIncidents);
  // What correlation may come to again must be found, or it would be told a second time.
  if (alertsKeepFrom !== null) {
    add("alerts", retention.alerts, (session, before) => expireAlerts(session, Math.trunc(Math.min(before, alertsKeepFrom))));
  }
  if (keepFrom !== null) {
    add("facts", retention.log, (session, before) =>
      expireFacts(session, Math.trunc(Math.min(before, keepFrom)), Math.trunc(Math.min(now, keepFrom)) - BINDINGS_KEPT_MS),
    );
  }
  const { audit } = retention;
  if (audit !== null) add("audit", audit, (session) => expireAudit(session, { kept: audit, now }));
  return list;
}

async function expireQuarantine(session: Session, before: EpochMs): Promise<number> {
  const sql = "delete from custodes.quarantine where id in (select id from custodes.quarantine where time < $1 order by id limit $2)";
  return (await session.query(sql, [before, ROWS_MAX])).count;
}

async function expireDeliveries(session: Session, before: EpochMs): Promise<number> {
  const { count } = await session.query(
    `delete from custodes.outbox where key in (
       select key from custodes.outbox where status <> 'pending' and settled_time < $1 limit $2)`,
    [before, ROWS_MAX],
  );
  return count;
}

/**
 * Bindings outlive the log that told them: a pod may run for weeks. Those of a key that are older than whoever is still told
 * of go together: without one that took an address, the one who lost it would have it again after a restart.
 */
async function expireFacts(session: Session, before: EpochMs, bindingsBefore: EpochMs): Promise<number> {
  const { count } = await session.query(
    `with holder as (
       select key, min(last) as begun from custodes.fact where ${IS_BINDING} group by key, split_part(value, chr(9), 1) having max(last) >= $2),
     needed as (select key, min(begun) as begun from holder group by key)
     delete from custodes.fact where hash in (
       select fact.hash from custodes.fact as fact left join needed on needed.key = fact.key
       where fact.last < $1 and (not ${IS_BINDING.replaceAll("(key", "(fact.key")} or fact.last < least($2, coalesce(needed.begun, $2)))
       limit $3)`,
    [before, bindingsBefore, ROWS_MAX],
  );
  return count;
}

/** Neither sent nor given up for good: such a delivery is rendered from the revision that it names. */
const REFERRED = (kind: "alert" | "incident"): string =>
  `exists (select 1 from custodes.outbox as row where row.kind = '${kind}' and row.subject_id = one.id and row.status in ('pending', 'dead'))`;

/**
 * The newest revision of a subject goes last and alone: while it is there, no older one is taken for the newest.
 * `$1` is the time before which, `$2` how many at most.
 */
const OLD_ROWS = (kind: "alert" | "incident", over: string): string => `
  select id, revision from custodes.${kind} as one
  where last_time < $1 and not ${REFERRED(kind)} and (
    exists (select 1 from custodes.${kind} as later where later.id = one.id and later.revision > one.revision)
    or (${over} and not exists (select 1 from custodes.${kind} as early where early.id = one.id and early.revision < one.revision)))
  order by last_time limit $2`;

async function expireAlerts(session: Session, before: EpochMs): Promise<number> {
  const open = await incidents(session, { open: true, limit: OPEN_MAX });
  const needed = [...new Set(open.flatMap((incident) => incident.alerts.map(({ id }) => id)))];
  const over = "one.id not in (select json_array_elements_text($3::json))";
  const sql = `delete from custodes.alert where (id, revision) in (${OLD_ROWS("alert", over)})`;
  const { count } = await session.query(sql, [before, ROWS_MAX, JSON.stringify(needed)]);
  await session.query(
    `delete from custodes.alert_entity where (entity, alert_id) in (
       select entity, alert_id from custodes.alert_entity as link
       where last_time < $1 and not exists (select 1 from custodes.alert where id = link.alert_id) limit $2)`,
    [before, ROWS_MAX],
  );
  return count;
}

async function expireIncidents(session: Session, before: EpochMs): Promise<number> {
  const over = `one.status in (${INCIDENT_STATUS.resolved}, ${INCIDENT_STATUS.closed})`;
  const sql = `delete from custodes.incident where (id, revision) in (${OLD_ROWS("incident", over)})`;
  const { count } = await session.query(sql, [before, ROWS_MAX]);
  await expireShown(session, before, ROWS_MAX);
  return count;
}

async function size(session: Session): Promise<{ readonly parts: number; readonly bytes: number }> {
  const { rows } = await session.query<{ parts: number; bytes: number }>(
    "select (select count(*) from custodes.log_part) as parts, pg_database_size(current_database()) as bytes",
  );
  return rows[0] ?? { parts: 0, bytes: 0 };
}
