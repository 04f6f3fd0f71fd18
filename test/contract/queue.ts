/** Every promise that `src/ports/queue.ts` makes in prose, for any implementation of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { Log } from "../../src/ports/context.ts";
import type { Job, JobData, Queue } from "../../src/ports/queue.ts";

/** A queue under test. Several may be open on the same backend. */
export interface QueueUnderTest {
  /** Opens one more queue on the same backend, as another process would. */
  open(log: Log): Promise<Queue>;
  /** Ends the backend; afterwards nothing can be added. */
  close(): Promise<void>;
}

/** A log that keeps what it is told. */
export function keptLog(): Log & { readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Something that a test waits for: resolves with what `arrive` was given when `count` things have arrived. */
export function arrivals<T>(): { arrive(value: T): void; wait(count: number): Promise<readonly T[]> } {
  const values: T[] = [];
  let waiting: { readonly count: number; readonly resolve: (values: readonly T[]) => void }[] = [];
  const check = (): void => {
    for (const { resolve } of waiting.filter(({ count }) => values.length >= count)) resolve(values);
    waiting = waiting.filter(({ count }) => values.length < count);
  };
  return {
    arrive: (value) => {
      values.push(value);
      check();
    },
    wait: (count) =>
      new Promise((resolve) => {
        waiting.push({ count, resolve });
        check();
      }),
  };
}

/** A handler's run that the test ends. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Runs the contract; `start` is called once. */
export function queueContract(name: string, start: () => Promise<QueueUnderTest>): void {
  describe(`the queue on ${name}`, () => {
    let subject: QueueUnderTest;
    let queue: Queue;
    let log: ReturnType<typeof keptLog>;
    let round = 0;
    let pull = "";
    const all: Queue[] = [];

    beforeAll(async () => {
      subject = await start();
    });
    beforeEach(async () => {
      for (const old of all.splice(0)) await old.close();
      log = keptLog();
      queue = await subject.open(log);
      all.push(queue);
      pull = `pull.${round++}`;
    });
    afterAll(async () => {
      for (const old of all) await old.close();
      await subject?.close();
    });
    const add = (data: JobData, deduplicate: string, delayMs?: number): Promise<void> =>
      queue.add(pull, data, delayMs === undefined ? { deduplicate } : { deduplicate, delayMs });

    test("gives a job's data to a worker, as its first attempt", async () => {
      const jobs = arrivals<Job>();
      await queue.work(pull, async (job) => jobs.arrive(job), { concurrency: 1 });
      await add({ source: "kong/main", page: 3 }, "kong/main");
      expect((await jobs.wait(1))[0]).toEqual({ data: { source: "kong/main", page: 3 }, attempt: 1 });
    });

    test("keeps jobs until somebody works, in any process, and apart by queue", async () => {
      await add({ n: 1 }, "a");
      await queue.add(`${pull}.other`, { n: 9 }, { deduplicate: "a" });
      const second = await subject.open(log);
      all.push(second);
      const jobs = arrivals<Job>();
      await second.work(pull, async (job) => jobs.arrive(job), { concurrency: 1 });
      await add({ n: 2 }, "b");
      expect((await jobs.wait(2)).map(({ data }) => data["n"])).toEqual([1, 2]);
      expect(await queue.depth(`${pull}.other`)).toBe(1);
    });

    test("takes names with a colon, a slash or a percent sign, and keeps them apart", async () => {
      for (const odd of [`${pull}:x`, `${pull}%3Ax`, `${pull}/x`]) await queue.add(odd, { odd }, { deduplicate: "a" });
      const jobs = arrivals<Job>();
      await queue.work(`${pull}:x`, async (job) => jobs.arrive(job), { concurrency: 1 });
      expect((await jobs.wait(1))[0]?.data).toEqual({ odd: `${pull}:x` });
      expect(await queue.depth(`${pull}%3Ax`)).toBe(1);
    });

    test("adds nothing while a job with the same key waits, but does for another key", async () => {
      for (const n of [1, 2, 3]) await add({ n }, "same");
      await add({ n: 4 }, "other");
      expect(await queue.depth(pull)).toBe(2);
      const jobs = arrivals<Job>();
      await queue.work(pull, async (job) => jobs.arrive(job), { concurrency: 1 });
      expect((await jobs.wait(2)).map(({ data }) => data["n"])).toEqual([1, 4]);
      // A job that comes after both shows that nothing else came between.
      await add({ n: 5 }, "last");
      expect((await jobs.wait(3)).map(({ data }) => data["n"])).toEqual([1, 4, 5]);
    });

    test("lets one more wait while one runs, and starts it when that one has ended", async () => {
      const started = arrivals<number>();
      const first = gate();
      let running = 0;
      let most = 0;
      await queue.work(
        pull,
        async (job) => {
          running += 1;
          most = Math.max(most, running);
          started.arrive(Number(job.data["n"]));
          if (job.data["n"] === 1) await first.opened;
          running -= 1;
        },
        { concurrency: 4 },
      );
      await add({ n: 1 }, "same");
      await started.wait(1);
      for (const n of [2, 3, 4]) await add({ n }, "same");
      // Another key passes by the running one: it shows that the worker is free and still leaves "same" alone.
      await add({ n: 9 }, "other");
      expect(await started.wait(2)).toEqual([1, 9]);
      first.open();
      const runs = await started.wait(3);
      expect(runs).toHaveLength(3);
      expect([2, 3, 4]).toContain(runs[2]);
      await add({ n: 10 }, "last");
      expect((await started.wait(4)).slice(3)).toEqual([10]);
      expect(most).toBe(2);
    });

    test("takes a key again once its job has ended, also after a failure", async () => {
      const jobs = arrivals<Job>();
      await queue.work(
        pull,
        async (job) => {
          jobs.arrive(job);
          throw new Error("handler failed");
        },
        { concurrency: 1 },
      );
      for (const n of [1, 2, 3]) {
        await add({ n }, "same");
        await jobs.wait(n);
      }
      expect((await jobs.wait(3)).map(({ data, attempt }) => [data["n"], attempt])).toEqual([
        [1, 1],
        [2, 1],
        [3, 1],
      ]);
      expect(log.lines.filter(({ level }) => level === "error").length).toBeGreaterThanOrEqual(2);
      expect(log.lines.find(({ level }) => level === "error")?.fields).toMatchObject({ queue: pull });
    });

    test("holds a delayed job back, counts it, and deduplicates it", async () => {
      const jobs = arrivals<{ readonly n: unknown; readonly at: number }>();
      const begin = Date.now();
      await add({ n: 1 }, "late", 700);
      await add({ n: 2 }, "late");
      expect(await queue.depth(pull)).toBe(1);
      await queue.work(pull, async (job) => jobs.arrive({ n: job.data["n"], at: Date.now() }), { concurrency: 1 });
      await add({ n: 3 }, "now");
      const [first, second] = await jobs.wait(2);
      expect([first?.n, second?.n]).toEqual([3, 1]);
      // Never early; how late it is, is not promised.
      expect((second?.at ?? 0) - begin).toBeGreaterThanOrEqual(695);
    });

    test("runs as many jobs at once as it is told", async () => {
      const started = arrivals<number>();
      const held = gate();
      await queue.work(
        pull,
        async (job) => {
          started.arrive(Number(job.data["n"]));
          await held.opened;
        },
        { concurrency: 3 },
      );
      for (let n = 0; n < 5; n++) await add({ n }, `key${n}`);
      expect(await started.wait(3)).toHaveLength(3);
      expect(await queue.depth(pull)).toBe(2);
      held.open();
      expect(await started.wait(5)).toHaveLength(5);
    });

    test("forgets finished jobs", async () => {
      const jobs = arrivals<Job>();
      await queue.work(pull, async (job) => jobs.arrive(job), { concurrency: 2 });
      for (let n = 0; n < 20; n++) await add({ n }, `key${n}`);
      await jobs.wait(20);
      expect(await queue.depth(pull)).toBe(0);
    });

    test("tells a handler to stop when its worker closes, and waits for it", async () => {
      const started = gate();
      const events: string[] = [];
      const worker = await queue.work(
        pull,
        async (_job, signal) => {
          started.open();
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          events.push("handler ended");
        },
        { concurrency: 1 },
      );
      await add({ n: 1 }, "a");
      await started.opened;
      await worker.close();
      events.push("worker closed");
      expect(events).toEqual(["handler ended", "worker closed"]);
      await add({ n: 2 }, "a");
      expect(await queue.depth(pull)).toBe(1);
    });

    test("closes its workers when it closes, and refuses to be used then", async () => {
      const started = gate();
      let ended = false;
      await queue.work(
        pull,
        async (_job, signal) => {
          started.open();
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          ended = true;
        },
        { concurrency: 1 },
      );
      await add({ n: 1 }, "a");
      await started.opened;
      await Promise.all([queue.close(), queue.close()]);
      expect(ended).toBe(true);
      for (const use of [
        () => add({ n: 1 }, "b"),
        () => queue.depth(pull),
        () => queue.work(pull, async () => undefined, { concurrency: 1 }),
      ]) {
        const error: unknown = await use().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(Failure);
        expect(error).toMatchObject({ kind: "retryable", code: "QUEUE_UNAVAILABLE" });
      }
    });

    test("refuses data that is more than ids", async () => {
      await expect(add({ body: "x".repeat(2000) }, "a")).rejects.toThrow(/ids only/);
      expect(await queue.depth(pull)).toBe(0);
    });

    test("loses everything when cleared, and works on", async () => {
      await add({ n: 1 }, "a");
      await add({ n: 2 }, "b", 60_000);
      await queue.add(`${pull}.other`, { n: 3 }, { deduplicate: "a" });
      await queue.clear();
      expect([await queue.depth(pull), await queue.depth(`${pull}.other`)]).toEqual([0, 0]);
      const jobs = arrivals<Job>();
      await queue.work(pull, async (job) => jobs.arrive(job), { concurrency: 1 });
      await add({ n: 4 }, "a");
      expect((await jobs.wait(1))[0]?.data).toEqual({ n: 4 });
    });

    test("survives being cleared while a job runs, and then takes its key again", async () => {
      const started = arrivals<number>();
      const held = gate();
      await queue.work(
        pull,
        async (job) => {
          started.arrive(Number(job.data["n"]));
          if (job.data["n"] === 1) await held.opened;
        },
        { concurrency: 1 },
      );
      await add({ n: 1 }, "a");
      await started.wait(1);
      await queue.clear();
      await add({ n: 2 }, "a");
      held.open();
      expect(await started.wait(2)).toEqual([1, 2]);
    });
  });
}
