import { relative } from "node:path";
import type { Config } from "../config/config.ts";
import { LEVELS } from "../core/alert.ts";
import { safeText } from "../core/safe-text.ts";
import type { RulesStatus } from "../live-rules.ts";
import { BUILTIN_RULES, loadPack, type Pack, type Placeholders } from "../rules.ts";
import { CommandError, EXIT, note, table } from "./output.ts";
import { RULE_STATES, ruleRows, type RuleRow } from "./rule-rows.ts";

/** Options of `custodes rules list`. */
export interface ListOptions {
  readonly json: boolean;
  /** All columns, whatever the width. */
  readonly wide: boolean;
  /** Also what raises no alerts: referenced rules and filters. */
  readonly all: boolean;
  readonly status: string | undefined;
  readonly level: string | undefined;
  readonly code: string | undefined;
  readonly placeholders: Placeholders;
  /** With it, routes are known, and its rules are listed when no path is given. */
  readonly config: Config | undefined;
  /** Asks the running service what it has loaded. */
  readonly running: (() => Promise<RulesStatus>) | undefined;
}

/** Columns of a terminal that the usual table keeps to. */
const WIDTH = 120;
const TITLE_WIDTH = 44;

/** Lists the documents of a pack with what became of them; exit code 1 when one is rejected. */
export async function listRulesCommand(paths: readonly string[], options: ListOptions): Promise<number> {
  checkWord("--status", options.status, RULE_STATES);
  checkWord("--level", options.level, LEVELS);
  const given = paths.length > 0 ? paths : (options.config?.rules ?? [BUILTIN_RULES]);
  const pack = loadPack(given, options.placeholders);
  const every = ruleRows(pack, options.config);
  const rows = every.filter((row) => isWanted(row, options));
  if (options.json) console.log(JSON.stringify(rows, null, 2));
  else console.log(options.wide ? wideTable(rows, options.config !== undefined) : narrowTable(rows));
  const hidden = every.filter((row) => row.state === "muted" || row.kind === "filter").length;
  if (!options.json && !options.all && options.status === undefined && hidden > 0)
    console.log(`${hidden} more raise no alerts of their own (referenced by correlations, or filters); --all lists them`);
  if (options.running !== undefined) compareRunning(pack, await options.running());
  for (const one of pack.rejected) note(`${one.file}:${one.line}: ${one.rule ?? "(unnamed)"} is rejected: ${one.reason}`);
  return pack.rejected.length === 0 ? EXIT.good : EXIT.no;
}

function checkWord(option: string, value: string | undefined, words: readonly string[]): void {
  if (value !== undefined && !words.includes(value))
    throw new CommandError(`${option} ${value} is none of ${words.join(", ")}`, EXIT.usage);
}

function isWanted(row: RuleRow, { all, status, level, code }: ListOptions): boolean {
  if (status === undefined ? !all && (row.state === "muted" || row.kind === "filter") : row.state !== status) return false;
  return (level === undefined || row.level === level) && (code === undefined || row.codes.includes(code.toUpperCase()));
}

function narrowTable(rows: readonly RuleRow[]): string {
  const head = ["STATUS", "LEVEL", "CODES", "SPAN", "HORIZON", "TITLE", "FILE"];
  const cells = rows.map((row) => [
    row.state,
    row.level ?? "",
    row.codes.join(","),
    span(row.timespan_ms),
    span(row.horizon_ms),
    titleOf(row),
  ]);
  const cut = cells.map((row) => [...row.slice(0, -1), shortened(row.at(-1) ?? "", TITLE_WIDTH)]);
  const widths = [head.slice(0, -1), ...cut].reduce<number[]>(
    (most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cell.length)),
    [],
  );
  const left = WIDTH - widths.reduce((sum, width) => sum + width + 2, 0);
  return table([head, ...cut.map((row, at) => [...row, tail(placeOf(rows[at]!), left)])]);
}

function wideTable(rows: readonly RuleRow[], configured: boolean): string {
  const head = ["STATUS", "LEVEL", "CODES", "THREAT", "TYPE", "SPAN", "HORIZON", "RUNS", "MAPPINGS", "ROUTES", "TITLE", "FILE"];
  const cells = rows.map((row) => [
    row.state,
    row.level ?? "",
    row.codes.join(","),
    row.threat ?? "",
    row.type ?? row.kind ?? "",
    span(row.timespan_ms),
    span(row.horizon_ms),
    row.schedule === null
      ? (row.runs ?? "")
      : `${row.runs ?? ""} (schedule "${safeText(row.schedule, 40)}" ${row.timezone ?? ""} is not used)`,
    row.maps.map(({ id }) => safeText(id, 30)).join(","),
    configured ? routesText(row) : row.state === "rejected" ? "" : "unknown without -c",
    titleOf(row),
    placeOf(row),
  ]);
  return table([head, ...cells]);
}

function routesText({ routes }: RuleRow): string {
  if (routes === null) return "";
  const reached = routes.filter((route) => route.alerts || route.incidents);
  if (reached.length === 0) return "nowhere";
  return reached.map((route) => `${route.destination}${route.alerts ? "" : " (incidents)"}: ${route.why}`).join(", ");
}

function titleOf(row: RuleRow): string {
  const title = safeText(row.title ?? "(unnamed)", 256);
  if (row.reason !== null) return `${title}: ${safeText(row.reason, 256)}`;
  const [first] = row.warnings;
  return first === undefined ? title : `${title} (${safeText(first.message, 256)})`;
}

function placeOf({ path, line }: RuleRow): string {
  return `${relative(process.cwd(), path)}:${line}`;
}

function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** The end of a path says more than its start. */
function tail(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** A duration as people say it: 90m is 1h30m. */
function span(ms: number | null): string {
  if (ms === null) return "";
  let rest = ms;
  let text = "";
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${name}`;
  }
  return text === "" ? "0s" : text;
}

/** Says on standard error what the service has, and what of the files it has not taken. */
function compareRunning(pack: Pack, status: RulesStatus): void {
  const { version, alerting, kept, lost } = status;
  note(`running: version ${version}, ${alerting} rules, loaded ${new Date(status.loadedTime).toISOString()}`);
  if (version !== pack.version) note(`the files are version ${pack.version}: the service has not taken them, or reads others`);
  for (const one of kept) note(`${one.file}:${one.line}: the service keeps the older version of ${one.rule ?? "(unnamed)"}`);
  for (const one of lost) note(`${one.path} ${one.reason}; the service keeps the rules that came from there`);
}
