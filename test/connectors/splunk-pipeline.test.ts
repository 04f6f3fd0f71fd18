/** Splunk's acknowledgement through the real outbox: whoever crashes in between, nothing is lost, and repeats carry the same key. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MODELS } from "../../connectors/splunk/models.ts";
import splunk from "../../connectors/splunk/splunk.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { deliverer } from "../../src/pipeline/deliver.ts";
import { deliveryKey, type RunningDestination } from "../../src/pipeline/route.ts";
import type { Connector } from "../../src/ports/connector.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator, type SplunkSimulatorOptions } from "../../src/simulators/splunk.ts";
import { testSecret } from "../fixtures/context.ts";
import { testClient } from "../fixtures/http.ts";
import { ruleInfo } from "../fixtures/subjects.ts";
import { ids, put, rows, store } from "../pipeline/outbox.ts";
import { FULL } from "./splunk-events.ts";
import { EVERYTHING, offline, testClock, testLog, testMeter, type TestClock } from "../pipeline/world.ts";

const NAME = "splunk/main";
const ASK_MS = 10_000;
const GIVEN_UP_MS = 300_000;

let simulator: SplunkSimulator;
let clock: TestClock;
const simulate = async (options: SplunkSimulatorOptions = {}): Promise<void> => {
  await simulator.close();
  simulator = await startSplunkSimulator({ useAck: true, indexing: "by-hand", ...options });
};
beforeEach(async () => {
  clock = testClock();
  simulator = await startSplunkSimulator({ useAck: true, indexing: "by-hand" });
});
afterEach(() => simulator.close());

/** A process of the service: what it keeps in memory ends with it. */
function service(changes: object = {}, batchItems = 500) {
  const settings = splunk.config.parse({ url: simulator.url, token: testSecret(SPLUNK_DEMO_TOKEN), acknowledge: true, ...changes });
  const destination = splunk.destination!(settings);
  const context = { ...offline(clock, testLog()), http: testClient({ timeout: 5_000 }) };
  const meter = testMeter();
  const to: RunningDestination = {
    id: NAME,
    connector: splunk as Connector,
    destination: { ...destination, limits: { ...destination.limits, batchItems } },
    when: EVERYTHING,
    maxAttempts: 24,
    disableAfterMs: Infinity,
    concurrency: 8,
    context,
  };
  const delivery = deliverer({
    store,
    now: () => clock.now(),
    meter,
    context,
    sha256,
    rule: () => ruleInfo(),
    registry: () => directory([]),
  });
  return { meter, hold: () => delivery.hold(NAME), run: () => delivery.run(to, new AbortController().signal) };
}

const statuses = async (): Promise<string[]> => [...new Set(Object.values(await rows()).map(({ status }) => status))];
/** How often each delivery key is at the collector. */
function copies(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { fields } of simulator.accepted()) {
    const key = String(fields?.["custodes_dedup"]);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
const keysOf = (count: number): string[] => ids(count).map((id) => `${NAME}:alert:${id}:1`);

describe("a delivery to Splunk with acknowledgement", () => {
  test("is delivered when its indexer has it, one question for many requests", async () => {
    await put(ids(9), NAME);
    const { run, meter } = service({}, 3);
    await run();
    expect(await statuses()).toEqual(["pending"]);
    expect(simulator.accepted()).toHaveLength(9);
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["pending"]);
    simulator.index();
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["delivered"]);
    expect(simulator.asked().map(({ acks }) => acks)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(Object.values(copies())).toEqual(Array(9).fill(1));
    expect((await store.deliveries()).map(({ note }) => note)).toContain("hec:ack:2");
    expect(meter.value("deliveries_total", { destination: NAME, result: "delivered" })).toBe(9);
  });

  test("is asked about by the next process with the tickets of the one before", async () => {
    await put(ids(4), NAME);
    await service().run();
    simulator.index();
    clock.move(ASK_MS);
    await service().run();
    expect(await statuses()).toEqual(["delivered"]);
    expect(Object.values(copies())).toEqual([1, 1, 1, 1]);
  });

  test("is sent again with the same key when it is not acknowledged for five minutes", async () => {
    await put(ids(3), NAME);
    const { run } = service();
    for (let waited = 0; waited < GIVEN_UP_MS; waited += ASK_MS) {
      await run();
      clock.move(ASK_MS);
    }
    expect(Object.values(copies())).toEqual([1, 1, 1]);
    await run();
    expect(copies()).toEqual(Object.fromEntries(keysOf(3).map((key) => [key, 2])));
    simulator.index();
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["delivered"]);
    expect((await rows())["a0000"]?.attempts).toBe(2);
  });

  test("is not lost when the indexer dies with it in memory", async () => {
    await put(ids(5), NAME);
    const { run } = service();
    await run();
    simulator.crash();
    expect(simulator.accepted()).toEqual([]);
    for (let waited = 0; waited <= GIVEN_UP_MS; waited += ASK_MS) {
      clock.move(ASK_MS);
      await run();
      simulator.index();
    }
    expect(await statuses()).toEqual(["delivered"]);
    expect(copies()).toEqual(Object.fromEntries(keysOf(5).map((key) => [key, 1])));
  });

  test("is not lost when we die after it was taken and before the ticket is stored", async () => {
    await put(ids(2), NAME);
    simulator.fail({ connection: "reset", stored: true });
    const dying = service();
    await dying.run();
    expect(simulator.accepted()).toHaveLength(2);
    expect((await store.deliveries()).map(({ ticket }) => ticket)).toEqual([null, null]);
    clock.move(60_000);
    const next = service();
    await next.run();
    simulator.index();
    clock.move(ASK_MS);
    await next.run();
    expect(await statuses()).toEqual(["delivered"]);
    expect(copies()).toEqual(Object.fromEntries(keysOf(2).map((key) => [key, 2])));
  });

  test("is not lost when the one true answer is", async () => {
    await put(ids(2), NAME);
    const { run } = service();
    await run();
    simulator.index();
    simulator.failAck({ connection: "cut" });
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["pending"]);
    for (let waited = 0; waited <= GIVEN_UP_MS; waited += ASK_MS) {
      clock.move(ASK_MS);
      await run();
      simulator.index();
    }
    expect(await statuses()).toEqual(["delivered"]);
    expect(Object.values(copies())).toEqual([2, 2]);
  });

  test("that a bad neighbour stopped is sent again beside it, and the bad one alone is a dead letter", async () => {
    await put(ids(4), NAME);
    const { run } = service();
    simulator.fail({ code: 6, invalidEventNumber: 2 });
    await run();
    simulator.index();
    clock.move(ASK_MS);
    await run();
    await run();
    simulator.index();
    clock.move(ASK_MS);
    await run();
    const found = await rows();
    expect(ids(4).map((id) => found[id]?.status)).toEqual(["delivered", "delivered", "dead", "delivered"]);
    expect(await store.deadLetterBody(keysOf(4)[2]!)).toContain('"custodes_dedup":"splunk/main:alert:a0002:1"');
    // The two before it had been stored with the refused request.
    expect(Object.values(copies()).sort((a, b) => a - b)).toEqual([1, 2, 2]);
  });

  test("waits while the acknowledgement service is down, holds nothing back after it, and spends no attempt", async () => {
    await put(ids(3), NAME);
    const { run, hold } = service();
    await run();
    simulator.index();
    simulator.failAck({ code: 19, times: 3 });
    for (let round = 0; round < 3; round++) {
      clock.move(ASK_MS);
      await run();
      expect(hold()?.reason).toContain("HTTP_UNAVAILABLE");
    }
    clock.move(ASK_MS);
    await run();
    expect(hold()).toBeUndefined();
    expect(await statuses()).toEqual(["delivered"]);
    expect((await rows())["a0000"]?.attempts).toBe(1);
  });

  test("finds its node behind a load balancer", async () => {
    await simulate({ nodes: 3 });
    await put(ids(6), NAME);
    const { run } = service({ stickyCookie: "hecnode" }, 1);
    await run();
    simulator.index();
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["delivered"]);
    expect(Object.values(copies())).toEqual(Array(6).fill(1));
  });

  test("is delivered without a ticket, once, when the token's acknowledgement was disabled", async () => {
    await put(ids(2), NAME);
    const { run } = service();
    await run();
    simulator.change({ useAck: false });
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["delivered"]);
    expect(Object.values(copies())).toEqual([2, 2]);
  });

  test("can be of events, each in its model, beside the others", async () => {
    const events = Object.values(FULL);
    await store.transaction(async (tx) => {
      await tx.appendEvents("acme/main", events);
      await tx.addDeliveries(
        events.map(({ uid }) => ({
          key: deliveryKey(NAME, "event", uid, 1),
          destination: NAME,
          kind: "event" as const,
          subjectId: uid,
          revision: 1,
          dueTime: clock.now(),
          createdTime: clock.now(),
        })),
      );
    });
    await put(["a"], NAME);
    const { run } = service();
    await run();
    simulator.index();
    clock.move(ASK_MS);
    await run();
    expect(await statuses()).toEqual(["delivered"]);
    const models = Object.keys(MODELS).map((model) => `custodes:event:${model}`);
    expect(
      simulator
        .accepted()
        .map(({ sourcetype }) => sourcetype!)
        .sort(),
    ).toEqual(["custodes:alert", ...models].sort());
    for (const { uid } of events) expect(copies()[`${NAME}:event:${uid}:1`]).toBe(1);
  });

  // Fixed sequences of chance, so that a failure can be looked at.
  test.each([7, 42, 4711])("survives any order of crashes on both sides (%i)", async (seed) => {
    let state = seed;
    const chance = (): number => ((state = (state * 48_271) % 2_147_483_647), state / 2_147_483_647);
    const all = ids(120);
    let added = 0;
    let process = service({}, 2);
    for (let step = 0; step < 150; step++) {
      if (added < all.length && chance() < 0.7) await put(all.slice(added, (added += 2)), NAME);
      const dice = chance();
      if (dice < 0.1) {
        simulator.crash();
        // No Splunk starts faster.
        clock.move(ASK_MS);
      } else if (dice < 0.3) simulator.index();
      else if (dice < 0.35) process = service({}, 2);
      else if (dice < 0.4) simulator.fail({ connection: "reset", stored: chance() < 0.5 });
      else if (dice < 0.45) simulator.failAck({ connection: "cut" });
      clock.move(Math.floor(chance() * 15_000));
      await process.run();
    }
    for (let step = 0; step < 60; step++) {
      simulator.index();
      clock.move(30_000);
      await process.run();
    }
    simulator.crash();
    expect(await statuses()).toEqual(["delivered"]);
    expect(Object.keys(copies()).sort()).toEqual(keysOf(added));
    expect(added).toBe(all.length);
  });
});
