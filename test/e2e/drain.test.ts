/** Stopping while the world does not answer. */
import { expect, test } from "vitest";
import { deliveredRows, expectDelivered, pushDurably } from "./runs.ts";
import { runService, until, untilDone } from "./service.ts";
import { snapshotOf } from "./snapshot.ts";
import { makeDay, SECRETS, startWorld } from "./world.ts";

test("a service whose vendors hang stops within seconds, and the next one does what was left, once", async () => {
  const world = await startWorld(makeDay());
  try {
    world.elastic.fail({ connection: "hang" });
    world.splunk.fail({ connection: "hang" });
    world.pagerduty.fail({ connection: "hang" });
    const first = runService(world.config, SECRETS);
    await pushDurably(world, () => first);
    await until("requests to all that hang", async () => [world.elastic, world.splunk, world.pagerduty].every((one) => one.requests() > 0));
    // Okta hangs as well, now that its day is read.
    const asked = world.okta.requests();
    world.okta.fault({ connection: "hang" });
    await until("a pull that hangs", async () => world.okta.requests() > asked);
    const started = performance.now();
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(first.said()).toBe("");
    expect(first.log().filter((line) => (line.level ?? 0) >= 50)).toEqual([]);

    const second = runService(world.config, SECRETS);
    await untilDone(second, world.sources);
    expect(await second.stop()).toEqual({ code: 0, signal: null });
    const snapshot = await snapshotOf(world.directory);
    expectDelivered(snapshot, world);
    expect(world.splunk.accepted(), "a request that was cut off left nothing there").toHaveLength(
      deliveredRows(snapshot, "splunk/soc").length,
    );
    expect(
      snapshot.deliveries.filter((row) => row.attempts > 1),
      "stopping costs no attempt",
    ).toEqual([]);
  } finally {
    await world.close();
  }
}, 240_000);
