import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ATTRIBUTION, type Event } from "../../src/core/event.ts";
import { linkText } from "../../src/core/identity/links.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import type { Store } from "../../src/ports/store.ts";
import { append, correlating, MINUTE, registry, type Proven } from "./correlating.ts";
import { logged, memoryStore, START, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
const never = new AbortController().signal;

beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
beforeEach(() => memory.empty());
afterAll(() => store.close());

const at = (minute: number): number => START + minute * MINUTE;
function made(uid: string, minute: number, changes: Partial<Event>): Event {
  const event = logged(uid, at(minute), changes);
  attribute(event, registry);
  return event;
}
const fact = (uid: string, minute: number, from: `ip:${string}` | `pod:${string}`, to: `pod:${string}` | `client:${string}`): Event =>
  made(uid, minute, { category: "infra_change", links: [linkText({ from, to })] });
const upload = (uid: string, minute: number): Event =>
  made(uid, minute, { category: "egress", srcIp: "10.0.0.9", dstHost: "paste.example" });

test("an upload from the address of a pod is given to the pod's agent, and that is stored with how", async () => {
  const proven: Proven = { watermark: at(1), missing: [] };
  await append(store, [upload("up", 10)]);
  await correlating(store, proven).run(never);
  expect(await store.attributions(["up"])).toEqual([]);
  // The facts come late, and by then another process has taken over.
  await append(store, [fact("f1", 5, "ip:10.0.0.9", "pod:p"), fact("f2", 4, "pod:p", "client:b")]);
  proven.watermark = at(16);
  await correlating(store, proven).run(never);
  const [row, ...others] = await store.attributions(["up"]);
  expect(others).toEqual([]);
  expect(row).toMatchObject({ uid: "up", time: at(10), agentUid: "b", attributionId: ATTRIBUTION.observed, confidence: 75 });
  expect(JSON.parse(row!.path)).toEqual([
    { from: "ip:10.0.0.9", to: "pod:p", by: "issued", since: at(5), origin: "f1" },
    { from: "pod:p", to: "client:b", by: "issued", since: at(4), origin: "f2" },
    { from: "client:b", to: "=b", by: "registry" },
  ]);
  // Nothing may be sent by b.
  expect(await store.alerts()).toMatchObject([{ ruleId: "egress", agents: ["b"], confidence: 75 }]);
});

test("a link from long before is known after a restart, because it was stored with the watermark that passed it", async () => {
  const proven: Proven = { watermark: at(60), missing: [] };
  await append(store, [fact("f1", 1, "ip:10.0.0.9", "pod:p"), fact("f2", 1, "pod:p", "client:b")]);
  await correlating(store, proven).run(never);
  expect((await store.facts()).map(({ key, origin }) => [key, origin])).toEqual([
    ["link:ip:10.0.0.9", "f1"],
    ["link:pod:p", "f2"],
  ]);
  const days = 5 * 1440;
  await append(store, [made("other", days, { clientUid: "a" }), upload("up", days + 1)]);
  proven.watermark = at(days + 10);
  await correlating(store, proven).run(never);
  proven.watermark = at(days + 20);
  await correlating(store, proven).run(never);
  expect(await store.attributions(["up"])).toMatchObject([{ agentUid: "b", confidence: 75 }]);
});

test("an upload that two agents may have made is stored for both, and alerts of neither", async () => {
  const seen = (uid: string, clientUid: string): Event => made(uid, 9, { clientUid, srcIp: "10.0.0.9" });
  await append(store, [seen("s1", "a"), seen("s2", "b"), upload("up", 10)]);
  await correlating(store, { watermark: at(16), missing: [] }).run(never);
  expect(await store.attributions(["up"])).toMatchObject([
    { agentUid: "a", attributionId: ATTRIBUTION.shared, confidence: 20 },
    { agentUid: "b", attributionId: ATTRIBUTION.shared, confidence: 20 },
  ]);
  // Neither may send there, so the rule about it holds whoever it was; it names no agent.
  expect(await store.alerts()).toMatchObject([{ ruleId: "egress", agents: [], confidence: 20 }]);
});

test("the evidence that an incident loads from the log has the agent that was found late", async () => {
  const proven: Proven = { watermark: at(1), missing: [] };
  const one = correlating(store, proven);
  await append(store, [upload("up", 10), fact("f1", 5, "ip:10.0.0.9", "pod:p"), fact("f2", 4, "pod:p", "client:b")]);
  await one.run(never);
  proven.watermark = at(16);
  await one.run(never);
  expect(await store.incidents()).toMatchObject([{ agentUid: "b", hosts: ["paste.example"] }]);
  expect((await store.incidents())[0]!.timeline.map(({ text }) => text)).toEqual([
    "sent data to paste.example (not allowed for this agent)",
  ]);
});
