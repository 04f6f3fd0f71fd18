/** Migrations of the outbox, in the order of MIGRATIONS (schema.ts), which names them. */

/** Deliveries that a destination has taken and not confirmed, and what was sent. */
export const OUTBOX_TICKETS = `
  alter table custodes.outbox
    -- What to ask the destination with, and since when.
    add column ticket text,
    add column ticket_time bigint,
    -- SHA-256 of the bytes of the last attempt, hex.
    add column sent_hash text,
    add column sent_time bigint;

  -- Destinations that fail, and those that were given up.
  create table custodes.destination (
    destination text primary key,
    failing_since bigint not null,
    disabled_time bigint,
    reason text not null
  );
  -- Is anything due? Asked every second, also while a hundred thousand wait for a destination that is down.
  create index outbox_due on custodes.outbox (destination, due_time) where status = 'pending';
  -- What was delivered of late.
  create index outbox_settled on custodes.outbox (settled_time) where settled_time is not null;
  `;
