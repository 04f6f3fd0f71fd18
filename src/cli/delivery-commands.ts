/** Commands about destinations and what was or will be sent to them. */
import { Option, type Command } from "commander";
import type { StateParameters, StateQuery } from "../state.ts";
import type { Act, Add } from "./baseline.ts";
import type { Connector } from "../ports/connector.ts";
import { operator } from "./audit.ts";
import { commandConfig } from "./config.ts";
import { commandContext } from "./connections.ts";
import { doctorCommand } from "./doctor.ts";
import { drillCommand } from "./drill.ts";
import { setupCommand } from "./setup.ts";

/** What commands about the state of a service take. */
export interface StateOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly limit?: string;
  readonly open?: boolean;
  readonly source?: string;
  readonly destination?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly by?: string;
}

/** Adds `doctor`, `drill` and `setup`. */
export function addRepairs(
  program: Command,
  act: Act,
  add: Add,
  withConfig: (command: Command) => Command,
  parseDuration: (text: string) => number,
  connectors: readonly Connector[],
): void {
  withConfig(add(program, "doctor", "find what is wrong with the service, its credentials and permissions, and say the fix"))
    .option("--json", "for machines")
    .action(act((options: { config: string; json?: boolean }) => doctorCommand(commandConfig(options.config), options.json === true)));
  withConfig(add(program, "drill", "send a marked synthetic attack through a real rule to every destination, and time each hop"))
    .option("--json", "for machines")
    .addOption(new Option("--wait <duration>", "how long to wait for the destinations").argParser(parseDuration).default(120_000, "2m"))
    .action(
      act((options: { config: string; json?: boolean; wait: number }) =>
        drillCommand(commandConfig(options.config), { waitMs: options.wait, json: options.json === true, by: operator() }),
      ),
    );
  add(program, "setup", "what a team installs at its side of a destination: templates, add-ons, rules, dashboards")
    .argument("<destination>", "connector, as splunk; or with -c one of the file's destinations, as splunk/soc")
    .option("-c, --config <file>", "configuration file whose destinations may be named")
    .option("--out <directory>", "write the files there; without it they are listed")
    .option("--apply", "install over the destination's own API; a second time changes nothing")
    .option("--credential <reference>", "the installer's credential: ${env:NAME} or ${file:/path}; needed by --apply")
    .action(
      act((name: string, options: { config?: string; out?: string; apply?: boolean; credential?: string }) =>
        setupCommand(
          {
            name,
            config: options.config === undefined ? undefined : commandConfig(options.config),
            out: options.out,
            apply: options.apply === true,
            credential: options.credential,
          },
          connectors,
          commandContext,
        ),
      ),
    );
}

/** Adds `deliveries`, `destinations` and `deadletters`. `state` makes a command with the options that all have, `ask` asks and prints. */
export function addDeliveries(
  program: Command,
  act: Act,
  add: Add,
  state: Add,
  ask: (query: StateQuery, options: StateOptions, parameters: StateParameters) => Promise<number>,
): void {
  const shown = state(
    program,
    "deliveries",
    "the ledger of deliveries, newest first: attempts, hash of what was sent, receipt, time to the SIEM",
  )
    .option("--destination <id>")
    .addOption(new Option("--status <status>", "only these").choices(["pending", "delivered", "skipped", "dead"]));
  shown.action(act((options: StateOptions) => ask("deliveries", options, options.status === undefined ? {} : { status: options.status })));
  const destinations = state(program, "destinations", "destinations: what works, what waits, how long deliveries take");
  destinations.action(act((options: StateOptions) => ask("destinations", options, {})));
  state(destinations, "enable", "try a destination again that was given up")
    .argument("<id>")
    .action(act((id: string, options: StateOptions) => ask("destinations-enable", options, { id })));
  const dead = add(program, "deadletters", "deliveries that a destination refused for good");
  state(dead, "list", "all")
    .option("--destination <id>")
    .action(act((options: StateOptions) => ask("deadletters", options, {})));
  state(dead, "show", "one, with its bytes")
    .argument("<key>")
    .action(act((id: string, options: StateOptions) => ask("deadletter", options, { id })));
  state(dead, "replay", "send again: one key, or all of a destination")
    .argument("[key]")
    .option("--destination <id>")
    .action(act((id: string | undefined, options: StateOptions) => ask("deadletters-replay", options, id === undefined ? {} : { id })));
}
