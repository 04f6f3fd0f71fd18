import type { Config } from "../config/config.ts";
import { loadConfig, type Loaded } from "../config/load.ts";
import { connectors } from "../../connectors/index.ts";
import { BUILTIN_RULES, loadPack } from "../rules.ts";
import { httpClient } from "../adapters/http/client.ts";
import { localFiles } from "../adapters/files/local-files.ts";
import { silentLog } from "../adapters/log/log.ts";
import { systemClock } from "../adapters/system/system.ts";
import { isSecret } from "../config/secrets.ts";
import { Failure } from "../core/errors.ts";
import type { Problem } from "../config/yaml.ts";
import type { Context } from "../ports/context.ts";
import { VERSION } from "../package.ts";
import { EXIT, failWithProblems, note } from "./output.ts";
import { formatProblem } from "../config/yaml.ts";

/** Loads the configuration for a command. @throws {CommandError} config, after all problems were printed */
export function commandConfig(path: string): Config {
  const loaded = load(path);
  if (loaded.config === undefined) failWithProblems(loaded.problems);
  return loaded.config;
}

function load(path: string): Loaded {
  return loadConfig(path, { connectors, environment: process.env, builtinRules: BUILTIN_RULES });
}

/** Checks configuration, rules, routes and secrets, and with `connect` each credential; prints all problems. */
export async function checkCommand(path: string, connect: boolean): Promise<number> {
  const loaded = load(path);
  const problems: Problem[] = [...loaded.problems];
  const { config } = loaded;
  let ok = true;
  if (config !== undefined) {
    const pack = loadPack(config.rules);
    for (const one of pack.rejected) problems.push({ file: one.file, line: one.line, key: one.rule ?? "", message: one.reason });
    for (const one of pack.rules.warnings) note(`${one.file}:${one.line}: warning: ${one.message}`);
    problems.push(...secretProblems(config), ...routeProblems(config, pack.rules));
    if (connect && problems.length === 0) ok = await checkConnections(config);
  }
  for (const problem of problems) note(formatProblem(problem));
  if (problems.length > 0) {
    note(`${problems.length} ${problems.length === 1 ? "problem" : "problems"}`);
    return loaded.config === undefined ? EXIT.config : EXIT.no;
  }
  if (config !== undefined && ok) {
    console.log(
      `${config.file}: ${config.sources.length} sources, ${config.destinations.length} destinations, ${config.agents.length} agents: good`,
    );
  }
  return ok ? EXIT.good : EXIT.no;
}

function secretProblems(config: Config): Problem[] {
  const problems: Problem[] = [];
  const look = (value: unknown, key: string): void => {
    if (isSecret(value)) {
      try {
        value.reveal();
      } catch (error) {
        problems.push({ file: config.file, line: 0, key, message: error instanceof Failure ? error.message : String(error) });
      }
      return;
    }
    if (Array.isArray(value)) value.forEach((item, index) => look(item, `${key}.${index}`));
    else if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      for (const [name, item] of Object.entries(value)) look(item, `${key}.${name}`);
    }
  };
  look(config.store, "store");
  look(config.queue, "queue");
  look(config.receiver, "receiver");
  for (const source of config.sources) {
    look(source.options, `sources.${source.id}`);
    look(source.token, `sources.${source.id}.token`);
  }
  for (const destination of config.destinations) look(destination.options, `destinations.${destination.id}`);
  return problems;
}

/** Destinations that rules name must exist. */
function routeProblems(config: Config, rules: ReturnType<typeof loadPack>["rules"]): Problem[] {
  const known = new Set(config.destinations.map((destination) => destination.id));
  const problems: Problem[] = [];
  for (const { info } of [...rules.detections, ...rules.correlations]) {
    for (const name of info.destinations ?? []) {
      if (!known.has(name))
        problems.push({ file: info.path, line: info.line, key: "custodes.destinations", message: `there is no destination "${name}"` });
    }
  }
  return problems;
}

async function checkConnections(config: Config): Promise<boolean> {
  const context: Context = {
    clock: systemClock,
    http: httpClient(`custodes/${VERSION}`),
    files: localFiles(),
    log: silentLog,
    random: Math.random,
    signal: AbortSignal.timeout(60_000),
  };
  let good = true;
  for (const one of [...config.sources, ...config.destinations]) {
    const checks = await one.connector
      .check(one.options, context)
      .catch((error: unknown) => [
        { name: "check", ok: false, message: error instanceof Error ? error.message : String(error), fix: "see the connector's README" },
      ]);
    for (const check of checks) {
      good &&= check.ok;
      console.log(
        `${check.ok ? "ok  " : "FAIL"} ${one.id}: ${check.name}: ${check.message}${check.ok || check.fix === undefined ? "" : `\n     fix: ${check.fix}`}`,
      );
    }
  }
  return good;
}
