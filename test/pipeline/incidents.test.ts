import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { INCIDENT_STATUS } from "../../src/core/incident.ts";
import { answerIncident, type CloseDeps } from "../../src/pipeline/close.ts";
import type { Store } from "../../src/ports/store.ts";
import {
  append,
  correlating,
  MINUTE,
  outboxProblems,
  packOf,
  QUIET_MS,
  RULES,
  sink,
  storyEvent,
  type Proven,
  type Story,
} from "./correlating.ts";
import { logged, memoryStore, NOTHING_KNOWN, START, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

const never = new AbortController().signal;
const until = (minute: number): Proven => ({ watermark: START + minute * MINUTE, missing: [] });
const story = (what: Story["what"], minute: number, index: number, who: Story["who"] = "a") => storyEvent({ minute, who, what }, index);
const closing = (over: Store = store): CloseDeps => ({
  store: over,
  look: NOTHING_KNOWN,
  destinations: [sink],
  now: () => START + 30 * MINUTE,
});
const byPerson = { to: "close", how: "person", by: "ann", reason: "a test", time: START + 30 * MINUTE } as const;

/** Deletions are of level medium; with an opening level above that their risk is all that counts: 45 each. */
const SMALL = { openAt: "high", riskOpen: 90, reopenMs: 24 * 60 * MINUTE } as const;
const small = (proven: Proven, now = () => START) => correlating(store, proven, now, packOf(RULES), SMALL);

test("accumulated risk opens an incident with all that led to it, also across a restart, and nothing is counted twice", async () => {
  await append(store, [story("delete", 0, 0)]);
  await small(until(1)).run(never);
  expect([(await store.alerts()).length, (await store.incidents()).length]).toEqual([1, 0]);
  // A new process replays the log: what it knows already adds no risk.
  for (let restart = 0; restart < 3; restart++) await small(until(1)).run(never);
  expect(await store.incidents()).toEqual([]);
  await append(store, [story("delete", 20, 1)]);
  await small(until(21)).run(never);
  // Twice 45, less what time and a confidence below 100 take: not the 90 that it takes.
  expect(await store.incidents()).toEqual([]);
  await append(store, [story("delete", 40, 2)]);
  await small(until(41)).run(never);
  const [opened] = await store.incidents();
  expect(opened).toMatchObject({ revision: 1, level: "medium", opened: { by: "risk" } });
  expect(opened?.alerts).toHaveLength(3);
});

test("an incident tells what the agent did around it, and where each line of evidence lies", async () => {
  await append(store, [
    story("call", -5, 0),
    story("lookup", -3, 1),
    story("delete", 0, 2),
    story("call", 5, 3, "b"),
    story("call", 300, 4),
  ]);
  await correlating(store, until(1)).run(never);
  const [incident] = await store.incidents();
  // The deletion and the call before it: not the lookup (nobody's when it was stored), nor another agent's, nor much later.
  expect(incident?.blast).toMatchObject({ basis: "events of the agent", events: 2, atLeast: false, readTime: START });
  expect(incident?.why).toBe("made 1 call of delete through fake/one at 12:00:00: by a-name (client a / confidence 95)");
  const [logged] = await store.logged(["e00002"]);
  expect(incident?.proof).toContainEqual({ uid: "e00002", time: START, source: "fake/one", sequence: logged!.sequence });
});

test("an incident that goes on reads its agent's events no more often than every 15 seconds, and once more at its end", async () => {
  let now = START;
  const proven = until(1);
  let reads = 0;
  const counting: Store = new Proxy(store, {
    get: (target, name) => {
      if (name === "eventsOfAgent") reads++;
      return (Reflect.get(target, name) as (...given: unknown[]) => unknown).bind(target);
    },
  });
  const counted = correlating(counting, proven, () => now);
  for (let index = 0; index < 10; index++) {
    await append(store, [story("delete", index * 16, index)]);
    await counted.run(never);
    now += 1_000;
  }
  expect((await store.incidents())[0]).toMatchObject({ revision: 10 });
  expect(reads).toBe(1);
  now += 15_000;
  await append(store, [story("delete", 161, 10)]);
  await counted.run(never);
  expect(reads).toBe(2);
  proven.watermark = START + 161 * MINUTE + 10 * QUIET_MS;
  await counted.run(never);
  await counted.run(never);
  expect(await store.incidents()).toMatchObject([{ status: INCIDENT_STATUS.closed, closure: { how: "quiet" }, blast: { events: 11 } }]);
  expect(reads).toBeGreaterThanOrEqual(3);
  expect(await outboxProblems(store)).toEqual([]);
});

test("what an agent does after its alert is read again without an alert, 15 seconds later, and is a revision once", async () => {
  let now = START;
  const one = correlating(store, until(1), () => now);
  await append(store, [story("delete", 0, 0)]);
  await one.run(never);
  // A grant that no rule alerts on.
  await append(store, [
    logged("grant", START + 30_000, { clientUid: "a", agentUid: "a", method: "POST", urlPath: "/admin/users/1/grant" }),
  ]);
  now += 14_999;
  await one.run(never);
  expect(await store.incidents()).toMatchObject([{ revision: 1, blast: { events: 1 } }]);
  now += 1;
  await one.run(never);
  const actions = [{ name: "delete" }, { name: "POST /admin/users/{id}/grant" }];
  const [again] = await store.incidents();
  expect(again).toMatchObject({ revision: 2, status: 1, blast: { events: 2, readTime: now, actions } });
  for (let index = 0; index < 3; index++) {
    now += 20_000;
    await one.run(never);
  }
  expect((await store.incidents())[0]).toMatchObject({ revision: 2 });
  expect(await outboxProblems(store)).toEqual([]);
});

test("what came while the service was away is read after its start; what adds nothing is no revision", async () => {
  let now = START;
  await append(store, [story("delete", 0, 0)]);
  await correlating(store, until(1), () => now).run(never);
  now += 60_000;
  await correlating(store, until(1), () => now).run(never);
  expect((await store.incidents())[0]).toMatchObject({ revision: 1 });
  const flow = { ...story("flow", 0.5, 7), agentUid: "a" };
  await append(store, [flow, story("call", 0.6, 8)]);
  await correlating(store, until(1), () => now).run(never);
  expect((await store.incidents())[0]).toMatchObject({ revision: 2, blast: { events: 3 } });
});

test("an agent that goes on with very many calls does not hide what it did in the incident's time", async () => {
  const busy = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) =>
      logged(`b${from + index}`, START + from + index, { clientUid: "a", agentUid: "a", method: "GET", urlPath: "/ok" }),
    );
  const done = logged("done", START, { clientUid: "a", agentUid: "a", method: "DELETE", urlPath: "/v1/customers/1", bytesIn: 90_000_000 });
  await append(store, [...busy(-300_000, 1_000), story("delete", 0, 1), done, ...busy(60_000, 5_500)]);
  const one = correlating(store, until(1));
  await one.run(never);
  const [incident] = await store.incidents();
  expect(incident!.blast).toMatchObject({ atLeast: true, actions: [{ name: "DELETE /v1/customers/{id}" }, { name: "delete" }] });
  const beside = incident!.timeline.filter(({ activity }) => activity !== undefined).map(({ text }) => text);
  expect(beside).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^called DELETE \/v1\/customers\/\{id\}/),
      expect.stringMatching(/^called GET \/ok, \d{4} times/),
    ]),
  );
  expect(incident!.blast!.endpoints[0]).toMatchObject({ bytesIn: 90_000_000 });
});

test("a person closes it while the service works: the next step knows, and does not close it again", async () => {
  const proven = until(1);
  const one = correlating(store, proven);
  await append(store, [story("delete", 0, 0)]);
  await one.run(never);
  const [incident] = await store.incidents();
  expect(await answerIncident(closing(), incident!.id, byPerson)).toMatchObject({
    outcome: "changed",
    incident: { revision: 2, status: 5 },
  });
  expect(await answerIncident(closing(), incident!.id, byPerson)).toMatchObject({ outcome: "unchanged" });
  expect(await answerIncident(closing(), "nobody's", byPerson)).toEqual({ outcome: "unknown" });
  const entries = (await store.audit({ limit: 100 })).filter(({ actor }) => actor === "ann");
  expect(entries.map(({ actor, action, subject, details }) => ({ actor, action, subject, details }))).toEqual([
    { actor: "ann", action: "incident.closed", subject: incident!.id, details: { how: "person", revision: 2, reason: "a test" } },
  ]);
  proven.watermark = START + 20 * QUIET_MS;
  await one.run(never);
  await one.run(never);
  const [closed] = await store.incidents();
  expect(closed).toMatchObject({ status: 5, final: true, closure: { how: "person", by: "ann", reason: "a test" } });
  expect(await outboxProblems(store)).toEqual([]);
});

test("a word from the future counts as said now, and so does not close what is reopened later", async () => {
  await append(store, [story("delete", 0, 0)]);
  await correlating(store, until(1)).run(never);
  const [incident] = await store.incidents();
  const future = { ...byPerson, how: "pager", time: Date.UTC(2099, 0, 1) } as const;
  await answerIncident(closing(), incident!.id, future);
  expect((await store.incidents())[0]).toMatchObject({ status: 5, closure: { how: "pager", time: START + 30 * MINUTE } });
});

test("what somebody closes in the middle of a step is neither lost nor closed over, and the step is not done twice", async () => {
  const [proven, now] = [until(1), () => START];
  await append(store, [story("delete", 0, 0)]);
  await correlating(store, proven).run(never);
  const [incident] = await store.incidents();
  let raced = 0;
  const racing: Store = new Proxy(store, {
    get: (target, name) => {
      if (name === "transaction" && raced++ === 0)
        return async (work: Parameters<Store["transaction"]>[0]) => {
          // After the step has read and decided, before it writes.
          await answerIncident(closing(), incident!.id, byPerson);
          return target.transaction(work);
        };
      return (Reflect.get(target, name) as (...given: unknown[]) => unknown).bind(target);
    },
  });
  await append(store, [story("delete", 20, 1)]);
  const step = correlating(racing, until(21), now, packOf(RULES), { reopenMs: 24 * 60 * MINUTE });
  expect(await step.run(never)).toMatchObject({ events: 1, alerts: expect.any(Number) as number, incidents: 1 });
  expect(raced).toBeGreaterThanOrEqual(2);
  const revisions = await Promise.all([1, 2, 3, 4].map((revision) => store.incidentRevision(incident!.id, revision)));
  expect(revisions.map((one) => one?.status)).toEqual([1, 5, 1, undefined]);
  expect(revisions[2]).toMatchObject({ reopened: { count: 1 }, alerts: [{}, {}] });
  expect(await outboxProblems(store)).toEqual([]);
});

test("a step that amends while a person closes: the person looks again", async () => {
  await append(store, [story("delete", 0, 0)]);
  await correlating(store, until(1)).run(never);
  const [incident] = await store.incidents();
  await append(store, [story("delete", 20, 1)]);
  let raced = 0;
  const racing: Store = new Proxy(store, {
    get: (target, name) => {
      if (name === "transaction" && raced++ === 0)
        return async (work: Parameters<Store["transaction"]>[0]) => {
          await correlating(store, until(21)).run(never);
          return target.transaction(work);
        };
      return (Reflect.get(target, name) as (...given: unknown[]) => unknown).bind(target);
    },
  });
  expect(await answerIncident(closing(racing), incident!.id, byPerson)).toMatchObject({ outcome: "changed", incident: { revision: 3 } });
  expect(await store.incidents()).toMatchObject([{ status: 5, revision: 3, alerts: [{}, {}] }]);
  expect(await outboxProblems(store)).toEqual([]);
});

test("the incidents are the same however the events come in steps", async () => {
  const events = [0, 20, 40, 90, 200, 420, 440].map((minute, index) => story("delete", minute, index, index % 3 === 0 ? "b" : "a"));
  const found = async (steps: readonly (readonly number[])[]): Promise<unknown> => {
    await memory.empty();
    const one = small(until(0));
    for (const step of steps) {
      await append(
        store,
        step.map((index) => events[index]!),
      );
      await one.run(never);
    }
    return (await store.incidents())
      .filter((incident) => incident.closure?.how !== "merged")
      .map(({ entity, alerts, level, risk, firstTime, lastTime }) => ({
        entity,
        alerts: alerts.map(({ id }) => id),
        level,
        risk,
        firstTime,
        lastTime,
      }))
      .sort((a, b) => (a.entity < b.entity ? -1 : 1));
  };
  const whole = await found([[0, 1, 2, 3, 4, 5, 6]]);
  expect(whole).toHaveLength(2);
  expect(await found([[6], [5], [4], [3], [2], [1], [0]])).toEqual(whole);
  expect(await found([[3, 0], [6, 1], [2], [4, 5]])).toEqual(whole);
});
