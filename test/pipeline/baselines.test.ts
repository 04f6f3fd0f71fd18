/** What rules remember over restarts: in the store, beside the offset. */
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs, Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import type { Store } from "../../src/ports/store.ts";
import { append, correlating, LATENESS_MS, MINUTE, packOf, registry, storedAlerts, type Proven } from "./correlating.ts";
import { faulty, logged, memoryStore, START, type TestStore } from "./world.ts";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const END: EpochMs = START + 6 * DAY;

const ANY = `
title: Any call
id: any
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation|exists: true}, condition: selection}
`;
const NOVEL = `
title: An operation that the agent did not use
id: novel
level: high
correlation: {type: new_value, rules: [any], group-by: [ai_agent.uid], lookback: 2d, min_history: 6h, condition: {field: api.operation}}
custodes: {suppress: 1h}
`;
const BUSY = `
title: Busier than usual
id: busy
level: medium
correlation: {type: baseline_ratio, rules: [any], group-by: [ai_agent.uid], timespan: 1h, baseline_days: 2, min_count: 2, condition: {gte: 3}}
`;
const SILENT = `
title: All agents together are more silent than usual
id: silent
level: low
correlation: {type: baseline_ratio, rules: [any], timespan: 3h, baseline_days: 1, seasonality: none, condition: {lt: 0.5}}
`;
const pack = packOf([ANY, NOVEL, BUSY, SILENT].join("---"));

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

const never = new AbortController().signal;
const until = (watermark: EpochMs): Proven => ({ watermark, missing: [] });
const service = (over: Store, proven: Proven, rules = pack) => correlating(over, proven, () => START, rules);

/** Agent `who` uses an operation some hours after START. */
function use(hours: number, who: "a" | "b", operation: string, index: number): Event {
  const made = logged(`e${String(index).padStart(5, "0")}`, START + Math.round(hours * HOUR), { clientUid: who, operation });
  attribute(made, registry);
  return made;
}

/** Two agents that do the same every hour for some days. */
const routine = (days: number, from = 0): Event[] =>
  Array.from({ length: days * 24 }, (_, hour) =>
    (["a", "b"] as const).map((who, at) => use(from + hour + 0.25, who, hour % 2 === 0 ? "read" : "list", (from + hour) * 2 + at)),
  ).flat();

async function rowsStored(rule: string): Promise<number> {
  let count = 0;
  for (const head of await store.baselineHeads())
    if (head.rule === rule) count += (await store.baselineRows(head, null, 10_000)).rows.length;
  return count;
}

/** How many events of the log the last start has read. */
const replayed = (one: ReturnType<typeof service>): number =>
  Number(/"replayed":(\d+)/.exec(one.log.lines.findLast((line) => line.includes("rebuilt")) ?? "")?.[1]);

test("a restart replays hours, not the days that its rules look back, and finds what one run finds", async () => {
  const story = [...routine(4), use(97, "a", "delete", 9000), use(97.2, "b", "read", 9001)];
  const proven = until(START + 4 * DAY);
  await append(store, story.slice(0, -2));
  await service(store, proven, pack).run(never);
  expect(await rowsStored("novel")).toBe(6);
  const later = service(store, proven, pack);
  await append(store, story.slice(-2));
  proven.watermark = END;
  await later.run(never);
  expect(replayed(later)).toBeGreaterThan(0);
  expect(replayed(later)).toBeLessThan(40);
  const found = await storedAlerts(store);
  expect(found.map((alert) => [alert.ruleId, alert.evidence])).toContainEqual(["novel", ["e09000"]]);
  expect(found.filter((alert) => alert.ruleId === "novel")).toHaveLength(1);
  await memory.empty();
  await append(store, story);
  await service(store, proven, pack).run(never);
  expect(await storedAlerts(store)).toEqual(found);
});

test("another threshold keeps the history of a rule; another field does not, and the old rows go when they are of no more use", async () => {
  const proven = until(START + 4 * DAY);
  await append(store, routine(4));
  await service(store, proven).run(never);
  const heads = await store.baselineHeads();
  expect(heads.map(({ rule }) => rule)).toEqual(["busy", "novel", "silent"]);
  const wider = packOf([ANY, NOVEL.replace("min_history: 6h", "min_history: 1h"), BUSY.replace("gte: 3", "gte: 9"), SILENT].join("---"));
  const edited = service(store, proven, wider);
  await edited.run(never);
  expect(replayed(edited)).toBeLessThan(40);
  expect((await store.baselineHeads()).map(({ key }) => key)).toEqual(heads.map(({ key }) => key));

  const other = packOf([ANY, NOVEL.replace("field: api.operation", "field: src_endpoint.ip"), BUSY, SILENT].join("---"));
  const changed = service(store, proven, other);
  await changed.run(never);
  expect(replayed(changed)).toBeGreaterThan(90);
  const novel = async () => (await store.baselineHeads()).filter(({ rule }) => rule === "novel");
  expect(await novel()).toHaveLength(2);
  await append(store, routine(1, 200));
  proven.watermark = START + 12 * DAY;
  await changed.run(never);
  expect(await novel()).toHaveLength(2);
  await service(store, proven, other).run(never);
  expect((await novel()).map(({ key }) => key)).not.toContain(heads.find(({ rule }) => rule === "novel")?.key);
});

test("an event that comes far too late is in the rows that are committed with its step", async () => {
  const proven = until(START + 4 * DAY);
  await append(store, routine(4));
  const one = service(store, proven);
  await one.run(never);
  await append(store, [use(50, "a", "export", 9000)]);
  await one.run(never);
  expect((await storedAlerts(store)).find((alert) => alert.ruleId === "novel")?.evidence).toEqual(["e09000"]);
  expect(await rowsStored("novel")).toBe(7);
});

test("wherever the store fails, rows and offset stay together: the same is found, in the same process and in another", async () => {
  const parts = [routine(3), routine(1, 72), [use(97, "a", "delete", 9000), use(97.5, "b", "read", 9001)]];
  const play = async (over: Store, again: boolean): Promise<void> => {
    const proven = until(-Infinity);
    let one = service(over, proven);
    const run = async (): Promise<void> => {
      try {
        await one.run(never);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
        if (again) one = service(over, proven);
        await one.run(never);
      }
    };
    for (const [index, part] of parts.entries()) {
      await append(store, part);
      proven.watermark = START + [2, 4, 4][index]! * DAY;
      await run();
      if (index === 0) one = service(over, proven);
    }
    proven.watermark = END;
    await run();
    await run();
  };
  const rows = async (): Promise<unknown> =>
    Promise.all((await store.baselineHeads()).map(async (head) => [head, await store.baselineRows(head, null, 10_000)]));
  const error = () => new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" });
  const counter = faulty(store, { at: 0, where: "before", error });
  await play(counter, false);
  const [reference, known] = [await storedAlerts(store), await rows()];
  expect(new Set(reference.map(({ ruleId }) => ruleId))).toEqual(new Set(["novel", "silent"]));
  expect(counter.calls()).toBeGreaterThan(20);
  for (let at = 1; at <= counter.calls(); at++) {
    for (const where of ["before", "after"] as const) {
      await memory.empty();
      await play(faulty(store, { at, where, error }), at % 2 === 0);
      expect(await storedAlerts(store)).toEqual(reference);
      expect(await rows()).toEqual(known);
    }
  }
});

const story = fc.record({
  hours: fc.oneof(fc.integer({ min: 0, max: 120 }), fc.double({ min: 0, max: 120, noNaN: true })),
  who: fc.constantFrom("a" as const, "b" as const),
  operation: fc.constantFrom("read", "list", "delete", "export"),
});

test("any restart leaves the final alerts of one run", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(story, { minLength: 1, maxLength: 40 }), fc.infiniteStream(fc.nat(999)), async (events, chance) => {
      const pick = (): number => chance.next().value as number;
      const all = events.map(({ hours, who, operation }, index) => use(hours, who, operation, index));
      const arrival = all
        .map((event) => ({ event, at: event.time + (pick() % 2) * (pick() % LATENESS_MS) }))
        .sort((a, b) => a.at - b.at)
        .map(({ event }) => event);
      await memory.empty();
      await append(store, all);
      // Silence is reported up to the newest event, and no further in either run.
      const end = Math.max(...all.map(({ time }) => time)) + DAY;
      await service(store, until(end)).run(never);
      const reference = await storedAlerts(store);
      await memory.empty();
      const proven = until(-Infinity);
      let one = service(store, proven);
      while (arrival.length > 0) {
        await append(store, arrival.splice(0, 1 + (pick() % 8)));
        const oldest = Math.min(...arrival.map(({ time }) => time));
        if (Number.isFinite(oldest)) proven.watermark = Math.max(proven.watermark, oldest - 1 - (pick() % 3) * MINUTE);
        if (pick() % 3 > 0) await one.run(never);
        if (pick() % 2 === 0) one = service(store, proven);
      }
      proven.watermark = end;
      await one.run(never);
      expect(await storedAlerts(store)).toEqual(reference);
    }),
    { numRuns: 40 },
  );
});
