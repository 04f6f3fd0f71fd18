import { expect, test } from "vitest";
import { supervise, type SuperviseDeps } from "../../src/pipeline/supervise.ts";
import type { Job, Queue } from "../../src/ports/queue.ts";
import type { Store } from "../../src/ports/store.ts";
import { running, START, testLog } from "./world.ts";
import type { CorrelateResult } from "../../src/pipeline/correlate.ts";

type Handler = (job: Job, signal: AbortSignal) => Promise<void>;

/** A queue by hand: jobs wait until the test runs them; deduplication as the port says. */
function handQueue() {
  const jobs: { queue: string; key: string; data: Job["data"] }[] = [];
  const handlers = new Map<string, Handler>();
  const active = new Set<Promise<void>>();
  const stopping = new AbortController();
  let refuses = false;
  const queue: Queue = {
    async add(name, data, { deduplicate }) {
      if (refuses) throw new Error("the backend is gone");
      if (!jobs.some((job) => job.queue === name && job.key === deduplicate)) jobs.push({ queue: name, key: deduplicate, data });
    },
    async work(name, handler) {
      handlers.set(name, handler);
      return {
        close: async () => {
          stopping.abort();
          handlers.delete(name);
          await Promise.all(active);
        },
      };
    },
    depth: async (name) => jobs.filter((job) => job.queue === name).length,
    clear: async () => void jobs.splice(0),
    close: async () => undefined,
  };
  /** Runs the jobs that wait now, as another process without them would if `elsewhere`. */
  const runAll = async (): Promise<string[]> => {
    const now = jobs.splice(0);
    for (const job of now) {
      const run = handlers.get(job.queue)?.({ data: job.data, attempt: 1 }, stopping.signal) ?? Promise.resolve();
      active.add(run);
      await run;
      active.delete(run);
    }
    return now.map((job) => `${job.queue} ${job.key}`);
  };
  return {
    queue,
    runAll,
    waiting: () => jobs.map((job) => `${job.queue} ${job.key}`).sort(),
    elsewhere: () => jobs.splice(0),
    refuse: (on: boolean) => void (refuses = on),
  };
}

interface Over {
  pull?: SuperviseDeps["pull"];
  correlate?: () => Promise<CorrelateResult>;
  deliver?: (signal: AbortSignal) => Promise<boolean>;
  due?: () => number;
}

async function setUp(over: Over = {}) {
  const hand = handQueue();
  const ticks = new Map<string, () => Promise<void>>();
  const log = testLog();
  const idle = { events: 0, alerts: 0, incidents: 0, destinations: new Set<string>(), again: false };
  const supervisor = await supervise({
    store: { haveDue: async () => ((over.due?.() ?? 0) > 0 ? ["d/1"] : []) } as Pick<Store, "haveDue"> as Store,
    queue: hand.queue,
    log,
    now: () => START,
    schedule: (name, _expression, tick) => void ticks.set(name, tick),
    sources: [
      { ...running({ pull: () => Promise.reject(new Error("not here")) }), id: "a/1", every: "* * * * *" },
      { ...running(undefined), id: "pushed/1", every: "* * * * *" },
    ],
    destinations: [{ id: "d/1" } as never],
    correlateEvery: "* * * * *",
    pull: over.pull ?? (async () => ({ pages: 0, again: false })),
    correlator: {
      run: over.correlate ?? (async () => idle),
      neededFrom: () => undefined,
      reset: () => undefined,
      reload: () => undefined,
      between: () => undefined,
      health: () => ({ name: "resolver", ok: true, message: "works" }),
    },
    deliverer: { run: async (_, signal) => over.deliver?.(signal) ?? false, hold: () => undefined },
  });
  return { hand, ticks, log, supervisor, tick: async (name: string) => ticks.get(name)!() };
}

test("at start one run of everything is asked for, and only what can be pulled is pulled", async () => {
  const { hand, ticks } = await setUp({ due: () => 1 });
  expect(hand.waiting()).toEqual(["correlate continuous", "deliver.d.1 d/1", "pull a/1"]);
  expect([...ticks.keys()].sort()).toEqual(["correlate", "pull a/1", "relay"]);
});

test("many events stored become one correlation run", async () => {
  const { hand, supervisor } = await setUp();
  await hand.runAll();
  for (let count = 0; count < 50; count++) supervisor.eventsStored();
  await Promise.resolve();
  expect(hand.waiting()).toEqual(["correlate continuous"]);
});

test("a pull that stored something asks for correlation, one that has more asks for itself", async () => {
  const { hand } = await setUp({ pull: async () => ({ pages: 1, again: true }) });
  await hand.queue.clear();
  const { hand: other, tick } = await setUp({ pull: async () => ({ pages: 1, again: true }) });
  await other.runAll();
  await tick("pull a/1");
  await other.runAll();
  expect(other.waiting()).toEqual(["correlate continuous", "pull a/1"]);
});

test("what correlation put into the outbox is delivered at once, without waiting for the relay", async () => {
  const { hand } = await setUp({
    due: () => 0,
    correlate: async () => ({ events: 1, alerts: 1, incidents: 0, destinations: new Set(["d/1"]), again: false }),
  });
  await hand.runAll();
  await Promise.resolve();
  expect(hand.waiting()).toEqual(["deliver.d.1 d/1"]);
});

test("when the whole queue is lost, the schedules fill it again", async () => {
  const { hand, tick } = await setUp({ due: () => 1 });
  await hand.queue.clear();
  for (const name of ["pull a/1", "correlate", "relay"]) await tick(name);
  expect(hand.waiting()).toEqual(["correlate continuous", "deliver.d.1 d/1", "pull a/1"]);
});

test("when another process has run the correlation job, this one still asks for the next", async () => {
  const { hand, supervisor } = await setUp();
  hand.elsewhere();
  supervisor.eventsStored();
  await Promise.resolve();
  await Promise.resolve();
  expect(hand.waiting()).toContain("correlate continuous");
});

test("a queue that refuses is logged, and the next call asks again", async () => {
  const { hand, supervisor, log } = await setUp();
  await hand.runAll();
  hand.refuse(true);
  supervisor.eventsStored();
  await new Promise((resolve) => setImmediate(resolve));
  expect(log.lines.some((line) => line.includes("could not enqueue"))).toBe(true);
  hand.refuse(false);
  supervisor.eventsStored();
  await new Promise((resolve) => setImmediate(resolve));
  expect(hand.waiting()).toEqual(["correlate continuous"]);
});

test("stopping waits for work under way, tells it to end, and asks for nothing more", async () => {
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const ends: string[] = [];
  const { hand, supervisor, tick } = await setUp({
    due: () => 1,
    deliver: async (signal) => {
      enter();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      ends.push("delivered");
      return true;
    },
  });
  const work = hand.runAll();
  await entered;
  await supervisor.stop();
  expect(ends).toEqual(["delivered"]);
  await work;
  await hand.queue.clear();
  supervisor.eventsStored();
  for (const name of ["pull a/1", "correlate", "relay"]) await tick(name);
  expect(hand.waiting()).toEqual([]);
});

test("jobs for a source or destination that is no longer configured do nothing", async () => {
  const { hand } = await setUp({ pull: () => Promise.reject(new Error("must not be called")) });
  await hand.queue.clear();
  await hand.queue.add("pull", { source: "gone/1" }, { deduplicate: "gone/1" });
  await hand.queue.add("deliver.d.1", { destination: "gone/1" }, { deduplicate: "gone/1" });
  await expect(hand.runAll()).resolves.toHaveLength(2);
});
