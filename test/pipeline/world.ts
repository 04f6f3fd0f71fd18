/**
 * The pipeline's world in tests: a store in memory, a clock that is moved, chance that is given, and sources and
 * destinations by hand that obey the ports.
 */
import axios from "axios";
import { openStore } from "../../src/adapters/postgres/open.ts";
import { hmacSha256, sha256, uuid5 } from "../../src/adapters/system/system.ts";
import { CLASS, type Category, type EpochMs, type Event } from "../../src/core/event.ts";
import { directory, type Directory } from "../../src/core/identity/directory.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { IngestDeps, RunningSource } from "../../src/pipeline/ingest.ts";
import type { Connector, Located, Normalize, Page, Source } from "../../src/ports/connector.ts";
import type { Context, Log } from "../../src/ports/context.ts";
import type { Meter } from "../../src/ports/meter.ts";
import type { Store, Transaction } from "../../src/ports/store.ts";
import type { RouteLook, When } from "../../src/pipeline/route.ts";

/** Where the tests' clock starts. */
export const START: EpochMs = Date.UTC(2026, 2, 31, 12);

/** A clock that tests move. */
export interface TestClock {
  now(): EpochMs;
  move(ms: number): void;
}
export function testClock(start = START): TestClock {
  let time = start;
  return {
    now: () => time,
    move: (ms) => {
      time += ms;
    },
  };
}

/** A meter that can be read: `name{label=value,…}` -> number. */
export interface TestMeter extends Meter {
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}
export function testMeter(): TestMeter {
  const values = new Map<string, number>();
  const keyOf = (name: string, labels: Readonly<Record<string, string>>): string =>
    `${name}${JSON.stringify(Object.entries(labels).sort((a, b) => a[0].localeCompare(b[0])))}`;
  return {
    count: (name, labels, by = 1) => void values.set(keyOf(name, labels), (values.get(keyOf(name, labels)) ?? 0) + by),
    gauge: (name, labels, value) => void values.set(keyOf(name, labels), value),
    observe: (name, labels, seconds) => void values.set(keyOf(name, labels), seconds),
    value: (name, labels = {}) => values.get(keyOf(name, labels)),
  };
}

/** A log that keeps its lines as `level message {fields}`. */
export interface TestLog extends Log {
  readonly lines: string[];
}
export function testLog(): TestLog {
  const lines: string[] = [];
  const at = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A store in memory that can be emptied between tests. */
export interface TestStore {
  readonly store: Store;
  readonly pool: Awaited<ReturnType<typeof openStore>>["pool"];
  empty(): Promise<void>;
}
export async function memoryStore(): Promise<TestStore> {
  const { store, pool } = await openStore({ kind: "pglite" });
  const { rows } = await pool.query<{ name: string }>(
    "select 'custodes.' || tablename as name from pg_tables where schemaname = 'custodes' and tablename not in ('migration', 'log_part', 'audit', 'audit_head')",
  );
  const tables = rows.map((row) => row.name).join(", ");
  return { store, pool, empty: async () => void (await pool.query(`truncate ${tables} restart identity`)) };
}

/** A context without a network. */
export function offline(clock: TestClock, log: Log, random = () => 0.5): Context {
  return {
    clock,
    http: axios.create({ adapter: () => Promise.reject(new Error("no network in this test")) }),
    files: { list: () => Promise.resolve([]), read: () => Promise.reject(new Error("no files in this test")) },
    digest: { sha256, hmacSha256 },
    connect: () => Promise.reject(new Error("no network in this test")),
    log,
    random,
    signal: new AbortController().signal,
  };
}

/** What ingesting needs, over a store. */
export function ingestDeps(store: Store, clock: TestClock, meter: Meter = testMeter(), registry: Directory = directory([])): IngestDeps {
  return { store, registry: () => registry, meter, now: () => clock.now(), sha256 };
}

export { sha256, uuid5 };

/** A record of the fake vendor: what its normalizer makes of it. */
export interface FakeRecord {
  readonly id: string;
  readonly time: EpochMs;
  readonly category?: Category;
  readonly client?: string;
  readonly operation?: string;
}

/** Turns a FakeRecord into an event, nothing else. */
export const fakeNormalize: Normalize = (record) => {
  const { id, time, category = "agent_api", client, operation } = record as FakeRecord;
  const event = newEvent(`fake:${id}`, time, category, CLASS.apiActivity, 1);
  event.clientUid = client;
  event.operation = operation;
  return [event];
};

/** Records with positions. */
export function located(records: readonly unknown[]): Located[] {
  return records.map((record, index) => ({ record, position: `page:${index + 1}` }));
}

/** A page without more to come. */
export function page(records: readonly unknown[], changes: Partial<Page> = {}): Page {
  return { records: located(records), rejects: [], next: "end", more: false, completeTo: null, ...changes };
}

/** A connector that exists in tests only. */
export const fakeConnector: Connector = {
  id: "fake",
  title: "Fake",
  config: undefined as never,
  check: () => Promise.resolve([]),
  categories: ["agent_api", "authentication"],
};

/** A source at work. */
export function running(source: Source | undefined, changes: Partial<RunningSource> = {}): RunningSource {
  return {
    id: "fake/one",
    connector: fakeConnector,
    source,
    receiver: undefined,
    normalize: fakeNormalize,
    latenessMs: 60_000,
    stallMs: 900_000,
    ...changes,
  };
}

/** An event of the log, already normalized. */
export function logged(uid: string, time: EpochMs, changes: Partial<Event> = {}): Event {
  return Object.assign(newEvent(uid, time, "agent_api", CLASS.apiActivity, 1), { source: "fake/one" }, changes);
}

/**
 * The store with one fault: the `at`-th call of the pipeline (1 is the first) fails, either before it does anything,
 * or, of a transaction, in its middle, or after it was committed. `calls` counts what was called.
 */
export function faulty(
  store: Store,
  fault: { at: number; where: "before" | "after"; error: () => Error },
): Store & { readonly calls: () => number } {
  let calls = 0;
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = ++calls;
    if (mine === fault.at && fault.where === "before") throw fault.error();
    const result = await work();
    if (mine === fault.at && fault.where === "after") throw fault.error();
    return result;
  };
  const wrapTransaction = (tx: Transaction): Transaction =>
    new Proxy(tx, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...given: unknown[]) => Promise<unknown>;
        return (...given: unknown[]) => guard(() => method.apply(target, given));
      },
    });
  return new Proxy(store as Store & { readonly calls: () => number }, {
    get: (target, name) => {
      if (name === "calls") return () => calls;
      const method = Reflect.get(target, name) as (...given: unknown[]) => Promise<unknown>;
      if (name === "transaction")
        return (work: (tx: Transaction) => Promise<unknown>) => guard(() => store.transaction((tx) => work(wrapTransaction(tx))));
      return (...given: unknown[]) => guard(() => method.apply(target, given));
    },
  });
}

/** The routes of a destination that gets everything that it accepts. */
export const EVERYTHING: When = {
  minLevel: undefined,
  kinds: undefined,
  rules: undefined,
  final: undefined,
  agents: undefined,
  teams: undefined,
  tenants: undefined,
};
/** Routing without rules and a registry. */
export const NOTHING_KNOWN: RouteLook = { rule: () => undefined, agent: () => undefined };
