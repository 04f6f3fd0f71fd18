/** What one batch says of how late records come and of what is missing. */
import { beforeEach, describe, expect, test } from "vitest";
import type { SourceGap } from "../../src/core/completeness/gap.ts";
import { poison } from "../../src/core/errors.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { ingest, type Batch, type RunningSource } from "../../src/pipeline/ingest.ts";
import type { SourceLateness } from "../../src/ports/store.ts";
import { agent, key } from "../core/identity/agents.ts";
import { memory, type Memory } from "./memory.ts";
import { fakeNormalize, ingestDeps, located, running, START, testClock, testMeter, type FakeRecord } from "./world.ts";

const MINUTE = 60_000;
const pulled = running({ pull: () => Promise.reject(new Error("not pulled here")) });
const pushed = running(undefined);

let kept: Memory;
let lateness: { day: number; one: SourceLateness }[];
let meter: ReturnType<typeof testMeter>;
beforeEach(() => {
  lateness = [];
  kept = memory({ addLateness: (day, one) => void lateness.push({ day, one }) });
  meter = testMeter();
});

async function take(records: readonly FakeRecord[], batch: Partial<Batch> = {}, source: RunningSource = pulled) {
  const clock = testClock();
  const before = await kept.store.source(source.id);
  const deps = ingestDeps(kept.store, clock, meter, directory([agent("a", { keys: [key("client", "a")], heartbeatMs: 1 }), agent("b")]));
  return ingest(deps, source, { records: located(records), rejects: [], before, next: `c${Math.random()}`, completeTo: null, ...batch });
}
const record = (id: string, ago: number, more: Partial<FakeRecord> = {}): FakeRecord => ({ id, time: START - ago, ...more });
const late = () => kept.store.source(pulled.id).then((state) => state?.lateEvents);

test.each([20_000, 11 * MINUTE])(
  "what is read to its end is complete up to the source's own lateness (%d ms) before",
  async (latenessMs) => {
    await take([record("1", MINUTE)], { readTo: START - 1000, inOrder: true }, { ...pulled, latenessMs });
    expect((await kept.store.source(pulled.id))?.watermark).toBe(START - 1000 - latenessMs);
  },
);

describe("how late records come", () => {
  test("is counted from the moment in which the source was complete up to a short while ago", async () => {
    await take([record("1", 60 * MINUTE)], { completeTo: START - 50 * MINUTE });
    await take([record("2", 40 * MINUTE)], { completeTo: START - MINUTE });
    expect(lateness).toEqual([]);
    await take([record("3", 30_000), record("4", 5 * MINUTE)]);
    expect(lateness).toMatchObject([
      { day: START - (START % 86_400_000), one: { source: pulled.id, lag: { max: 5 * MINUTE }, late: { max: 4 * MINUTE } } },
    ]);
    expect(lateness[0]?.one.lag.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  });
  test("what comes again says nothing", async () => {
    await take([record("1", 2 * MINUTE)], { completeTo: START - MINUTE });
    await take([record("1", 2 * MINUTE)]);
    expect(lateness).toEqual([]);
  });
  test("pages of a source that proves its completeness may come in any order; what comes behind the proof is late", async () => {
    await take([record("p", 60 * MINUTE)], { completeTo: START - 30 * MINUTE });
    await take([record("new", MINUTE), record("old", 29 * MINUTE)]);
    expect(await late()).toBe(0);
    await take([record("behind", 31 * MINUTE)]);
    expect(await late()).toBe(1);
  });
  test("of a log that is read in order, and of pushes, what is further behind the newest than the lateness is late", async () => {
    await take([record("new", 0), record("near", MINUTE), record("far", MINUTE + 1)], { inOrder: true });
    expect(await late()).toBe(1);
    await take([record("push", 10 * MINUTE)], { pushed: true });
    expect(await late()).toBe(2);
  });
});

describe("what is missing", () => {
  const gaps = () => [...kept.gaps.values()];
  test("new records of a time that was complete prove a loss, locate it and heal it", async () => {
    await take([record("1", 60 * MINUTE)], { completeTo: START - 10 * MINUTE });
    await take([record("l1", 20 * MINUTE), record("l2", 15 * MINUTE), record("1", 60 * MINUTE), record("fresh", 5 * MINUTE)]);
    expect(gaps()).toMatchObject([{ why: "late", from: START - 20 * MINUTE, to: START - 15 * MINUTE, state: "healed", foundTime: START }]);
    expect(gaps()[0]?.detail).toBe("2 records came after their time had been read");
    expect(meter.value("source_gaps_total", { source: pulled.id, result: "healed" })).toBe(1);
  });
  test("what fills an open gap is no other loss", async () => {
    await take([], {
      completeTo: START - 10 * MINUTE,
      gaps: [{ from: START - 30 * MINUTE, to: START - 20 * MINUTE, why: "count", detail: "d" }],
    });
    await take([record("1", 25 * MINUTE)], { covered: [{ from: START - 40 * MINUTE, to: START - 15 * MINUTE }] });
    expect(gaps()).toMatchObject([{ why: "count", state: "healed", endTime: START }]);
  });
  test.each([
    ["a push", { pushed: true }, pulled],
    ["a log that is read in order", { inOrder: true }, pulled],
    ["a source that is only pushed to", {}, pushed],
  ])("%s proves nothing of the kind", async (_, batch, source) => {
    await take([record("1", 60 * MINUTE)], { completeTo: START - 10 * MINUTE }, source);
    await take([record("2", 30 * MINUTE)], batch, source);
    expect(gaps()).toEqual([]);
  });
  test("silence of senders is over with the first push, and stays as the stretch that it was", async () => {
    const silent: SourceGap = {
      ...({ id: "g", source: pushed.id, from: START - 20 * MINUTE, to: null, why: "silent", detail: "nobody pushed for it" } as const),
      ...({ state: "open", foundTime: START - 5 * MINUTE, endTime: null, whole: null } as const),
    };
    kept.gaps.set("g", silent);
    await take([record("1", 0)], { pushed: true, completeTo: START - 5 * MINUTE }, pushed);
    expect(gaps()).toEqual([{ ...silent, to: START, state: "healed", endTime: START }]);
  });
  test("an outage of what is pulled lasts until it has caught up, also when something is pushed to it", async () => {
    const out = { id: "g", source: pulled.id, from: START - 20 * MINUTE, to: null, why: "unreachable", detail: "d" } as const;
    kept.gaps.set("g", { ...out, state: "open", foundTime: START - 5 * MINUTE, endTime: null, whole: null });
    await take([record("1", 0)], { pushed: true });
    expect(gaps()).toMatchObject([{ to: null, state: "open" }]);
    await take([record("2", 0)], { completeTo: START - MINUTE });
    expect(gaps()).toMatchObject([{ from: START - MINUTE, to: START, state: "open" }]);
  });
  test.each(["removed", "truncated"] as const)(
    "what is gone (%s) is a gap from where the source was complete, which reading on does not heal",
    async (why) => {
      await take([record("1", 60 * MINUTE)], { readTo: START - 10 * MINUTE, inOrder: true });
      const watermark = (await kept.store.source(pulled.id))?.watermark;
      await take([], { readTo: START, inOrder: true, gone: [{ why, detail: "d" }] });
      await take([record("2", 0)], { readTo: START, inOrder: true });
      expect(gaps()).toMatchObject([{ why, detail: "d", from: watermark, to: START, state: "open" }]);
    },
  );
  test("a batch of garbage is a gap from where the source was complete, one bad record is not", async () => {
    const bad: RunningSource = {
      ...pulled,
      normalize: (one, context) => {
        if ((one as FakeRecord).id.startsWith("bad")) throw poison("RECORD_FIELD_INVALID", "bad");
        return fakeNormalize(one, context);
      },
    };
    const mixed = (wrong: number, all: number) =>
      Array.from({ length: all }, (_, index) => record(`${index < wrong ? "bad" : "ok"}${all}-${index}`, MINUTE));
    await take([], { completeTo: START - 10 * MINUTE }, bad);
    await take(mixed(9, 20), {}, bad);
    await take(mixed(19, 19), {}, bad);
    expect(gaps()).toEqual([]);
    await take(mixed(10, 20), {}, bad);
    expect(gaps()).toMatchObject([{ why: "quarantine", from: START - 10 * MINUTE, to: START, state: "open" }]);
  });
});

test("signs of life are of agents that beat, and of records that are new", async () => {
  const { seen } = kept;
  await take([
    record("1", MINUTE, { client: "a" }),
    record("2", 2 * MINUTE, { client: "a" }),
    record("3", 0, { client: "b" }),
    record("4", 0),
  ]);
  expect(seen).toEqual([{ agent: "a", source: pulled.id, last: START - MINUTE }]);
});
