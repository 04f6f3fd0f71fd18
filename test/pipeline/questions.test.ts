import { afterAll, beforeAll, expect, test } from "vitest";
import type { Event } from "../../src/core/event.ts";
import { touched, trace } from "../../src/pipeline/questions.ts";
import type { Store } from "../../src/ports/store.ts";
import { event } from "../contract/subjects.ts";
import { memoryStore } from "./world.ts";

let store: Store;
beforeAll(async () => {
  ({ store } = await memoryStore());
  const list: Event[] = [
    event("finding", 10, { runUid: "run", sessionUid: "session", agentUid: "a" }),
    event("first", 20, { sessionUid: "session", traceUid: "trace1", requestUid: "q1", agentUid: "a" }),
    event("second", 30, { traceUid: "trace1", requestUid: "q2" }),
    // Two hops from `run`, three from `far`.
    event("third", 40, { traceUid: "trace1", conversationUid: "conversation" }),
    event("fourth", 50, { conversationUid: "conversation", traceUid: "far" }),
    event("fifth", 60, { traceUid: "far" }),
    event("elsewhere", 15, { traceUid: "other", requestUid: "q9" }),
  ];
  await store.transaction((tx) => tx.appendEvents("kong/main", list));
  await store.transaction((tx) =>
    tx.appendEvents(
      "kong/main",
      Array.from({ length: 40 }, (_, index) => event(`wide${index}`, index, { sessionUid: "wide", traceUid: `w${index}` })),
    ),
  );
});
afterAll(() => store.close());

test("a run is followed over two hops of common ids, and no further", async () => {
  const found = await trace(store, "run");
  expect(found?.steps.map(({ uid, hop }) => [uid, hop])).toEqual([
    ["finding", 0],
    ["first", 1],
    ["second", 2],
    ["third", 2],
  ]);
  expect(found?.followed).toEqual(["session", "trace1"]);
  expect(found?.complete).toBe(true);
});

test("a request id leads to its run, and is not followed itself", async () => {
  const found = await trace(store, "q2");
  expect(found?.steps.map(({ uid, hop }) => [uid, hop])).toEqual([
    ["finding", 2],
    ["first", 1],
    ["second", 0],
    ["third", 1],
    ["fourth", 2],
  ]);
  expect((await trace(store, "q9"))?.steps.map(({ uid }) => uid)).toEqual(["elsewhere"]);
});

test("a run that branches more than can be followed says so", async () => {
  const found = await trace(store, "wide");
  expect(found?.steps).toHaveLength(40);
  expect(found?.followed).toHaveLength(32);
  expect(found?.complete).toBe(false);
});

test("an id that nobody has, and an agent that nobody knows, have no answer", async () => {
  expect(await trace(store, "nobody")).toBeNull();
  expect(await touched(store, "nobody", 0, 100)).toBeNull();
});

test("an agent that is known and did nothing then touched nothing", async () => {
  expect(await touched(store, "a", 1000, 2000)).toMatchObject({
    agent: "a",
    total: 0,
    complete: true,
    direct: { events: 0 },
    possible: { events: 0 },
  });
  expect(await touched(store, "a", 0, 2000)).toMatchObject({ total: 2, direct: { events: 2 } });
});
