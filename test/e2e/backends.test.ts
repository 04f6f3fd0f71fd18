/** The same day over real PostgreSQL and real Redis, by one process and by two: the same as embedded. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/adapters/postgres/open.ts";
import { required, startPostgres, startRedis } from "../servers/servers.ts";
import { deliveredRows, expectDelivered, pushDurably, undisturbed } from "./runs.ts";
import { runService, untilDone } from "./service.ts";
import { snapshotOf, snapshotStore, type Snapshot } from "./snapshot.ts";
import { makeDay, SECRETS, startWorld, type World } from "./world.ts";

const day = makeDay();
let embedded: Snapshot;
const started = await Promise.all([startPostgres(), startPostgres(), startRedis(), startRedis()]);
const [postgres, otherPostgres, redis, otherRedis] = started.map(required);
afterAll(async () => {
  for (const server of [postgres, otherPostgres, redis, otherRedis]) await server?.stop();
});

beforeAll(async () => {
  const world = await startWorld(day);
  try {
    await undisturbed(world);
    embedded = await snapshotOf(world.directory);
  } finally {
    await world.close();
  }
});

async function stored(url: string): Promise<Snapshot> {
  const { store } = await openStore({ kind: "postgres", url });
  try {
    return await snapshotStore(store);
  } finally {
    await store.close();
  }
}

function same(snapshot: Snapshot, world: World): void {
  expect(snapshot.uids).toEqual(embedded.uids);
  expect(snapshot.alerts).toEqual(embedded.alerts);
  expect(snapshot.incidents).toEqual(embedded.incidents);
  expect(snapshot.quarantine).toEqual(embedded.quarantine);
  expectDelivered(snapshot, world);
  expect(world.splunk.accepted(), "nothing is delivered twice").toHaveLength(deliveredRows(snapshot, "splunk/soc").length);
}

describe.skipIf(postgres === undefined || redis === undefined)("PostgreSQL and Redis", () => {
  test("one process: the same events, alerts and incidents as embedded", async () => {
    const world = await startWorld(day, { more: `store: "\${env:E2E_STORE}"\nqueue: "\${env:E2E_QUEUE}"` });
    try {
      await undisturbed(world, { E2E_STORE: postgres!.url, E2E_QUEUE: redis!.url });
      same(await stored(postgres!.url), world);
    } finally {
      await world.close();
    }
  }, 180_000);

  test("two processes side by side do the work once", async () => {
    const world = await startWorld(day, { more: `store: "\${env:E2E_STORE}"\nqueue: "\${env:E2E_QUEUE}"` });
    try {
      const environment = { ...SECRETS, E2E_STORE: otherPostgres!.url, E2E_QUEUE: otherRedis!.url };
      const [one, other] = [runService(world.config, environment), runService(world.config, environment)];
      await pushDurably(world, () => other);
      await untilDone(one, world.sources);
      expect(await Promise.all([one.stop(), other.stop()])).toEqual([
        { code: 0, signal: null },
        { code: 0, signal: null },
      ]);
      same(await stored(otherPostgres!.url), world);
    } finally {
      await world.close();
    }
  }, 180_000);
});
