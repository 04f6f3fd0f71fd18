import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import { puller } from "../../src/pipeline/pull.ts";
import type { Cursor, Page, Source } from "../../src/ports/connector.ts";
import type { Store } from "../../src/ports/store.ts";
import { faulty, ingestDeps, memoryStore, offline, page, running, START, testClock, testLog, testMeter, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

const never = new AbortController().signal;

/** A source that gives the answers in turn and remembers with which cursors it was asked. */
function script(...answers: readonly (Page | (() => Page | Promise<Page>))[]): Source & { readonly asked: (Cursor | null)[] } {
  const asked: (Cursor | null)[] = [];
  return {
    asked,
    pull: async (cursor) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)]!;
      asked.push(cursor);
      return typeof answer === "function" ? answer() : answer;
    },
  };
}

function setUp(source: Source, over: Store = store, random?: () => number) {
  const clock = testClock();
  const log = testLog();
  const meter = testMeter();
  const pull = puller(ingestDeps(over, clock, meter), offline(clock, log, random));
  const one = running(source);
  return { clock, log, meter, one, pull: (signal: AbortSignal = never) => pull(one, signal) };
}
const fails = (failure: Failure | Error) => () => Promise.reject<Page>(failure);
const record = (id: string, time = START) => ({ id, time });
const retryable = (retryAfterMs?: number) =>
  new Failure("come back later", {
    kind: "retryable",
    code: "HTTP_UNAVAILABLE",
    scope: "connector",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });

test("pages are pulled until there is no more, each from the cursor of the one before", async () => {
  const source = script(
    page([record("1")], { next: "c1", more: true }),
    page([record("2")], { next: "c2", more: true }),
    page([record("3")], { next: "c3", completeTo: START }),
  );
  const { pull, meter } = setUp(source);
  expect(await pull()).toEqual({ pages: 3, again: false });
  expect(source.asked).toEqual([null, "c1", "c2"]);
  expect(await store.source("fake/one")).toMatchObject({ cursor: "c3", events: 3, watermark: START, lastSuccessTime: START });
  expect((await store.readLog(0, 10)).map((row) => row.event.uid)).toEqual(["fake:1", "fake:2", "fake:3"]);
  expect(meter.value("source_events_total", { source: "fake/one" })).toBe(3);
});

test("a page that is pulled twice changes nothing but the count of duplicates", async () => {
  const { pull } = setUp(script(page([record("1"), record("2")], { next: "same" })));
  await pull();
  await pull();
  expect(await store.source("fake/one")).toMatchObject({ events: 2, duplicates: 2 });
  expect(await store.lastSequence()).toBe(2);
});

test("an event is late once, however often it comes again", async () => {
  const late = [record("late", START - 86_400_000), record("later", START - 86_400_001)];
  const again = page([record("1"), ...late, late[0]], { next: "same" });
  const { pull, meter } = setUp(script(again));
  await pull();
  expect(await store.source("fake/one")).toMatchObject({ events: 3, duplicates: 1, lateEvents: 2 });
  await pull();
  expect(await store.source("fake/one")).toMatchObject({ events: 3, duplicates: 5, lateEvents: 2 });
  expect(meter.value("source_late_events_total", { source: "fake/one" })).toBe(2);
});

test("poison records and rejects are quarantined with their place, and the rest of the page is stored", async () => {
  const source = script({
    ...page([record("1"), "not an object", record("2"), { id: "3", time: "never" }]),
    rejects: [{ code: "RECORD_NOT_JSON", message: "not JSON", position: "file:9", raw: "{" }],
  });
  const { pull } = setUp(source);
  await pull();
  expect(await store.lastSequence()).toBe(2);
  const kept = await store.quarantine();
  expect(kept.map((one) => `${one.position} ${one.code}`).sort()).toEqual([
    "file:9 RECORD_NOT_JSON",
    "page:2 RECORD_BUG",
    "page:4 RECORD_BUG",
  ]);
  expect(await store.source("fake/one")).toMatchObject({ quarantined: 3, cursor: "end" });
});

test("a bug of a connector is retried with back-off, without pause, and its message holds no content", async () => {
  const source = script(fails(new TypeError("cannot read secret-content of undefined")));
  const { pull } = setUp(source);
  expect(await pull()).toEqual({ pages: 0, again: false });
  expect(await store.source("fake/one")).toMatchObject({ lastError: "RECORD_BUG: the connector failed unexpectedly", pausedReason: null });
});

test("a failed pull is left alone for a while that doubles, between half of it and all of it", async () => {
  for (const random of [() => 0, () => 0.999_999]) {
    await memory.empty();
    const source = script(fails(retryable()));
    const { pull, clock } = setUp(source, store, random);
    let wait = 500 * (1 + random());
    for (let failure = 1; failure <= 12; failure++) {
      await pull();
      expect(source.asked).toHaveLength(failure);
      const expected = Math.min(wait, 150_000 * (1 + random()));
      clock.move(Math.floor(expected) - 2);
      await pull();
      expect(source.asked).toHaveLength(failure);
      clock.move(4);
      wait *= 2;
    }
  }
});

test("a wait that the server asks for is kept, and ends", async () => {
  const source = script(fails(retryable(120_000)), page([]));
  const { pull, clock } = setUp(source);
  await pull();
  clock.move(119_999);
  await pull();
  expect(source.asked).toHaveLength(1);
  clock.move(1);
  await pull();
  expect(source.asked).toHaveLength(2);
});

test.each([Infinity, Number.NaN, 1e15, -5])("a senseless wait of %s ms neither stops a source for ever nor hammers it", async (wait) => {
  const source = script(fails(retryable(wait)), page([]));
  const { pull, clock } = setUp(source);
  await pull();
  await pull();
  expect(source.asked).toHaveLength(1);
  clock.move(24 * 3_600_000);
  await pull();
  expect(source.asked).toHaveLength(2);
});

test.each(["permanent", "config", "poison"] as const)(
  "a %s failure pauses the source with its reason and probes it after five minutes",
  async (kind) => {
    const source = script(fails(new Failure("key refused", { kind, code: "HTTP_DENIED", scope: "connector" })), page([record("1")]));
    const { pull, clock, meter } = setUp(source);
    await pull();
    expect((await store.source("fake/one"))?.pausedReason).toBe("HTTP_DENIED: key refused");
    expect(meter.value("source_paused", { source: "fake/one" })).toBe(1);
    clock.move(299_999);
    await pull();
    expect(source.asked).toHaveLength(1);
    clock.move(1);
    expect(await pull()).toEqual({ pages: 1, again: false });
    expect(await store.source("fake/one")).toMatchObject({ pausedReason: null, lastError: null, events: 1 });
    expect(meter.value("source_paused", { source: "fake/one" })).toBe(0);
  },
);

test("another worker's commit on the same source wins: nothing is stored twice, and nothing is an error", async () => {
  const first = setUp(script(page([record("1")], { next: "a" })));
  await first.pull();
  const slow = setUp(
    script(async () => {
      await setUp(script(page([record("2")], { next: "b" }))).pull();
      return page([record("2")], { next: "b" });
    }),
  );
  expect(await slow.pull()).toEqual({ pages: 0, again: false });
  expect(await store.source("fake/one")).toMatchObject({ cursor: "b", events: 2, duplicates: 0, lastError: null });
});

test("a pull ends its time slice with a page stored and asks to go on", async () => {
  const { clock, pull } = setUp({
    pull: async () => {
      clock.move(15_000);
      return page([], { more: true, next: String(clock.now()) });
    },
  });
  expect(await pull()).toEqual({ pages: 2, again: true });
});

test("at shutdown the page under way is stored, and a pull that was cut off leaves no error", async () => {
  const stop = new AbortController();
  const source = script(() => {
    stop.abort();
    return page([record("1")], { next: "c1", more: true });
  });
  expect(await setUp(source).pull(stop.signal)).toEqual({ pages: 1, again: false });
  expect(await store.source("fake/one")).toMatchObject({ cursor: "c1", events: 1 });
  const cut = setUp(script(fails(retryable())));
  expect(await cut.pull(stop.signal)).toEqual({ pages: 0, again: false });
  expect((await store.source("fake/one"))?.lastError).toBeNull();
});

test("wherever the store fails, either all of a page is stored with its cursor or nothing, and the next pull makes it whole", async () => {
  const answers = page([record("1"), record("2"), "poison"], { next: "c1", completeTo: START });
  const error = () => new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" });
  const counter = faulty(store, { at: 0, where: "before", error });
  await setUp(script(answers), counter).pull();
  const calls = counter.calls();
  expect(calls).toBeGreaterThan(4);
  for (let at = 1; at <= calls; at++) {
    for (const where of ["before", "after"] as const) {
      await memory.empty();
      const broken = setUp(script(answers), faulty(store, { at, where, error }));
      await broken.pull().catch(() => undefined);
      const state = await store.source("fake/one");
      const whole = state?.cursor === "c1";
      expect([(await store.readLog(0, 9)).length, (await store.quarantine()).length, state?.events ?? 0]).toEqual(
        whole ? [2, 1, 2] : [0, 0, 0],
      );
      await setUp(script(answers)).pull();
      expect(await store.readLog(0, 9)).toHaveLength(2);
      expect(await store.source("fake/one")).toMatchObject({ cursor: "c1", events: 2, watermark: START, lastError: null });
    }
  }
});

test("events further behind than the lateness are counted as late, those exactly as far behind are not", async () => {
  const { pull, meter } = setUp(script(page([record("new", START), record("edge", START - 60_000), record("late", START - 60_001)])));
  await pull();
  expect((await store.source("fake/one"))?.lateEvents).toBe(1);
  expect(meter.value("source_late_events_total", { source: "fake/one" })).toBe(1);
});

test("a source that is only pushed to is never pulled", async () => {
  const clock = testClock();
  const pull = puller(ingestDeps(store, clock), offline(clock, testLog()));
  expect(await pull(running(undefined), never)).toEqual({ pages: 0, again: false });
  expect(await store.source("fake/one")).toBeUndefined();
});

const MINUTE_MS = 60_000;
const many = (first: number, count: number): unknown[] =>
  Array.from({ length: count }, (_, index) => record(`m${first + index}`, START - 1000 * MINUTE_MS + (first + index) * 1000));

test("a log that is read in order is complete as far as it was read, less its lateness, before its end", async () => {
  const source = script(
    page(many(0, 101), { next: "c1", more: true, inOrder: true }),
    page([...many(101, 100), record("rogue", START + 1000 * MINUTE_MS)], { next: "c2", more: false, inOrder: true }),
  );
  const { pull, one } = setUp(source);
  await pull();
  // The time in the middle of the last page counts: one event with a wrong time decides nothing.
  expect((await store.source("fake/one"))?.watermark).toBe(START - 1000 * MINUTE_MS + 151 * 1000 - one.latenessMs);
});

test("a few events, or a log whose order is not known, say nothing of how far it was read", async () => {
  const few = setUp(script(page(many(0, 99), { next: "c1", inOrder: true })));
  await few.pull();
  expect((await store.source("fake/one"))?.watermark).toBeNull();
  const unordered = setUp(script(page(many(100, 200), { next: "c2" })));
  await unordered.pull();
  expect((await store.source("fake/one"))?.watermark).toBeNull();
});

test("what was read in order proves nothing beyond the clock", async () => {
  const ahead = Array.from({ length: 120 }, (_, index) => record(`a${index}`, START + 1000 * MINUTE_MS + index));
  const { pull, one } = setUp(script(page(ahead, { next: "c1", inOrder: true })));
  await pull();
  expect((await store.source("fake/one"))?.watermark).toBe(START - one.latenessMs);
});
