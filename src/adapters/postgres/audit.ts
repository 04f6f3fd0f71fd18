/** The audit log: rows that are chained by their hashes, so that nobody changes or removes one unseen. */
import { hash as digest } from "node:crypto";
import type { EpochMs } from "../../core/event.ts";
import type { AuditEntry, AuditHead, AuditRow, AuditVerdict } from "../../ports/audit.ts";
import type { Session } from "./database.ts";
import { LOCK_SPACE } from "./migrate.ts";
import { storableCut } from "./text.ts";

/** Held from an append to the end of its transaction: the next row needs the hash of this one. Taken after the log's own lock. */
const LOCK_AUDIT = 3;
/** What stands before the first row. */
const GENESIS = "0".repeat(64);
/** Names of people, keys and ids are shorter; a longer text is cut. */
const NAME_BYTES_MAX = 500;
/** Details are a few counts and names. */
const DETAILS_BYTES_MAX = 8192;
/** Rows that are verified at once. */
const PAGE_ROWS = 1000;
/** Rows that one run of retention takes away, so that its transaction stays short. */
const EXPIRE_ROWS_MAX = 5000;
/** The action of the row that stands for those that went. */
const EXPIRED = "audit.expired";

interface Stored {
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
export async function audit(
  session: Session,
  { limit, before }: { readonly limit: number; readonly before?: number },
): Promise<readonly AuditRow[]> {
  const { rows } = await session.query<Stored>(
    "select * from custodes.audit where $1::bigint is null or number < $1 order by number desc limit $2",
    [before ?? null, limit],
  );
  return rows.map((row) => ({ ...row, details: parsed(row.details) }));
}

/** See Store.verifyAudit. */
export async function verifyAudit(
  session: Session,
  { from, expect }: { readonly from?: number; readonly expect?: string } = {},
): Promise<AuditVerdict> {
  const head = await auditHead(session);
  const found = await walk(session, from ?? 1, expect);
  const end = found.problem ?? endProblem(found, head, expect);
  return { rows: found.rows, first: found.first, head, problem: end };
}

interface Walked {
  readonly rows: number;
  readonly first: number;
  readonly last: Stored | undefined;
  /** The hash that was asked for stands in the chain. */
  readonly met: boolean;
  readonly problem: AuditVerdict["problem"];
}

/** From the first row on, each against the one before it; ends at the first that is wrong. */
async function walk(session: Session, from: number, expect: string | undefined): Promise<Walked> {
  let last: Stored | undefined;
  let [rows, first, met] = [0, 0, expect === undefined];
  const begin = await beginning(session, from);
  const wanted: { hash: string; number: number } = { ...begin };
  for (;;) {
    const page = await session.query<Stored>("select * from custodes.audit where number >= $1 order by number limit $2", [
      wanted.number,
      PAGE_ROWS,
    ]);
    for (const row of page.rows) {
      rows++;
      if (first === 0) first = row.number;
      const reason = rowProblem(row, wanted, first);
      if (reason !== undefined) return { rows, first, last, met, problem: { number: Math.min(row.number, wanted.number), reason } };
      met ||= row.hash === expect || expiredHash(row) === expect;
      last = row;
      wanted.hash = row.hash;
      wanted.number = row.number + 1;
    }
    if (page.rows.length < PAGE_ROWS) return { rows, first, last, met, problem: null };
  }
}

/** The number and the hash before it that the chain must start with: its real start, where the newest retention left it, or `from`. */
async function beginning(session: Session, from: number): Promise<{ readonly number: number; readonly hash: string }> {
  const { rows } = await session.query<{ details: string }>(
    "select details from custodes.audit where action = $1 order by number desc limit 1",
    [EXPIRED],
  );
  const { through, hash } = parsed(rows[0]?.details ?? "{}");
  const start = typeof through === "number" && typeof hash === "string" ? { number: through + 1, hash } : { number: 1, hash: GENESIS };
  if (from <= start.number) return start;
  const before = await session.query<{ hash: string }>("select hash from custodes.audit where number = $1", [from - 1]);
  return { number: from, hash: before.rows[0]?.hash ?? "missing" };
}

function rowProblem(row: Stored, wanted: { readonly number: number; readonly hash: string }, first: number): string | undefined {
  if (row.number !== wanted.number)
    return row.number - 1 === wanted.number ? `row ${wanted.number} is missing` : `rows ${wanted.number} to ${row.number - 1} are missing`;
  if (rowHash(row) !== row.hash) return "its content is not what was hashed";
  if (row.previous === wanted.hash) return undefined;
  return row.number === first ? "it does not follow on what was there before" : "the row before it is not the one that it was chained to";
}

function endProblem({ last, met }: Walked, head: AuditHead | null, expect: string | undefined): AuditVerdict["problem"] {
  const end = last ?? { number: 0, hash: GENESIS };
  if (head !== null && head.number > end.number)
    return { number: end.number + 1, reason: `rows up to ${head.number} are missing at the end` };
  if (head?.hash !== last?.hash || head?.number !== last?.number)
    return { number: end.number, reason: "it is not the head that was noted" };
  if (!met) return { number: end.number, reason: `no row has the hash ${expect}: the log is not the one that it was taken from` };
  return null;
}

function expiredHash(row: Stored): unknown {
  return row.action === EXPIRED ? parsed(row.details)["hash"] : undefined;
}

/** Somebody may have changed the text; that is for the hash to find. */
function parsed(text: string): AuditEntry["details"] {
  try {
    return JSON.parse(text) as AuditEntry["details"];
  } catch (error) {
    if (error instanceof SyntaxError) return { unreadable: true };
    throw error;
  }
}

/** Takes away what is older than `before`, from the start on, and leaves a row in its place; returns how many went. */
export async function expireAudit(session: Session, before: EpochMs, now: EpochMs): Promise<number> {
  await session.query("select pg_advisory_xact_lock($1, $2)", [LOCK_SPACE, LOCK_AUDIT]);
  // Up to the first that is young enough: a clock that went back must not make a hole. The newest row always stays.
  const { rows } = await session.query<AuditHead>(
    `select number, hash from custodes.audit
     where number < least(
       coalesce((select min(number) from custodes.audit where time >= $1), 9007199254740991),
       (select max(number) from custodes.audit),
       (select min(number) from custodes.audit) + $2::bigint)
     order by number desc limit 1`,
    [before, EXPIRE_ROWS_MAX],
  );
  const last = rows[0];
  if (last === undefined) return 0;
  await session.query("select set_config('custodes.audit_expires_to', $1, true)", [String(last.number)]);
  const { count } = await session.query("delete from custodes.audit where number <= $1", [last.number]);
  await session.query("select set_config('custodes.audit_expires_to', '', true)");
  const details = { through: last.number, hash: last.hash, rows: count };
  await appendAudit(session, { time: now, actor: "custodes", action: EXPIRED, subject: "", details });
  return count;
}

/** One text per row, whatever the order of its columns and of its details. */
function rowHash(row: Omit<Stored, "hash">): string {
  const { number, time, actor, action, subject, details, previous } = row;
  return digest("sha256", `${previous}\n${JSON.stringify([number, time, actor, action, subject, details])}`, "hex");
}

function detailsText(details: AuditEntry["details"]): string {
  const sorted = Object.fromEntries(Object.entries(details).sort(([one], [other]) => (one < other ? -1 : 1)));
  // JSON escapes NUL and lone surrogates, so that what is read back is what was hashed.
  const text = JSON.stringify(sorted);
  return Buffer.byteLength(text) <= DETAILS_BYTES_MAX ? text : JSON.stringify({ cut: true, bytes: Buffer.byteLength(text) });
}
