import { expect, test } from "vitest";
import { ATTRIBUTION, CATEGORIES, type Event } from "../../../src/core/event.ts";
import { attribute, attributeAgain, CONFIDENCE, isAllowedHost, RETIREMENT_GRACE_MS } from "../../../src/core/identity/attribute.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { CLOCK_TOLERANCE_MS } from "../../../src/core/identity/reach.ts";
import type { AgentProfile } from "../../../src/core/identity/profile.ts";
import { agent, event, key, NOON, pod } from "./agents.ts";

function attributed(agents: readonly AgentProfile[], given: Event): Event {
  attribute(given, directory(agents));
  return given;
}

const call = (changes: Partial<Event>, time = NOON) => event("agent_api", time, changes);
const flow = (srcIp: string, time = NOON, changes: Partial<Event> = {}) => event("egress", time, { srcIp, ...changes });

test("a key names its agent from the first moment of its interval to the moment before its end", () => {
  const agents = [
    agent("old", { keys: [key("credential", "c1", NOON - 1000, NOON)] }),
    agent("new", { keys: [key("credential", "c1", NOON)] }),
  ];
  const at = (time: number) => attributed(agents, call({ credentialUid: "c1" }, time)).agentUid;
  expect(at(NOON - 1001)).toBeUndefined();
  expect(at(NOON - 1000)).toBe("old");
  expect(at(NOON - 1)).toBe("old");
  expect(at(NOON)).toBe("new");
});

test("a key that two agents hold at once is shared: both are named, sorted, and neither is chosen", () => {
  const agents = [agent("zeta", { keys: [key("client", "k")] }), agent("alpha", { keys: [key("client", "k")] })];
  const shared = attributed(agents, call({ clientUid: "k" }));
  expect(shared).toMatchObject({ attributionId: ATTRIBUTION.shared, attributionConfidence: CONFIDENCE.shared, agents: ["alpha", "zeta"] });
  expect(shared.agentUid).toBeUndefined();
  expect(shared.agentRole).toBeUndefined();
  expect(shared.srcRegistered).toBeUndefined();
});

test("attributed again, an event is what it would be had only the last registry ever seen it", () => {
  const full = agent("a", {
    keys: [key("client", "k")],
    allowedHosts: ["good.example"],
    regions: ["eu"],
    infraVerbs: ["create"],
    dataClasses: ["pii"],
    perMinuteMax: 7,
    bulkMbMax: 9,
  });
  const given = (): Event =>
    event("egress", NOON, {
      uid: "one",
      clientUid: "k",
      srcIp: "10.0.0.1",
      dstHost: "bad.example",
      region: "us",
      isChange: true,
      infraAction: "delete",
      dataClasses: ["secret"],
    });
  const registries = [[], [full], [full, agent("b", { keys: [key("client", "k")] })], [agent("c", { keys: [key("client", "k")] })]];
  expect(new Set(registries.map((agents) => JSON.stringify(attributed(agents, given())))).size).toBe(4);
  for (const before of registries) {
    for (const after of registries) {
      const twice = attributed(before, given());
      attributeAgain(twice, directory(after));
      expect(twice).toEqual(attributed(after, given()));
    }
  }
});

test("a key that one agent lists twice is not shared", () => {
  const agents = [agent("a", { keys: [key("client", "k", -Infinity, NOON + 10), key("client", "k", NOON - 10)] })];
  expect(attributed(agents, call({ clientUid: "k" }))).toMatchObject({ agentUid: "a", attributionId: ATTRIBUTION.direct });
});

test("the strongest key decides when keys point to different agents", () => {
  const agents = [
    agent("by-agent-id", { keys: [key("agent", "n")] }),
    agent("by-client", { keys: [key("client", "k")] }),
    agent("by-user", { keys: [key("user", "u")] }),
  ];
  expect(attributed(agents, call({ userUid: "u", clientUid: "k", agentNative: "n" })).agentUid).toBe("by-agent-id");
  expect(attributed(agents, call({ userUid: "u", clientUid: "k", agentNative: "unknown" })).agentUid).toBe("by-client");
  expect(attributed(agents, call({ userUid: "u", clientUid: "" })).agentUid).toBe("by-user");
});

test("keys of one kind do not answer for another kind", () => {
  const agents = [agent("a", { keys: [key("client", "same")] })];
  expect(attributed(agents, call({ credentialUid: "same", userUid: "same" })).attributionId).toBe(ATTRIBUTION.none);
});

test("a key named like a member of Object finds nobody", () => {
  const agents = [agent("a", { keys: [key("client", "k")] })];
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"])
    expect(attributed(agents, call({ clientUid: name, podUid: name, srcIp: name })).agentUid).toBeUndefined();
});

test("a person behind an agent's address is not the agent: addresses count only for sensors that see nothing else", () => {
  const agents = [agent("a", { pods: [pod("10.0.0.7")], sharedIps: ["203.0.113.4"] })];
  const byAddress = CATEGORIES.filter((category) => attributed(agents, event(category, NOON, { srcIp: "10.0.0.7" })).agentUid === "a");
  expect(byAddress).toEqual(["egress", "dns", "process", "file"]);
  expect(attributed(agents, event("authentication", NOON, { srcIp: "203.0.113.4", userUid: "a-person" })).attributionId).toBe(
    ATTRIBUTION.none,
  );
});

test("an identity in the record beats the address, also when the address belongs to another agent", () => {
  const agents = [agent("a", { keys: [key("client", "k")] }), agent("b", { pods: [pod("10.0.0.7")] })];
  expect(attributed(agents, flow("10.0.0.7", NOON, { clientUid: "k" }))).toMatchObject({
    agentUid: "a",
    attributionId: ATTRIBUTION.direct,
  });
});

test("an unknown identity in the record leaves it to the address", () => {
  const agents = [agent("b", { pods: [pod("10.0.0.7")] })];
  expect(attributed(agents, flow("10.0.0.7", NOON, { clientUid: "nobody" }))).toMatchObject({
    agentUid: "b",
    attributionId: ATTRIBUTION.registry,
    attributionConfidence: CONFIDENCE.registry,
  });
});

test("around the hand-over of a pod address both agents are candidates, for the clock tolerance on each side", () => {
  const agents = [agent("a", { pods: [pod("10.0.0.7", -Infinity, NOON)] }), agent("b", { pods: [pod("10.0.0.7", NOON)] })];
  const at = (time: number) => {
    const { agentUid, agents: candidates } = attributed(agents, flow("10.0.0.7", time));
    return agentUid ?? candidates;
  };
  expect(at(NOON - CLOCK_TOLERANCE_MS - 1)).toBe("a");
  expect(at(NOON - CLOCK_TOLERANCE_MS)).toEqual(["a", "b"]);
  expect(at(NOON)).toEqual(["a", "b"]);
  expect(at(NOON + CLOCK_TOLERANCE_MS - 1)).toEqual(["a", "b"]);
  expect(at(NOON + CLOCK_TOLERANCE_MS)).toBe("b");
});

test("an address is believed for the tolerance beyond a gap, and nobody has it in the gap", () => {
  const agents = [agent("a", { pods: [pod("10.0.0.7", NOON, NOON + 1000)] })];
  expect(attributed(agents, flow("10.0.0.7", NOON - CLOCK_TOLERANCE_MS)).agentUid).toBe("a");
  expect(attributed(agents, flow("10.0.0.7", NOON - CLOCK_TOLERANCE_MS - 1)).agentUid).toBeUndefined();
  expect(attributed(agents, flow("10.0.0.7", NOON + 1000 + CLOCK_TOLERANCE_MS)).agentUid).toBeUndefined();
});

test("a pod's uid names its agent in every category", () => {
  const agents = [agent("a", { pods: [pod("10.0.0.7", 0, 1, "pod-1")] })];
  expect(attributed(agents, event("infra_change", NOON, { podUid: "pod-1" })).agentUid).toBe("a");
});

test("an agent is in grace for ten minutes after its retirement, then retired, and future before its creation", () => {
  const agents = [agent("a", { keys: [key("client", "k")], createdTime: NOON - 1000, retiredTime: NOON })];
  const at = (time: number) => attributed(agents, call({ clientUid: "k" }, time)).agentState;
  expect(at(NOON - 1001)).toBe("future");
  expect(at(NOON - 1000)).toBe("active");
  expect(at(NOON)).toBe("active");
  expect(at(NOON + 1)).toBe("grace");
  expect(at(NOON + RETIREMENT_GRACE_MS)).toBe("grace");
  expect(at(NOON + RETIREMENT_GRACE_MS + 1)).toBe("retired");
});

test("the calendar raises the declared volume during its interval, and never lowers it", () => {
  const volumeExceptions = [
    { from: NOON, to: NOON + 1000, perMinuteMax: 600 },
    { from: NOON + 500, to: NOON + 2000, perMinuteMax: 50 },
  ];
  const agents = [agent("a", { keys: [key("client", "k")], perMinuteMax: 100, volumeExceptions })];
  const at = (time: number) => attributed(agents, call({ clientUid: "k" }, time)).agentPerMinuteMax;
  expect([at(NOON - 1), at(NOON), at(NOON + 999), at(NOON + 1000), at(NOON + 1999)]).toEqual([100, 600, 600, 100, 100]);
});

test("without a declared volume only the calendar declares one", () => {
  const agents = [agent("a", { keys: [key("client", "k")], volumeExceptions: [{ from: NOON, to: NOON + 1, perMinuteMax: 600 }] })];
  expect(attributed(agents, call({ clientUid: "k" })).agentPerMinuteMax).toBe(600);
  expect(attributed(agents, call({ clientUid: "k" }, NOON + 1)).agentPerMinuteMax).toBeUndefined();
});

test("what the registry does not declare stays undefined in every policy field", () => {
  const full = call({
    clientUid: "k",
    srcIp: "198.51.100.1",
    region: "eu-1",
    isChange: true,
    infraAction: "k8s:create:pods",
    dataClasses: ["pii"],
  });
  const bare = attributed([agent("a", { keys: [key("client", "k")] })], full);
  expect([bare.srcRegistered, bare.dstAllowed, bare.regionDeclared, bare.actionDeclared, bare.dataClassAllowed]).toEqual(
    Array(5).fill(undefined),
  );
});

test("policy fields compare what was done with what is declared", () => {
  const declared = agent("a", {
    keys: [key("client", "k")],
    pods: [pod("10.0.0.7", NOON - 1000, NOON + 1000)],
    sharedIps: ["203.0.113.4"],
    regions: ["eu-1"],
    infraVerbs: ["k8s:create:pods"],
    dataClasses: ["pii"],
  });
  const did = (changes: Partial<Event>) => attributed([declared], call({ clientUid: "k", ...changes }));
  expect(did({ srcIp: "10.0.0.7" }).srcRegistered).toBe(true);
  expect(did({ srcIp: "203.0.113.4" }).srcRegistered).toBe(true);
  expect(did({ srcIp: "10.0.0.8" }).srcRegistered).toBe(false);
  expect(attributed([declared], call({ clientUid: "k", srcIp: "10.0.0.7" }, NOON + 1000 + CLOCK_TOLERANCE_MS)).srcRegistered).toBe(false);
  expect(did({ region: "us-1" }).regionDeclared).toBe(false);
  expect(did({ region: "eu-1" }).regionDeclared).toBe(true);
  expect(did({ isChange: true, infraAction: "k8s:delete:pods" }).actionDeclared).toBe(false);
  expect(did({ isChange: true, infraAction: "k8s:create:pods" }).actionDeclared).toBe(true);
  expect(did({ isChange: false, infraAction: "k8s:get:pods" }).actionDeclared).toBeUndefined();
  expect(did({ dataClasses: ["public", "admin", "pii"] }).dataClassAllowed).toBe(true);
  expect(did({ dataClasses: ["pii", "finance"] }).dataClassAllowed).toBe(false);
});

test.each([
  ["no list says nothing", undefined, [], "a.example", undefined],
  ["an exact name", ["a.example"], [], "a.example", true],
  ["a list refuses what it does not name", ["a.example"], [], "b.example", false],
  ["an empty list refuses everything", [], [], "a.example", false],
  ["a wildcard covers names below", ["*.a.example"], [], "x.y.a.example", true],
  ["a wildcard does not cover the name itself", ["*.a.example"], [], "a.example", false],
  ["a wildcard ends at a dot", ["*.a.example"], [], "evila.example", false],
  ["a name is no suffix", ["a.example"], [], "a.example.evil.test", false],
  ["a star covers all", ["*"], [], "a.example", true],
  ["a block without a list refuses only what it names", undefined, ["b.example"], "b.example", false],
  ["a block without a list says nothing about others", undefined, ["b.example"], "a.example", undefined],
  ["a block beats the list", ["*.example"], ["*.bad.example"], "x.bad.example", false],
  ["a block of everything leaves the list", ["a.example"], ["*"], "a.example", true],
  ["a block of everything refuses the rest", ["a.example"], ["*"], "b.example", false],
  ["a block of everything alone refuses all", undefined, ["*"], "a.example", false],
  ["a named block beats the list beside a block of everything", ["*"], ["*", "b.example"], "b.example", false],
] as const)("allowed hosts: %s", (_, allowedHosts, blockedHosts, host, expected) => {
  expect(isAllowedHost(agent("a", { allowedHosts, blockedHosts }), host)).toBe(expected);
});

test("a host is judged for egress only", () => {
  const agents = [agent("a", { keys: [key("client", "k")], allowedHosts: ["a.example"] })];
  expect(attributed(agents, call({ clientUid: "k", dstHost: "b.example" })).dstAllowed).toBeUndefined();
  expect(attributed(agents, event("egress", NOON, { clientUid: "k", dstHost: "b.example" })).dstAllowed).toBe(false);
});
