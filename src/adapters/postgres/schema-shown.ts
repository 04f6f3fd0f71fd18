/** Migrations of what destinations show, in the order of MIGRATIONS (schema.ts), which names them. */

/** What is urgent, what a destination shows of a subject, and the digests that show many incidents as one. */
export const SHOWN = `
  -- 0 goes before 1: a key that takes few deliveries a minute must not keep an end or a critical incident behind the rest.
  alter table custodes.outbox add column urgency smallint not null default 1;
  drop index custodes.outbox_pending;
  create index outbox_pending on custodes.outbox (destination, urgency, created_time, number) where status = 'pending';

  create table custodes.shown (
    -- As custodes.outbox has it: destination, kind and id in one.
    subject uuid primary key,
    destination text not null,
    subject_id text not null,
    -- What the last delivered revision left for the next.
    memory text,
    -- Of incidents that asked for attention: when the delivery was made that opened it there, and whether that is over.
    opened_time bigint,
    closed boolean not null default false,
    -- The digest that shows it; null: it is shown itself.
    digest text,
    -- What the digest counts it by.
    level text,
    rule text,
    agent text,
    last_time bigint,
    changed_time bigint not null
  );
  create index shown_opened on custodes.shown (destination, opened_time) where opened_time is not null;
  create index shown_digest on custodes.shown (digest) where digest is not null;
  create index shown_old on custodes.shown (changed_time);

  create table custodes.digest (
    id text primary key,
    destination text not null,
    -- Of the newest delivery that was made for it.
    revision integer not null,
    changed_time bigint not null
  );
  create index digest_old on custodes.digest (changed_time);
  `;
