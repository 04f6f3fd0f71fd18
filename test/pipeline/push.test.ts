import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure, poison } from "../../src/core/errors.ts";
import type { RunningSource } from "../../src/pipeline/ingest.ts";
import { pusher } from "../../src/pipeline/push.ts";
import type { PushRequest, Pushed, Receiver } from "../../src/ports/connector.ts";
import type { Store, Transaction } from "../../src/ports/store.ts";
import { ingestDeps, located, memoryStore, running, START, testClock, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

/** Takes a JSON array of records and answers with how many it saw. */
const receiver: Receiver = {
  paths: [""],
  receive({ body }): Pushed {
    const text = new TextDecoder().decode(body);
    if (text === "garbage") throw poison("RECORD_NOT_JSON", "the body is not JSON");
    const records = JSON.parse(text) as unknown[];
    return { records: located(records), rejects: [], reply: { status: 202, contentType: "text/plain", body: String(records.length) } };
  },
};
const source = running(undefined, { receiver });
const request = (records: readonly unknown[] | string): PushRequest => ({
  path: "",
  contentType: "application/json",
  headers: {},
  body: new TextEncoder().encode(typeof records === "string" ? records : JSON.stringify(records)),
});
const record = (id: string) => ({ id, time: START });

/** The store with transactions that wait at a gate, and that are counted. */
function gated(open: Promise<void>): { store: Store; count: () => number } {
  let count = 0;
  const gatedStore = new Proxy(store, {
    get: (target, name) => {
      if (name !== "transaction") return Reflect.get(target, name) as unknown;
      return async (work: (tx: Transaction) => Promise<unknown>) => {
        count++;
        await open;
        return target.transaction(work);
      };
    },
  });
  return { store: gatedStore, count: () => count };
}
function gate(): { open: () => void; opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}

function setUp(over: Store = store) {
  const clock = testClock();
  let told = 0;
  const push = pusher(ingestDeps(over, clock), () => void told++);
  return {
    clock,
    told: () => told,
    push: (records: readonly unknown[] | string, to: RunningSource = source) => push.push(to, request(records)),
  };
}

test("the reply comes once the records are in the log, and the watermark follows the clock by the lateness", async () => {
  const { push, told } = setUp();
  expect(await push([record("1"), record("2")])).toEqual({ status: 202, contentType: "text/plain", body: "2" });
  expect(await store.readLog(0, 9)).toHaveLength(2);
  expect(await store.source("fake/one")).toMatchObject({ watermark: START - 60_000, lastSuccessTime: START, events: 2 });
  expect(told()).toBe(1);
});

test("what was stored before is acknowledged again and wakes nobody", async () => {
  const { push, told } = setUp();
  await push([record("1")]);
  await push([record("1")]);
  expect(told()).toBe(1);
  expect(await store.source("fake/one")).toMatchObject({ events: 1, duplicates: 1 });
});

test("nothing is acknowledged before it is durable, and requests that wait share one transaction", async () => {
  const { open, opened } = gate();
  const { store: slow, count } = gated(opened);
  const { push } = setUp(slow);
  let answered = 0;
  const replies = Array.from({ length: 20 }, (_, index) => push([record(String(index))]).then(() => answered++));
  await store.sources();
  expect(answered).toBe(0);
  open();
  await Promise.all(replies);
  expect(count()).toBe(2);
  expect(await store.readLog(0, 99)).toHaveLength(20);
});

test("a request that cannot be read is refused alone, those beside it are stored", async () => {
  const { push } = setUp();
  const [good, bad] = await Promise.allSettled([push([record("1")]), push("garbage")]);
  expect(good.status).toBe("fulfilled");
  expect(bad).toMatchObject({ status: "rejected", reason: { kind: "poison", code: "RECORD_NOT_JSON" } });
  expect(await store.readLog(0, 9)).toHaveLength(1);
});

test("a record that cannot be normalized is quarantined and acknowledged", async () => {
  await setUp().push([record("1"), { id: "2", time: "never" }]);
  expect(await store.quarantine()).toHaveLength(1);
  expect(await store.source("fake/one")).toMatchObject({ events: 1, quarantined: 1 });
});

test("when the store fails, every request of the batch is refused, nothing is stored, and the next one works", async () => {
  const { store: broken } = gated(Promise.reject(new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" })));
  const refused = setUp(broken);
  const results = await Promise.allSettled([refused.push([record("1")]), refused.push([record("2")])]);
  expect(results.map((one) => one.status)).toEqual(["rejected", "rejected"]);
  expect(refused.told()).toBe(0);
  expect(await store.lastSequence()).toBe(0);
  await setUp().push([record("1")]);
  expect(await store.readLog(0, 9)).toHaveLength(1);
});

test("one pusher goes on after its store has failed once", async () => {
  let fail = true;
  const flaky = new Proxy(store, {
    get: (target, name) => {
      if (name === "source" && fail) {
        fail = false;
        return () => Promise.reject(new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" }));
      }
      return Reflect.get(target, name) as unknown;
    },
  });
  const { push } = setUp(flaky);
  await expect(push([record("1")])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await push([record("1")]);
  expect(await store.readLog(0, 9)).toHaveLength(1);
});

test("senders are told to slow down while too many records wait, and are served again once these are stored", async () => {
  const { open, opened } = gate();
  const { store: slow } = gated(opened);
  const { push } = setUp(slow);
  const many = (batch: number) => Array.from({ length: 26_000 }, (_, index) => record(`${batch}-${index}`));
  const first = push([record("first")]);
  const waiting = [push(many(1)), push(many(2))];
  await expect(push([record("more")])).rejects.toMatchObject({ kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 1000 });
  const elsewhere = push([record("other")], running(undefined, { receiver, id: "fake/other" }));
  open();
  await Promise.all([first, elsewhere, ...waiting]);
  await push([record("more")]);
  expect((await store.source("fake/one"))?.events).toBe(52_002);
  expect((await store.source("fake/other"))?.events).toBe(1);
});

test("a request with more records than a function takes arguments is stored like any other", async () => {
  const rejects = Array.from({ length: 250_000 }, () => 7);
  const normalize = () => [];
  const { push } = setUp();
  const reply = await push(JSON.stringify(rejects), running(undefined, { receiver, normalize }));
  expect(reply.body).toBe("250000");
});

test("a push to a source that is also pulled does not say up to when the source is complete", async () => {
  const pulled = running({ pull: () => Promise.reject(new Error("not in this test")) }, { receiver });
  await setUp().push([record("1")], pulled);
  expect(await store.source("fake/one")).toMatchObject({ events: 1, watermark: null });
});

test("a push that loses the race with the source's own pull is stored after it", async () => {
  await setUp().push([record("1")]);
  let races = 3;
  const racing = new Proxy(store, {
    get: (target, name) => {
      if (name !== "source") return Reflect.get(target, name) as unknown;
      return async (id: string) => {
        const read = await target.source(id);
        if (races-- > 0)
          await target.transaction((tx) => tx.moveCursor({ ...moved, source: id, from: read?.cursor ?? null, to: `pulled ${races}` }));
        return read;
      };
    },
  });
  await setUp(racing).push([record("2")]);
  expect(await store.source("fake/one")).toMatchObject({ cursor: "pulled 0", events: 2 });
});
const moved = { watermark: null, newestTime: null, now: START, stored: 0, duplicates: 0, quarantined: 0, late: 0 };

test("a source without a receiver takes no pushes", async () => {
  await expect(setUp().push([], running(undefined))).rejects.toMatchObject({ kind: "poison" });
});
