import { expect, test } from "vitest";
import type { SourceGap } from "../../src/core/completeness/gap.ts";
import { CATEGORIES, type Category } from "../../src/core/event.ts";
import { coverage } from "../../src/pipeline/coverage.ts";
import { health } from "../../src/pipeline/health.ts";
import type { Store, SourceState } from "../../src/ports/store.ts";
import { fakeConnector, running, START } from "./world.ts";

const MINUTE = 60_000;
const source = (id: string, categories?: readonly Category[]) => {
  const { categories: _, ...plain } = fakeConnector;
  return running(undefined, { id, connector: categories === undefined ? plain : { ...plain, categories }, stallMs: 15 * MINUTE });
};
const state = (id: string, changes: Partial<SourceState> = {}): SourceState => ({
  source: id,
  cursor: null,
  watermark: START - MINUTE,
  newestTime: null,
  lastSuccessTime: START,
  lastError: null,
  pausedReason: null,
  events: 0,
  duplicates: 0,
  quarantined: 0,
  lateEvents: 0,
  ...changes,
});
const read = (sources: ReturnType<typeof source>[], states: SourceState[], now = START, startTime = START - 60 * MINUTE) => {
  const { watermarks, missing } = coverage(sources, states, now, startTime);
  return { all: watermarks.all, missing, of: (category: Category) => watermarks.byCategory?.get(category) };
};

test("each category is complete up to the least complete source that feeds it", () => {
  const found = read(
    [source("a/1", ["agent_api"]), source("b/1", ["agent_api", "egress"]), source("c/1", ["dns"])],
    [state("a/1", { watermark: START - 1 }), state("b/1", { watermark: START - 5 }), state("c/1", { watermark: START - 9 })],
  );
  expect([found.of("agent_api"), found.of("egress"), found.of("dns"), found.all]).toEqual([START - 5, START - 5, START - 9, START - 9]);
  expect(found.missing).toEqual([]);
});

test("a category that no source feeds is complete up to now", () => {
  const found = read([source("a/1", ["agent_api"])], [state("a/1")]);
  expect(CATEGORIES.filter((category) => found.of(category) === START)).toEqual(CATEGORIES.filter((one) => one !== "agent_api"));
});

test("a connector that does not name its categories may feed any", () => {
  const found = read([source("a/1")], [state("a/1", { watermark: START - 7 })]);
  expect(CATEGORIES.map(found.of)).toEqual(CATEGORIES.map(() => START - 7));
});

test("a source holds the others back for its stall budget, to the millisecond, and is then named as missing", () => {
  const states = (ago: number) => [state("a/1", { lastSuccessTime: START - ago, watermark: START - 60 * MINUTE }), state("b/1")];
  const sources = [source("a/1", ["agent_api"]), source("b/1", ["dns"])];
  expect(read(sources, states(15 * MINUTE))).toMatchObject({ missing: [], all: START - 60 * MINUTE });
  const stalled = read(sources, states(15 * MINUTE + 1));
  expect(stalled).toMatchObject({ missing: ["a/1"], all: START - MINUTE });
  expect(stalled.of("agent_api")).toBe(START);
});

test("a source that was never heard of holds back from when the process began to listen, and is named as missing", () => {
  const sources = [source("new/1")];
  expect(read(sources, [], START, START)).toMatchObject({ missing: ["new/1"], all: -Infinity });
  expect(read(sources, [], START + 15 * MINUTE, START).all).toBe(-Infinity);
  expect(read(sources, [], START + 15 * MINUTE + 1, START)).toMatchObject({ missing: ["new/1"], all: START + 15 * MINUTE + 1 });
});

test("a source that answers but proves nothing holds back until it does, and what is told meanwhile is not complete", () => {
  const found = read([source("a/1"), source("b/1")], [state("a/1", { watermark: null }), state("b/1")]);
  expect(found).toMatchObject({ all: -Infinity, missing: ["a/1"] });
});

test("a source that is read but comes no further holds back for its stall budget and its lateness, to the millisecond", () => {
  const stuck = (ago: number) => [state("a/1", { progressTime: START - ago, watermark: null }), state("b/1")];
  const sources = [source("a/1", ["agent_api"]), source("b/1", ["dns"])];
  expect(read(sources, stuck(16 * MINUTE)).all).toBe(-Infinity);
  expect(read(sources, stuck(16 * MINUTE + 1))).toMatchObject({ missing: ["a/1"], all: START - MINUTE });
  expect(read(sources, stuck(60 * MINUTE), START, START - 16 * MINUTE).all).toBe(-Infinity);
});

test("what was missing before a restart is missing until it is heard of, or comes further", () => {
  const gap = {
    id: "g",
    source: "a/1",
    from: 0,
    to: null,
    why: "unreachable",
    detail: "d",
    state: "open",
    foundTime: 1,
    endTime: null,
    whole: null,
  } as const;
  const missing = (changes: Partial<SourceState>, one: SourceGap = gap) =>
    coverage([source("a/1")], [state("a/1", changes)], START, START - 5, [one]).missing;
  const before = START - MINUTE;
  expect(missing({ lastSuccessTime: before })).toEqual(["a/1"]);
  expect(missing({ lastSuccessTime: START, progressTime: before })).toEqual(["a/1"]);
  expect(missing({ lastSuccessTime: START, progressTime: START })).toEqual([]);
  expect(missing({ lastSuccessTime: before }, { ...gap, to: 5 })).toEqual([]);
  expect(missing({ lastSuccessTime: before }, { ...gap, state: "healed", endTime: 5 })).toEqual([]);
  expect(missing({ lastSuccessTime: before }, { ...gap, source: "b/1" })).toEqual([]);
});

test("a source whose clock runs ahead does not make anything complete beyond now", () => {
  const found = read([source("a/1", ["agent_api"])], [state("a/1", { watermark: START + 60 * MINUTE })]);
  expect([found.all, found.of("agent_api")]).toEqual([START, START]);
});

test("without any source everything is complete up to now", () => {
  expect(read([], []).all).toBe(START);
});

test("sources that are stored but no longer configured hold nobody back, and missing ones are sorted", () => {
  const long = { lastSuccessTime: START - 60 * MINUTE };
  expect(read([source("b/1"), source("a/1")], [state("gone/1", { watermark: 1 }), state("a/1", long), state("b/1", long)]).missing).toEqual(
    ["a/1", "b/1"],
  );
});

const seen = (states: SourceState[], now = START, gaps: SourceGap[] = []) =>
  health(
    { sources: async () => states, gaps: async () => gaps } as unknown as Store,
    [source("a/1")],
    [],
    { run: async () => false, hold: () => undefined },
    now,
  );

test("health: a working source is green, a stalled one yellow, a paused one red with its reason", async () => {
  expect((await seen([state("a/1")])).status).toBe("green");
  expect((await seen([state("a/1")], START + 15 * MINUTE + 1)).status).toBe("yellow");
  const stuck = await seen([state("a/1", { progressTime: START - 16 * MINUTE - 1 })]);
  expect(stuck).toMatchObject({ status: "yellow", parts: [{}, { ok: false, message: "no progress within its stall budget" }] });
  const paused = await seen([state("a/1", { pausedReason: "HTTP_DENIED: key refused", lastError: "HTTP_DENIED: key refused" })]);
  expect(paused.status).toBe("red");
  expect(paused.parts.find((part) => part.name === "source a/1")).toMatchObject({ ok: false, message: "HTTP_DENIED: key refused" });
});

test("health: a gap is yellow with its reason, and no longer when it is over; an outage is told as such", async () => {
  const gap: SourceGap = {
    id: "g",
    source: "a/1",
    from: 1,
    to: 2,
    why: "count",
    detail: "two are missing",
    state: "open",
    foundTime: 3,
    endTime: null,
    whole: null,
  };
  const missing = await seen([state("a/1")], START, [gap]);
  expect(missing.status).toBe("yellow");
  expect(missing.parts[1]?.message).toBe("works; gaps: 1, the newest: count, two are missing");
  expect((await seen([state("a/1")], START, [{ ...gap, source: "other/1" }])).status).toBe("green");
  expect((await seen([state("a/1")], START, [{ ...gap, to: null, why: "unreachable" }])).status).toBe("green");
  const never = await seen([], START, [{ ...gap, to: null, why: "silent" }]);
  expect(never).toMatchObject({ status: "yellow", parts: [{}, { ok: false, message: "no success within its stall budget" }] });
  expect(await seen([], START)).toMatchObject({ status: "green", parts: [{}, { message: "not heard of yet" }] });
});

test("coverage names the gaps of configured sources that are not healed, and how far each source is", () => {
  const gap = (id: string, source: string, more: Partial<SourceGap> = {}): SourceGap => ({
    ...({ id, source, from: 1, to: 2, why: "count", detail: "d", state: "open", foundTime: 3, endTime: null, whole: null } as const),
    ...more,
  });
  const gaps = [gap("a", "a/1"), gap("b", "gone/1"), gap("c", "a/1", { state: "healed" }), gap("d", "a/1", { state: "lost" })];
  const found = coverage([source("b/1"), source("a/1")], [state("a/1")], START, START, gaps);
  expect(found.gaps?.map(({ id }) => id)).toEqual(["a", "d"]);
  expect(found.bySource).toEqual([
    { source: "a/1", watermark: START - MINUTE },
    { source: "b/1", watermark: undefined },
  ]);
});

test("health: a source that has failed since the start is not green", async () => {
  const failing = await seen([state("a/1", { lastSuccessTime: null, watermark: null, lastError: "HTTP_UNREACHABLE: no such host" })]);
  expect(failing.status).toBe("yellow");
  expect(failing.parts.find((part) => part.name === "source a/1")).toMatchObject({ ok: false, message: "HTTP_UNREACHABLE: no such host" });
});

test("health: a store that fails is red and does not throw", async () => {
  const broken = { sources: () => Promise.reject(new Error("connection refused")) } as unknown as Store;
  const found = await health(broken, [], [], { run: async () => false, hold: () => undefined }, START);
  expect(found).toEqual({ status: "red", parts: [{ name: "store", ok: false, message: "connection refused" }] });
});

test("health: a held destination is yellow, a paused one red", async () => {
  const store = { sources: async () => [], gaps: async () => [] } as unknown as Store;
  const destination = { id: "d/1" } as never;
  const held = (paused: boolean) => ({
    run: async () => false,
    hold: () => ({ until: 0, failures: 1, reason: "HTTP_DENIED: no", paused, since: START, disabled: false }),
  });
  expect((await health(store, [], [destination], held(false), START)).status).toBe("yellow");
  expect((await health(store, [], [destination], held(true), START)).status).toBe("red");
});
