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
  `;
