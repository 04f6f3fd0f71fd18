/** B52: silence of an agent is told from silence of the sources that carry it. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { AgentProfile } from "../../src/core/identity/profile.ts";
import { agent, key } from "../core/identity/agents.ts";
import { call, MINUTE, unreachable, watching } from "./watching.ts";
import { memoryStore, START, type TestStore } from "./world.ts";

let memory: TestStore;
beforeAll(async () => void (memory = await memoryStore()));
beforeEach(() => memory.empty());
afterAll(() => memory.store.close());

const beats = (more: Partial<AgentProfile> = {}): AgentProfile[] => [
  agent("a", { keys: [key("client", "a")], heartbeatMs: 10 * MINUTE, ...more }),
];

test("B52: an agent that stops while everything that carries it is complete is told once, and its return ends it", async () => {
  const it = watching(memory, beats());
  it.api.add(call("c1", it.now()));
  await it.minutes(10);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
  await it.minutes(1);
  const [silent] = await it.alert("custodes-agent-silent");
  expect(silent).toMatchObject({ agents: ["a"], group: { "ai_agent.uid": "a" }, bucket: START, final: false, level: "high" });
  expect(await it.incident("agent:a")).toHaveLength(1);
  // What is found missing later takes nothing back: only a sign of life does.
  const found = { why: "count", detail: "one is missing", state: "open", foundTime: it.now(), endTime: null, whole: null } as const;
  await it.store.transaction((tx) => tx.saveGaps([{ ...found, id: "g", source: "fake/api", from: START, to: START + MINUTE }]));
  await it.minutes(10);
  expect(await it.alert("custodes-agent-silent")).toMatchObject([{ revision: 1, final: false }]);
  it.api.add(call("c2", it.now()));
  await it.minutes(2);
  expect(await it.alert("custodes-agent-silent")).toMatchObject([{ final: true }]);
});

test("B52: silence of its source is not silence of the agent", async () => {
  const it = watching(memory, beats());
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

test("B52: a gap in which the agent may have spoken begins the count again", async () => {
  const it = watching(memory, beats());
  it.api.add(call("c1", it.now()));
  await it.minutes(2);
  const gap = { why: "count", detail: "one is missing", state: "open", foundTime: it.now(), endTime: null, whole: null } as const;
  const gapAt = (source: string) => ({ ...gap, id: source, source, from: START + 5 * MINUTE, to: START + 6 * MINUTE });
  await it.store.transaction((tx) => tx.saveGaps([gapAt("fake/api")]));
  await it.minutes(14);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
  await it.minutes(16);
  expect(await it.alert("custodes-source-gap")).toMatchObject([{ group: { source: "fake/api" } }]);
  expect(await it.alert("custodes-agent-silent")).toMatchObject([{ bucket: START + 6 * MINUTE }]);
});

test("B52: what a gap hid is not silence: a gap that is healed counts from the last sign", async () => {
  const it = watching(memory, beats());
  it.api.add(call("c1", it.now()));
  await it.minutes(2);
  const gap = { why: "count", detail: "one is missing", state: "open", foundTime: it.now(), endTime: null, whole: null } as const;
  const mine = { ...gap, id: "g", source: "fake/api", from: START + 5 * MINUTE, to: START + 6 * MINUTE };
  await it.store.transaction((tx) => tx.saveGaps([mine]));
  await it.minutes(11);
  expect(await it.alert("custodes-agent-silent")).toEqual([]);
  await it.store.transaction((tx) => tx.saveGaps([{ ...mine, state: "healed", endTime: it.now() }]));
  await it.minutes(1);
  expect(await it.alert("custodes-agent-silent")).toMatchObject([{ bucket: START }]);
});

test("B52, B18: outside its hours and without a declared heartbeat silence is no news", async () => {
  const none = watching(memory, beats({ heartbeatMs: undefined }));
  none.api.add(call("c1", none.now()));
  await none.minutes(40);
  expect(await none.alert("custodes-agent-silent")).toEqual([]);
  await memory.empty();
  // START is a Tuesday, 12:00 UTC, 14:00 in Berlin.
  const hours = { days: [2], from: 8 * 60, to: 14 * 60 + 5, timezone: "Europe/Berlin" };
  const off = watching(memory, beats({ activeHours: hours }));
  off.api.add(call("c1", off.now()));
  await off.minutes(40);
  expect(await off.alert("custodes-agent-silent")).toEqual([]);
});
