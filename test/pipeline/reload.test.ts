/** Other rules while the correlation job works, on a store: what is told, what is not told, what a crash in the middle leaves. */
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import {
  append,
  CHANGED_RULES,
  correlating,
  LATENESS_MS,
  MINUTE,
  outboxProblems,
  packOf,
  RULES,
  storedAlerts,
  storyEvent,
} from "./correlating.ts";
import type { Correlating, Proven, Story } from "./correlating.ts";
import { faulty, memoryStore, START, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

const never = new AbortController().signal;
const END = START + 1000 * 60 * MINUTE;
const A = packOf(RULES);
const B = packOf(CHANGED_RULES);
/** Rules that are the same in both. `failures` and `guessed` are one component, of which a part changed. */
const SAME = ["many", "egress"];
const SUPPRESS_MAX = 30 * MINUTE;

const until = (watermark: number): Proven => ({ watermark, missing: [] });
const calls = (minutes: readonly number[], who: Story["who"] = "a"): Story[] => minutes.map((minute) => ({ minute, who, what: "call" }));
const told = async (): Promise<string[]> => (await store.deliveries()).map((row) => row.key).sort();
const withoutEgress = packOf(RULES.replace(/---\ntitle: Sent to a host[\s\S]*?(?=---)/, ""));

test("a new rule alerts on what its windows hold and are still open, and not on what is over", async () => {
  const proven = until(START + 61 * MINUTE);
  const one = correlating(store, proven, undefined, A);
  // Two at the start, whose window is final, and two at the end, whose window is open.
  await append(store, calls([1, 2, 60, 61], "b").map(storyEvent));
  await one.run(never);
  const before = (await store.alerts()).map(({ id }) => id);
  one.take(B);
  await one.run(never);
  const fresh = (await store.alerts()).filter(({ id }) => !before.includes(id));
  expect(fresh).toMatchObject([{ ruleId: "some", count: 2, bucket: START + 60 * MINUTE, final: false }]);
  expect(await outboxProblems(store)).toEqual([]);
  expect(one.log.lines.filter((line) => line.includes("goes on with other rules"))).toHaveLength(1);
});

test("unchanged rules are not replayed, and nothing of theirs is told again", async () => {
  const one = correlating(store, until(START + 5 * MINUTE), undefined, A);
  await append(store, calls([0, 1, 2, 3]).map(storyEvent));
  await one.run(never);
  const before = await told();
  one.take(packOf(RULES.replace("title: Few calls", "description: described\ntitle: Few calls")));
  expect(await one.run(never)).toMatchObject({ alerts: 0, incidents: 0 });
  expect(await told()).toEqual(before);
  expect(one.log.lines.join()).toMatch(/goes on with other rules \{"replayed":0,"alerts":0,"horizonSeconds":0/);
  // With four more the count has doubled since it was told, which only the kept window knows.
  await append(
    store,
    calls([4, 4, 4, 4]).map((what, index) => storyEvent(what, index + 4)),
  );
  expect(await one.run(never)).toMatchObject({ alerts: 1 });
});

test("after a restart with a new rule its open alerts are told, and the rest is not told again", async () => {
  const proven = until(START + 2 * MINUTE);
  const one = correlating(store, proven, undefined, A);
  for (const [index, what] of calls([0, 1, 2, 3], "b").entries()) {
    await append(store, [storyEvent(what, index)]);
    await one.run(never);
  }
  const before = await told();
  await correlating(store, proven, undefined, A).run(never);
  expect(await told()).toEqual(before);
  await correlating(store, proven, undefined, B).run(never);
  const added = (await told()).filter((key) => !before.includes(key));
  expect(added.length).toBeGreaterThan(0);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "some")).toMatchObject([{ count: 4, revision: 1 }]);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "many")).toMatchObject([{ count: 3, revision: 1 }]);
  expect(await outboxProblems(store)).toEqual([]);
});

test("a rule whose level rises tells its open alerts again, and incidents of rules that are gone stay", async () => {
  const one = correlating(store, until(START), undefined, A);
  await append(store, [storyEvent({ minute: 0, who: "a", what: "delete" }, 0)]);
  await one.run(never);
  const [incident] = await store.incidents();
  expect(incident?.level).toBe("medium");
  one.take(B);
  await one.run(never);
  expect(await store.alerts()).toMatchObject([{ ruleId: "deletion", level: "critical", revision: 2 }]);
  expect((await store.incidents())[0]).toMatchObject({ id: incident!.id, level: "critical" });
  one.take(packOf(RULES.replace(/---\ntitle: A deletion[\s\S]*?(?=---)/, "")));
  await append(
    store,
    calls([1, 2, 3]).map((what, index) => storyEvent(what, index + 1)),
  );
  await one.run(never);
  const [after] = await store.incidents();
  expect(after).toMatchObject({ id: incident!.id, revision: 3 });
  expect(after?.alerts.map((alert) => alert.ruleId).sort()).toEqual(["deletion", "many"]);
  expect(await outboxProblems(store)).toEqual([]);
});

test("an event that waits for its name is told to a new rule once, when it has it", async () => {
  const proven = until(START + MINUTE);
  const one = correlating(store, proven, undefined, withoutEgress);
  const story: Story[] = [
    { minute: 0, who: "b", what: "call" },
    { minute: 1, who: "b", what: "flow" },
    { minute: 0.9, who: "b", what: "lookup" },
  ];
  await append(store, story.map(storyEvent));
  await one.run(never);
  one.take(A);
  await one.run(never);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "egress")).toEqual([]);
  proven.watermark = START + 7 * MINUTE;
  await one.run(never);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "egress")).toMatchObject([{ count: 1, agents: ["b"] }]);
});

test("what was resolved long ago is resolved again for a new rule, by the observations of its time", async () => {
  const proven = until(START + 10 * MINUTE);
  const slow = (rules: string): string =>
    rules.replace("condition: selection}\n---\ntitle: A failed", "condition: selection}\ncustodes: {suppress: 1d}\n---\ntitle: A failed");
  const one = correlating(store, proven, undefined, withoutEgress);
  const story: Story[] = [
    { minute: 0, who: "b", what: "call" },
    { minute: 1, who: "b", what: "flow" },
    { minute: 0.9, who: "b", what: "lookup" },
  ];
  await append(store, story.map(storyEvent));
  await one.run(never);
  // The resolver at work forgets who held an address after little more than an hour.
  await append(
    store,
    calls([300]).map((what) => storyEvent(what, 9)),
  );
  proven.watermark = START + 300 * MINUTE;
  await one.run(never);
  one.take(packOf(slow(RULES)));
  await one.run(never);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "egress")).toMatchObject([{ count: 1, agents: ["b"] }]);
});

test("names that were observed before the horizon are known to a new rule", async () => {
  const proven = until(START + 606 * MINUTE);
  const one = correlating(store, proven, undefined, withoutEgress);
  await append(store, [storyEvent({ minute: 0, who: "b", what: "lookup" }, 0)]);
  await one.run(never);
  const story: Story[] = [
    { minute: 599, who: "b", what: "call" },
    { minute: 600, who: "b", what: "flow" },
  ];
  await append(
    store,
    story.map((what, index) => storyEvent(what, index + 1)),
  );
  await one.run(never);
  one.take(A);
  await one.run(never);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "egress")).toMatchObject([{ count: 1, agents: ["b"] }]);
});

test("a stop in the middle of a replay leaves nothing half done", async () => {
  const proven = until(START + 40 * MINUTE);
  const one = correlating(store, proven, undefined, A);
  await append(store, calls([30, 31], "b").map(storyEvent));
  await one.run(never);
  const stopped = new AbortController();
  stopped.abort();
  one.take(B);
  expect(await one.run(stopped.signal)).toMatchObject({ again: true, alerts: 0 });
  await one.run(never);
  expect((await store.alerts()).filter(({ ruleId }) => ruleId === "some")).toMatchObject([{ count: 2 }]);
});

test("wherever the store fails during a change of rules, the same is told once, in the same process and in another", async () => {
  const story: Story[] = [...calls([0, 1, 2, 3], "b"), { minute: 2, who: "a", what: "delete" }];
  const play = async (over: Store, restart: boolean): Promise<void> => {
    const proven = until(START + 2 * MINUTE);
    let one = correlating(over, proven, undefined, A);
    const again = async (next?: typeof A): Promise<void> => {
      if (next !== undefined) one.take(next);
      try {
        await one.run(never);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
        if (restart) one = correlating(over, proven, undefined, next ?? B);
        await one.run(never);
      }
    };
    await append(store, story.map(storyEvent));
    await one.run(never).catch(async () => one.run(never));
    await again(B);
    proven.watermark = END;
    await again();
    await again();
    await again();
  };
  const error = () => new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" });
  const counter = faulty(store, { at: 0, where: "before", error });
  await play(counter, false);
  const reference = await storedAlerts(store);
  const wanted = await told();
  expect(reference.map((alert) => alert.ruleId)).toContain("some");
  for (let at = 1; at <= counter.calls(); at++) {
    for (const where of ["before", "after"] as const) {
      await memory.empty();
      await play(faulty(store, { at, where, error }), at % 2 === 0);
      expect(await storedAlerts(store)).toEqual(reference);
      expect(await outboxProblems(store)).toEqual([]);
      expect(await told()).toEqual(wanted);
    }
  }
});

const story: fc.Arbitrary<Story> = fc.record({
  minute: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 200 })),
  who: fc.constantFrom("a", "b"),
  what: fc.constantFrom("call", "call", "call", "delete", "lookup", "flow", "failure", "failure"),
});

test("whenever rules change, with restarts or without: unchanged ones tell the same, the others are as if they had always been there", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(story, { minLength: 1, maxLength: 25 }),
      fc.infiniteStream(fc.nat(999)),
      fc.boolean(),
      async (events, chance, crash) => {
        const pick = (): number => chance.next().value as number;
        const arrival = events
          .map((what, index) => ({ event: storyEvent(what, index), at: what.minute * MINUTE + (pick() % 2) * (pick() % LATENESS_MS) }))
          .sort((a, b) => a.at - b.at);
        const steps: { readonly count: number; readonly behind: number; readonly run: boolean }[] = [];
        for (let left = arrival.length; left > 0; left -= steps.at(-1)!.count)
          steps.push({ count: 1 + (pick() % 8), behind: (pick() % 3) * MINUTE, run: pick() % 3 > 0 });
        const at = pick() % (steps.length + 1);
        let changedAt = Number.NEGATIVE_INFINITY;
        const play = async (first: typeof A, change: (one: Correlating, proven: Proven) => Correlating): Promise<void> => {
          await memory.empty();
          const proven = until(-Infinity);
          let one = correlating(store, proven, undefined, first);
          const rest = [...arrival];
          for (const [index, step] of [...steps, undefined].entries()) {
            if (index === at) {
              one = change(one, proven);
              changedAt = proven.watermark;
            }
            if (step === undefined) break;
            await append(
              store,
              rest.splice(0, step.count).map((next) => next.event),
            );
            const oldest = Math.min(...rest.map((next) => next.event.time));
            if (Number.isFinite(oldest)) proven.watermark = Math.max(proven.watermark, oldest - 1 - step.behind);
            if (step.run) await one.run(never);
          }
          await one.run(never);
          proven.watermark = END;
          await one.run(never);
          expect(await outboxProblems(store)).toEqual([]);
        };
        await play(A, (one) => one);
        const never_ = await storedAlerts(store);
        const neverTold = await told();
        await play(B, (one) => one);
        const always = await storedAlerts(store);
        await play(A, (one, proven) => {
          if (crash) return correlating(store, proven, undefined, B);
          one.take(B);
          return one;
        });
        const changed = await storedAlerts(store);
        const of = (alerts: typeof changed, ids: readonly string[]) => alerts.filter(({ ruleId }) => ids.includes(ruleId));
        expect(of(changed, SAME)).toEqual(of(never_, SAME));
        const keysOf = (keys: readonly string[], alerts: typeof changed): string[] => {
          const ids = new Set(of(alerts, SAME).map(({ id }) => id));
          return keys.filter((key) => ids.has(key.split(":")[2] ?? ""));
        };
        if (!crash) expect(keysOf(await told(), changed)).toEqual(keysOf(neverTold, never_));
        const later = (alerts: typeof changed) =>
          alerts.filter(({ ruleId, bucket }) => ruleId !== "few" && bucket >= changedAt && bucket + SUPPRESS_MAX <= END);
        expect(later(changed)).toEqual(later(always));
      },
    ),
    { numRuns: 25 },
  );
});
