/** The service in this process, under a clock that stands still until a test moves it: for waits that are minutes long. */
import { join } from "node:path";
import { connectors } from "../../connectors/index.ts";
import { start, type Service } from "../../src/app.ts";
import { parseConfig } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/yaml.ts";
import type { Log } from "../../src/ports/context.ts";
import { BUILTIN_RULES } from "../../src/rules.ts";

/** A line of its log. */
export interface Said {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A service under a test's clock. */
export interface Inside extends Service {
  readonly said: readonly Said[];
  /** Its clock, epoch milliseconds. */
  now(): number;
  /** Moves its clock forward. */
  pass(ms: number): void;
}

/** Starts the service from the text of a configuration file that would lie in `directory`. */
export async function startInside(directory: string, text: string, environment: Readonly<Record<string, string>> = {}): Promise<Inside> {
  const loaded = parseConfig(join(directory, "custodes.yaml"), text, { connectors, environment, builtinRules: BUILTIN_RULES });
  if (loaded.config === undefined) throw new Error(loaded.problems.map(formatProblem).join("\n"));
  const said: Said[] = [];
  const at =
    (level: Said["level"]) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void =>
      void said.push({ level, fields, message });
  const log: Log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  let now = Date.now();
  const service = await start(loaded.config, { log, clock: { now: () => now } });
  return { ...service, said, now: () => now, pass: (ms) => void (now += ms) };
}
