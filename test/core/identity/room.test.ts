import { expect, test } from "vitest";
import { bindings, type Bindings } from "../../../src/core/identity/bindings.ts";
import { graph } from "../../../src/core/identity/graph.ts";
import { linkText, type KeyText } from "../../../src/core/identity/links.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { attribute } from "../../../src/core/identity/attribute.ts";
import { ROOM } from "../../../src/core/identity/room.ts";
import { agent, event, key, NOON } from "./agents.ts";

const HOUR = 3_600_000;
const holders = (links: Bindings, one: KeyText): readonly string[] => links.at(one, NOON).map(({ to }) => to);
function claim(links: Bindings, teller: string | undefined, from: KeyText, to: KeyText, time = NOON): void {
  links.add({ from, to, until: Infinity, ends: false }, time, "uid", teller);
}

test("what callers claim goes before what was issued, and that before pods and addresses, however long ago those were told of", () => {
  const links = bindings({ ...ROOM, marks: 10 });
  claim(links, undefined, "ip:10.0.0.1", "pod:a");
  claim(links, undefined, "pod:a", "sa:a");
  claim(links, undefined, "cred:k", "sa:a");
  for (const kind of ["agent", "session", "run", "client", "user"] as const)
    for (let index = 0; index < 10; index++) claim(links, undefined, `${kind}:${index}`, "agent:a");
  expect([links.size, links.evicted]).toEqual([10, 43]);
  expect([holders(links, "ip:10.0.0.1"), holders(links, "pod:a"), holders(links, "cred:k")]).toEqual([["pod:a"], ["sa:a"], ["sa:a"]]);
  for (let index = 0; index < 20; index++) claim(links, undefined, `cred:${index}`, "sa:a");
  expect([holders(links, "ip:10.0.0.1"), holders(links, "pod:a"), holders(links, "cred:k")]).toEqual([["pod:a"], ["sa:a"], []]);
});

test("a caller who claims too much loses his own claims, those told of longest ago first", () => {
  const links = bindings({ ...ROOM, marksOfOne: 5 });
  claim(links, "victim", "agent:sub", "agent:victim");
  for (let index = 0; index < 20; index++) {
    claim(links, "mallory", "agent:kept", "agent:mallory");
    claim(links, "mallory", `agent:${index}`, "agent:mallory");
  }
  expect([links.size, links.evicted]).toEqual([6, 16]);
  expect(holders(links, "agent:sub")).toEqual(["agent:victim"]);
  expect(holders(links, "agent:kept")).toEqual(["agent:mallory"]);
  expect([holders(links, "agent:15"), holders(links, "agent:16")]).toEqual([[], ["agent:mallory"]]);
});

test("what others told of, too, is the share of whoever told of it last", () => {
  const links = bindings({ ...ROOM, marksOfOne: 3 });
  claim(links, "mallory", "agent:sub", "agent:victim");
  claim(links, "victim", "agent:sub", "agent:victim");
  for (let index = 0; index < 20; index++) claim(links, "mallory", `agent:${index}`, "agent:mallory");
  expect(holders(links, "agent:sub")).toEqual(["agent:victim"]);
});

test("a share counts tellings, not keys, and what is forgotten or left out no longer", () => {
  const links = bindings({ ...ROOM, marksOfOne: 4 });
  const each = (from: KeyText, hours: readonly number[]): void => {
    for (const hour of hours) claim(links, "a", from, "agent:a", NOON + hour * HOUR);
  };
  each("agent:one", [0, 1, 2, 3]);
  links.settle(NOON + 3 * HOUR);
  // The first and the last of four say all of them.
  expect(links.size).toBe(2);
  each("agent:two", [3, 3.5]);
  expect([links.size, links.evicted]).toEqual([4, 0]);
  each("agent:three", [4]);
  expect([links.size, links.evicted]).toEqual([3, 2]);
  links.prune(NOON + 100 * HOUR);
  expect(links.size).toBe(0);
  each("agent:four", [100, 101, 102, 103]);
  expect([links.size, links.evicted]).toEqual([4, 2]);
});

test("long names are bounded by their characters", () => {
  const links = bindings({ ...ROOM, chars: 10_000 });
  for (let index = 0; index < 100; index++) claim(links, undefined, `agent:${String(index).padStart(480, "0")}`, "agent:a");
  expect(links.size).toBe(Math.floor(10_000 / (486 + 7)));
  links.prune(NOON + 100 * HOUR);
  for (let index = 0; index < 20; index++)
    claim(links, undefined, `agent:${String(index).padStart(480, "0")}`, "agent:a", NOON + 100 * HOUR);
  expect(links.size).toBe(20);
});

test("one agent's calls with invented sub-agents take nothing from the others", () => {
  const registry = directory([agent("mallory", { keys: [key("client", "mallory")] })]);
  const known = graph(registry, true);
  const tell = (time: number, changes: Parameters<typeof event>[2]): void => {
    const one = event("agent_api", time, changes);
    attribute(one, registry);
    known.learn(one);
  };
  tell(NOON, { clientUid: "c", links: [linkText({ from: "agent:sub", to: "agent:victim" })] });
  for (let call = 0; call < 3000; call++) {
    const links = Array.from({ length: 8 }, (_, index) => linkText({ from: `agent:m${call}-${index}`, to: `agent:m${call}-${index + 1}` }));
    // Another credential for each call does not make it somebody else's.
    tell(NOON + call, { clientUid: "mallory", credentialUid: `k${call}`, links });
  }
  expect(known.at("agent:sub", NOON)).toMatchObject([{ to: "agent:victim" }]);
  // Each credential is a fact, too.
  const links = known.size - 3000;
  expect(links + known.evicted).toBe(3000 * 8 + 1);
  expect(links).toBeLessThanOrEqual(ROOM.marksOfOne + 1);
  expect(links).toBeGreaterThan(ROOM.marksOfOne * 0.9);
});
