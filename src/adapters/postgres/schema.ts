/** The store's tables, one text per version. A version that was released is never changed, only followed by another. */

/** Version n is the n-th text; all names carry their schema, since the queue's statements set the search path. */
export const MIGRATIONS: readonly string[] = [
  `
  create table custodes.log (
    sequence bigserial primary key,
    uid_hash uuid not null,
    time bigint not null,
    source text not null,
    category text not null,
    agent_uid text,
    body text not null
  );
  create unique index log_uid on custodes.log (uid_hash);

  -- One row per append: finds where a replay starts without an index over every event's time.
  create table custodes.log_batch (
    first_sequence bigint primary key,
    last_sequence bigint not null,
    time_max bigint not null
  );

  create table custodes.source (
    source text primary key,
    cursor text,
    watermark bigint,
    newest_time bigint,
    last_success_time bigint,
    last_error text,
    paused_reason text,
    events bigint not null default 0,
    duplicates bigint not null default 0,
    quarantined bigint not null default 0,
    late_events bigint not null default 0,
    changed_time bigint not null
  );

  create table custodes.job_offset (
    job text primary key,
    sequence bigint not null
  );

  create table custodes.quarantine (
    id bigserial primary key,
    source text not null,
    time bigint not null,
    code text not null,
    message text not null,
    position text not null,
    raw text not null
  );
  create index quarantine_source on custodes.quarantine (source, id);

  -- The key and value are hashed because an index row takes 2.7 KB at most and both come out of logs.
  create table custodes.fact (
    hash uuid primary key,
    key text not null,
    value text not null,
    first bigint not null,
    last bigint not null
  );

  create table custodes.alert (
    id text not null,
    revision integer not null,
    last_time bigint not null,
    body text not null,
    primary key (id, revision)
  );
  create index alert_time on custodes.alert (last_time desc, id);

  create table custodes.incident (
    id text not null,
    revision integer not null,
    last_time bigint not null,
    status integer not null,
    body text not null,
    primary key (id, revision)
  );
  create index incident_time on custodes.incident (last_time desc, id);

  create table custodes.outbox (
    key text primary key,
    number bigserial not null,
    destination text not null,
    kind text not null,
    subject_id text not null,
    revision integer not null,
    -- Destination, kind and id in one column: the order of revisions is looked up by it alone, so that no other
    -- index fits and the look-up is cheap also where nothing has ever been analyzed (PGlite).
    subject uuid not null,
    status text not null default 'pending',
    attempts integer not null default 0,
    due_time bigint not null,
    created_time bigint not null,
    lease_until bigint,
    settled_time bigint,
    note text,
    body text
  );
  create index outbox_pending on custodes.outbox (destination, created_time, number) where status = 'pending';
  create index outbox_subject on custodes.outbox (subject, revision) where status = 'pending';
  create index outbox_listed on custodes.outbox (status, number);
  `,
  `
  -- One row per definition of a rule that remembers more than its windows.
  create table custodes.baseline_rule (
    id serial primary key,
    hash uuid not null unique,
    rule text not null,
    key text not null,
    until bigint not null,
    body text not null
  );

  -- The hash covers kind, group and value (or window): all of them come out of logs and may be long.
  create table custodes.baseline (
    rule_id integer not null,
    hash uuid not null,
    kind smallint not null,
    group_values text not null,
    value text not null,
    time bigint not null,
    whole bigint not null,
    units text not null,
    primary key (rule_id, hash)
  );
  `,
  `
  -- Attributions that were decided behind the watermark, one row per agent: the log keeps what was known when it was written.
  create table custodes.attribution (
    uid_hash uuid not null,
    agent_uid text not null,
    time bigint not null,
    attribution_id smallint not null,
    confidence smallint not null,
    path text not null,
    primary key (uid_hash, agent_uid)
  );
  create index attribution_agent on custodes.attribution (agent_uid, time);
  `,
  `
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
  `,
];
