import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { INCIDENT_STATUS } from "../../src/core/incident.ts";
import { CONTINUOUS_JOB } from "../../src/pipeline/correlate.ts";
import type { Store } from "../../src/ports/store.ts";
import {
  append,
  correlating,
  LATENESS_MS,
  MINUTE,
  outboxProblems,
  QUIET_MS,
  storedAlerts,
  storyEvent,
  type Proven,
  type Story,
} from "./correlating.ts";
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
const END: EpochMs = START + 1000 * 60 * MINUTE;
const calls = (minutes: readonly number[], who: Story["who"] = "a"): Story[] => minutes.map((minute) => ({ minute, who, what: "call" }));
const until = (watermark: EpochMs): Proven => ({ watermark, missing: [] });

test("a growing alert is told at once and again when it is final, under one id with the store's revisions", async () => {
  const proven = until(START + 2 * MINUTE);
  const one = correlating(store, proven);
  await append(store, calls([0, 1, 2]).map(storyEvent));
  expect(await one.run(never)).toMatchObject({ events: 3, alerts: 1, incidents: 1, again: false });
  expect(await store.alerts()).toMatchObject([{ ruleId: "many", count: 3, revision: 1, final: false, agents: ["a"] }]);
  proven.watermark = END;
  await one.run(never);
  const told = (await store.alerts()).filter((alert) => alert.ruleId === "many");
  expect(told).toMatchObject([{ count: 3, revision: 2, final: true }]);
  expect(await outboxProblems(store)).toEqual([]);
});

test("nothing new commits nothing", async () => {
  const one = correlating(store, until(START));
  await append(store, calls([0, 1, 2]).map(storyEvent));
  await one.run(never);
  const before = (await store.deliveries()).length;
  expect(await one.run(never)).toEqual({ events: 0, alerts: 0, incidents: 0, destinations: new Set(), again: false });
  expect((await store.deliveries()).length).toBe(before);
});

test("more events than one step takes are read in steps, and what a job does not finish in its slice it asks to go on with", async () => {
  const many = Array.from({ length: 4500 }, (_, index) => storyEvent({ minute: index / 100, who: "a", what: "call" }, index));
  await append(store, many);
  const quick = correlating(store, until(END));
  expect(await quick.run(never)).toMatchObject({ events: 4500, again: false });
  const reference = await storedAlerts(store);
  await memory.empty();
  await append(store, many);
  let now = START;
  const slow = correlating(store, until(END), () => (now += 15_000));
  const first = await slow.run(never);
  expect(first).toMatchObject({ events: 2000, again: true });
  let rounds = 1;
  while ((await slow.run(never)).again) rounds++;
  expect(rounds).toBeLessThan(5);
  expect(await storedAlerts(store)).toEqual(reference);
  expect(await outboxProblems(store)).toEqual([]);
});

test("at shutdown the step under way is committed and the job ends", async () => {
  await append(
    store,
    Array.from({ length: 2500 }, (_, index) => storyEvent({ minute: 0, who: "a", what: "call" }, index)),
  );
  const stopped = new AbortController();
  stopped.abort();
  expect(await correlating(store, until(START)).run(stopped.signal)).toMatchObject({ events: 2000, again: true });
  expect(await store.offset(CONTINUOUS_JOB)).toBe(2000);
});

test("an event without a name waits for it, and its incident tells of what was found", async () => {
  const proven = until(START + MINUTE);
  const one = correlating(store, proven);
  const story: Story[] = [
    { minute: 0, who: "b", what: "call" },
    { minute: 1, who: "b", what: "flow" },
  ];
  await append(store, story.map(storyEvent));
  expect(await one.run(never)).toMatchObject({ alerts: 0 });
  await append(store, [storyEvent({ minute: 0.9, who: "b", what: "lookup" }, 2)]);
  await one.run(never);
  proven.watermark = START + 6 * MINUTE;
  await one.run(never);
  const [alert] = await store.alerts();
  expect(alert).toMatchObject({ ruleId: "egress", level: "critical" });
  const [incident] = await store.incidents();
  expect(incident).toMatchObject({ entity: "agent:b", level: "critical", hosts: ["bad.example"] });
  const evidence = incident?.timeline.filter(({ activity }) => activity === undefined);
  expect(evidence?.map((line) => line.text)).toEqual(["sent data to bad.example (not allowed for this agent)"]);
});

test("an incident is closed when it has been quiet, and new activity opens another", async () => {
  const proven = until(START + MINUTE);
  const one = correlating(store, proven);
  await append(store, [storyEvent({ minute: 0, who: "a", what: "delete" }, 0)]);
  await one.run(never);
  proven.watermark = START + QUIET_MS + 1;
  await one.run(never);
  await one.run(never);
  expect(await store.incidents()).toMatchObject([{ status: INCIDENT_STATUS.closed, final: true }]);
  await append(store, [storyEvent({ minute: 180, who: "a", what: "delete" }, 1)]);
  proven.watermark = START + 181 * MINUTE;
  await one.run(never);
  expect((await store.incidents()).map((incident) => incident.status).sort((a, b) => a - b)).toEqual([
    INCIDENT_STATUS.new,
    INCIDENT_STATUS.closed,
  ]);
  expect(await outboxProblems(store)).toEqual([]);
});

test("evidence that comes after an incident was closed amends it under its own id", async () => {
  const proven = until(START + MINUTE);
  await append(store, [storyEvent({ minute: 5, who: "a", what: "delete" }, 0)]);
  await correlating(store, proven).run(never);
  proven.watermark = START + 6 * QUIET_MS;
  const later = correlating(store, proven);
  await later.run(never);
  await later.run(never);
  const [closed] = await store.incidents();
  expect(closed?.status).toBe(INCIDENT_STATUS.closed);
  await append(store, [storyEvent({ minute: 4, who: "a", what: "delete" }, 1)]);
  proven.watermark += MINUTE;
  await correlating(store, proven).run(never);
  const incidents = await store.incidents();
  expect(incidents.map((one) => one.id)).toEqual([closed!.id]);
  expect(incidents[0]).toMatchObject({ revision: closed!.revision + 1, status: INCIDENT_STATUS.closed });
  const five = START + 5 * MINUTE;
  expect(await store.alerts()).toMatchObject([{ count: 2, firstTime: five - MINUTE, lastTime: five, evidence: ["e00000", "e00001"] }]);
  expect(await outboxProblems(store)).toEqual([]);
});

test("alerts that were judged without a source say so in their incident", async () => {
  await append(store, [storyEvent({ minute: 0, who: "a", what: "delete" }, 0)]);
  await correlating(store, { watermark: START, missing: ["okta/main"] }).run(never);
  expect((await store.incidents())[0]?.coverage).toEqual({ state: "partial", missing: ["okta/main"], watermark: START });
});

test("wherever the store fails, nothing is lost and nothing is told twice, in the same process and in another", async () => {
  const story: Story[] = [
    ...calls([0, 1, 2, 3]),
    { minute: 2, who: "b", what: "delete" },
    { minute: 3, who: "b", what: "flow" },
    { minute: 2.95, who: "b", what: "lookup" },
  ];
  const parts = [story.slice(0, 3), story.slice(3)];
  const play = async (over: Store, restart: boolean): Promise<void> => {
    const proven = until(START + 2 * MINUTE);
    let one = correlating(over, proven);
    const again = async (): Promise<void> => {
      try {
        await one.run(never);
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
        if (restart) one = correlating(over, proven);
        await one.run(never);
      }
    };
    let index = 0;
    for (const part of parts) {
      await append(
        store,
        part.map((what) => storyEvent(what, index++)),
      );
      await again();
    }
    proven.watermark = END;
    await again();
    await again();
    await again();
  };
  const error = () => new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" });
  const counter = faulty(store, { at: 0, where: "before", error });
  await play(counter, false);
  const reference = await storedAlerts(store);
  const told = (await store.deliveries()).map((row) => row.key).sort();
  expect(reference.map((alert) => alert.ruleId).sort()).toEqual(["deletion", "egress", "few", "many"]);
  expect(counter.calls()).toBeGreaterThan(15);
  for (let at = 1; at <= counter.calls(); at++) {
    for (const where of ["before", "after"] as const) {
      await memory.empty();
      await play(faulty(store, { at, where, error }), at % 2 === 0);
      expect(await storedAlerts(store)).toEqual(reference);
      expect(await outboxProblems(store)).toEqual([]);
      expect((await store.deliveries()).map((row) => row.key).sort()).toEqual(told);
    }
  }
});

test("two processes on one store tell everything once, whoever wins", async () => {
  const proven = until(START);
  const [one, two] = [correlating(store, proven), correlating(store, proven)];
  const story = calls([0, 1, 2, 3, 20, 21, 22, 40, 41, 42]);
  for (const [index, what] of story.entries()) {
    await append(store, [storyEvent(what, index)]);
    proven.watermark = START + (what.minute - 1) * MINUTE;
    const results = await Promise.all([one.run(never), two.run(never)]);
    if (results.some((result) => result.again)) await Promise.all([one.run(never), two.run(never)]);
  }
  proven.watermark = END;
  for (let round = 0; round < 3; round++) await Promise.all([one.run(never), two.run(never)]);
  const found = await storedAlerts(store);
  expect(await outboxProblems(store)).toEqual([]);
  await memory.empty();
  await append(store, story.map(storyEvent));
  await correlating(store, until(END)).run(never);
  expect(await storedAlerts(store)).toEqual(found);
});

test("after a reset the same is found and nothing is told again", async () => {
  const proven = until(START + 3 * MINUTE);
  const one = correlating(store, proven);
  await append(store, calls([0, 1, 2, 3]).map(storyEvent));
  await one.run(never);
  const before = await store.deliveries();
  one.reset();
  expect(await one.run(never)).toMatchObject({ alerts: 0, incidents: 0 });
  expect(await store.deliveries()).toEqual(before);
});

const story: fc.Arbitrary<Story> = fc.record({
  minute: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 200 })),
  who: fc.constantFrom("a", "b"),
  what: fc.constantFrom("call", "call", "call", "delete", "lookup", "flow", "failure", "failure"),
});

test("any arrival within lateness, any split into runs and any restart leave the same final alerts as one run", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(story, { minLength: 1, maxLength: 25 }), fc.infiniteStream(fc.nat(999)), async (events, chance) => {
      const pick = (): number => chance.next().value as number;
      await memory.empty();
      await append(store, events.map(storyEvent));
      await correlating(store, until(END)).run(never);
      const reference = await storedAlerts(store);
      expect(reference.every((alert) => alert.final)).toBe(true);
      await memory.empty();
      const arrival = events
        .map((what, index) => ({ event: storyEvent(what, index), at: what.minute * MINUTE + (pick() % 2) * (pick() % LATENESS_MS) }))
        .sort((a, b) => a.at - b.at);
      const proven = until(-Infinity);
      let one = correlating(store, proven);
      while (arrival.length > 0) {
        await append(
          store,
          arrival.splice(0, 1 + (pick() % 8)).map((next) => next.event),
        );
        const oldest = Math.min(...arrival.map((next) => next.event.time));
        if (Number.isFinite(oldest)) proven.watermark = Math.max(proven.watermark, oldest - 1 - (pick() % 3) * MINUTE);
        if (pick() % 3 > 0) await one.run(never);
        if (pick() % 3 === 0) one = correlating(store, proven);
      }
      await one.run(never);
      proven.watermark = END;
      await one.run(never);
      expect(await storedAlerts(store)).toEqual(reference);
      expect(await outboxProblems(store)).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test("windows close while there is still more in the log, as far as it was covered when what has been read was its end", async () => {
  const proven = until(START + 60 * MINUTE);
  const filler = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => storyEvent({ minute: 100 + from + index, who: "b", what: "call" }, from + index));
  await append(store, [...calls([0, 1, 2]).map(storyEvent), ...filler(0, 2500)]);
  const finals: number[] = [];
  const growing: Store = {
    ...store,
    lastSequence: async () => {
      const last = await store.lastSequence();
      finals.push((await store.alerts()).filter((alert) => alert.final && alert.ruleId === "many" && alert.agents.includes("a")).length);
      // More comes than is read.
      if (finals.length < 4) await append(store, filler(finals.length * 10_000, 3000));
      proven.watermark += 1;
      return last;
    },
  };
  const one = correlating(growing, proven);
  await one.run(never);
  // The first step did not reach the end that the log had when it began; the second one did, and the log was longer by then.
  expect(finals.slice(0, 3)).toEqual([0, 0, 1]);
});
