import { existsSync, readFileSync } from "node:fs";
import { contentUid } from "../core/record.ts";
import { engine } from "../core/correlation/engine.ts";
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
import { analysis } from "../pipeline/analysis.ts";
import type { Connector, Normalize, NormalizeContext } from "../ports/connector.ts";
import { CommandError, EXIT, failWithProblems } from "../cli/output.ts";
import type { AgentProfile } from "../core/identity/profile.ts";
import type { Runner } from "./run.ts";

/** Times further ahead than this are not believed; a backtest has no clock of its own, so only absurd ones fall. */
const RECEIVED_MS = 8_640_000_000_000;

/** Reads an agent registry for a command. @throws {CommandError} config */
export function readAgents(path: string | undefined): readonly AgentProfile[] {
  if (path === undefined) return [];
  if (!existsSync(path)) throw new CommandError(`the agent registry ${path} does not exist`, EXIT.usage);
  const { agents, problems } = parseRegistry(path, readFileSync(path, "utf8"));
  if (problems.length > 0) failWithProblems(problems);
  return agents;
}

/** Correlation over normalized, attributed events. */
export function eventRunner(rules: RuleSet<Event>, agents: readonly AgentProfile[], connectors: readonly Connector[]): Runner<Event> {
  const registry = directory(agents);
  const readers = new Map<string, { readonly normalize: Normalize; readonly context: NormalizeContext }>();
  // Made when first needed: a connector may be unable to normalize without its configuration.
  const readerOf = (id: string) => {
    let reader = readers.get(id);
    if (reader === undefined) {
      const normalize = id === "ocsf" ? eventFromOcsf : connectors.find((one) => one.id === id)?.normalize?.();
      if (normalize === undefined) throw new Error(`no normalizer is called ${id}`);
      readers.set(id, (reader = { normalize, context: { source: `${id}/backtest`, received: RECEIVED_MS, sha256 } }));
    }
    return reader;
  };
  return {
    uid: (event) => event.uid,
    time: (event) => event.time,
    category: (event) => event.category,
    convert(record, { connector }) {
      const { normalize, context } = readerOf(connector);
      const events = normalize(record, context);
      for (const event of events) attribute(event, registry);
      return events;
    },
    begin: (latenessMs) => analysis(resolver(registry), engine(rules, { reader: eventReader, uuid5, latenessMs, distinct: true })),
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
