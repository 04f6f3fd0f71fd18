/** A source stalls and comes back: what was decided meanwhile says so, is told again, and the service tells of itself. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { engine } from "../../src/core/correlation/engine.ts";
import { healthRule } from "../../src/core/completeness/health-rules.ts";
import type { Category, EpochMs } from "../../src/core/event.ts";
import { directory } from "../../src/core/identity/directory.ts";
import type { AgentProfile } from "../../src/core/identity/profile.ts";
import { resolver } from "../../src/core/identity/resolver.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import { analysis } from "../../src/pipeline/analysis.ts";
import { correlator } from "../../src/pipeline/correlate.ts";
import { coverageNow } from "../../src/pipeline/coverage.ts";
import type { Hold } from "../../src/pipeline/deliver.ts";
import { puller } from "../../src/pipeline/pull.ts";
import { watcher } from "../../src/pipeline/watch.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Page } from "../../src/ports/connector.ts";
import { incidentPolicy } from "../fixtures/policy.ts";
import { agent, key } from "../core/identity/agents.ts";
import { packOf, sink } from "./correlating.ts";
import {
  fakeConnector,
  ingestDeps,
  memoryStore,
  offline,
  page,
  running,
  sha256,
  START,
  testClock,
  testLog,
  testMeter,
  uuid5,
} from "./world.ts";
import type { FakeRecord, TestStore } from "./world.ts";

const MINUTE = 60_000;
const STALL = 15 * MINUTE;
const RULES = `
title: A call
id: call
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation: call}, condition: selection}
---
title: A sign-in
id: sign-in
logsource: {product: agent, category: authentication}
detection: {selection: {api.operation: sign-in}, condition: selection}
---
title: Calls and sign-ins
id: both
level: high
correlation: {type: event_count, rules: [call, sign-in], group-by: [ai_agent.uid], timespan: 1h, condition: {gte: 2}}
`;

let memory: TestStore;
beforeAll(async () => void (memory = await memoryStore()));
beforeEach(() => memory.empty());
afterAll(() => memory.store.close());

/** A vendor that answers with what it has, or fails. */
function fake() {
  let records: FakeRecord[] = [];
  let failure: Failure | undefined;
  return {
    add: (...more: FakeRecord[]) => void records.push(...more),
    fail: (how: Failure | undefined) => void (failure = how),
    pull: async (now: EpochMs): Promise<Page> => {
      if (failure !== undefined) throw failure;
      const given = records;
      records = [];
      return page(given, { next: `c${now}`, completeTo: now - MINUTE });
    },
  };
}

/** Two sources, a correlator and a watch over them, a minute at a time. */
function world(agents: readonly AgentProfile[] = [agent("a", { keys: [key("client", "a")] })], options = {}) {
  const { store } = memory;
  const clock = testClock();
  const now = (): EpochMs => clock.now();
  const meter = testMeter();
  const vendors = { api: fake(), idp: fake() };
  const sourceOf = (id: "api" | "idp", category: Category) =>
    running(
      { pull: () => vendors[id].pull(now()) },
      { id: `fake/${id}`, connector: { ...fakeConnector, categories: [category] }, stallMs: STALL },
    );
  const sources = [sourceOf("api", "agent_api"), sourceOf("idp", "authentication")];
  const registry = directory(agents);
  const holds = new Map<string, Hold>();
  const startTime = now();
  const rules = packOf(RULES);
  const watch = watcher({
    ...{ store, now, meter, sources, startTime, uuid5, sha256 },
    destinations: [sink],
    deliverer: { hold: (id) => holds.get(id) },
    registry: () => registry,
    options: { alerts: true, gapAfter: 15 * MINUTE, heldAfter: 15 * MINUTE, ...options },
  });
  const start = () =>
    correlator({
      ...{
        store,
        now,
        meter,
        log: testLog(),
        uuid5,
        destinations: [sink],
        incidents: incidentPolicy({ openAt: "medium", quietMs: 60 * MINUTE }),
      },
      analysis: (facts) => {
        const names = resolver(registry);
        names.load(facts);
        return analysis(names, engine(rules, { reader: eventReader, uuid5, latenessMs: MINUTE, baselines: true }));
      },
      names: () => resolver(registry),
      coverage: () => coverageNow(store, sources, now(), startTime),
      ownAlerts: () => watch.alerts(),
      rule: (id) => [...rules.detections, ...rules.correlations].find((one) => one.info.id === id)?.info ?? healthRule(id),
      registry: () => registry,
    });
  let correlation = start();
  const pull = puller(ingestDeps(store, clock, meter, registry), offline(clock, testLog()));
  const signal = new AbortController().signal;
  return {
    store,
    now,
    meter,
    holds,
    ...vendors,
    restart: () => void (correlation = start()),
    async minutes(count: number) {
      for (let minute = 0; minute < count; minute++) {
        clock.move(MINUTE);
        for (const source of sources) await pull(source, signal);
        await watch.look();
        await correlation.run(signal);
      }
    },
    alert: async (rule: string) => (await store.alerts()).filter(({ ruleId }) => ruleId === rule),
    incident: async (entity: string) => (await store.incidents()).filter((one) => one.entity === entity),
    gaps: () => store.gaps({ recent: 0 }),
  };
}
const unreachable = new Failure("gone", { kind: "retryable", code: "HTTP_UNREACHABLE" });
const call = (id: string, time: EpochMs): FakeRecord => ({ id, time, client: "a", operation: "call" });
const signIn = (id: string, time: EpochMs): FakeRecord => ({ id, time, category: "authentication", client: "a", operation: "sign-in" });

test("a source stalls, alerts say so, it heals, they are told again with what it brought, and the service's own incident is closed", async () => {
  const it = world();
  await it.minutes(2);
  const stalledAt = it.now();
  it.idp.fail(unreachable);
  it.idp.add(signIn("s1", stalledAt + 20 * MINUTE), signIn("s2", stalledAt + 21 * MINUTE));
  await it.minutes(20);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);

  const [partial] = await it.alert("both");
  expect(partial).toMatchObject({ count: 2, coverage: { state: "partial", missing: ["fake/idp"] } });
  expect(partial?.coverage?.gaps).toMatchObject([{ source: "fake/idp", why: "unreachable", from: stalledAt - MINUTE, to: null }]);
  expect(await it.incident("agent:a")).toMatchObject([{ coverage: { state: "partial", missing: ["fake/idp"] } }]);
  const [own] = await it.alert("custodes-source-silent");
  expect(own).toMatchObject({ level: "high", group: { source: "fake/idp" }, final: false, bucket: stalledAt });
  expect(own?.coverage).toBeUndefined();
  expect(await it.incident("source:fake/idp")).toMatchObject([{ status: 1, level: "high" }]);
  expect(it.meter.value("source_silent", { source: "fake/idp" })).toBe(1);
  expect(it.meter.value("source_silent", { source: "fake/api" })).toBe(0);
  // Told once however long it lasts, and a restart is no sign of life.
  it.restart();
  await it.minutes(5);
  expect(await it.alert("custodes-source-silent")).toMatchObject([{ revision: 1 }]);

  it.idp.fail(undefined);
  await it.minutes(8);
  const [whole] = await it.alert("both");
  expect(whole?.count).toBe(4);
  expect(whole?.coverage).toBeUndefined();
  expect(whole?.id).toBe(partial?.id);
  expect(await it.incident("agent:a")).toMatchObject([{ coverage: { state: "complete", missing: [] } }]);
  expect((await it.gaps()).map(({ why, state }) => [why, state])).toEqual([["unreachable", "healed"]]);
  expect(await it.alert("custodes-source-silent")).toMatchObject([{ final: true }]);
  expect(await it.incident("source:fake/idp")).toMatchObject([{ status: 5 }]);
  expect(it.meter.value("source_silent", { source: "fake/idp" })).toBe(0);
  const own2 = (await it.store.deliveries()).filter((row) => row.subjectId === own?.id);
  expect(own2.map((row) => row.revision).toSorted()).toEqual([1, 2]);
  // A second silence is another alert.
  it.idp.fail(unreachable);
  await it.minutes(40);
  expect(await it.alert("custodes-source-silent")).toHaveLength(2);
});

test("an alert that late records do not change is told again without the word, also after a restart", async () => {
  const it = world();
  await it.minutes(2);
  it.idp.fail(unreachable);
  await it.minutes(20);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);
  const [partial] = await it.alert("both");
  expect(partial?.coverage?.missing).toEqual(["fake/idp"]);
  it.restart();
  it.idp.fail(undefined);
  await it.minutes(8);
  const [whole] = await it.alert("both");
  expect(whole).toMatchObject({ count: 2, id: partial?.id });
  expect(whole?.revision).toBeGreaterThan(partial?.revision ?? 0);
  expect(whole?.coverage).toBeUndefined();
});

test("an alert about a time for which the stalled source was complete is not partial", async () => {
  const it = world();
  await it.minutes(5);
  const before = it.now() - 3 * MINUTE;
  it.idp.fail(unreachable);
  await it.minutes(20);
  it.api.add(call("c1", before), call("c2", before + 1));
  await it.minutes(1);
  expect((await it.alert("both")).map(({ coverage }) => coverage)).toEqual([undefined]);
});

test("a credential that is refused is told at once, and its end", async () => {
  const it = world();
  await it.minutes(1);
  it.api.fail(new Failure("no", { kind: "permanent", code: "HTTP_DENIED" }));
  await it.minutes(1);
  expect(await it.alert("custodes-source-refused")).toMatchObject([
    { final: false, group: { source: "fake/api", reason: "HTTP_DENIED: no" } },
  ]);
  it.api.fail(undefined);
  await it.minutes(8);
  expect(await it.alert("custodes-source-refused")).toMatchObject([{ final: true }]);
  expect(await it.alert("custodes-source-silent")).toEqual([]);
});

test("a destination that is held is told to the others after a while, one that refuses at once", async () => {
  const it = world();
  it.holds.set("d/1", { until: 0, failures: 1, reason: "HTTP_UNAVAILABLE: 503", paused: false });
  await it.minutes(15);
  expect(await it.alert("custodes-destination-held")).toEqual([]);
  await it.minutes(2);
  expect(await it.alert("custodes-destination-held")).toMatchObject([{ group: { destination: "d/1" }, final: false }]);
  it.holds.clear();
  await it.minutes(1);
  expect(await it.alert("custodes-destination-held")).toMatchObject([{ final: true }]);
  it.holds.set("d/1", { until: 0, failures: 1, reason: "HTTP_DENIED: no", paused: true });
  await it.minutes(1);
  expect(await it.alert("custodes-destination-held")).toHaveLength(2);
});

test("what is switched off is not told, but still known", async () => {
  const it = world(undefined, { alerts: ["custodes-agent-silent"] });
  it.idp.fail(unreachable);
  await it.minutes(20);
  expect(await it.alert("custodes-source-silent")).toEqual([]);
  expect(it.meter.value("source_silent", { source: "fake/idp" })).toBe(1);
  expect(await it.gaps()).toMatchObject([{ why: "unreachable", state: "open" }]);
});

const beats = (more: Partial<AgentProfile> = {}): AgentProfile[] => [
  agent("a", { keys: [key("client", "a")], heartbeatMs: 10 * MINUTE, ...more }),
];

test("B52: an agent that stops while everything that carries it is complete is told once, and its return ends it", async () => {
  const it = world(beats());
  it.api.add(call("c1", it.now()));
  await it.minutes(10);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
  await it.minutes(1);
  const [silent] = await it.alert("custodes-agent-silent");
  expect(silent).toMatchObject({ agents: ["a"], group: { "ai_agent.uid": "a" }, bucket: START, final: false, level: "high" });
  expect(await it.incident("agent:a")).toHaveLength(1);
  await it.minutes(10);
  expect(await it.alert("custodes-agent-silent")).toMatchObject([{ revision: 1 }]);
  it.api.add(call("c2", it.now()));
  await it.minutes(2);
  expect(await it.alert("custodes-agent-silent")).toMatchObject([{ final: true }]);
});

test("B52: silence of its source is not silence of the agent", async () => {
  const it = world(beats());
  it.api.add(call("c1", it.now()));
  await it.minutes(5);
  it.api.fail(unreachable);
  await it.minutes(30);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
  expect(await it.alert("custodes-source-silent")).toHaveLength(1);
  // What it brings when it heals says that the agent was well.
  it.api.add(...Array.from({ length: 8 }, (_, index) => call(`l${index}`, START + (index + 1) * 5 * MINUTE)));
  it.api.fail(undefined);
  await it.minutes(6);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
});

test("B52: a gap in which the agent may have spoken forbids the alert", async () => {
  const it = world(beats());
  it.api.add(call("c1", it.now()));
  await it.minutes(2);
  const gap = { why: "count", detail: "one is missing", state: "open", foundTime: it.now(), endTime: null } as const;
  const gapAt = (source: string) => ({ ...gap, id: source, source, from: START + 5 * MINUTE, to: START + 6 * MINUTE });
  await it.store.transaction((tx) => tx.saveGaps([gapAt("fake/api")]));
  await it.minutes(30);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
  expect(await it.alert("custodes-source-gap")).toMatchObject([{ group: { source: "fake/api" } }]);
  await it.store.transaction((tx) => tx.saveGaps([{ ...gapAt("fake/api"), state: "healed", endTime: it.now() }]));
  await it.minutes(2);
  expect(await it.alert("custodes-agent-silent")).toHaveLength(1);
});

test("B52, B18: outside its hours and without a declared heartbeat silence is no news", async () => {
  const none = world(beats({ heartbeatMs: undefined }));
  none.api.add(call("c1", none.now()));
  await none.minutes(40);
  expect(await none.alert("custodes-agent-silent")).toEqual([]);
  await memory.empty();
  // START is a Tuesday, 12:00 UTC, 14:00 in Berlin.
  const hours = { days: [2], from: 8 * 60, to: 14 * 60 + 5, timezone: "Europe/Berlin" };
  const off = world(beats({ activeHours: hours }));
  off.api.add(call("c1", off.now()));
  await off.minutes(40);
  expect(await off.alert("custodes-agent-silent")).toEqual([]);
});
