/** Whether the audit log is as it was written. Reads within one snapshot: rows that are appended meanwhile are the next look's. */
import type { EpochMs } from "../../core/event.ts";
import type { AuditCheck, AuditVerdict } from "../../ports/audit.ts";
import { auditHead, EXPIRED, GENESIS, parsed, rowHash, type Stored } from "./audit.ts";
import type { Session } from "./database.ts";
import { MIGRATIONS } from "./schema.ts";

/** Rows that are verified at once. */
const PAGE_ROWS = 1000;
/** Clocks of two processes differ by less. Whoever forges gains an hour of 400 days by it. */
const CLOCK_SKEW_MS = 3_600_000;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** The version of the tables that brought the audit log. */
const AUDIT_SINCE = 1 + MIGRATIONS.findIndex((sql) => sql.includes("create table custodes.audit ("));

type Problem = NonNullable<AuditVerdict["problem"]>;

/** See Store.verifyAudit; `session` shows one snapshot of all rows. */
export async function verifyAudit(session: Session, check: AuditCheck = {}): Promise<AuditVerdict> {
  const head = await auditHead(session);
  const begin = await beginning(session, check.from ?? 1);
  const found = await walk(session, begin, check);
  const problem =
    found.problem ?? (await goneProblem(session, found, head)) ?? startProblem(begin, found, check) ?? endProblem(found, head, check);
  return { rows: found.rows, first: found.first?.number ?? 0, head, problem, ...(found.met === undefined ? {} : { expected: found.met }) };
}

interface Walked {
  readonly rows: number;
  readonly first: Stored | undefined;
  readonly last: Stored | undefined;
  /** Where the hash that was asked for stands in the chain. */
  readonly met: AuditVerdict["expected"];
  readonly problem: Problem | null;
}

interface Beginning {
  readonly number: number;
  /** `hash` of the row before it. */
  readonly hash: string;
  /** The row by which retention says that the chain starts here. */
  readonly expiry?: Stored;
}

/** From the first row on, each against the one before it; ends at the first that is wrong. */
async function walk(session: Session, begin: Beginning, check: AuditCheck): Promise<Walked> {
  let [rows, first, last]: [number, Stored | undefined, Stored | undefined] = [0, undefined, undefined];
  let met: AuditVerdict["expected"];
  let expiredAt = -Infinity;
  const wanted: { hash: string; number: number } = { hash: begin.hash, number: begin.number };
  for (;;) {
    const page = await session.query<Stored>("select * from custodes.audit where number >= $1 order by number limit $2", [
      wanted.number,
      PAGE_ROWS,
    ]);
    for (const row of page.rows) {
      rows++;
      first ??= row;
      const reason =
        rowProblem(row, wanted, first.number) ??
        expiryProblem(row, check) ??
        (row.time < expiredAt - CLOCK_SKEW_MS
          ? `it was written before a row in front of it took old rows away: the clock was wrong`
          : undefined);
      if (reason !== undefined) return { rows, first, last, met, problem: { number: Math.min(row.number, wanted.number), reason } };
      met ??= meets(row, check.expect);
      if (row.action === EXPIRED) expiredAt = Math.max(expiredAt, row.time);
      last = row;
      wanted.hash = row.hash;
      wanted.number = row.number + 1;
    }
    if (page.rows.length < PAGE_ROWS) return { rows, first, last, met, problem: null };
  }
}

/** The number and the hash before it that the chain must start with: its real start, where the newest retention left it, or `from`. */
async function beginning(session: Session, from: number): Promise<Beginning> {
  const { rows } = await session.query<Stored>("select * from custodes.audit where action = $1 order by number desc limit 1", [EXPIRED]);
  const expiry = rows[0];
  const { through, hash } = parsed(expiry?.details ?? "{}");
  const start: Beginning =
    expiry !== undefined && typeof through === "number" && typeof hash === "string"
      ? { number: through + 1, hash, expiry }
      : { number: 1, hash: GENESIS };
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

/** Whether a row that says that old rows went is to be believed by itself: they were old enough, and so was it allowed. */
function expiryProblem(row: Stored, { retention, now }: AuditCheck): string | undefined {
  if (row.action !== EXPIRED) return undefined;
  const { through, last, kept } = parsed(row.details);
  if (typeof through !== "number" || typeof last !== "number" || typeof kept !== "number" || through >= row.number)
    return "it says that old rows were taken away, but not which and why";
  const what = `it says that rows up to ${through} were taken away after ${span(row.time - last)}`;
  if (row.time - last < kept) return `${what}, where they were kept for ${span(kept)}`;
  if (retention === null) return `${what}, but retention.audit is forever`;
  if (retention !== undefined && kept < retention) return `${what}: sooner than retention.audit allows, which is ${span(retention)}`;
  if (now !== undefined && row.time > now + CLOCK_SKEW_MS) return `${what}, at a time that has not come yet`;
  return undefined;
}

/** The first row there is was old, too, when those before it went. It says when it was written in a way that the whole chain binds. */
function startProblem({ expiry }: Beginning, { first }: Walked, { retention }: AuditCheck): Problem | null {
  if (expiry === undefined || first === undefined) return null;
  const { through, kept } = parsed(expiry.details);
  const age = expiry.time - first.time;
  const least = Math.max(typeof kept === "number" ? kept : 0, retention ?? 0);
  if (age >= least) return null;
  const reason = `it says that rows up to ${String(through)} were old, but row ${first.number}, up to which they went, was ${span(age)} old then, and retention keeps rows for ${span(least)}`;
  return { number: expiry.number, reason };
}

function endProblem({ last, met }: Walked, head: AuditVerdict["head"], { expect }: AuditCheck): Problem | null {
  const end = last ?? { number: 0, hash: GENESIS };
  if (head !== null && head.number > end.number)
    return { number: end.number + 1, reason: `rows up to ${head.number} are missing at the end` };
  if (head?.hash !== last?.hash || head?.number !== last?.number)
    return { number: end.number, reason: "it is not the head that was noted" };
  if (expect !== undefined && met === undefined)
    return { number: end.number, reason: `no row has the hash ${expect}: the log is not the one that it was taken from` };
  return null;
}

/** Why what there is cannot be all; a service that stores anything has written `service.started` before. */
async function goneProblem(session: Session, { rows, first }: Walked, head: AuditVerdict["head"]): Promise<Problem | null> {
  if (rows === 0 && head === null) {
    const used = ["log", "alert", "incident", "outbox"].map((table) => `exists (select 1 from custodes.${table})`).join(" or ");
    const isUsed = (await session.query<{ used: boolean }>(`select ${used} as used`)).rows[0]?.used === true;
    const reason = "the audit log is gone: the store holds what only a service that had written to it can have stored";
    return isUsed ? { number: 0, reason } : null;
  }
  if (first?.number !== 1) return null;
  // What is older than the table of the audit log was stored by a version that wrote none.
  const { rows: earlier } = await session.query<{ time: EpochMs }>(
    `select created_time as time from custodes.outbox
     where created_time < $1 and created_time > (
       select extract(epoch from applied_at) * 1000 + $3::bigint from custodes.migration where version = $2)
     order by created_time limit 1`,
    [Math.trunc(first.time - CLOCK_SKEW_MS), AUDIT_SINCE, CLOCK_SKEW_MS],
  );
  const [delivery] = earlier;
  if (delivery === undefined) return null;
  const [since, from] = [delivery.time, first.time].map((time) => new Date(time).toISOString());
  return {
    number: 1,
    reason: `it was written at ${from}, but the service that writes the first row made deliveries at ${since}: the rows before are gone`,
  };
}

function meets(row: Stored, expect: string | undefined): AuditVerdict["expected"] {
  if (expect === undefined) return undefined;
  if (row.hash === expect) return { how: "present", number: row.number, time: row.time };
  const { hash, through, last } = row.action === EXPIRED ? parsed(row.details) : {};
  return hash === expect && typeof through === "number" && typeof last === "number"
    ? { how: "dropped", number: through, time: last }
    : undefined;
}

function span(ms: EpochMs): string {
  if (ms >= DAY_MS) return `${Math.floor(ms / DAY_MS)} days`;
  return ms >= MINUTE_MS ? `${Math.floor(ms / MINUTE_MS)} minutes` : `${ms} ms`;
}
