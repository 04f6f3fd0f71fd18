/** Migrations of incidents and alerts, in the order of MIGRATIONS (schema.ts), which names them. */

/** What incidents and alerts are about. */
export const INCIDENT_ENTITIES = `
  -- Incidents are found by what they are about. Closed ones of earlier versions stay without it and are not reopened.
  alter table custodes.incident add column entity uuid;
  create index incident_entity on custodes.incident (entity, last_time desc);

  -- What each alert is about: risk adds up over them, whatever incident they are in.
  create table custodes.alert_entity (
    entity uuid not null,
    alert_id text not null,
    first_time bigint not null,
    last_time bigint not null,
    primary key (entity, alert_id)
  );
  create index alert_entity_time on custodes.alert_entity (entity, last_time desc);
  -- Retention takes out the oldest, whatever they are about.
  create index alert_entity_old on custodes.alert_entity (last_time);
  `;
