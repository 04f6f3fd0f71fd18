import { contentUid } from "../core/record.ts";
import { engine, type EngineOptions } from "../core/correlation/engine.ts";
import type { Engine } from "../core/correlation/types.ts";
import type { EpochMs, Event } from "../core/event.ts";
import { attribute, attributeAgain } from "../core/identity/attribute.ts";
import { directory } from "../core/identity/directory.ts";
import { eventFromOcsf } from "../core/ocsf/read.ts";
import { resolver } from "../core/identity/resolver.ts";
import { eventReader } from "../core/sigma/event-reader.ts";
import { plainEvent, plainReader, type PlainEvent } from "../core/sigma/plain-reader.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { sha256, uuid5 } from "../adapters/system/system.ts";
import { readRegistry } from "../config/registry-files.ts";
import { analysis, type Analysis } from "../pipeline/analysis.ts";
import type { Connector, Normalize, NormalizeContext } from "../ports/connector.ts";
import { CommandError, EXIT, failWithProblems } from "../cli/output.ts";
import type { AgentProfile } from "../core/identity/profile.ts";
import type { OtherRun, Runner } from "./run.ts";
import { STORE } from "./store-log.ts";

/** Times further ahead than this are not believed; a backtest has no clock of its own, so only absurd ones fall. */
const RECEIVED_MS = 8_640_000_000_000;

/** Reads an agent registry (file, directory or pattern) for a command. @throws {CommandError} config */
export function readAgents(path: string | undefined): readonly AgentProfile[] {
  if (path === undefined) return [];
  const { agents, problems } = readRegistry([path]);
  const missing = problems.find(({ line }) => line === 0);
  if (missing !== undefined) throw new CommandError(missing.message, EXIT.usage);
  if (problems.length > 0) failWithProblems(problems);
  return agents;
}

/** Correlation over normalized, attributed events. */
export function eventRunner(
  rules: RuleSet<Event>,
  agents: readonly AgentProfile[],
  connectors: readonly Connector[],
  more: Partial<EngineOptions<Event>> = {},
): Omit<Runner<Event>, "begin"> & { begin(latenessMs: number, other?: OtherRun<Event>): Analysis } {
  const registry = directory(agents);
  const readers = new Map<string, { readonly normalize: Normalize; readonly context: NormalizeContext }>();
  const readerOf = (id: string) => {
    let reader = readers.get(id);
    if (reader === undefined) {
      const normalize = id === "ocsf" ? eventFromOcsf : connectors.find((one) => one.id === id)?.normalize?.();
      if (normalize === undefined) throw new Error(`no normalizer is called ${id}`);
      const source = id.includes("/") ? id : `${id}/backtest`;
      readers.set(id, (reader = { normalize, context: { source, received: RECEIVED_MS, sha256 } }));
    }
    return reader;
  };
  return {
    uid: (event) => event.uid,
    time: (event) => event.time,
    category: (event) => event.category,
    sources: ({ connector }) => (connector === STORE ? (event) => event.source : undefined),
    convert(record, { connector }) {
      if (connector === STORE) {
        // What a store's input gives are events.
        const event = record as Event;
        attributeAgain(event, registry);
        return [event];
      }
      const { normalize, context } = readerOf(connector);
      const events = normalize(record, context);
      for (const event of events) attribute(event, registry);
      return events;
    },
    begin: (latenessMs, other) =>
      analysis(
        resolver(registry, false),
        tapped(engine(other?.rules ?? rules, { reader: eventReader, uuid5, latenessMs, distinct: true, ...more }), other?.tap),
      ),
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
    begin: (latenessMs, other) => tapped(engine(other?.rules ?? rules, { reader, uuid5, latenessMs, distinct: true }), other?.tap),
  };
}

/** The engine, with somebody who sees its events before it does. */
function tapped<E>(own: Engine<E>, tap: OtherRun<E>["tap"]): Engine<E> {
  if (tap === undefined) return own;
  const seen = Object.create(own) as Engine<E>;
  seen.push = (events) => {
    tap(events);
    return own.push(events);
  };
  return seen;
}

/** Events from a time on, and before another one. */
export interface Range {
  readonly since: EpochMs | undefined;
  readonly until: EpochMs | undefined;
}

/** As the runner, but blind for events outside of the range. */
export function within<E>(runner: Runner<E>, { since, until }: Range): Runner<E> {
  if (since === undefined && until === undefined) return runner;
  const holds = (time: EpochMs): boolean => (since === undefined || time >= since) && (until === undefined || time < until);
  return { ...runner, convert: (record, input) => runner.convert(record, input).filter((event) => holds(runner.time(event))) };
}
