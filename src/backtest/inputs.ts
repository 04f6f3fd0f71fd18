import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { jsonLines } from "../core/framing.ts";
import { contentUid } from "../core/record.ts";
import { engine, type EngineOptions } from "../core/correlation/engine.ts";
import type { Event } from "../core/event.ts";
import { attribute } from "../core/identity/attribute.ts";
import { directory } from "../core/identity/directory.ts";
import { eventFromOcsf } from "../core/ocsf/read.ts";
import { resolver } from "../core/identity/resolver.ts";
import { eventReader } from "../core/sigma/event-reader.ts";
import { plainEvent, plainReader, type PlainEvent } from "../core/sigma/plain-reader.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { sha256, uuid5 } from "../adapters/system/system.ts";
import { parseRegistry } from "../config/registry.ts";
import { analysis, type Analysis } from "../pipeline/analysis.ts";
import type { Connector, Normalize, NormalizeContext } from "../ports/connector.ts";
import { CommandError, EXIT, failWithProblems } from "../cli/output.ts";
import { nearest } from "../core/nearest.ts";
import type { AgentProfile } from "../core/identity/profile.ts";
import type { Runner } from "./run.ts";
import type { Input } from "./stream.ts";

/** Times further ahead than this are not believed; a backtest has no clock of its own, so only absurd ones fall. */
const RECEIVED_MS = 8_640_000_000_000;

/** Reads `[CONNECTOR=]PATH` arguments; a directory is one input per file. @throws {CommandError} usage */
export function parseInputs(given: readonly string[], fallback: string | undefined, connectors: readonly Connector[]): Input[] {
  const readable = connectors.filter((one) => one.normalize !== undefined && one.format !== undefined);
  const inputs = given.flatMap((argument) => {
    const match = namedInput(argument, readable);
    const name = match?.[1] ?? fallback;
    const path = match?.[2] ?? argument;
    if (name === undefined)
      throw new CommandError(`--in ${argument}: name the connector, as in --in kong=${path}, or give --connector`, EXIT.usage);
    if (!existsSync(path)) throw new CommandError(`--in ${argument}: ${path} does not exist`, EXIT.usage);
    const files = statSync(path).isDirectory() ? filesBelow(path) : [path];
    if (name === "ocsf") return files.map((file) => ({ connector: name, path: file, format: jsonLines, categories: undefined }));
    if (name === "plain") return files.map((file) => ({ connector: name, path: file, format: jsonLines, categories: undefined }));
    const connector = readable.find((one) => one.id === name);
    if (connector?.format === undefined) {
      const names = [...readable.map((one) => one.id), "ocsf", "plain"];
      const close = nearest(name, names);
      throw new CommandError(
        `there is no source connector "${name}"; ${close === undefined ? `known: ${names.join(", ")}` : `did you mean "${close}"?`}`,
        EXIT.usage,
      );
    }
    const format = connector.format();
    // One that cannot normalize without its configuration says so before anything is read.
    connector.normalize?.();
    return files.map((file) => ({ connector: name, path: file, format, categories: connector.categories }));
  });
  // The order of the arguments means nothing: of two events with one uid, the one in the first path wins.
  return inputs.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** A path may hold `=` too (`logs/date=2026-01-01`): before it a name with a slash must be that of a source. */
function namedInput(argument: string, readable: readonly Connector[]): RegExpExecArray | null {
  const match = /^([a-z][a-z0-9-]*(?:\/[^/=]+)?)=(.+)$/s.exec(argument);
  const name = match?.[1] ?? "";
  return !name.includes("/") || readable.some((one) => one.id === name) ? match : null;
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Reads an agent registry for a command. @throws {CommandError} config */
export function readAgents(path: string | undefined): readonly AgentProfile[] {
  if (path === undefined) return [];
  if (!existsSync(path)) throw new CommandError(`the agent registry ${path} does not exist`, EXIT.usage);
  const { agents, problems } = parseRegistry(path, readFileSync(path, "utf8"));
  if (problems.length > 0) failWithProblems(problems);
  return agents;
}

/** Correlation over normalized, attributed events. */
export function eventRunner(
  rules: RuleSet<Event>,
  agents: readonly AgentProfile[],
  connectorOf: (path: string) => string,
  connectors: readonly Connector[],
  more: Partial<EngineOptions<Event>> = {},
): Omit<Runner<Event>, "begin"> & { begin(latenessMs: number): Analysis } {
  const registry = directory(agents);
  const readers = new Map<string, { readonly normalize: Normalize; readonly context: NormalizeContext }>();
  const readerOf = (id: string) => {
    let reader = readers.get(id);
    if (reader === undefined) {
      const normalize = id === "ocsf" ? eventFromOcsf : connectors.find((one) => one.id === id)?.normalize?.();
      if (normalize === undefined) throw new Error(`no normalizer is called ${id}`);
      readers.set(
        id,
        (reader = { normalize, context: { source: id.includes("/") ? id : `${id}/backtest`, received: RECEIVED_MS, sha256 } }),
      );
    }
    return reader;
  };
  return {
    uid: (event) => event.uid,
    time: (event) => event.time,
    category: (event) => event.category,
    convert(record, path) {
      const { normalize, context } = readerOf(connectorOf(path));
      const events = normalize(record, context);
      for (const event of events) attribute(event, registry);
      return events;
    },
    begin: (latenessMs) => analysis(resolver(registry), engine(rules, { reader: eventReader, uuid5, latenessMs, distinct: true, ...more })),
  };
}

/** Correlation over any JSON objects, with no attribution. */
export function plainRunner(rules: RuleSet<PlainEvent>, timeField: string): Runner<PlainEvent> {
  const reader = plainReader();
  return {
    uid: (event) => event.uid,
    time: (event) => event.time,
    category: () => undefined,
    convert: (record) => [plainEvent(record, timeField, (value) => contentUid("plain", value, sha256))],
    begin: (latenessMs) => engine(rules, { reader, uuid5, latenessMs, distinct: true }),
  };
}
