import { expect, test } from "vitest";
import { ATTRIBUTION, type Event } from "../../../src/core/event.ts";
import { attribute, attributeStored } from "../../../src/core/identity/attribute.ts";
import { bareKey, clusterOf, inCluster, isSameCluster } from "../../../src/core/identity/clusters.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { keyText, linkText, parseLink, type KeyText } from "../../../src/core/identity/links.ts";
import { resolver } from "../../../src/core/identity/resolver.ts";
import { agent, event, key, NOON, pod } from "./agents.ts";

const MINUTE = 60_000;
const registry = directory(["a", "b"].map((id) => agent(id, { keys: [key("serviceAccount", `sa-${id}`)] })));
const link = (from: KeyText, to: KeyText): string => linkText({ from, to });
const fact = (cluster: string | undefined, ...links: readonly string[]): Event =>
  event("infra_change", NOON, { links, userTypeId: 3, cluster });
const flow = (cluster: string | undefined, srcIp = "10.0.0.1"): Event => event("egress", NOON + MINUTE, { srcIp, dstHost: "x", cluster });

test("a key names its cluster and gives it back, and only keys of clusters do", () => {
  const named = inCluster("ip:10.0.0.1", "prod@eu");
  expect([named, clusterOf(named), bareKey(named)]).toEqual(["ip:10.0.0.1@prod@eu", "prod@eu", "ip:10.0.0.1"]);
  expect(inCluster(named, "other")).toBe(named);
  expect([inCluster("cred:x@y", "prod"), clusterOf("cred:x@y"), bareKey("user:a@b")]).toEqual(["cred:x@y", undefined, "user:a@b"]);
  expect([isSameCluster("a", "b"), isSameCluster("a", undefined), isSameCluster(undefined, "b"), isSameCluster("a", "a")]).toEqual([
    false,
    true,
    true,
    true,
  ]);
});

test("no record writes the name of a cluster into a key", () => {
  for (const kind of ["ip", "pod", "sa", "spiffe"] as const) expect(keyText(kind, "x@prod")).toBeUndefined();
  expect(keyText("user", "bob@corp.example")).toBe("user:bob@corp.example");
});

test("the longest key of the longest name of a cluster is still read back", () => {
  const from = inCluster(keyText("pod", "p".repeat(512))!, "c".repeat(256));
  expect(parseLink(linkText({ from, to: "sa:x" }))?.from).toBe(from);
  expect(parseLink(linkText({ from: `${from}c`, to: "sa:x" }))).toBeUndefined();
});

test("an address that a source without a cluster told is not found by a sensor with one, and a pod is", () => {
  const told = fact(undefined, link("ip:10.0.0.1", "pod:p"), link("ip:10.0.0.2", "pod:p"), link("pod:p", "sa:sa-a"));
  const graph = resolver(registry);
  const [any, east, west] = [flow(undefined), flow("east"), flow("west", "10.0.0.2")];
  graph.push([told, fact("west", link("ip:10.0.0.2", "pod:p")), any, east, west]);
  graph.advance(Infinity);
  expect([any, east, west].map(({ agentUid }) => agentUid)).toEqual(["a", undefined, "a"]);
});

test("a path that came to a cluster stays there", () => {
  const agents = directory(["east", "west"].map((cluster) => agent(cluster, { keys: [{ ...key("serviceAccount", "sa"), cluster }] })));
  const found = (by: string | undefined) => {
    const graph = resolver(agents);
    const one = flow(undefined);
    graph.push([fact(by, link("ip:10.0.0.1", "pod:p")), fact(undefined, link("pod:p", "sa:sa")), one]);
    graph.advance(Infinity);
    return one.agentUid ?? one.agents?.join("+");
  };
  expect([found("east"), found("west"), found("north"), found(undefined)]).toEqual(["east", "west", undefined, "east+west"]);
});

test("an event of one cluster that proves its own links is decided by them alone", () => {
  const one = event("agent_api", NOON, { cluster: "east", podUid: "p", links: [link("pod:p", "sa:sa-a")] });
  attribute(one, registry);
  expect(one.agentUid).toBe("a");
});

test("after a restart clusters are still told apart, and found by who names none", () => {
  const before = resolver(registry);
  before.push([
    fact("east", link("ip:10.0.0.1", "pod:p"), link("pod:p", "sa:sa-a")),
    fact("west", link("ip:10.0.0.1", "pod:q"), link("pod:q", "sa:sa-b")),
    fact("west", link("ip:10.0.0.2", "pod:q")),
  ]);
  before.advance(NOON + 20 * MINUTE);
  const stored = before.changedFacts();
  const late = NOON + 30 * MINUTE;
  const flows = [flow(undefined), flow(undefined, "10.0.0.2"), flow("east"), flow("west")].map((one) => ({ ...one, time: late }));
  for (const some of [flows.slice(0, 2), flows.slice(2)]) {
    const after = resolver(registry);
    after.load(stored);
    after.push(some);
    after.advance(Infinity);
  }
  expect(flows.map(({ agentUid, agents }) => agentUid ?? agents?.join("+"))).toEqual(["a+b", "b", "a", "b"]);
});

test("an address is registered for an agent in the cluster of its pod", () => {
  const keys = [key("client", "c")];
  const agents = directory([agent("a", { keys, pods: [{ ...pod("10.0.0.1"), cluster: "east" }] })]);
  const registered = (cluster?: string) => {
    const one = event("agent_api", NOON, { clientUid: "c", srcIp: "10.0.0.1", cluster });
    attribute(one, agents);
    return one.srcRegistered;
  };
  expect([registered("east"), registered("west"), registered()]).toEqual([true, false, true]);
});

test("what may be one agent's or somebody else's is still that when it is read back", () => {
  const row = { uid: "u", time: NOON, agentUid: "a", attributionId: ATTRIBUTION.shared, confidence: 20, path: "[]" };
  for (const known of [registry, directory([])]) {
    const one = flow(undefined);
    attributeStored(one, [row], known);
    expect([one.agentUid, one.agents, one.attributionConfidence]).toEqual([undefined, ["a"], 20]);
  }
});
