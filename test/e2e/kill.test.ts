/**
 * The service is killed again and again, at its start, while it pulls, correlates and delivers, and started again on
 * the same data directory. What it leaves behind is what an undisturbed run leaves behind.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dice, type Dice } from "../../src/demo/random.ts";
import { runService, until, untilDone, type Service } from "./service.ts";
import { deliveredRows, expectDelivered, pushDurably, undisturbed } from "./runs.ts";
import { snapshotOf, type Snapshot } from "./snapshot.ts";
import { makeDay, SECRETS, startWorld, type World } from "./world.ts";

const SEEDS = [1, 20, 300];
const KILLS_PER_ROUND = 7;
/** A moment that does not come (nothing left to deliver) is not waited for longer. */
const MOMENT_MAX_MS = 5000;
const day = makeDay();

/** Where a life of the process ends. */
const MOMENTS = ["startup", "running", "pulling", "correlating", "delivering"] as const;
type Moment = (typeof MOMENTS)[number];
const SIEMS = ["elastic", "splunk", "sentinel", "pagerduty"] as const;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves as soon as something holds, or the process ended, or the moment did not come. */
async function moment(service: Service, holds: () => boolean): Promise<void> {
  let over = false;
  void service.ended.then(() => (over = true));
  const end = performance.now() + MOMENT_MAX_MS;
  // A millisecond: the process must be hit between a request and what it does with the answer.
  while (!over && !holds() && performance.now() < end) await sleep(1);
}

async function killAt(at: Moment, service: Service, world: World, chance: Dice): Promise<void> {
  switch (at) {
    case "startup":
      await sleep(chance.between(0, 2500));
      break;
    case "running":
      await service.url;
      await sleep(chance.between(0, 1500));
      break;
    case "pulling": {
      const before = world.okta.requests();
      await moment(service, () => world.okta.requests() > before);
      await sleep(chance.between(0, 120));
      break;
    }
    case "correlating":
      await service.url;
      await until("a stored event", async () => (await service.ask<{ stored: number }>("progress")).stored > 0);
      await sleep(chance.between(0, 700));
      break;
    case "delivering": {
      const siem = world[chance.pick(SIEMS)];
      const target = siem.requests() + chance.between(1, 5);
      // The last of these requests is carried out and its answer never comes: the worst moment.
      siem.fail(...Array.from({ length: target - siem.requests() - 1 }, () => ({})), { connection: "hang", stored: true });
      await moment(service, () => siem.requests() >= target);
      while (siem.requests() < target) await disarm(siem.url);
    }
  }
  const { signal } = await service.kill();
  expect(signal, service.said()).toBe("SIGKILL");
}

/** Uses up a fault that no delivery met, with requests that no simulator accepts. */
async function disarm(url: string): Promise<void> {
  const paths = { "/_bulk": 1, "/services/collector/event": 1, "/v2/enqueue": 1 };
  await Promise.all(
    Object.keys(paths).map((path) => fetch(url + path, { method: "POST", signal: AbortSignal.timeout(50) }).catch(() => undefined)),
  );
}

let reference: Snapshot;
let referenceWorld: World;
beforeAll(async () => {
  referenceWorld = await startWorld(day);
  await undisturbed(referenceWorld);
  reference = await snapshotOf(referenceWorld.directory);
});
afterAll(() => referenceWorld.close());

test("an undisturbed run finds the story and delivers it", () => {
  expect(reference.alerts.length).toBeGreaterThan(15);
  expect(reference.alerts.filter((alert) => !alert.final)).toEqual([]);
  expect(reference.incidents.length).toBeGreaterThan(4);
  expect(new Set(reference.deliveries.map((row) => row.status))).toEqual(new Set(["delivered", "skipped"]));
  expect(reference.quarantine).toHaveLength(4);
  expectDelivered(reference, referenceWorld);
  expect(referenceWorld.splunk.accepted().length, "nothing is delivered twice").toBe(deliveredRows(reference, "splunk/soc").length);
  expect(referenceWorld.sentinel.received().length).toBe(deliveredRows(reference, "sentinel/soc").length);
});

describe.concurrent.each(SEEDS)("killed at random moments, seed %i", (seed) => {
  test("nothing is lost, doubled or different", async ({ expect: see }) => {
    const chance = dice(seed);
    const world = await startWorld(day);
    try {
      let service: Service | undefined;
      // Nothing is final before the push: it comes in time for the last lives to deliver what is.
      const pushing = chance.between(0, KILLS_PER_ROUND - 3);
      let pushed: Promise<void> | undefined;
      const plan: Moment[] = ["startup", "pulling", "correlating"];
      while (plan.length < KILLS_PER_ROUND - 2) plan.splice(chance.between(0, plan.length), 0, chance.pick(MOMENTS));
      plan.push("delivering", "delivering");
      for (const [life, at] of plan.entries()) {
        service = runService(world.config, SECRETS);
        if (life === pushing) pushed = pushDurably(world, () => service);
        // The push lets everything become final: that moment is worth a kill of its own.
        if (life === pushing && at !== "startup") await pushed;
        await killAt(life === pushing && at !== "startup" ? "correlating" : at, service, world, chance);
      }
      service = runService(world.config, SECRETS);
      await (pushed ??= pushDurably(world, () => service));
      await untilDone(service, world.sources);
      see(await service.stop()).toEqual({ code: 0, signal: null });
      const result = await snapshotOf(world.directory);

      see(result.uids).toEqual(reference.uids);
      see(result.alerts).toEqual(reference.alerts);
      see(result.incidents).toEqual(reference.incidents);
      see(result.quarantine).toEqual(reference.quarantine);
      for (const [source, expected] of reference.sources) {
        const { events, quarantined, duplicates } = result.sources.get(source)!;
        see({ source, events, quarantined }).toEqual({ source, events: expected.events, quarantined: expected.quarantined });
        // Only a sender that got no reply sends again; what is pulled moves its cursor together with its events.
        if (source !== "agent-findings/pushed") see({ source, duplicates }).toEqual({ source, duplicates: expected.duplicates });
        else see(duplicates % events).toBe(0);
      }
      see(new Set(result.deliveries.map((row) => row.status))).toEqual(new Set(["delivered", "skipped"]));
      expectDelivered(result, world);
    } finally {
      await world.close();
    }
  }, 240_000);
});
