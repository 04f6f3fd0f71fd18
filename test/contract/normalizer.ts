/**
 * What every normalizer must keep, as one suite: connectors call it from their own test file.
 *
 *     normalizerContract({ connector: kong, samples: "connectors/kong/samples", secrets: ["s3cr3t"] });
 */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ATTRIBUTION, CATEGORIES, type Event } from "../../src/core/event.ts";
import { Failure } from "../../src/core/errors.ts";
import { newBatch, readLine, readText, type Batch } from "../../src/core/framing.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { Connector, NormalizeContext } from "../../src/ports/connector.ts";

/** When the samples are received, unless a suite says otherwise: later than anything in them. */
export const RECEIVED = Date.UTC(2026, 11, 31);

const root = resolve(import.meta.dirname, "../..");

/** A normalizer's context as the pipeline makes it. */
export function normalizeContext(connector: string, received: number = RECEIVED): NormalizeContext {
  return {
    source: `${connector}/test`,
    received,
    sha256: (text) => createHash("sha256").update(text, "utf8").digest("hex"),
  };
}

/** What a normalizer suite needs to know. */
export interface NormalizerSuite<C> {
  readonly connector: Connector<C>;
  readonly config?: C;
  /** Folder below the repository root: each `<name>.<ext>` is a sample, `<name>.<ext>.golden.ndjson` what it becomes. */
  readonly samples: string;
  readonly received?: number;
  /** Texts that lie in the samples and must never reach an event. */
  readonly secrets?: readonly string[];
  /** Prefix of the uids when it is not the connector's id. */
  readonly uidPrefix?: string;
}

/** Golden samples, and the promises of `Normalize`. */
export function normalizerContract<C>(suite: NormalizerSuite<C>): void {
  const { connector, config } = suite;
  const open = (): ((record: unknown) => readonly Event[]) => {
    const normalize = connector.normalize?.(config);
    if (normalize === undefined) throw new Error(`${connector.id} has no normalizer`);
    const context = normalizeContext(connector.id, suite.received);
    return (record) => normalize(record, context);
  };
  const files = readdirSync(join(root, suite.samples), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[a-z]+$/.test(name) && !name.endsWith(".golden.ndjson") && !name.endsWith(".md"))
    .sort();
  const sampled = (): unknown[] => files.flatMap((file) => readSample(suite, file).records);

  describe(`${connector.id}: normalizer contract`, () => {
    test("there are samples, and they give events", () => {
      expect(files.length).toBeGreaterThan(0);
      const events = sampled().flatMap((record) => attempt(open(), record).events);
      expect(events.length).toBeGreaterThan(0);
    });
    test.each(files)("sample %s becomes the golden events", async (file) => {
      const batch = readSample(suite, file);
      const golden = goldenLines(batch, open());
      await expect(golden).toMatchFileSnapshot(join(root, suite.samples, `${file}.golden.ndjson`));
    });
    test("every event keeps the promises of the event", () => {
      for (const record of sampled()) {
        for (const event of attempt(open(), record).events) expectEvent(event, suite);
      }
    });
    test("the same record twice gives the same uids, and one record's uids differ", () => {
      for (const record of sampled()) {
        const first = attempt(open(), record).events.map((event) => event.uid);
        expect(attempt(open(), structuredClone(record)).events.map((event) => event.uid)).toEqual(first);
        expect(new Set(first).size).toBe(first.length);
      }
    });
    test("a record is never changed", () => {
      for (const record of sampled()) {
        const before = JSON.stringify(record);
        attempt(open(), deepFreeze(record));
        expect(JSON.stringify(record)).toBe(before);
      }
    });
    test("garbage gives poison failures or good events, and never another throw", () => {
      const normalize = open();
      for (const record of GARBAGE) for (const event of attempt(normalize, record).events) expectEvent(event, suite);
      for (const record of sampled()) {
        for (const broken of mutations(record)) for (const event of attempt(normalize, broken).events) expectEvent(event, suite);
      }
    });
    test("no secret of a record reaches an event", () => {
      const secrets = suite.secrets ?? [];
      const raw = files
        .map((file) =>
          readSample(suite, file)
            .records.map((record) => JSON.stringify(record))
            .join("\n"),
        )
        .join("\n");
      const events = JSON.stringify(sampled().flatMap((record) => attempt(open(), record).events));
      for (const secret of secrets) {
        expect(raw, "the samples hold the secret that is looked for").toContain(secret);
        expect(events).not.toContain(secret);
      }
    });
  });
}

/** Events of a record, or the code of its poison failure; anything else that is thrown fails the test. */
function attempt(normalize: (record: unknown) => readonly Event[], record: unknown): { events: readonly Event[]; failure?: Failure } {
  try {
    return { events: normalize(record) };
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "poison") throw error;
    return { events: [], failure: error };
  }
}

function readSample<C>(suite: NormalizerSuite<C>, file: string): Batch {
  const format = suite.connector.format?.(suite.config);
  if (format === undefined) throw new Error(`${suite.connector.id} has no format`);
  const bytes = readFileSync(join(root, suite.samples, file));
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  const batch = newBatch(file);
  const read = format.open();
  if (format.framing === "document") readText(read, text, 1, batch);
  else text.split("\n").forEach((line, index) => readLine(read, line, index + 1, batch));
  return batch;
}

function goldenLines(batch: Batch, normalize: (record: unknown) => readonly Event[]): string {
  const lines: { readonly line: number; readonly text: string }[] = batch.rejects.map(({ line, code, message }) => ({
    line,
    text: JSON.stringify({ line, code, message }),
  }));
  batch.records.forEach((record, index) => {
    const line = batch.lines[index] ?? 0;
    const { events, failure } = attempt(normalize, record);
    if (failure !== undefined) lines.push({ line, text: JSON.stringify({ line, code: failure.code, message: failure.message }) });
    for (const event of events) lines.push({ line, text: JSON.stringify({ line, ...event }) });
  });
  return lines
    .sort((a, b) => a.line - b.line)
    .map(({ text }) => `${text}\n`)
    .join("");
}

const EVENT_KEYS = Object.keys(newEvent("a:b", 1, "agent_api", 6003, 1));
const ATTRIBUTED: readonly (keyof Event)[] = [
  ...(["agentUid", "agentName", "agentRole", "agentState", "agents", "attributionConfidence", "agentPerMinuteMax"] as const),
  ...(["agentBulkMbMax", "srcRegistered", "dstAllowed", "regionDeclared", "actionDeclared", "dataClassAllowed"] as const),
];

function expectEvent<C>(event: Event, suite: NormalizerSuite<C>): void {
  const { connector } = suite;
  expect(Object.keys(event).join(), "fields are assigned in the one order").toBe(EVENT_KEYS.join());
  expect(event.uid.startsWith(suite.uidPrefix ?? `${connector.id}:`), event.uid).toBe(true);
  expect(event.uid.length).toBeLessThanOrEqual(512);
  expect(Number.isSafeInteger(event.time) && event.time > 0, `time ${event.time}`).toBe(true);
  expect(event.time).toBeLessThanOrEqual((suite.received ?? RECEIVED) + 86_400_000);
  expect(event.source).toBe(`${connector.id}/test`);
  expect(event.vendor).not.toBe("");
  expect(event.product).not.toBe("");
  expect(CATEGORIES).toContain(event.category);
  expect(connector.categories ?? [], "the connector declares its categories").toContain(event.category);
  expect(event.attributionId).toBe(ATTRIBUTION.none);
  expect(
    ATTRIBUTED.filter((field) => event[field] !== undefined),
    "these fields belong to attribution",
  ).toEqual([]);
  expect(Object.entries(event).flatMap(([field, value]) => wrongValue(field, value) ?? [])).toEqual([]);
}

/** Plain tests and one `expect` per event: mutations ask this millions of times. */
function wrongValue(field: string, value: unknown): string | undefined {
  if (Array.isArray(value)) {
    if (value.length > 64) return `${field} has ${value.length} items`;
    return value.every((item) => typeof item === "string" && item.length <= 1024)
      ? undefined
      : `${field} has an item that is no short text`;
  }
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${field} is ${value}`;
  if (typeof value === "string") return value.length <= 1100 ? undefined : `${field} has ${value.length} characters`;
  return typeof value === "boolean" || value === undefined ? undefined : `${field} is of type ${typeof value}`;
}

const DEEP = JSON.parse(`${'{"a":'.repeat(60)}1${"}".repeat(60)}`) as unknown;
const NOT_OBJECTS: unknown[] = [
  null,
  undefined,
  true,
  0,
  -1,
  42,
  Number.NaN,
  1e308,
  "",
  "log rotated",
  "\u0000",
  "ü".repeat(5000),
  [],
  [[]],
  [null],
  [1, "a"],
];
const POOR_OBJECTS: unknown[] = [
  {},
  DEEP,
  { time: null },
  JSON.parse('{"__proto__":{"polluted":true}}'),
  Object.create(null),
  { constructor: { prototype: {} } },
];
const GARBAGE: readonly unknown[] = NOT_OBJECTS.concat(POOR_OBJECTS);
const REPLACEMENTS: readonly unknown[] = [
  undefined,
  null,
  "",
  "x",
  -1,
  1e300,
  true,
  [],
  [null, 1, "a", {}],
  {},
  { a: 1 },
  "y".repeat(5000),
];

/** The record with one value (to the third level) replaced by something that does not belong there, one by one. */
function* mutations(record: unknown, depth = 0): Generator<unknown> {
  if (typeof record !== "object" || record === null || depth > 2) return;
  for (const key of Object.keys(record)) {
    const value = (record as Record<string, unknown>)[key];
    const copy = (replaced: unknown): unknown =>
      Array.isArray(record)
        ? (record as readonly unknown[]).map((item, index) => (String(index) === key ? replaced : item))
        : Object.assign({}, record, { [key]: replaced });
    for (const replacement of REPLACEMENTS) yield copy(replacement);
    for (const inner of mutations(value, depth + 1)) yield copy(inner);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
