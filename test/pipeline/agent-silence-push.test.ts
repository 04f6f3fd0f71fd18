/** B52 over a push source: what nobody could hear is no silence of the agent, and a heartbeat counts from when it was declared. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { directory, type Directory } from "../../src/core/identity/directory.ts";
import { ingest } from "../../src/pipeline/ingest.ts";
import { watcher } from "../../src/pipeline/watch.ts";
import { agent, key } from "../core/identity/agents.ts";
import { ingestDeps, located, memoryStore, running, sha256, START, testClock, testMeter, uuid5, type TestStore } from "./world.ts";

const SECOND = 1000;
let memory: TestStore;
beforeAll(async () => void (memory = await memoryStore()));
beforeEach(() => memory.empty());
afterAll(() => memory.store.close());

const HB = agent("hb", { keys: [key("client", "hb")], heartbeatMs: 60 * SECOND });
const OTHER = agent("other", { keys: [key("client", "other")] });

/** One push source; a look each ten seconds, as the service does it. */
function pushing(first = [HB, OTHER]) {
  const { store } = memory;
  const clock = testClock();
  const now = (): number => clock.now();
  const source = running(undefined, { latenessMs: 5 * SECOND });
  let current = directory(first);
  // As the service's: the same object for good.
  const registry: Directory = { ...current, byKey: (...args) => current.byKey(...args), byId: (id) => current.byId(id) };
  Object.defineProperty(registry, "agents", { get: () => current.agents });
  const start = () =>
    watcher({
      store,
      now,
      uuid5,
      sha256,
      startTime: now(),
      meter: testMeter(),
      sources: [source],
      destinations: [],
      deliverer: { hold: () => undefined },
      registry: () => registry,
      options: { alerts: true, gapAfter: 900 * SECOND, heldAfter: 900 * SECOND },
    });
  let watch = start();
  let count = 0;
  return {
    now,
    /** Agents push, then time passes with a look each ten seconds. */
    async push(clients: readonly string[], seconds: number) {
      const records = located(clients.map((client) => ({ id: `${client}${count++}`, time: now(), client })));
      const before = await store.source(source.id);
      const rest = { rejects: [], before, next: null, completeTo: now() - source.latenessMs, pushed: true };
      if (clients.length > 0) await ingest(ingestDeps(store, clock, testMeter(), registry), source, { records, ...rest });
      for (let passed = 0; passed < seconds; passed += 10) {
        clock.move(10 * SECOND);
        await watch.look();
      }
    },
    async often(clients: readonly string[], times: number) {
      for (let index = 0; index < times; index++) await this.push(clients, 10);
    },
    down: (seconds: number) => clock.move(seconds * SECOND),
    restart: () => void (watch = start()),
    declare: (agents: typeof first) => void (current = directory(agents)),
    silent: async () => (await store.conditions(0)).filter(({ rule }) => rule === "custodes-agent-silent"),
  };
}

test("an agent that stops while others push is silent since its last sign", async () => {
  const it = pushing();
  await it.often(["hb", "other"], 3);
  await it.often(["other"], 8);
  expect(await it.silent()).toMatchObject([{ entity: "hb", since: START + 20 * SECOND, ended: null }]);
});

test.each([
  ["told as an outage", 1200],
  ["shorter than the stall budget", 70],
])("nobody was heard, %s: the count begins again, and a heartbeat later the agent is silent", async (_, seconds) => {
  const it = pushing();
  await it.often(["hb", "other"], 3);
  await it.push([], seconds);
  const back = it.now();
  await it.often(["other"], 6);
  expect(await it.silent()).toEqual([]);
  await it.often(["other"], 3);
  expect(await it.silent()).toMatchObject([{ entity: "hb", since: back }]);
});

test("what was pushed while we were down is no silence, however short that was and whoever was heard first", async () => {
  for (const looksFirst of [true, false]) {
    await memory.empty();
    const it = pushing();
    await it.often(["hb", "other"], 3);
    it.down(50);
    it.restart();
    const back = it.now();
    if (looksFirst) await it.push([], 10);
    await it.often(["other"], 6);
    expect(await it.silent()).toEqual([]);
    await it.often(["other"], 2);
    expect(await it.silent()).toMatchObject([{ entity: "hb", since: back }]);
  }
});

test("a restart takes back nothing that was told", async () => {
  const it = pushing();
  await it.often(["hb", "other"], 3);
  await it.often(["other"], 8);
  it.down(100);
  it.restart();
  await it.often(["other"], 3);
  expect(await it.silent()).toMatchObject([{ since: START + 20 * SECOND, ended: null }]);
  await it.often(["hb"], 1);
  expect(await it.silent()).toMatchObject([{ ended: it.now() }]);
});

test("a heartbeat that is declared while the service runs counts from then, and signs of life are kept from then", async () => {
  const it = pushing([agent("hb", { keys: [key("client", "hb")] }), OTHER]);
  await it.often(["hb", "other"], 30);
  it.declare([HB, OTHER]);
  await it.often(["other"], 5);
  expect(await it.silent()).toEqual([]);
  await it.often(["hb", "other"], 4);
  await it.often(["other"], 3);
  expect(await it.silent()).toEqual([]);
  await it.often(["other"], 5);
  expect(await it.silent()).toHaveLength(1);
});
