/** `custodes audit list` and `custodes audit verify`. */
import { userInfo } from "node:os";
import type { Command } from "commander";
import { duration } from "../archetypes/settings.ts";
import { safeText } from "../core/safe-text.ts";
import type { AuditRow, AuditVerdict } from "../ports/audit.ts";
import type { Act, Add } from "./baseline.ts";
import { stateConfig } from "./config.ts";
import { CommandError, EXIT, note, table } from "./output.ts";
import { askState } from "./state.ts";

/** Rows of one answer, as whoever answers counts them. */
const ROWS_USUAL = 100;
const ROWS_MAX = 10_000;

interface ListOptions {
  readonly config: string;
  readonly limit?: string;
  readonly before?: string;
  readonly after?: string;
  readonly json?: boolean;
}

interface VerifyOptions {
  readonly config: string;
  readonly from?: string;
  readonly expect?: string;
  readonly retention?: string;
  readonly json?: boolean;
}

/** Adds `audit list|verify`. */
export function addAudit(program: Command, act: Act, add: Add, configured: (command: Command) => Command): void {
  const parent = add(program, "audit", "what Custodes and its operators did");
  configured(add(parent, "list", "newest first, or with --after oldest first"))
    .option("--limit <n>", "rows; default 100, at most 10000")
    .option("--before <number>", "rows before this one")
    .option("--after <number>", "rows after this one: 0 is the first")
    .option("--json", "for machines")
    .action(act((options: ListOptions) => listCommand(options)));
  configured(add(parent, "verify", "whether a row was changed or is missing"))
    .option("--from <number>", "only from this row on")
    .option("--expect <hash>", "a hash that was noted elsewhere: of the head, as the service logs it every day")
    .option("--retention <duration>", "the shortest retention.audit that there ever was; default: the configured one")
    .option("--json", "for machines")
    .action(act((options: VerifyOptions) => verifyCommand(options)));
}

/** Who gives a command, as the system knows him. */
export function operator(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container the user often has a number and no name, and that is all that can be said.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

async function listCommand({ config, limit, before, after, json }: ListOptions): Promise<number> {
  const asked = {
    limit: wholeNumber("--limit", limit),
    before: wholeNumber("--before", before),
    after: after === "0" ? after : wholeNumber("--after", after),
  };
  const rows = (await askState(stateConfig(config), "audit", given(asked))) as AuditRow[];
  if (json === true) console.log(JSON.stringify(rows, null, 2));
  else console.log(table([["NUMBER", "TIME", "ACTOR", "ACTION", "SUBJECT", "DETAILS"], ...rows.map(rowOf)]));
  const last = rows.at(-1);
  if (json !== true && last !== undefined && rows.length === Math.min(ROWS_MAX, Number(limit ?? ROWS_USUAL)))
    note(`there may be more: --${after === undefined ? "before" : "after"} ${last.number}`);
  return EXIT.good;
}

async function verifyCommand({ config, from, expect, retention, json }: VerifyOptions): Promise<number> {
  if (expect !== undefined && !/^[0-9a-f]{64}$/.test(expect))
    throw new CommandError("--expect: write the 64 hexadecimal digits of a hash", EXIT.usage);
  const parameters = given({ from: wholeNumber("--from", from), expect, retention: milliseconds(retention) });
  const verdict = (await askState(stateConfig(config), "audit-verify", parameters)) as AuditVerdict;
  const { problem } = verdict;
  if (json === true) console.log(JSON.stringify(verdict, null, 2));
  else for (const line of verdictLines(verdict)) console.log(line);
  return problem === null ? EXIT.good : EXIT.no;
}

function verdictLines({ rows, first, head, problem, expected }: AuditVerdict): string[] {
  if (problem !== null) return [`${problem.number === 0 ? "" : `row ${problem.number}: `}${problem.reason}`];
  if (head === null) return ["the audit log is empty"];
  const all = `${rows} rows, ${first} to ${head.number}, are as they were written; head ${head.hash}`;
  if (expected?.how !== "dropped") return [all];
  const { number, time } = expected;
  return [all, `the row with that hash, ${number}, went by retention; it was written at ${new Date(time).toISOString()}, not later`];
}

function rowOf({ number, time, actor, action, subject, details }: AuditRow): string[] {
  return [
    String(number),
    new Date(time).toISOString(),
    safeText(actor, 40),
    safeText(action, 40),
    safeText(subject, 80),
    safeText(JSON.stringify(details), 200),
  ];
}

function wholeNumber(name: string, text: string | undefined): string | undefined {
  if (text !== undefined && !/^[1-9]\d{0,14}$/.test(text)) throw new CommandError(`${name}: write a whole number from 1 on`, EXIT.usage);
  return text;
}

function milliseconds(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const parsed = duration.safeParse(text);
  if (!parsed.success) throw new CommandError(`--retention: ${parsed.error.issues[0]?.message ?? "write a duration"}`, EXIT.usage);
  return String(parsed.data);
}

function given(parameters: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
