import { OUTBOX_TICKETS } from "./schema-deliveries.ts";
import { INCIDENT_ENTITIES } from "./schema-incidents.ts";
import { SHOWN } from "./schema-shown.ts";

// All names carry their schema, since the queue's statements set the search path.
/** The store's tables: version n is the n-th text. One that was released is never changed, only followed by another. */
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
  -- Moving a large log must not end at a limit that is meant for questions.
  set local statement_timeout = 0;

  -- The log in parts of one day of receipt. A part holds a range of sequences, so that whoever follows the sequence reads
  -- few of them, and is taken out whole when its time is over. What was there before is the first part, unmoved.
  alter table custodes.log rename to log_0;
  alter table custodes.log_0 alter column sequence drop default;
  -- Ids are compared as bytes: cheaper than by the rules of a language, and the same on every server.
  alter table custodes.log_0 drop column source, alter column agent_uid type text collate "C";
  drop sequence custodes.log_sequence_seq;
  drop index custodes.log_uid;
  alter index custodes.log_pkey rename to log_0_pkey;
  create table custodes.log (
    sequence bigint primary key,
    uid_hash uuid not null,
    time bigint not null,
    category text not null,
    agent_uid text collate "C",
    body text not null
  ) partition by range (sequence);
  create index log_agent on custodes.log (agent_uid, time) where agent_uid is not null;
  alter table custodes.log attach partition custodes.log_0 for values from (0) to (68719476736);

  create table custodes.log_part (
    number integer primary key,
    -- Day of receipt, in days since the epoch.
    day integer not null,
    -- open, leaving (must not be read any more), left (detached).
    state text not null default 'open',
    -- Sequence up to which the uids of a part that leaves are forgotten.
    cleared bigint,
    events bigint not null default 0
  );
  insert into custodes.log_part (number, day) values (0, floor(extract(epoch from now()) / 86400)::integer);

  -- Uids are unique over all parts; a unique index in each would cost a look-up in every one of them.
  create table custodes.log_uid as select uid_hash as hash, sequence from custodes.log_0;
  alter table custodes.log_uid alter column hash set not null, alter column sequence set not null;
  alter table custodes.log_uid add primary key (hash);

  -- Events that several agents may have caused have no agent of their own in the log; each of these finds them here.
  create table custodes.log_shared (
    agent_uid text collate "C" not null,
    time bigint not null,
    sequence bigint not null,
    confidence smallint not null,
    primary key (agent_uid, time, sequence)
  );
  create index log_shared_sequence on custodes.log_shared (sequence);

  -- Which run, session, trace, conversation and request ids occur in a stretch of the log, as a Bloom filter; null: it may be any.
  create table custodes.log_refs (
    first_sequence bigint primary key,
    last_sequence bigint not null,
    bits bytea
  );
  alter table custodes.log_refs alter column bits set storage plain;
  insert into custodes.log_refs (first_sequence, last_sequence)
    select min(sequence), max(sequence) from custodes.log_0 group by sequence / 256;
  `,
  `
  -- What Custodes and its operators did. Each row carries the hash of the one before, so that no row can be changed or taken
  -- out of the middle unseen; the head is kept apart, so that neither can the end be cut off.
  create table custodes.audit (
    number bigint primary key,
    time bigint not null,
    actor text not null,
    action text not null,
    subject text not null,
    details text not null,
    previous text not null,
    hash text not null
  );
  create table custodes.audit_head (
    one boolean primary key default true check (one),
    number bigint not null,
    hash text not null
  );
  create function custodes.audit_refuses() returns trigger language plpgsql as $$
  begin
    -- Only retention takes rows away, from the start, and leaves a row with the hash of the last one that went.
    if tg_op = 'DELETE' and old.number <= coalesce(nullif(current_setting('custodes.audit_expires_to', true), ''), '-1')::bigint then
      return old;
    end if;
    raise exception 'the audit log is only ever appended to';
  end $$;
  create trigger audit_rows before update or delete on custodes.audit for each row execute function custodes.audit_refuses();
  create trigger audit_table before truncate on custodes.audit for each statement execute function custodes.audit_refuses();
  `,
  `
  -- The uid of the event that showed a fact first: explanations name it.
  alter table custodes.fact add column origin text;
  `,
  `
  -- Stretches of event time for which records of a source are or were missing.
  create table custodes.source_gap (
    id text primary key,
    source text not null,
    from_time bigint not null,
    to_time bigint,
    why text not null,
    detail text not null,
    state text not null,
    found_time bigint not null,
    end_time bigint
  );
  create index source_gap_open on custodes.source_gap (source) where state = 'open';
  create index source_gap_found on custodes.source_gap (source, found_time);

  -- How late records came, per day of receipt, so that old behaviour fades. Counts of fixed buckets.
  create table custodes.source_lateness (
    source text not null,
    day bigint not null,
    lag bigint[] not null,
    lag_max bigint not null,
    late bigint[] not null,
    late_max bigint not null,
    primary key (source, day)
  );

  -- What is wrong with the service itself, from when to when; an alert follows from each row.
  create table custodes.health_condition (
    rule text not null,
    entity text not null,
    since bigint not null,
    ended bigint,
    level text not null,
    detail text not null,
    primary key (rule, entity, since)
  );

  -- When each agent was last seen by each source.
  create table custodes.agent_seen (
    agent text not null,
    source text not null,
    last bigint not null,
    primary key (agent, source)
  );
  `,
  INCIDENT_ENTITIES,
  "alter table custodes.source add column progress_time bigint",
  "alter table custodes.source_gap add column whole json",
  OUTBOX_TICKETS,
  SHOWN,
];
