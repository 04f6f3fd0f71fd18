/** A destination that fails: how long it is left alone, what a restart remembers, and when it is given up. */
import { beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import { holds, type Holds } from "../../src/pipeline/hold.ts";
import { all, empty, failure, ids, put, rows, setUp, store } from "./outbox.ts";
import { testClock, testLog, testMeter } from "./world.ts";

const DAY = 86_400_000;
const down = new Failure("503", { kind: "retryable", code: "HTTP_UNAVAILABLE", scope: "connector" });

beforeEach(async () => {
  await empty();
  await store.saveDestination({ destination: "d/1", failingSince: null });
});

function world(random = () => 0) {
  const { to } = setUp({ disableAfterMs: 7 * DAY });
  const clock = testClock();
  const log = testLog();
  const meter = testMeter();
  const open = (): Holds => holds({ store, now: () => clock.now(), meter, context: { log, random } });
  return { to, clock, log, meter, open };
}

test("each failure doubles the wait up to five minutes, and what the destination asks for counts", async () => {
  const { to, clock, open } = world();
  const held = open();
  const waits: number[] = [];
  for (let n = 0; n < 11; n++) {
    await held.failed(to, down);
    waits.push(held.of("d/1")!.until - clock.now());
    expect(await held.gate(to)).toBe("closed");
    clock.move(waits.at(-1)!);
    expect(await held.gate(to)).toBe("little");
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
  await held.works(to);
  expect(await held.gate(to)).toBe("open");
  await held.failed(to, new Failure("slow", { kind: "retryable", code: "HTTP_THROTTLED", scope: "connector", retryAfterMs: 90_000 }));
  expect(held.of("d/1")!.until - clock.now()).toBe(90_000);
});

test("instances do not come back in step", async () => {
  const waits = await Promise.all(
    [0, 0.5, 0.999].map(async (chance) => {
      const { to, clock, open } = world(() => chance);
      const held = open();
      await held.failed(to, down);
      return held.of("d/1")!.until - clock.now();
    }),
  );
  expect(waits).toEqual([1000, 875, 750]);
});

test("after its grace period a destination is given up, told of once, and stays so over a restart but for one try", async () => {
  const { to, clock, log, open } = world();
  const held = open();
  const began = clock.now();
  await held.failed(to, down);
  clock.move(7 * DAY - 1);
  await held.failed(to, down);
  expect(held.of("d/1")).toMatchObject({ disabled: false, since: began });
  clock.move(1);
  await held.failed(to, down);
  expect(held.of("d/1")).toMatchObject({ disabled: true, since: began, until: Infinity });
  clock.move(100 * DAY);
  expect(await held.gate(to)).toBe("closed");
  const after = open();
  expect(await after.gate(to)).toBe("little");
  expect(after.of("d/1")).toMatchObject({ disabled: true, since: began, reason: "HTTP_UNAVAILABLE: 503" });
  await after.failed(to, down);
  expect(await after.gate(to)).toBe("closed");
  const told = log.lines.filter((line) => line.startsWith("error destination disabled"));
  expect(told).toHaveLength(1);
  const audited = (await store.audit({ limit: 100 })).filter(({ action, time }) => action === "destination.disabled" && time >= began);
  expect(audited).toHaveLength(1);
  expect(audited[0]).toMatchObject({ subject: "d/1", details: { since: began, reason: "HTTP_UNAVAILABLE: 503" } });
});

test("enabled, it is tried with little, and its grace period begins anew", async () => {
  const { to, clock, open } = world();
  const held = open();
  await held.failed(to, down);
  clock.move(7 * DAY);
  await held.failed(to, down);
  expect(await store.enableDestination("d/1", clock.now(), "ann")).toBe(true);
  expect(await store.enableDestination("d/1", clock.now(), "ann")).toBe(false);
  expect(await held.gate(to)).toBe("little");
  await held.failed(to, down);
  expect(held.of("d/1")).toMatchObject({ disabled: false, since: clock.now() });
  const entries = (await store.audit({ limit: 5 })).filter(({ action }) => action === "destination.enabled");
  expect(entries).toMatchObject([{ actor: "ann", subject: "d/1" }]);
});

test("an outage outlives a restart, one that is over does not", async () => {
  const { to, clock, open } = world();
  const first = open();
  const began = clock.now();
  await first.failed(to, down);
  clock.move(DAY);
  const second = open();
  expect(await second.gate(to)).toBe("little");
  expect(second.of("d/1")).toMatchObject({ since: began });
  expect(await second.works(to)).toBe(true);
  expect(await second.works(to)).toBe(false);
  expect(await open().gate(to)).toBe("open");
});

test("ten go first after a failure, and all the others once they are through", async () => {
  await put(ids(40));
  let works = false;
  const { run, sent, clock } = setUp({ send: (batch) => (works ? all(batch) : Promise.reject(failure("retryable", "connector"))) });
  await run();
  expect(sent.map((batch) => batch.length)).toEqual([40]);
  clock.move(1000);
  await run();
  expect(sent.map((batch) => batch.length)).toEqual([40, 10]);
  works = true;
  clock.move(2000);
  await run();
  expect(sent.map((batch) => batch.length)).toEqual([40, 10, 10, 30]);
  expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
});
