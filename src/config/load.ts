import { hash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import cron from "node-cron";
import { z } from "zod";
import { nearest } from "../core/nearest.ts";
import type { AgentProfile } from "../core/identity/profile.ts";
import { asObject } from "../core/record.ts";
import type { Connector } from "../ports/connector.ts";
import type { Network } from "../ports/network.ts";
import type { Config, DestinationConfig, SourceConfig } from "./config.ts";
import { schemaProblems } from "./issues.ts";
import { placeholderMap } from "./placeholders.ts";
import { missingFiles, networkOf, type NetworkKeys } from "./network.ts";
import { readRegistry } from "./registry-files.ts";
import { missingSecrets, withSecrets } from "./references.ts";
import { retentionProblems } from "./retention.ts";
import { configSchema, destinationCommon, INSTANCE, sourceCommon } from "./schema.ts";
import { parseRevealing } from "./revealing.ts";
import { vaultBook, vaultSchema, vaultSettings, type VaultBook } from "./vault.ts";
import { parseYamlFile, type Problem, type YamlFile } from "./yaml.ts";

/** Default schedule of a pull source. */
const EVERY = "*/10 * * * * *";
const STALL_MS = 900_000;
/** With the back-off of the deliver step this spans a day of outage. */
const ATTEMPTS_MAX = 24;
/** Requests to one destination at once, unless it is configured: Slack and PagerDuty throttle beyond one or two a second anyway. */
const CONCURRENCY = 4;
/** A week: whoever is to repair a destination has seen the alert by then, also over holidays. */
const DISABLE_AFTER_MS = 7 * 86_400_000;

/** What a configuration is loaded with. */
export interface LoadOptions {
  readonly connectors: readonly Connector[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Directory of the shipped rules. */
  readonly builtinRules: string;
  /** A secret that does not exist is a problem: for whoever is about to use them. Default false. */
  readonly requireSecrets?: boolean;
  /**
   * Told of what is wrong with the agent registry, which is then taken as empty: for questions about the state, which are
   * asked most urgently while something is wrong. Absent: it is a problem like any other.
   */
  readonly withoutRegistry?: (problems: readonly Problem[]) => void;
}

/** The configuration, or all that is wrong with it. */
export interface Loaded {
  readonly config: Config | undefined;
  readonly problems: readonly Problem[];
}

/** Reads and checks a configuration file; finds every problem before it gives up. */
export function loadConfig(path: string, options: LoadOptions): Loaded {
  const file = resolve(path);
  let source: string;
  try {
    source = readFileSync(file, "utf8");
  } catch (error) {
    const message = `cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "unknown error"}); give the path with -c`;
    return { config: undefined, problems: [{ file: path, line: 0, key: "", message }] };
  }
  return parseConfig(file, source, options);
}

/** As `loadConfig`, from text. Relative paths are relative to `file`. */
export function parseConfig(file: string, source: string, options: LoadOptions): Loaded {
  const yaml = parseYamlFile(file, source);
  if (yaml.problems.length > 0 && yaml.value === undefined) return { config: undefined, problems: yaml.problems };
  const problems: Problem[] = [...yaml.problems];
  const book = vaultBook();
  const value = withSecrets(yaml.value ?? {}, { environment: options.environment, book });
  const parsed = parseRevealing(configSchema, value);
  if (!parsed.success) problems.push(...schemaProblems(file, yaml, parsed.error.issues, [], Object.keys(configSchema.shape)));
  const root = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const reader: InstanceReader = { file, yaml, options, problems };
  const sources = instances(reader, root["sources"], "sources").flatMap((one) => readSource(reader, one));
  const destinations = instances(reader, root["destinations"], "destinations").flatMap((one) => readDestination(reader, one));
  const directory = dirname(file);
  // Section by section: what is wrong in one must not hide what is wrong in another.
  const { agents: agentsSchema, rules: rulesSchema, receiver: receiverSchema } = configSchema.shape;
  const registry = [parseRevealing(agentsSchema, root["agents"]).data ?? []].flat().map((one) => resolve(directory, one));
  const agents = readAgents(reader, registry);
  const rules = readRules(reader, directory, parseRevealing(rulesSchema, root["rules"]).data ?? []);
  const receiver = parseRevealing(receiverSchema, root["receiver"]).data;
  const { every } = (asObject(root["correlation"]) ?? {}) as { every?: unknown };
  if (receiver !== undefined) problems.push(...receiverProblems(reader, receiver));
  if (every !== undefined) problems.push(...cronProblems(reader, parseRevealing(z.string(), every).data, ["correlation", "every"]));
  const kept = z.object({ retention: configSchema.shape.retention, correlation: configSchema.shape.correlation });
  const times = parseRevealing(kept, { retention: root["retention"], correlation: root["correlation"] }).data;
  for (const { key, message } of times === undefined ? [] : retentionProblems(times)) complain(reader, ["retention", key], message);
  const vault = readVault(reader, root["vault"], book);
  if (options.requireSecrets === true)
    missingSecrets(value, (path, message) => {
      if (!problems.some((one) => one.key === path.map(String).join("."))) complain(reader, path, message);
    });
  if (problems.length > 0 || !parsed.success) return { config: undefined, problems };
  const lateness = parsed.data.correlation.lateness;
  return {
    problems: [],
    config: {
      ...parsed.data,
      file,
      hash: hash("sha256", source, "hex"),
      lineOf: yaml.lineOf,
      data: resolve(directory, parsed.data.data),
      agents,
      registry,
      rules,
      vault,
      placeholders: placeholderMap(parsed.data.placeholders),
      sources: sources.map((one) => ({ ...one, latenessMs: one.latenessMs < 0 ? lateness : one.latenessMs })),
      destinations,
    },
  };
}

interface InstanceReader {
  readonly file: string;
  readonly yaml: YamlFile;
  readonly options: LoadOptions;
  readonly problems: Problem[];
}
interface Instance {
  readonly path: readonly PropertyKey[];
  readonly id: string;
  readonly connector: Connector;
  readonly given: Record<string, unknown>;
}

function complain(reader: InstanceReader, path: readonly PropertyKey[], message: string): void {
  reader.problems.push({ file: reader.file, line: reader.yaml.lineOf(path), key: path.map(String).join("."), message });
}

function instances(reader: InstanceReader, section: unknown, name: "sources" | "destinations"): Instance[] {
  if (typeof section !== "object" || section === null) return [];
  const role = name === "sources" ? "source" : "destination";
  const fits = (one: Connector) =>
    role === "source" ? one.normalize !== undefined && (one.source ?? one.receiver) !== undefined : one.destination !== undefined;
  const known = reader.options.connectors.filter(fits).map((one) => one.id);
  const found: Instance[] = [];
  for (const [id, given] of Object.entries(section)) {
    const path = [name, id];
    const match = INSTANCE.exec(id);
    if (match === null) {
      complain(reader, path, `"${id}" is not a name of the form <connector>/<name>, e.g. ${known[0] ?? "kong"}/main`);
      continue;
    }
    const connector = reader.options.connectors.find((one) => one.id === match[1] && fits(one));
    if (connector === undefined) {
      const close = nearest(match[1] ?? "", known);
      complain(
        reader,
        path,
        `there is no ${role} connector "${match[1]}"${close === undefined ? `; known: ${known.join(", ")}` : `; did you mean "${close}"?`}`,
      );
      continue;
    }
    if (given !== null && (typeof given !== "object" || Array.isArray(given))) {
      complain(reader, path, "must be a map of settings");
      continue;
    }
    found.push({ path, id, connector, given: (given ?? {}) as Record<string, unknown> });
  }
  return found;
}

/** Splits the common keys from the connector's own and checks both. */
function readInstance<T extends z.ZodObject>(
  reader: InstanceReader,
  one: Instance,
  common: T,
): { common: z.output<T>; options: unknown } | undefined {
  const ownKeys = "shape" in one.connector.config ? Object.keys(one.connector.config.shape as object) : [];
  // A connector that speaks no HTTP may have a key of its own of the same name.
  const commonKeys = Object.keys(common.shape).filter((key) => !ownKeys.includes(key));
  const own = Object.fromEntries(Object.entries(one.given).filter(([key]) => !commonKeys.includes(key)));
  const shared = Object.fromEntries(Object.entries(one.given).filter(([key]) => commonKeys.includes(key)));
  const parsedCommon = parseRevealing(common, shared);
  const parsedOwn = parseRevealing(one.connector.config, own);
  if (!parsedCommon.success)
    reader.problems.push(...schemaProblems(reader.file, reader.yaml, parsedCommon.error.issues, one.path, commonKeys));
  if (!parsedOwn.success)
    reader.problems.push(...schemaProblems(reader.file, reader.yaml, parsedOwn.error.issues, one.path, [...commonKeys, ...ownKeys]));
  return parsedCommon.success && parsedOwn.success ? { common: parsedCommon.data, options: parsedOwn.data } : undefined;
}

function readSource(reader: InstanceReader, one: Instance): SourceConfig[] {
  // Checked by itself, so that another problem of the instance does not hide it.
  const schedule = parseRevealing(sourceCommon.shape.every, one.given["every"]).data ?? EVERY;
  reader.problems.push(...cronProblems(reader, schedule, [...one.path, "every"]));
  const read = readInstance(reader, one, sourceCommon);
  if (read === undefined) return [];
  const { every = EVERY, lateness, stall, token } = read.common;
  const latenessMs = lateness ?? one.connector.lateness ?? -1;
  const network = readNetwork(reader, one, read);
  return [{ id: one.id, connector: one.connector, options: read.options, every, latenessMs, stallMs: stall ?? STALL_MS, token, network }];
}

function readDestination(reader: InstanceReader, one: Instance): DestinationConfig[] {
  const read = readInstance(reader, one, destinationCommon);
  if (read === undefined) return [];
  const { when, maxAttempts, concurrency, disableAfter } = read.common;
  const { minLevel, kinds, rules, final, agents, teams, tenants } = when ?? {};
  const filter = { minLevel, kinds, rules, final, agents, teams, tenants };
  return [
    {
      id: one.id,
      connector: one.connector,
      options: read.options,
      when: filter,
      maxAttempts: maxAttempts ?? ATTEMPTS_MAX,
      concurrency: concurrency ?? CONCURRENCY,
      disableAfterMs: disableAfter ?? DISABLE_AFTER_MS,
      network: readNetwork(reader, one, read),
    },
  ];
}

function readNetwork(reader: InstanceReader, one: Instance, read: { readonly common: NetworkKeys; readonly options: unknown }): Network {
  const network = networkOf(read.common, read.options, dirname(reader.file));
  for (const { key, path } of missingFiles(network)) complain(reader, [...one.path, "tls", key], `the file ${path} does not exist`);
  const metadata = one.connector.metadata?.(read.options);
  return metadata === undefined ? network : { ...network, metadata };
}

function readAgents(reader: InstanceReader, paths: readonly string[]): readonly AgentProfile[] {
  const { agents, problems } = readRegistry(paths);
  const { withoutRegistry } = reader.options;
  if (withoutRegistry !== undefined) {
    if (problems.length > 0) withoutRegistry(problems);
    return agents;
  }
  // What is wrong with a path and not in a file stands where the path stands.
  for (const one of problems) {
    if (one.line > 0) reader.problems.push(one);
    else complain(reader, ["agents"], one.message);
  }
  return agents;
}

function readRules(reader: InstanceReader, directory: string, given: readonly string[]): string[] {
  return given.map((one, index) => {
    const path = one === "builtin" ? reader.options.builtinRules : resolve(directory, one);
    if (!existsSync(path)) complain(reader, ["rules", index], `the rule path ${path} does not exist`);
    return path;
  });
}

function receiverProblems(reader: InstanceReader, receiver: z.output<typeof configSchema>["receiver"]): Problem[] {
  const host = receiver.listen.slice(0, receiver.listen.lastIndexOf(":"));
  if (receiver.token !== undefined || ["127.0.0.1", "localhost", "[::1]", "::1"].includes(host)) return [];
  const message = `listens on ${host}, which others can reach, without a token; set receiver.token to a secret reference or listen on 127.0.0.1`;
  return [{ file: reader.file, line: reader.yaml.lineOf(["receiver"]), key: "receiver.token", message }];
}

function cronProblems(reader: InstanceReader, expression: string | undefined, path: readonly PropertyKey[]): Problem[] {
  // What is no text at all is the schema's to complain about.
  if (expression === undefined || cron.validate(expression)) return [];
  const message = `"${expression}" is not a cron expression; write 5 fields (minute first) or 6 (second first), e.g. */10 * * * * *`;
  return [{ file: reader.file, line: reader.yaml.lineOf(path), key: path.map(String).join("."), message }];
}

/** The section `vault`; references without one are problems. */
function readVault(reader: InstanceReader, given: unknown, book: VaultBook): Config["vault"] {
  const settings = given === undefined ? undefined : parseRevealing(vaultSchema, given).data;
  if (given === undefined)
    for (const { at } of book.references)
      complain(reader, at, "is a reference into Vault, but there is no section vault; add it with address and auth");
  if (settings === undefined) return undefined;
  const made = vaultSettings(settings, dirname(reader.file));
  for (const { key, path } of missingFiles(made.network)) complain(reader, ["vault", "tls", key], `the file ${path} does not exist`);
  return { settings: made, book };
}
