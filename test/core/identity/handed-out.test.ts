import { expect, test } from "vitest";
import type { Event } from "../../../src/core/event.ts";
import { attribute } from "../../../src/core/identity/attribute.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { linkText, type KeyText } from "../../../src/core/identity/links.ts";
import { HANDED_OUT_MS } from "../../../src/core/identity/reach.ts";
import { resolver } from "../../../src/core/identity/resolver.ts";
import { agent, event, key, NOON } from "./agents.ts";

const MINUTE = 60_000;
const registry = directory(["a", "b"].map((id) => agent(id, { keys: [key("serviceAccount", `sa-${id}`)] })));
const link = (minute: number, from: KeyText, to: KeyText, endMinute: number): Event => {
  const text = linkText({ from, to, until: NOON + endMinute * MINUTE });
  return event("authentication", NOON + minute * MINUTE, { links: [text], userTypeId: 3 });
};
const call = (minute: number, keys: Partial<Event>): Event => event("infra_change", NOON + minute * MINUTE, keys);

function decide(...events: readonly Event[]): void {
  const graph = resolver(registry);
  for (const one of events.toSorted((a, b) => a.time - b.time)) {
    attribute(one, registry);
    graph.push([one]);
    graph.advance(one.time - MINUTE);
  }
  graph.advance(Infinity);
}

test("a session that was taken belongs to who took it, also when what it was taken with is over", () => {
  const late = call(30, { credentialUid: "new" });
  const over = call(30, { credentialUid: "old" });
  decide(link(0, "cred:old", "sa:sa-a", 10), link(5, "cred:new", "cred:old", 60), late, over);
  expect([late.agentUid, over.agentUid]).toEqual(["a", undefined]);
});

test("of a session name that several take, the credential tells whose call it is", () => {
  const calls = ["a", "b"].map((id) => call(30, { credentialUid: `new-${id}`, roleUid: "shared" }));
  const taken = ["a", "b"].flatMap((id) => [
    link(0, `cred:old-${id}`, `sa:sa-${id}`, 10),
    link(0, `role:own-${id}`, `sa:sa-${id}`, 10),
    link(5, `cred:new-${id}`, `cred:old-${id}`, 60),
    link(5, `cred:new-${id}`, "role:shared", 60),
    link(5, "role:shared", `role:own-${id}`, 60),
  ]);
  decide(...taken, ...calls);
  expect(calls.map(({ agentUid }) => agentUid)).toEqual(["a", "b"]);
});

test("it is not asked for ever", () => {
  const far = HANDED_OUT_MS / MINUTE;
  const late = call(far + 10, { credentialUid: "new" });
  decide(link(0, "cred:old", "sa:sa-a", 4), link(1, "cred:new", "cred:old", far + 60), late);
  expect(late.agentUid).toBeUndefined();
});

test("an address that changes hands between an agent's pod and another's is nobody's while it does", () => {
  const flow = (minute: number): Event => event("egress", NOON + minute * MINUTE, { srcIp: "10.1.2.3", dstHost: "x.example" });
  const [before, between, after] = [flow(4), flow(5), flow(6)];
  const assigned = (minute: number, pod: string): Event =>
    event("infra_change", NOON + minute * MINUTE, { userTypeId: 3, links: [linkText({ from: "ip:10.1.2.3", to: `pod:${pod}` })] });
  // A call of the agent through the gateway, just before: what was seen there does not decide it either.
  const sight = event("agent_api", NOON + 5 * MINUTE - 2000, { serviceAccount: "sa-a", srcIp: "10.1.2.3" });
  const pods = [link(0, "pod:p-a", "sa:sa-a", 99), link(0, "pod:p-x", "sa:sa-x", 99)];
  decide(...pods, assigned(0, "p-a"), assigned(5, "p-x"), sight, before, between, after);
  expect([before, between, after].map(({ agentUid }) => agentUid)).toEqual(["a", undefined, undefined]);
});

test("of a session name that an agent and somebody else take, the agent is not named", () => {
  const someone = call(30, { roleUid: "shared" });
  const taken = [link(0, "role:own-a", "sa:sa-a", 99), link(5, "role:shared", "role:own-a", 60), link(5, "role:shared", "role:person", 60)];
  decide(...taken, someone);
  expect([someone.agentUid, someone.agents]).toEqual([undefined, undefined]);
});

test("without a registry nothing waits for an agent", () => {
  const one = call(0, { credentialUid: "k" });
  expect(resolver(directory([])).push([one])).toEqual([one]);
  expect(resolver(registry).push([one])).toEqual([]);
});
