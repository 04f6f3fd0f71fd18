/** What bindings of each kind lead to: one story per test, each through ingest's attribution and the resolver. */
import { expect, test } from "vitest";
import { ATTRIBUTION, CATEGORIES, type Event } from "../../../src/core/event.ts";
import { attribute } from "../../../src/core/identity/attribute.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { linkText, type KeyText, type Link } from "../../../src/core/identity/links.ts";
import { resolver, type Resolver } from "../../../src/core/identity/resolver.ts";
import { agent, event, key, NOON } from "./agents.ts";

const ROLE = "arn:aws:sts::1:assumed-role/agents/a-bot";
const registry = directory([
  agent("a", {
    keys: [key("client", "ca"), key("serviceAccount", "sa-a")],
    allowedHosts: ["good.example"],
    regions: ["eu"],
    role: "sales",
  }),
  agent("b", { keys: [key("client", "cb"), key("serviceAccount", "sa-b")], allowedHosts: ["other.example"], regions: ["eu"], role: "ops" }),
]);
const SECOND = 1000;
const MINUTE = 60 * SECOND;

function ingested(one: Event): Event {
  attribute(one, registry);
  return one;
}
const fact = (time: number, ...links: readonly Link[]): Event => event("infra_change", time, { links: links.map(linkText) });
const link = (from: KeyText, to: KeyText, more: Partial<Link> = {}): Link => ({ from, to, ...more });
function decided(facts: readonly Event[], subject: Event, names: Resolver = resolver(registry)): Event {
  names.push(facts.map(ingested));
  const ready = names.push([ingested(subject)]);
  return [...ready, ...names.advance(Infinity)].find((one) => one === subject)!;
}
const who = ({ agentUid, agents, attributionConfidence }: Event) => [agentUid ?? agents, attributionConfidence];

test("a session token leads over its role session to the service account that assumed it", () => {
  const facts = [fact(NOON, link("cred:ASIA1", `role:${ROLE}`, { until: NOON + 60 * MINUTE }), link(`role:${ROLE}`, "sa:sa-a"))];
  const call = (time: number) => event("infra_change", time, { credentialUid: "ASIA1", userTypeId: 4 });
  expect(who(decided(facts, call(NOON + MINUTE)))).toEqual(["a", 75]);
  expect(decided(facts, call(NOON + 61 * MINUTE)).attributionId).toBe(ATTRIBUTION.none);
});

test("of two that assumed one role session the token says which", () => {
  const facts = [
    fact(NOON, link("cred:k1", `role:${ROLE}`), link("cred:k1", "sa:sa-a"), link(`role:${ROLE}`, "sa:sa-a")),
    fact(NOON + MINUTE, link("cred:k2", `role:${ROLE}`), link("cred:k2", "sa:sa-b"), link(`role:${ROLE}`, "sa:sa-b")),
  ];
  const call = (changes: Partial<Event>) => event("infra_change", NOON + 2 * MINUTE, { roleUid: ROLE, ...changes });
  expect(decided(facts, call({}))).toMatchObject({ attributionId: ATTRIBUTION.shared, agents: ["a", "b"], attributionConfidence: 20 });
  expect(decided(facts, call({ credentialUid: "k2" })).agentUid).toBe("b");
});

test("a sub-agent that its token says was spawned by a known agent is that agent's, at once and with the chain", () => {
  const chain = [link("agent:sub-sub", "agent:sub"), link("agent:sub", "client:ca")];
  const call = event("agent_api", NOON, { agentNative: "sub-sub", links: chain.map(linkText) });
  expect(who(ingested(call))).toEqual(["a", 65]);
  expect(call.attributionId).toBe(ATTRIBUTION.observed);
  // What it does elsewhere under its own name is found by what its token said.
  expect(who(decided([call], event("process", NOON + MINUTE, { agentNative: "sub" })))).toEqual(["a", 70]);
});

test("a new credential that a known agent used at the gateway is its own, for a day", () => {
  const use = event("agent_api", NOON, { clientUid: "ca", credentialUid: "rotated" });
  const after = (time: number) => who(decided([use], event("agent_api", time, { credentialUid: "rotated" })));
  expect(after(NOON + 23 * 60 * MINUTE)).toEqual(["a", 60]);
  expect(after(NOON + 25 * 60 * MINUTE)).toEqual([undefined, undefined]);
  expect(after(NOON - MINUTE)).toEqual([undefined, undefined]);
});

test("a workload that was seen behind an address explains it only for a while, and what was issued beats what was seen", () => {
  const seen = fact(NOON, link("ip:10.0.0.1", "spiffe:spiffe://x/a"), link("spiffe:spiffe://x/a", "sa:sa-a"));
  const flow = (time: number) => event("egress", time, { srcIp: "10.0.0.1", dstHost: "good.example" });
  expect(who(decided([seen], flow(NOON + 4 * MINUTE)))).toEqual(["a", 55]);
  expect(decided([seen], flow(NOON + 6 * MINUTE)).attributionId).toBe(ATTRIBUTION.none);
  const given = fact(NOON - MINUTE, link("ip:10.0.0.1", "pod:p"), link("pod:p", "sa:sa-b"));
  expect(who(decided([seen, given], flow(NOON + 4 * MINUTE)))).toEqual(["b", 75]);
});

test("an agent that was seen at an address before it changed hands did not send what was sent after", () => {
  const seen = event("agent_api", NOON, { clientUid: "ca", srcIp: "10.0.0.1" });
  const given = fact(NOON + MINUTE, link("ip:10.0.0.1", "pod:somebody-else"));
  const flow = event("egress", NOON + 2 * MINUTE, { srcIp: "10.0.0.1", dstHost: "good.example" });
  expect(who(decided([seen], { ...flow }))).toEqual(["a", 60]);
  expect(decided([seen, given], { ...flow }).attributionId).toBe(ATTRIBUTION.none);
});

test("only what all candidates agree on is judged", () => {
  const facts = ["ca", "cb"].map((clientUid) => event("agent_api", NOON, { clientUid, srcIp: "10.0.0.1" }));
  const flow = (dstHost: string) => decided(facts, event("egress", NOON, { srcIp: "10.0.0.1", dstHost, region: "eu" }));
  expect(flow("bad.example")).toMatchObject({ agents: ["a", "b"], dstAllowed: false, regionDeclared: true, agentState: "active" });
  expect(flow("good.example")).toMatchObject({ agents: ["a", "b"], dstAllowed: undefined, agentRole: undefined, agentName: undefined });
});

test("an address never says whose a sign-in or a gateway call is, whatever is bound to it", () => {
  const facts = [
    fact(NOON, link("ip:10.0.0.1", "pod:p"), link("pod:p", "sa:sa-a"), link("cred:k", "ip:10.0.0.1")),
    event("agent_api", NOON, { clientUid: "ca", srcIp: "10.0.0.1" }),
  ];
  const found = CATEGORIES.filter((category) => decided(facts, event(category, NOON, { srcIp: "10.0.0.1", credentialUid: "k" })).agentUid);
  expect(found).toEqual(["egress", "dns", "process", "file"]);
});

test("people, the system and events without a key wait for nothing, and no binding gives them to an agent", () => {
  const names = resolver(registry);
  names.push([fact(NOON, link("session:s", "client:ca"), link("cred:k", "client:ca"))]);
  const passing = [
    event("authentication", NOON, { userTypeId: 1, sessionUid: "s", userUid: "eva" }),
    event("authentication", NOON, { userTypeId: 2, credentialUid: "k" }),
    event("infra_change", NOON, { userTypeId: 3, credentialUid: "k" }),
    event("infra_change", NOON, { userTypeId: 4, serviceAccount: "system:serviceaccount:kube-system:job-controller" }),
    event("agent_api", NOON, { srcIp: "10.0.0.1", userUid: "eva" }),
    event("agent_api", NOON, { clientUid: "ca", credentialUid: "k" }),
  ].map(ingested);
  expect(names.push(passing)).toEqual(passing);
  expect(passing.map(({ agentUid }) => agentUid)).toEqual([undefined, undefined, undefined, undefined, undefined, "a"]);
  expect(names.push([event("authentication", NOON, { sessionUid: "s" })])).toEqual([]);
});

test("circles, chains without end and keys of a crowd lead to nobody", () => {
  const circle = fact(NOON, link("agent:x", "agent:y"), link("agent:y", "agent:x"));
  expect(decided([circle], event("process", NOON, { agentNative: "x" })).attributionId).toBe(ATTRIBUTION.none);
  const chain = fact(NOON, ...[0, 1, 2, 3].map((index) => link(`agent:s${index}`, `agent:s${index + 1}`)), link("agent:s4", "client:ca"));
  expect(decided([chain], event("process", NOON, { agentNative: "s0" })).attributionId).toBe(ATTRIBUTION.none);
  expect(decided([chain], event("process", NOON, { agentNative: "s1" })).agentUid).toBe("a");
  const crowd = directory(Array.from({ length: 65 }, (_, index) => agent(`a${index}`, { keys: [key("client", `c${index}`)] })));
  const names = resolver(crowd);
  const flow = event("egress", NOON, { srcIp: "10.0.0.1", dstHost: "x.example" });
  for (let index = 0; index < 65; index++) {
    const call = event("agent_api", NOON, { clientUid: `c${index}`, srcIp: "10.0.0.1" });
    attribute(call, crowd);
    names.push([call]);
  }
  names.push([flow]);
  names.advance(Infinity);
  expect(flow.attributionId).toBe(ATTRIBUTION.none);
});

test("an agent that the registry knows as a client is known by the name that the gateway calls that client, and so are those that it spawned", () => {
  const own = (changes: Partial<Event> = {}) => ingested(event("agent_api", NOON, { clientUid: "ca", agentNative: "planner", ...changes }));
  const spawned = fact(NOON + SECOND, link("agent:sub", "agent:planner"), link("agent:planner", "client:cb"));
  const call = () => event("process", NOON + MINUTE, { agentNative: "sub" });
  expect(who(decided([own(), spawned], call()))).toEqual(["a", 55]);
  expect(who(decided([spawned, own()], call()))).toEqual(["a", 55]);
  expect(who(decided([own()], event("process", NOON + MINUTE, { agentNative: "planner" })))).toEqual(["a", 60]);
  // A name in a record of another kind, or of a caller who is known by something else, is what somebody said.
  const other = (one: Event) => decided([one], event("process", NOON + MINUTE, { agentNative: "planner" })).attributionId;
  expect(other(ingested(event("egress", NOON, { clientUid: "ca", agentNative: "planner" })))).toBe(ATTRIBUTION.none);
  expect(other(own({ clientUid: undefined, serviceAccount: "sa-a" }))).toBe(ATTRIBUTION.none);
  expect(other(own({ clientUid: "nobody", serviceAccount: "sa-a" }))).toBe(ATTRIBUTION.none);
});
