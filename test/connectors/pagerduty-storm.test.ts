import { afterAll, beforeAll, expect, test } from "vitest";
import pagerduty from "../../connectors/pagerduty/pagerduty.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import { INCIDENT_STATUS, type Incident } from "../../src/core/incident.ts";
import { deliverer } from "../../src/pipeline/deliver.ts";
import { route, type RunningDestination } from "../../src/pipeline/route.ts";
import { PAGERDUTY_DEMO_KEY, startPagerdutySimulator, type PagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { incidentSubject, ruleInfo, STORY_TIME } from "../fixtures/subjects.ts";
import { EVERYTHING, memoryStore, NOTHING_KNOWN, testClock, testMeter, type TestStore } from "../pipeline/world.ts";
import { directory } from "../../src/core/identity/directory.ts";

const SECOND = 1000;
const clock = testClock(STORY_TIME + 600 * SECOND);
let memory: TestStore;
let simulator: PagerdutySimulator;
let to: RunningDestination;
beforeAll(async () => {
  memory = await memoryStore();
  simulator = await startPagerdutySimulator({ now: () => clock.now() });
  const options = pagerduty.config.parse({ routingKey: testSecret(PAGERDUTY_DEMO_KEY), endpoint: simulator.url });
  to = {
    id: "pagerduty/oncall",
    connector: pagerduty as never,
    destination: pagerduty.destination!(options),
    when: EVERYTHING,
    maxAttempts: 3,
    disableAfterMs: Infinity,
    concurrency: 4,
    context: { ...testContext().context, clock },
  };
});
afterAll(async () => {
  await simulator.close();
  await memory.store.close();
});

const incident = (index: number, changes: Partial<Incident> = {}): Incident => ({
  ...incidentSubject().incident,
  id: `incident-${String(index).padStart(3, "0")}`,
  revision: 1,
  level: "high",
  ...changes,
});
async function happen(list: readonly Incident[]): Promise<void> {
  await memory.store.transaction(async (tx) => {
    await tx.saveIncidents(list);
    await tx.addDeliveries(route([to], { alerts: [], incidents: list, events: new Map() }, NOTHING_KNOWN, clock.now()));
  });
}
/** Each second a job, as the relay asks for; every job is a process of its own every `restartAfter` seconds. */
async function run(seconds: number, restartAfter: number): Promise<void> {
  const start = () =>
    deliverer({
      store: memory.store,
      now: () => clock.now(),
      meter: testMeter(),
      context: to.context,
      sha256,
      rule: () => ruleInfo(),
      registry: () => directory([]),
    });
  let delivery = start();
  for (let second = 0; second < seconds; second++) {
    if (second % restartAfter === restartAfter - 1) delivery = start();
    await delivery.run(to, new AbortController().signal);
    clock.move(SECOND);
  }
}
const shown = () => {
  const digests = simulator.received().filter(({ dedupKey }) => dedupKey.startsWith("digest-"));
  return { digests, own: simulator.received().filter(({ dedupKey }) => !dedupKey.startsWith("digest-")) };
};

test("a storm of 60 incidents opens 20 pages, two critical ones and a digest; when all are over, nothing stays open", async () => {
  const storm = Array.from({ length: 60 }, (_, index) => incident(index, index === 30 || index === 50 ? { level: "critical" } : {}));
  await happen(storm.slice(0, 40));
  await run(40, 1000);
  await happen(storm.slice(40));
  await run(40, 1000);
  expect(shown().own).toHaveLength(21);
  expect(shown().own.filter(({ payload }) => payload["severity"] === "critical")).toHaveLength(2);
  expect(shown().digests).toHaveLength(1);
  expect(shown().digests[0]).toMatchObject({
    status: "triggered",
    payload: { custom_details: { incidents: 39, open: 39, by_level: ["39 × high"] } },
  });
  expect(simulator.requests(), "no 429 on the way").toBe(simulator.events().length);

  await happen(storm.map((one) => ({ ...one, revision: 2, status: INCIDENT_STATUS.resolved })));
  await run(60, 20);
  expect(simulator.received().map(({ status }) => status)).toEqual(simulator.received().map(() => "resolved"));
  expect(simulator.received()).toHaveLength(22);
  expect(simulator.dropped()).toBe(0);
  const rows = await memory.store.deliveries();
  expect(rows.every(({ status }) => status === "delivered")).toBe(true);
  expect(rows.filter(({ note }) => note?.startsWith("folded into digest-") === true)).toHaveLength(78);
});
