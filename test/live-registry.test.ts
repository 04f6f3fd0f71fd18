/** A registry that follows real files: when a change is taken, what is kept, what is said about it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { readRegistry, stampRegistry } from "../src/config/registry-files.ts";
import { CLASS } from "../src/core/event.ts";
import { linkText } from "../src/core/identity/links.ts";
import { resolver } from "../src/core/identity/resolver.ts";
import { newEvent } from "../src/core/new-event.ts";
import { liveRegistry, type LiveRegistry } from "../src/live-registry.ts";
import { testLog, testMeter } from "./pipeline/world.ts";

const NOON = Date.UTC(2026, 2, 31, 12);
const home = mkdtempSync(join(tmpdir(), "custodes-live-registry-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
let directory: string;
let count = 0;
beforeEach(() => {
  directory = join(home, String(count++));
  mkdirSync(directory);
});
const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
const agents = (text: string): string => `version: 1\nagents: ${text}\n`;

interface Followed extends LiveRegistry {
  readonly log: ReturnType<typeof testLog>;
  readonly meter: ReturnType<typeof testMeter>;
  ids(): readonly string[];
  /** Looks until a change has settled. */
  settle(): Promise<void>;
  /** Lets a step of correlation end. */
  step(): void;
}

async function follow(): Promise<Followed> {
  const log = testLog();
  const meter = testMeter();
  const waiting: (() => void)[] = [];
  let now = Date.UTC(2026, 10, 20, 3);
  const live = liveRegistry({
    first: readRegistry([directory]).agents,
    stamp: await stampRegistry([directory]),
    now: () => (now += 1000),
    log,
    meter,
    look: () => stampRegistry([directory]),
    read: () => readRegistry([directory]),
    between: (take) => void waiting.push(take),
  });
  return {
    ...live,
    log,
    meter,
    ids: () => live.directory.agents.map(({ id }) => id),
    async settle() {
      await live.look();
      await live.look();
    },
    step() {
      for (const take of waiting.splice(0)) take();
    },
  };
}

test("a change is taken whole, when two looks saw the same, and between two steps", async () => {
  write("a.yaml", agents("[{id: a, identities: {okta_client_id: c1}}]"));
  const live = await follow();
  const before = live.directory;
  write("a.yaml", agents("[{id: a, identities: {okta_client_id: c2}}, {id: b}]"));
  await live.look();
  live.step();
  expect(live.ids()).toEqual(["a"]);
  await live.look();
  expect(live.ids()).toEqual(["a"]);
  live.step();
  expect(live.ids()).toEqual(["a", "b"]);
  // Whoever holds the registry asks the new one.
  expect(before.byKey("client", "c2", 0).map(({ id }) => id)).toEqual(["a"]);
  expect(before.byKey("client", "c1", 0)).toEqual([]);
  expect([before.byId("b")?.id, before.byPod("x"), before.byIp("10.0.0.1", 0)]).toEqual(["b", [], []]);
  expect(live.log.lines).toEqual([expect.stringMatching(/registry changed.*"added":\["b"\],"changed":\["a"\],"removed":\[\]/)]);
  expect(live.health()[0]).toMatchObject({ ok: true, message: expect.stringMatching(/^2 agents, loaded /) });
});

test("a file that is wrong keeps the older registry, is told once, and yellow until it is mended", async () => {
  write("a.yaml", agents("[{id: a}]"));
  const live = await follow();
  write("a.yaml", "version: 1\nagents:\n  - id: a\n    ownr: x\n");
  await live.settle();
  live.step();
  expect(live.ids()).toEqual(["a"]);
  expect(live.health()[0]!.ok).toBe(false);
  expect(live.health()[0]!.message).toMatch(
    /1 agent, loaded .*; .*a\.yaml:4: agents\.0\.ownr: unknown key; did you mean "owner"\?; the older registry is kept$/,
  );
  await live.reload();
  await live.settle();
  expect(live.log.lines.filter((line) => line.includes("the older one is kept"))).toHaveLength(1);
  write("a.yaml", agents("[{id: a}, {id: b}]"));
  await live.settle();
  live.step();
  expect([live.health()[0]!.ok, live.ids()]).toEqual([true, ["a", "b"]]);
});

test("a file that is mended back to what it was heals, and changes nothing", async () => {
  write("a.yaml", agents("[{id: a}]"));
  const live = await follow();
  write("a.yaml", "version: 1\nagents: [\n");
  await live.settle();
  write("a.yaml", agents("[{id: a}]  "));
  await live.settle();
  expect(live.health()[0]!.ok).toBe(true);
  expect(live.log.lines.at(-1)).toMatch(/says the same/);
});

test("a file that vanishes keeps its agents", async () => {
  write("a.yaml", agents("[{id: a}]"));
  const live = await follow();
  rmSync(join(directory, "a.yaml"));
  await live.settle();
  live.step();
  expect(live.ids()).toEqual(["a"]);
  expect(live.health()[0]!.message).toMatch(/is a directory without \*\.yaml/);
});

test("files that never rest are read all the same", async () => {
  write("a.yaml", agents("[{id: a}]"));
  const live = await follow();
  for (let look = 0; look < 30; look++) {
    write("a.yaml", agents(`[{id: a}, {id: b${look}}]`));
    await live.look();
    live.step();
  }
  expect(live.ids().length).toBe(2);
});

test("an event that waits is decided by the registry that is at work when its waiting ends", async () => {
  write("a.yaml", agents("[{id: a}]"));
  const live = await follow();
  const graph = resolver(live.directory);
  const link = linkText({ from: "cred:k", to: "sa:system:serviceaccount:ns:bot" });
  const told = Object.assign(newEvent("l", NOON, "authentication", CLASS.authentication, 3), { links: [link], userTypeId: 3 });
  const [early, late] = ["e", "f"].map((uid, index) => {
    const event = newEvent(uid, NOON + index * 60_000, "infra_change", CLASS.apiActivity, 1);
    return Object.assign(event, { credentialUid: "k" });
  });
  graph.push([told, early!, late!]);
  graph.advance(NOON + 30_000);
  write("a.yaml", agents("[{id: a, identities: {k8s_service_account: 'system:serviceaccount:ns:bot'}}]"));
  await live.settle();
  live.step();
  graph.advance(NOON + 120_000);
  expect([early!.agentUid, late!.agentUid]).toEqual([undefined, "a"]);
});
