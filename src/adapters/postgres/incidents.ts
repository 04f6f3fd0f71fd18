/** Incidents, and which alerts are about which entity. Entities are hashed: they come out of logs and may be long. */
import type { Alert } from "../../core/alert.ts";
import { Failure } from "../../core/errors.ts";
import type { Incident } from "../../core/incident.ts";
import type { AlertLink, Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { alertOf, incidentOf, type Body } from "./subjects.ts";
import { arrayLiteral, storable, uidHash } from "./text.ts";

/**
 * See Transaction.saveIncidents. Of two transactions that write the same revision the later one waits for the primary key
 * of the earlier one, adds nothing, and so counts one row less than it meant to.
 */
export async function saveIncidents(session: Session, incidents: readonly Incident[]): Promise<void> {
  if (incidents.length === 0) return;
  const rows = incidents.map((incident) => ({
    id: storable(incident.id),
    revision: incident.revision,
    last_time: incident.lastTime,
    status: incident.status,
    entity: uidHash(incident.entity),
    // JSON text escapes NUL and lone surrogates, so a subject comes back exactly as it was.
    body: JSON.stringify(incident),
  }));
  const saved = await session.query<{ id: string }>(
    `insert into custodes.incident (id, revision, last_time, status, entity, body)
     select id, revision, last_time, status, entity, body
     from json_to_recordset($1::json) as new(id text, revision integer, last_time bigint, status integer, entity uuid, body text)
     where new.revision = 1 + coalesce((select max(revision) from custodes.incident as old where old.id = new.id), 0)
     order by id
     on conflict do nothing returning id`,
    [JSON.stringify(rows)],
  );
  if (saved.rows.length !== rows.length)
    throw new Failure("an incident was changed by somebody else first", { kind: "permanent", code: "INCIDENT_MOVED" });
}

/** See Transaction.linkAlerts. */
export async function linkAlerts(session: Session, links: readonly AlertLink[]): Promise<void> {
  if (links.length === 0) return;
  const rows = new Map(
    links.map(({ entity, alertId, firstTime, lastTime }) => [
      `${entity}\n${alertId}`,
      { entity: uidHash(entity), alert_id: storable(alertId), first_time: firstTime, last_time: lastTime },
    ]),
  );
  await session.query(
    `insert into custodes.alert_entity as old (entity, alert_id, first_time, last_time)
     select * from json_to_recordset($1::json) as new(entity uuid, alert_id text, first_time bigint, last_time bigint)
     order by entity, alert_id
     on conflict (entity, alert_id) do update set
       first_time = least(old.first_time, excluded.first_time), last_time = greatest(old.last_time, excluded.last_time)`,
    [JSON.stringify([...rows.values()])],
  );
}

/** See Store.alertsAbout. */
export async function alertsAbout(
  session: Session,
  entities: readonly string[],
  { from, to, limit }: Parameters<Store["alertsAbout"]>[1],
): Promise<readonly Alert[]> {
  if (entities.length === 0) return [];
  const { rows } = await session.query<Body>(
    `select found.body from (
       select distinct link.alert_id from (select unnest($1::text::uuid[]) as entity) as wanted cross join lateral (
         select alert_id from custodes.alert_entity as one
         where one.entity = wanted.entity and one.last_time >= $2 and one.first_time <= $3
         order by one.last_time desc, one.alert_id limit $4) as link) as ids
     cross join lateral (select body from custodes.alert where id = ids.alert_id order by revision desc limit 1) as found
     order by ids.alert_id`,
    [hashes(entities), from, to, limit],
  );
  return rows.map(alertOf);
}

/** See Store.incidentsAbout. */
export async function incidentsAbout(session: Session, entities: readonly string[], limit: number): Promise<readonly Incident[]> {
  if (entities.length === 0) return [];
  const { rows } = await session.query<Body>(
    `select found.body from (select unnest($1::text::uuid[]) as entity) as wanted cross join lateral (
       select id, last_time, body from custodes.incident as one where one.entity = wanted.entity
       and not exists (select 1 from custodes.incident as later where later.id = one.id and later.revision > one.revision)
       order by one.last_time desc, one.id limit $2) as found
     order by found.last_time desc, found.id`,
    [hashes(entities), limit],
  );
  return rows.map(incidentOf);
}

function hashes(entities: readonly string[]): string {
  return arrayLiteral([...new Set(entities)].map(uidHash));
}
