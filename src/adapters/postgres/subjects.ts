/** Alerts and incidents, every revision: a delivery is rendered from the revision that it names. */
import type { Alert } from "../../core/alert.ts";
import { INCIDENT_STATUS, type Incident } from "../../core/incident.ts";
import type { Revision, Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable } from "./text.ts";

/** See Transaction.saveAlerts. */
export async function saveAlerts(session: Session, alerts: readonly Alert[]): Promise<void> {
  await save(session, alerts);
}

interface Revised {
  readonly id: string;
  readonly revision: number;
  readonly lastTime: number;
}

async function save(session: Session, subjects: readonly Revised[]): Promise<void> {
  const rows = ascending(subjects).map((subject) => ({
    id: storable(subject.id),
    revision: subject.revision,
    last_time: subject.lastTime,
    // JSON text escapes NUL and lone surrogates, so a subject comes back exactly as it was.
    body: JSON.stringify(subject),
  }));
  if (rows.length === 0) return;
  await session.query(
    `insert into custodes.alert as old (id, revision, last_time, body)
     select id, revision, last_time, body from json_to_recordset($1::json) as new(id text, revision integer, last_time bigint, body text)
     where not exists (select 1 from custodes.alert as later where later.id = new.id and later.revision > new.revision)
     order by id, revision
     on conflict (id, revision) do update set last_time = excluded.last_time, body = excluded.body`,
    [JSON.stringify(rows)],
  );
}

/** Of one call's subjects those that, saved one by one, would not have been refused; of equals the last. */
function ascending<S extends Revised>(subjects: readonly S[]): readonly S[] {
  const newest = new Map<string, number>();
  const kept = new Map<string, S>();
  for (const subject of subjects) {
    if (subject.revision < (newest.get(subject.id) ?? 0)) continue;
    newest.set(subject.id, subject.revision);
    kept.set(`${subject.revision}:${subject.id}`, subject);
  }
  return [...kept.values()];
}

/** See Store.alerts; by newest last time. */
export async function alerts(session: Session, filter: Parameters<Store["alerts"]>[0] = {}): Promise<readonly Alert[]> {
  const { rows } = await session.query<Body>(
    `select body from ${newest("alert", filter.ids)} order by found.last_time desc, found.id limit $2`,
    [ids(filter.ids), filter.limit ?? null],
  );
  return rows.map(alertOf);
}

/** See Store.incidents; by newest last time. */
export async function incidents(session: Session, filter: Parameters<Store["incidents"]>[0] = {}): Promise<readonly Incident[]> {
  const { rows } = await session.query<Body>(
    `select body from ${newest("incident", filter.ids)}
     where $3::boolean is null or (status not in ($4, $5)) = $3
     order by found.last_time desc, found.id limit $2`,
    [ids(filter.ids), filter.limit ?? null, filter.open ?? null, INCIDENT_STATUS.resolved, INCIDENT_STATUS.closed],
  );
  return rows.map(incidentOf);
}

/** The newest revisions: of the ids in $1, each looked up by its key; or of all ($1 is null), walked only as far as the limit. */
function newest(table: "alert" | "incident", wanted: readonly string[] | undefined): string {
  if (wanted === undefined) {
    return `(select * from custodes.${table} as one where $1::json is null and not exists (
      select 1 from custodes.${table} as later where later.id = one.id and later.revision > one.revision)) as found`;
  }
  return `(select distinct json_array_elements_text($1::json) as id) as wanted cross join lateral (
    select * from custodes.${table} where id = wanted.id order by revision desc limit 1) as found`;
}

/** See Store.alertRevisions. */
export async function alertRevisions(session: Session, wanted: readonly Revision[]): Promise<readonly Alert[]> {
  return (await revisions(session, "alert", wanted)).map(alertOf);
}

/** See Store.incidentRevisions. */
export async function incidentRevisions(session: Session, wanted: readonly Revision[]): Promise<readonly Incident[]> {
  return (await revisions(session, "incident", wanted)).map(incidentOf);
}

async function revisions(session: Session, table: "alert" | "incident", wanted: readonly Revision[]): Promise<readonly Body[]> {
  if (wanted.length === 0) return [];
  const { rows } = await session.query<Body>(
    `select body from json_to_recordset($1::json) as wanted(id text, revision integer)
     cross join lateral (select body from custodes.${table} where id = wanted.id and revision = wanted.revision limit 1) as found`,
    [JSON.stringify(wanted.map(({ id, revision }) => ({ id: storable(id), revision })))],
  );
  return rows;
}

/** A stored subject. */
export interface Body {
  readonly body: string;
}

function ids(list: readonly string[] | undefined): string | null {
  return list === undefined ? null : JSON.stringify(list.map(storable));
}

/** The alert that a row holds. */
export function alertOf({ body }: Body): Alert {
  return JSON.parse(body) as Alert;
}

/** The incident that a row holds. */
export function incidentOf({ body }: Body): Incident {
  const stored = JSON.parse(body) as Incident;
  // JSON leaves out what is undefined; the type promises the keys.
  return {
    ...stored,
    agentUid: stored.agentUid,
    agentName: stored.agentName,
    agentOwner: stored.agentOwner,
    coverage: { ...stored.coverage, watermark: stored.coverage.watermark },
  };
}
