/** `custodes trace` and `custodes touched`: the questions that an investigation begins with. */
import type { Command } from "commander";
import { Option } from "commander";
import { TOUCHED_KINDS, type Touched, type TouchedKind, type TouchedRow } from "../core/touched.ts";
import type { Trace } from "../core/trace.ts";
import { nearest } from "../core/nearest.ts";
import { safeText } from "../core/safe-text.ts";
import { bytes } from "../core/story.ts";
import type { Config } from "../config/config.ts";
import type { AgentTouched } from "../pipeline/questions.ts";
import type { Act, Add } from "./baseline.ts";
import { stateConfig } from "./config.ts";
import { CommandError, EXIT, table } from "./output.ts";
import { askState } from "./state.ts";

/** Steps of a run, and things of one kind, for a terminal; `--json` has all. */
const STEP_LINES = 200;
const THING_LINES = 12;
/** Longest text in a table, UTF-16 units. */
const TEXT_MAX = 110;

interface TraceOptions {
  readonly config: string;
  readonly json?: boolean;
}

interface TouchedOptions extends TraceOptions {
  readonly agent: string;
  readonly from?: number;
  readonly to?: number;
}

/** Adds `trace` and `touched`; `moment` reads a time or how long ago. */
export function addQuestions(
  program: Command,
  act: Act,
  add: Add,
  configured: (command: Command) => Command,
  moment: (text: string) => number,
): void {
  configured(add(program, "trace", "one run over all sources, in order of time"))
    .argument("<id>", "run, session, trace, conversation or request id")
    .option("--json", "for machines")
    .action(act((id: string, options: TraceOptions) => traceCommand(id, options)));
  configured(add(program, "touched", "what exactly an agent touched"))
    .requiredOption("--agent <agent>", "its id, or its name in the registry")
    .addOption(new Option("--from <time>", "since then: 7d (ago) or 2026-01-31T00:00:00Z; default everything stored").argParser(moment))
    .addOption(new Option("--to <time>", "up to then; default now").argParser(moment))
    .option("--json", "for machines")
    .action(act((options: TouchedOptions) => touchedCommand(options)));
}

async function traceCommand(id: string, { config, json }: TraceOptions): Promise<number> {
  const found = (await askState(stateConfig(config), "trace", { id })) as Trace | null;
  if (found === null) {
    throw new CommandError(`no stored event has the run, session, trace, conversation or request id "${safeText(id, TEXT_MAX)}"`, EXIT.no);
  }
  if (json === true) console.log(JSON.stringify(found, null, 2));
  else for (const line of traceLines(found)) console.log(line);
  return EXIT.good;
}

async function touchedCommand({ config: file, agent: given, from = 0, to = Date.now(), json }: TouchedOptions): Promise<number> {
  if (from > to) throw new CommandError("--from lies after --to", EXIT.usage);
  const config = stateConfig(file);
  const agent = agentId(config, given);
  const found = (await askState(config, "touched", { agent, from: String(from), to: String(to) })) as AgentTouched | null;
  if (found === null && !config.agents.some(({ id }) => id === agent)) throw unknownAgent(config, given);
  const answer = found ?? { agent, from, to, direct: undefined, possible: undefined, total: 0, complete: true };
  if (json === true) console.log(JSON.stringify(answer, null, 2));
  else for (const line of touchedLines(answer)) console.log(line);
  return EXIT.good;
}

/** The id that was meant: an id wins over a name, and a name must be of one agent only. */
function agentId(config: Config, given: string): string {
  if (config.agents.some(({ id }) => id === given)) return given;
  const named = config.agents.filter(({ name }) => name === given).map(({ id }) => id);
  if (named.length > 1) {
    throw new CommandError(`the name "${safeText(given, TEXT_MAX)}" is of several agents: ${named.sort().join(", ")}; give an id`, EXIT.no);
  }
  return named[0] ?? given;
}

function unknownAgent(config: Config, given: string): CommandError {
  const close = nearest(
    given,
    config.agents.flatMap(({ id, name }) => [id, name]),
  );
  const hint = close === undefined ? "" : `; did you mean "${close}"?`;
  return new CommandError(`neither the registry nor the store knows an agent "${safeText(given, TEXT_MAX)}"${hint}`, EXIT.no);
}

function traceLines(found: Trace): string[] {
  const list = (label: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`  ${label.padEnd(10)} ${names.slice(0, THING_LINES).join(", ")}${more(names.length - THING_LINES)}`];
  const steps = found.steps
    .slice(0, STEP_LINES)
    .map((step) => [iso(step.time), step.source, safeText(step.agent ?? "-", 40), safeText(step.text, TEXT_MAX)]);
  return [
    `${found.id}: ${found.steps.length}${found.complete ? "" : " or more"} ${found.steps.length === 1 ? "event" : "events"}, ${iso(found.from)} to ${iso(found.to)}`,
    ...list("agents", found.agents),
    ...list("sources", found.sources),
    ...list("tools", found.tools),
    ...list("endpoints", found.endpoints),
    ...list("hosts", found.hosts),
    ...list("findings", found.findings),
    `  ${"bytes".padEnd(10)} ${bytes(found.bytesOut)} out, ${bytes(found.bytesIn)} in`,
    ...list("followed", found.followed),
    "",
    table([["TIME", "SOURCE", "AGENT", "WHAT"], ...steps]),
    ...(found.steps.length > STEP_LINES ? [`… and ${found.steps.length - STEP_LINES} more events; --json has all`] : []),
    ...(found.complete ? [] : ["not everything that is linked to it was read: start from a trace or request id for less"]),
  ];
}

type Answer = Omit<AgentTouched, "direct" | "possible"> & { readonly direct: Touched | undefined; readonly possible: Touched | undefined };

function touchedLines({ agent, from, to, direct, possible, total, complete }: Answer): string[] {
  const span = `${from === 0 ? "the start of the log" : iso(from)} to ${iso(to)}`;
  const count = direct === undefined || direct.events === total ? `${total} events` : `the newest ${direct.events} of ${total} events`;
  return [
    `${safeText(agent, TEXT_MAX)}: ${count}, ${span}${direct === undefined ? "" : `, ${bytes(direct.bytesOut)} out, ${bytes(direct.bytesIn)} in`}`,
    ...(complete ? [] : ["not all of its events were read: every number below is a lower bound; give a shorter time for exact ones"]),
    ...(direct === undefined ? [] : kindsOf(direct)),
    ...(possible === undefined || possible.events === 0
      ? []
      : ["", `POSSIBLE: ${possible.events} events that it shares with other agents, each by one of them`, ...kindsOf(possible)]),
  ];
}

const TITLES: Readonly<Record<TouchedKind, string>> = {
  endpoints: "ENDPOINT",
  dataClasses: "DATA CLASS",
  tools: "TOOL",
  hosts: "HOST",
  credentials: "CREDENTIAL",
  addresses: "FROM ADDRESS",
  infrastructure: "INFRASTRUCTURE CHANGED",
  files: "FILE",
  processes: "PROCESS",
  users: "USER",
};

function kindsOf({ rows, totals }: Touched): string[] {
  return TOUCHED_KINDS.filter((kind) => rows[kind].length > 0).flatMap((kind) => {
    const shown = rows[kind].slice(0, THING_LINES);
    const lines = table([[TITLES[kind], "EVENTS", "FAILED", "OUT", "IN", "FIRST", "LAST", MARKED[kind] ?? ""], ...shown.map(thing)]);
    return ["", lines.replace(/ +$/gm, ""), ...(totals[kind] > shown.length ? [`… and ${totals[kind] - shown.length} more`] : [])];
  });
}

/** What the last column says. */
const MARKED: Partial<Record<TouchedKind, string>> = { endpoints: "DATA", credentials: "FROM" };

function thing(row: TouchedRow): string[] {
  const marks = row.marks.slice(0, 5).join(", ");
  return [
    safeText(row.name, 70),
    String(row.count),
    String(row.failed),
    bytes(row.bytesOut),
    bytes(row.bytesIn),
    iso(row.firstTime),
    iso(row.lastTime),
    safeText(marks, TEXT_MAX),
  ];
}

function more(count: number): string {
  return count > 0 ? ` and ${count} more` : "";
}

function iso(time: number): string {
  return new Date(time).toISOString().slice(0, 19) + "Z";
}
