import type { Config } from "../config/config.ts";
import { loadConfig, type Loaded } from "../config/load.ts";
import { connectors } from "../../connectors/index.ts";
import { routeProblems } from "../routes.ts";
import { BUILTIN_RULES, loadPack, type Placeholders } from "../rules.ts";
import { httpClient } from "../adapters/http/client.ts";
import { localFiles } from "../adapters/files/local-files.ts";
import { silentLog } from "../adapters/log/log.ts";
import { connect } from "../adapters/socket/connect.ts";
import { hmacSha256, sha256, systemClock } from "../adapters/system/system.ts";
import { bullmqQueue } from "../adapters/bullmq/queue.ts";
import { openStore } from "../adapters/postgres/open.ts";
import { readPlaceholders } from "../config/placeholders.ts";
import { queueLocation, storeLocation } from "../config/places.ts";
import { Failure } from "../core/errors.ts";
import type { Problem } from "../config/yaml.ts";
import type { Context } from "../ports/context.ts";
import { VERSION } from "../package.ts";
import { registryWarnings } from "../config/registry-warnings.ts";
import { EXIT, failWithProblems, note } from "./output.ts";
import { formatProblem } from "../config/yaml.ts";

/** Used by commands that are given no other. */
export const DEFAULT_CONFIG = "custodes.yaml";

/** Mistakes in the registry that a question about the state tells; `check` has all. */
const REGISTRY_PROBLEMS_SHOWN = 3;

/** Loads the configuration for a command. @throws {CommandError} config, after all problems were printed */
export function commandConfig(path: string, requireSecrets = false): Config {
  const loaded = load(path, requireSecrets);
  if (loaded.config === undefined) failWithProblems(loaded.problems);
  return loaded.config;
}

/** As `commandConfig`, for questions about the state: a mistake in the agent registry is told and does not hinder them. */
export function stateConfig(path: string): Config {
  const withoutRegistry = (problems: readonly Problem[]): void => {
    for (const problem of problems.slice(0, REGISTRY_PROBLEMS_SHOWN)) note(formatProblem(problem));
    note("the agent registry has mistakes: agents are shown by their ids");
  };
  const loaded = loadConfig(path, {
    connectors,
    environment: process.env,
    builtinRules: BUILTIN_RULES,
    requireSecrets: false,
    withoutRegistry,
  });
  if (loaded.config === undefined) failWithProblems(loaded.problems);
  return loaded.config;
}

/** Placeholders of a file; none without one. @throws {CommandError} config, after all problems were printed */
export function placeholdersFrom(file: string | undefined): Placeholders {
  if (file === undefined) return new Map();
  const { placeholders, problems } = readPlaceholders(file);
  if (problems.length > 0) failWithProblems(problems);
  return placeholders;
}

function load(path: string, requireSecrets: boolean): Loaded {
  return loadConfig(path, { connectors, environment: process.env, builtinRules: BUILTIN_RULES, requireSecrets });
}

/** Checks configuration, rules, routes and secrets, and with `connect` each credential; prints all problems. */
export async function checkCommand(
  path: string,
  { connect, placeholders }: { readonly connect: boolean; readonly placeholders: Placeholders },
): Promise<number> {
  const problems: Problem[] = [...load(path, true).problems];
  const configProblems = problems.length;
  // A missing secret must not hide what else is wrong.
  const { config } = load(path, false);
  let ok = true;
  if (config !== undefined) {
    const pack = loadPack(config.rules, new Map([...config.placeholders, ...placeholders]));
    for (const one of pack.rejected) problems.push({ file: one.file, line: one.line, key: one.rule ?? "", message: one.reason });
    for (const one of pack.rules.warnings) note(`${one.file}:${one.line}: warning: ${one.message}`);
    for (const message of registryWarnings(config.agents)) note(`agents: warning: ${message}`);
    problems.push(...routeProblems(config, pack.rules));
    if (connect && problems.length === 0) ok = await checkConnections(config);
  }
  for (const problem of problems) note(formatProblem(problem));
  if (problems.length > 0) {
    note(`${problems.length} ${problems.length === 1 ? "problem" : "problems"}`);
    return configProblems > 0 ? EXIT.config : EXIT.no;
  }
  if (config !== undefined && ok) {
    console.log(
      `${config.file}: ${config.sources.length} sources, ${config.destinations.length} destinations, ${config.agents.length} agents: good`,
    );
  }
  return ok ? EXIT.good : EXIT.no;
}

async function checkConnections(config: Config): Promise<boolean> {
  const context: Context = {
    clock: systemClock,
    http: httpClient(`custodes/${VERSION}`),
    files: localFiles(),
    digest: { sha256, hmacSha256 },
    connect,
    log: silentLog,
    random: Math.random,
    signal: AbortSignal.timeout(60_000),
  };
  let good = await checkBackends(config);
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

/** The store and the queue are opened and closed again; a store that a running service holds is as good as open. */
async function checkBackends(config: Config): Promise<boolean> {
  const print = (ok: boolean, name: string, message: string): boolean => {
    console.log(`${ok ? "ok  " : "FAIL"} ${name}: ${message}`);
    return ok;
  };
  try {
    const { store, pool } = await openStore(storeLocation(config));
    try {
      print(true, "store", "opens, and its tables are up to date");
      const queue = await bullmqQueue(queueLocation(config, pool), { log: silentLog });
      try {
        await queue.depth("pull");
      } finally {
        await queue.close();
      }
      return print(true, "queue", "answers");
    } finally {
      await store.close();
    }
  } catch (error) {
    const failure = error instanceof Failure ? error : undefined;
    if (failure?.code === "STORE_LOCKED") return print(true, "store", "a running service has it; ask its /readyz");
    return print(false, failure?.code === "QUEUE_UNAVAILABLE" ? "queue" : "store", failure?.message ?? String(error));
  }
}
