/** Single records told through the real connectors, and whose each becomes. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import { connectors } from "../../connectors/index.ts";
import { parseRegistry } from "../../src/config/registry.ts";
import type { EpochMs, Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import { directory, type Directory } from "../../src/core/identity/directory.ts";
import { resolver } from "../../src/core/identity/resolver.ts";
import { newBatch, readLine } from "../../src/core/framing.ts";

/** Nothing special about it. */
export const T0: EpochMs = Date.UTC(2026, 2, 31, 8);

/** Events of one record. `options`: of the source, beside its path. */
export function told(source: string, record: unknown, options: object = {}): readonly Event[] {
  const connector = connectors.find(({ id }) => id === source)!;
  const context = {
    source: `${source}/x`,
    received: T0 + 60_000,
    sha256: (text: string) => createHash("sha256").update(text, "utf8").digest("hex"),
  };
  const batch = newBatch("x");
  readLine(connector.format!().open(), typeof record === "string" ? record : JSON.stringify(record), 1, batch);
  expect(batch.rejects).toEqual([]);
  const settings = Object.keys(options).length === 0 ? undefined : connector.config.parse({ path: "/x", ...options });
  const normalize = connector.normalize!(settings);
  return batch.records.flatMap((one) => normalize(one, context));
}

/** A registry of so many entries. */
export function registryOf(...agents: readonly object[]): Directory {
  const { agents: parsed, problems } = parseRegistry("agents.yaml", JSON.stringify({ version: 1, agents }));
  expect(problems).toEqual([]);
  return directory(parsed);
}

/** Events with their agents, once nothing more can come. */
export function decided(registry: Directory, ...all: readonly (readonly Event[])[]): readonly Event[] {
  const known = resolver(registry);
  const events = all.flat().map((event) => ({ ...event }));
  for (const event of events) attribute(event, registry);
  known.push(events);
  known.advance(Infinity);
  return events;
}

/** Whose each event is: one, several joined by `+` (one alone with a `?`: it, or somebody else), or nobody's. */
export function owners(registry: Directory, ...all: readonly (readonly Event[])[]): readonly (string | undefined)[] {
  return decided(registry, ...all).map(({ agentUid, agents }) => agentUid ?? (agents?.length === 1 ? `${agents[0]}?` : agents?.join("+")));
}

let made = 0;
/** An id that nothing else has. */
export const id = (): string => String(made++).padStart(32, "0");
