/** The audit log: rows that are chained by their hashes, so that nobody changes or removes one unseen. */
import { hash as digest } from "node:crypto";
import type { EpochMs } from "../../core/event.ts";
import type { AuditEntry, AuditHead, AuditRow } from "../../ports/audit.ts";
import type { Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { LOCK_SPACE } from "./migrate.ts";
import { storableCut } from "./text.ts";

/** Held from an append to the end of its transaction: the next row needs the hash of this one. Taken after the log's own lock. */
const LOCK_AUDIT = 3;
/** What stands before the first row. */
export const GENESIS = "0".repeat(64);
/** Names of people, keys and ids are shorter; a longer text is cut. */
const NAME_BYTES_MAX = 500;
/** Details are a few counts and names. */
const DETAILS_BYTES_MAX = 8192;
/** Rows that one run of retention takes away, so that its transaction stays short. */
const EXPIRE_ROWS_MAX = 5000;
/** The action of the row that stands for those that went. */
export const EXPIRED = "audit.expired";

/** A row as it is stored; `details` is the text that was hashed. */
export interface Stored {
  readonly number: number;
  readonly time: EpochMs;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: string;
  readonly previous: string;
  readonly hash: string;
}

/** See Transaction.appendAudit. */
export async function appendAudit(session: Session, entry: AuditEntry): Promise<AuditHead> {
  // A statement of its own: the next one must see what was committed while this one waited.
  await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_AUDIT]);
  const head = (await auditHead(session)) ?? { number: 0, hash: GENESIS };
  const row = {
    number: head.number + 1,
    time: Math.trunc(entry.time),
    actor: storableCut(entry.actor, NAME_BYTES_MAX),
    action: storableCut(entry.action, NAME_BYTES_MAX),
    subject: storableCut(entry.subject, NAME_BYTES_MAX),
    details: detailsText(entry.details),
    previous: head.hash,
  };
  const hash = rowHash(row);
  await session.query(
    `insert into custodes.audit (number, time, actor, action, subject, details, previous, hash) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [row.number, row.time, row.actor, row.action, row.subject, row.details, row.previous, hash],
  );
  await session.query(
    "insert into custodes.audit_head (number, hash) values ($1, $2) on conflict (one) do update set number = excluded.number, hash = excluded.hash",
    [row.number, hash],
  );
  return { number: row.number, hash };
}

/** See Store.auditHead. */
export async function auditHead(session: Session): Promise<AuditHead | null> {
  const { rows } = await session.query<AuditHead>("select number, hash from custodes.audit_head");
  return rows[0] ?? null;
}

/** See Store.audit. */
export async function audit(session: Session, { limit, before, after }: Parameters<Store["audit"]>[0]): Promise<readonly AuditRow[]> {
  const { rows } = await session.query<Stored>(
    `select * from custodes.audit where ($1::bigint is null or number < $1) and ($2::bigint is null or number > $2)
     order by number ${after === undefined ? "desc" : "asc"} limit $3`,
    [before ?? null, after ?? null, limit],
  );
  return rows.map((row) => ({ ...row, details: parsed(row.details) }));
}

/** Somebody may have changed the text; that is for the hash to find. */
export function parsed(text: string): AuditEntry["details"] {
  try {
    return JSON.parse(text) as AuditEntry["details"];
  } catch (error) {
    if (error instanceof SyntaxError) return { unreadable: true };
    throw error;
  }
}

/**
 * Takes away what is older than `kept`, from the start on, and leaves a row that says so; returns how many went. The last row
 * that is old stays: its place in the chain binds its time, so that it shows that all before it was old, too.
 */
export async function expireAudit(session: Session, { kept, now }: { readonly kept: number; readonly now: EpochMs }): Promise<number> {
  await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_AUDIT]);
  // Up to the first that is young enough: a clock that went back must not make a hole. The newest row always stays.
  const { rows } = await session.query<AuditHead & { time: EpochMs }>(
    `select number, hash, time from custodes.audit
     where number < least(
       coalesce((select min(number) from custodes.audit where time >= $1), 9007199254740991) - 1,
       (select max(number) from custodes.audit),
       (select min(number) from custodes.audit) + $2::bigint)
     order by number desc limit 1`,
    [Math.trunc(now - kept), EXPIRE_ROWS_MAX],
  );
  const last = rows[0];
  if (last === undefined) return 0;
  await session.query("select set_config('custodes.audit_expires_to', $1, true)", [String(last.number)]);
  const { count } = await session.query("delete from custodes.audit where number <= $1", [last.number]);
  await session.query("select set_config('custodes.audit_expires_to', '', true)");
  const details = { through: last.number, hash: last.hash, last: last.time, kept, rows: count };
  await appendAudit(session, { time: now, actor: "custodes", action: EXPIRED, subject: "", details });
  return count;
}

/** One text per row, whatever the order of its columns and of its details. */
export function rowHash(row: Omit<Stored, "hash">): string {
  const { number, time, actor, action, subject, details, previous } = row;
  return digest("sha256", `${previous}\n${JSON.stringify([number, time, actor, action, subject, details])}`, "hex");
}

function detailsText(details: AuditEntry["details"]): string {
  const sorted = Object.fromEntries(Object.entries(details).sort(([one], [other]) => (one < other ? -1 : 1)));
  // JSON escapes NUL and lone surrogates, so that what is read back is what was hashed.
  const text = JSON.stringify(sorted);
  return Buffer.byteLength(text) <= DETAILS_BYTES_MAX ? text : JSON.stringify({ cut: true, bytes: Buffer.byteLength(text) });
}
