/** The alerts in the store are those of the text, whatever happens to the processes that find them. */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import type { Watermarks } from "../../src/core/correlation/types.ts";
import type { Store } from "../../src/ports/store.ts";
import { testReader, uuid5 } from "../core/correlation/build.ts";
import { bare } from "../property/naive-check.ts";
import { delivery, history, ruleSpecs } from "../property/naive-histories.ts";
import { naive, sorted } from "../property/naive.ts";
import { holdsInStoreFor } from "../property/plan.ts";
import { meaning } from "../property/written.ts";
import { append, outboxProblems } from "./correlating.ts";
import { logEvent, storedEvent, storedRules, storedSpec, storedWatermarks, timeOf, worker } from "./exact.ts";
import { faulty, memoryStore, type TestStore } from "./world.ts";

let memory: TestStore;
beforeAll(async () => {
  memory = await memoryStore();
});
afterAll(() => memory.store.close());

/** Moments after the last event of a history, in its own units, multiples of all windows and buckets: what is silent is seen. */
const SILENCE = [120, 300, 480, 660];
/** By the last of them everything that begins before this is decided, through three rules over each other. */
const DECIDED = 420;

/** A run of the job: whether it comes, and which of its calls of the store fails, before or after it is done. */
interface Chance {
  readonly runs: boolean;
  readonly fails: number;
  readonly where: "before" | "after";
  readonly restarts: boolean;
}

const chance: fc.Arbitrary<Chance> = fc.record({
  runs: fc.boolean(),
  fails: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 14 })),
  where: fc.constantFrom("before", "after"),
  restarts: fc.boolean(),
});

const histories = fc
  .tuple(ruleSpecs, history, fc.subarray(["one", "two", "outer", "top", "aliased"]), fc.infiniteStream(chance))
  .chain(([specs, events, loud, chances]) =>
    delivery(events).map((given) => ({
      specs: specs.map(storedSpec),
      events: events.map(storedEvent),
      loud: new Set(loud),
      chances,
      ...given,
    })),
  );

const crash = (): Error => new Failure("the process was killed", { kind: "retryable", code: "STORE_UNAVAILABLE" });
const never = new AbortController().signal;

test("random rules and histories, processes that end anywhere: every alert is stored as the text says and told once", async () => {
  let alerts = 0;
  let crashes = 0;
  await holdsInStoreFor("the store keeps everything", histories, async ({ specs, events, loud, chances, steps, latenessMs }) => {
    await memory.empty();
    const rules = storedRules(specs, loud);
    let proven: Watermarks = storedWatermarks({ all: -1e6 });
    let current: Store = memory.store;
    // Its store is asked for at each call, so that any call of any run can fail.
    const store = new Proxy(memory.store, { get: (_, name) => Reflect.get(current, name) as unknown });
    const start = (): ReturnType<typeof worker> => worker(store, rules, latenessMs * 1000, () => proven);
    let running = start();
    const run = async (): Promise<void> => {
      const { runs, fails, where, restarts } = chances.next().value as Chance;
      if (!runs) return;
      current = fails === 0 ? memory.store : faulty(memory.store, { at: fails, where, error: crash });
      try {
        await running.run(never);
      } catch (error) {
        if (!(error instanceof Failure) || error.message !== "the process was killed") throw error;
        crashes++;
      }
      current = memory.store;
      if (restarts) running = start();
    };
    for (const step of steps) {
      if ("advance" in step) proven = storedWatermarks(step.advance);
      else await append(memory.store, step.push.map(storedEvent).map(logEvent));
      await run();
    }
    for (const moment of SILENCE) {
      proven = storedWatermarks({ all: moment });
      for (let round = 0; round < 2; round++) await run();
    }
    while ((await running.run(never)).again);
    await running.run(never);

    const stored = await memory.store.alerts();
    const expected = naive(meaning(specs, loud), events, testReader, uuid5, 25, timeOf(SILENCE.at(-1)!) - 1);
    const decided = ({ bucket }: { readonly bucket: number }): boolean => bucket < timeOf(DECIDED);
    expect(sorted(stored.map(bare)).filter(decided)).toEqual(expected.filter(decided));
    expect(stored.filter((alert) => decided(alert) && !alert.final)).toEqual([]);
    expect(await outboxProblems(memory.store)).toEqual([]);
    const keys = (await memory.store.deliveries()).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    alerts += expected.length;
  });
  expect(alerts).toBeGreaterThan(100);
  expect(crashes).toBeGreaterThan(10);
});

test("a rule that is added later remembers the first event that its replay found", async () => {
  await memory.empty();
  const HOUR = 3_600_000;
  const silent = { id: "silent", type: "event_count", rules: ["r"], timespanMs: HOUR, suppressMs: HOUR, threshold: { lt: 1 } } as const;
  const other = { ...silent, id: "other", rules: ["p"] } as const;
  const begin = timeOf(0);
  const run = async (specs: Parameters<typeof storedRules>[0], hours: number): Promise<number> => {
    const proven = { all: begin + hours * HOUR };
    await worker(memory.store, storedRules(specs, new Set()), 0, () => proven).run(never);
    return (await memory.store.alerts()).filter(({ ruleId }) => ruleId === "silent").length;
  };
  await append(memory.store, [logEvent({ uid: "e0", time: begin, is: ["r"], category: "agent_api" })]);
  await run([other], 1);
  const added = await run([silent, other], 2);
  expect(await run([silent, other], 30 * 24)).toBeGreaterThan(added);
  const before = (await memory.store.alerts()).length;
  await run([silent, other], 31 * 24);
  expect((await memory.store.alerts()).length).toBe(before + 24);
});

test("what began longer ago than any replay reaches is known after a restart: silences and groups", async () => {
  await memory.empty();
  const HOUR = 3_600_000;
  const silent = { id: "silent", type: "event_count", rules: ["r"], timespanMs: HOUR, suppressMs: HOUR, threshold: { lt: 1 } } as const;
  const newValue = { lookbackMs: HOUR, minHistoryMs: HOUR };
  const novel = {
    ...silent,
    id: "novel",
    type: "new_value",
    threshold: {},
    groupBy: ["session.uid"],
    fields: ["user.uid"],
    more: { newValue },
  } as const;
  const rules = storedRules([silent, novel], new Set());
  const begin = timeOf(0);
  const event = (uid: string, time: number, user: string): Event =>
    logEvent({ uid, time, is: ["r"], category: "agent_api", "session.uid": "s", "user.uid": user });
  let proven: Watermarks = { all: begin };
  const run = async (watermark: number): Promise<void> => {
    proven = { all: watermark };
    await worker(memory.store, rules, 0, () => proven).run(never);
  };
  await append(memory.store, [event("e0", begin, "u1")]);
  await run(begin + 30 * 24 * HOUR);
  const before = (await memory.store.alerts()).length;
  await run(begin + 31 * 24 * HOUR);
  expect((await memory.store.alerts()).length).toBe(before + 24);
  await append(memory.store, [event("e1", begin + 31 * 24 * HOUR, "u2")]);
  await run(begin + 31 * 24 * HOUR + 2 * HOUR);
  expect((await memory.store.alerts()).filter(({ ruleId }) => ruleId === "novel").map(({ evidence }) => evidence)).toEqual([["e1"]]);
});
