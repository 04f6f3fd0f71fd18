import { Option, type Command } from "commander";
import { buildCommand, type BuildOptions } from "./baseline-build.ts";
import {
  exportCommand,
  importCommand,
  promoteCommand,
  type ExportOptions,
  type ImportOptions,
  type PromoteOptions,
} from "./baseline-move.ts";
import { several, type Act, type Add } from "./baseline.ts";
import { commandConfig } from "./config.ts";
import { EXIT } from "./output.ts";
import { askState, printState } from "./state.ts";

interface ShowOptions {
  readonly config: string;
  readonly rule?: string;
  readonly agent?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** Adds `baseline build|export|import|promote|show`. */
export function addBaseline(
  program: Command,
  act: Act,
  add: Add,
  configured: (command: Command) => Command,
  span: (text: string) => number,
): void {
  const parent = add(program, "baseline", "what new_value and baseline_ratio rules remember");
  const command = (name: string, about: string): Command => configured(add(parent, name, about));
  const only = (on: Command): Command => on.option("--rule <id>", "only this rule; may be repeated", several, []);
  const replacing = (on: Command): Command => on.option("--replace", "take windows that are measured differently already");

  command("build", "learn from the log of a stopped service, or from files")
    .addOption(new Option("--since <duration>", "how far back; default as far as the rules look").argParser(span))
    .option("--rules <path...>", "rule files and directories; default those of the configuration", [])
    .option("--in <file>", "CONNECTOR=FILE or directory instead of the log; may be repeated", several, [])
    .action(act((options: BuildOptions) => buildCommand(options)));
  only(command("export", "write baselines as lines of JSON"))
    .option("--out <file>", "output; default standard output")
    .option("--profile", "learn the whole log up to its last event first: for the promotion of a sandbox")
    .action(act((options: ExportOptions) => exportCommand(options)));
  replacing(only(command("import", "take baselines of a file as they are")))
    .argument("<file>")
    .action(act((file: string, options: ImportOptions) => importCommand(file, options)));
  replacing(only(command("promote", "take baselines of a sandbox as the past of production")))
    .argument("<file>")
    .option("--agent <sandbox=production>", "only this agent, under its new id; may be repeated", several, [])
    .option("--at <time>", "when production begins; default now")
    .action(act((file: string, options: PromoteOptions) => promoteCommand(file, options)));
  command("show", "what is known, by rule and group")
    .option("--rule <id>", "only this rule")
    .option("--agent <id>", "only groups of this agent")
    .option("--limit <n>", "groups of one rule")
    .option("--json", "for machines")
    .action(act((options: ShowOptions) => show(options)));
}

async function show({ config, rule, agent, limit, json }: ShowOptions): Promise<number> {
  const given = Object.entries({ rule, agent, limit }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const answer = await askState(commandConfig(config), "baselines", Object.fromEntries(given));
  if (json === true) console.log(JSON.stringify(answer, null, 2));
  else printState("baselines", answer);
  return Array.isArray(answer) && answer.length === 0 ? EXIT.no : EXIT.good;
}
