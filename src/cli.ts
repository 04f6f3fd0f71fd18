#!/usr/bin/env -S node --min-semi-space-size=32 --max-semi-space-size=32
/** The command line: thin. Names and exit codes are a contract (docs/ARCHITECTURE.md). */
import { userInfo } from "node:os";
import { Command, CommanderError, Option } from "commander";
import { connectors } from "../connectors/index.ts";
import { addAudit, operator } from "./cli/audit.ts";
import { addBaseline } from "./cli/baseline-commands.ts";
import type { Act, Add } from "./cli/baseline.ts";
import { backtestCommand } from "./cli/backtest.ts";
import { checkCommand, commandConfig, DEFAULT_CONFIG, placeholdersFrom, stateConfig } from "./cli/config.ts";
import { demoCommand } from "./cli/demo.ts";
import { normalizeCommand } from "./cli/normalize.ts";
import { CommandError, EXIT, note } from "./cli/output.ts";
import { addQuestions } from "./cli/questions.ts";
import { renderCommand } from "./cli/render.ts";
import { listRulesCommand } from "./cli/rule-list.ts";
import { testRulesCommand } from "./cli/rules.ts";
import { runCommand } from "./cli/run.ts";
import { addDeliveries, addRepairs, type StateOptions } from "./cli/delivery-commands.ts";
import { askRunning, askState, printState } from "./cli/state.ts";
import { configJsonSchema } from "./config/json-schema.ts";
import { duration } from "./archetypes/settings.ts";
import { Failure } from "./core/errors.ts";
import { parseStrictTime } from "./core/record.ts";
import { VERSION } from "./package.ts";
import type { RulesStatus } from "./live-rules.ts";
import type { StateParameters, StateQuery } from "./state.ts";

/** Runs one command; the exit code is the result. */
async function main(arguments_: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.good;
  const act =
    <A extends unknown[]>(action: (...given: A) => number | Promise<number>) =>
    async (...given: A): Promise<void> => {
      exitCode = await action(...given);
    };
  const program = new Command("custodes")
    .description("SIEM integration and correlation for AI agents")
    .version(VERSION)
    .enablePositionalOptions()
    .exitOverride();
  const withConfig = (command: Command) => command.option("-c, --config <file>", "configuration file", DEFAULT_CONFIG);
  const withExit = (command: Command) => command.exitOverride();
  const add = (parent: Command, name: string, about: string) => withExit(parent.command(name).description(about));

  withConfig(add(program, "run", "run the service")).action(act((options: { config: string }) => runCommand(options.config)));
  add(program, "demo", "the main job on sample logs, against simulated SIEMs").action(act(() => demoCommand()));
  withConfig(add(program, "check", "check configuration, rules and routes"))
    .option("--connect", "also test each credential and permission")
    .option("--placeholders <file>", "values of %name% in rules, YAML, beside those of the configuration")
    .action(
      act((options: { config: string; connect?: boolean; placeholders?: string }) =>
        checkCommand(options.config, { connect: options.connect === true, placeholders: placeholdersFrom(options.placeholders) }),
      ),
    );
  add(program, "normalize", "records -> OCSF events")
    .requiredOption("--connector <name>", "source connector, or with -c one of the file's sources, as http/NAME")
    .option("-c, --config <file>", "configuration file whose sources may be named")
    .requiredOption("--in <file...>", "files, directories, patterns, or - for standard input; plain, gzip or zstd")
    .option("--out <file>", "output; default standard output")
    .addOption(new Option("--ocsf <version>", "OCSF version").choices(["1.8.0", "1.9.0"]).default("1.8.0"))
    .action(act((options) => normalizeCommand(options, connectors)));
  addBacktest(program, act, add);
  add(program, "render", "the exact bytes that a destination would get")
    .requiredOption("--destination <name>", "destination connector")
    .requiredOption("--in <file>", "alerts as backtest prints them; - for standard input")
    .option("--rules <path...>", "rules that the alerts come from; default the shipped pack", [])
    .option("--out <file>", "output; default standard output")
    .action(act((options) => renderCommand(options, connectors)));
  addRules(program, act, add);
  addRepairs(program, act, add, withConfig, parseDuration, connectors);
  add(program, "schema", "JSON Schema of the configuration file, for editors").action(
    act(() => {
      console.log(JSON.stringify(configJsonSchema(connectors), null, 2));
      return EXIT.good;
    }),
  );
  addBaseline(program, act, add, withConfig, parseDuration);
  addState(program, act, add, withConfig);
  addQuestions(program, act, add, withConfig, parseMoment);
  addAudit(program, act, add, withConfig);

  try {
    await program.parseAsync([...arguments_], { from: "user" });
    return exitCode;
  } catch (error) {
    return failed(error);
  }
}

function addBacktest(program: Command, act: Act, add: Add): void {
  add(program, "backtest", "events -> alerts")
    .option("--rules <path...>", "rule files and directories; default the shipped pack, with --from-store the configured ones", [])
    .option("--in <file...>", "[CONNECTOR=]FILE, directory, pattern, or - for standard input; plain, gzip or zstd")
    .option("-c, --config <file>", "configuration file whose sources may be named as connectors, as http/NAME=FILE")
    .option("--connector <name>", "connector of files without one; or plain")
    .option("--from-store", "instead of files, the log of the service that --config describes, running or stopped")
    .addOption(new Option("--since <time>", "only events from then on: 7d (ago) or 2026-01-31T00:00:00Z").argParser(parseMoment))
    .addOption(new Option("--until <time>", "only events before then").argParser(parseMoment))
    .option("--agents <file>", "agent registry; with --from-store default the configured one")
    .addOption(
      new Option("--lateness <duration>", "how late an event may arrive in its file").argParser(parseDuration).default(300_000, "5m"),
    )
    .option("--time-field <path>", "time of plain events", "timestamp")
    .option("--placeholders <file>", "values of %name% in rules, YAML; with --from-store beside those of the configuration")
    .option("--out <file>", "output; default standard output")
    .option("--explain <rule:uid...>", "say why an event (by uid) does or does not make a rule (by id, name or title) raise an alert")
    .option("--json", "explanations for machines")
    .option("--progress", "show how far it has come, also where standard error is no terminal")
    .option("--no-progress", "do not show how far it has come")
    .action(act((options) => backtestCommand(options, connectors)));
}

function addRules(program: Command, act: Act, add: Add): void {
  const withPlaceholders = (command: Command) => command.option("--placeholders <file>", "values of %name% in rules, YAML");
  const rules = add(program, "rules", "work with rules");
  withPlaceholders(add(rules, "test", "run the .test.yml cases").argument("[path...]")).action(
    act((paths: string[], options: { placeholders?: string }) => testRulesCommand(paths, placeholdersFrom(options.placeholders))),
  );
  withPlaceholders(add(rules, "list", "list rules: state, type, horizon, mappings, routes, place").argument("[path...]"))
    .option("-c, --config <file>", "configuration: its rules, placeholders and routes")
    .option("--all", "also rules that only correlations use, and filters")
    .option("--status <state>", "only loaded, warning, muted or rejected ones")
    .option("--level <level>", "only rules of this level")
    .option("--code <code>", "only rules with the tag custodes.<code>")
    .option("--running", "with -c: also ask the running service what it has loaded")
    .option("--wide", "all columns")
    .option("--json", "for machines")
    .action(act((paths: string[], options: ListFlags) => listRules(paths, options)));
}

interface ListFlags {
  readonly config?: string;
  readonly placeholders?: string;
  readonly all?: boolean;
  readonly status?: string;
  readonly level?: string;
  readonly code?: string;
  readonly running?: boolean;
  readonly wide?: boolean;
  readonly json?: boolean;
}

function listRules(paths: readonly string[], flags: ListFlags): Promise<number> {
  const config = flags.config === undefined ? undefined : commandConfig(flags.config);
  if (flags.running === true && config === undefined)
    throw new CommandError("--running needs the configuration of the service: -c FILE", EXIT.usage);
  return listRulesCommand(paths, {
    json: flags.json === true,
    wide: flags.wide === true,
    all: flags.all === true,
    status: flags.status,
    level: flags.level,
    code: flags.code,
    placeholders: new Map([...(config?.placeholders ?? []), ...placeholdersFrom(flags.placeholders)]),
    config,
    running:
      flags.running === true && config !== undefined ? async () => (await askRunning(config, "rules", {})) as RulesStatus : undefined,
  });
}

/** Longest reason that is sent, UTF-16 units: it travels in an address. */
const REASON_MAX = 1_000;

/** Who closes an incident, and why. */
function closeParameters({ reason, by }: StateOptions): StateParameters {
  return { by: by ?? userName(), ...(reason === undefined ? {} : { reason: reason.slice(0, REASON_MAX) }) };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under an id that has no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

/** A replay that made nothing pending did not do what was asked. */
function isNothingReplayed(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "replayed" in answer && answer.replayed === 0;
}

/** Nothing was disabled under that name. */
function isNotEnabled(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "enabled" in answer && answer.enabled === false;
}

/** What was asked about does not exist. */
function isUnknown(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "outcome" in answer && answer.outcome === "unknown";
}

function addState(program: Command, act: Act, add: Add, withConfig: (command: Command) => Command): void {
  const ask = async (query: StateQuery, options: StateOptions, parameters: StateParameters): Promise<number> => {
    const given = {
      limit: options.limit,
      source: options.source,
      destination: options.destination,
      open: options.open === true ? "true" : undefined,
      // Who asks, for the audit log.
      by: operator(),
    };
    const present = Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const answer = await askState(stateConfig(options.config), query, { ...present, ...parameters });
    if (options.json === true) console.log(JSON.stringify(answer, null, 2));
    else printState(query, answer);
    return answer === null || isNothingReplayed(answer) || isUnknown(answer) || isNotEnabled(answer) ? EXIT.no : EXIT.good;
  };
  const state = (parent: Command, name: string, about: string) =>
    withConfig(add(parent, name, about))
      .option("--json", "for machines")
      .option("--limit <n>", "rows");
  state(program, "sources", "cursor, watermark, lag and counts of each source").action(
    act((options: StateOptions) => ask("sources", options, {})),
  );
  const incidents = state(program, "incidents", "incidents, newest first").option("--open", "only open ones");
  incidents.action(act((options: StateOptions) => ask("incidents", options, {})));
  state(incidents, "show", "one incident")
    .argument("<id>")
    .action(act((id: string, options: StateOptions) => ask("incident", options, { id })));
  state(incidents, "close", "close an incident: every destination is told")
    .argument("<id>")
    .option("--reason <text>", "why: what it was, or what was done")
    .option("--by <name>", "who closes it; default the user that runs the command")
    .action(act((id: string, options: StateOptions) => ask("incidents-close", options, { id, ...closeParameters(options) })));
  withConfig(add(program, "explain", "why an event belongs to its agent: the path of bindings, or why there is none"))
    .argument("<event>", "uid of an event, as alerts and incidents name it")
    .option("--json", "for machines")
    .action(act((id: string, options: StateOptions) => ask("explain", options, { id })));
  addDeliveries(program, act, add, state, ask);
  const quarantine = add(program, "quarantine", "records that could not be normalized");
  state(quarantine, "list", "all")
    .option("--source <id>")
    .action(act((options: StateOptions) => ask("quarantine", options, {})));
  state(quarantine, "show", "one, with its content")
    .argument("<id>")
    .action(act((id: string, options: StateOptions) => ask("quarantine-record", options, { id })));
}

/** A time, or how long ago. */
function parseMoment(text: string): number {
  const ago = duration.safeParse(text);
  const time = ago.success ? Date.now() - ago.data : parseTime(text);
  if (time === undefined)
    throw new CommandError(
      `"${text}" is no time; write how long ago (90m, 7d), or a time with its offset (2026-01-31T00:00:00Z)`,
      EXIT.usage,
    );
  return time;
}

function parseTime(text: string): number | undefined {
  // A bare number would be read as seconds since the epoch, which nobody means here.
  return /^\d{4}-/.test(text) ? parseStrictTime(text) : undefined;
}

function parseDuration(text: string): number {
  const parsed = duration.safeParse(text);
  if (!parsed.success) throw new CommandError(`"${text}" is not a duration; write 500ms, 30s, 5m or 1h`, EXIT.usage);
  return parsed.data;
}

function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.good : EXIT.usage;
  if (error instanceof CommandError) {
    note(error.message);
    return error.exitCode;
  }
  if (error instanceof Failure) {
    note(`${error.code}: ${error.message}`);
    return error.kind === "config" ? EXIT.config : EXIT.no;
  }
  // What the system says about a file or a port is for the user; everything else is a bug, and its place matters.
  const bySystem = error instanceof Error && "syscall" in error;
  note(error instanceof Error ? ((bySystem ? undefined : error.stack) ?? error.message) : String(error));
  return EXIT.no;
}

process.exitCode = await main(process.argv.slice(2));
