import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Store } from "../../src/ports/store.ts";
import { queryState } from "../../src/state.ts";
import { alertSubject } from "../fixtures/subjects.ts";
import { memoryStore, START, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

const ask = (query: Parameters<typeof queryState>[1], parameters: Record<string, string> = {}) =>
  queryState(store, query, parameters, START);

test("an id that is none finds nothing, and is no failure of the store", async () => {
  for (const id of ["", "abc", "1.5", "-1", "99999999999999999999", "1e3", "null", "1;drop table"])
    expect(await ask("quarantine-record", { id })).toBeNull();
  expect(await ask("incident", { id: "x" })).toBeNull();
  expect(await ask("deadletter", { id: "x" })).toBeNull();
});

test("a limit is kept, whatever it is written as", async () => {
  const rejects = Array.from({ length: 120 }, (_, index) => ({
    code: "RECORD_NOT_JSON" as const,
    message: "no",
    position: `f:${index}`,
    raw: "secret",
  }));
  await store.transaction((tx) => tx.appendQuarantine("a/1", rejects, START));
  const count = async (limit: string) => ((await ask("quarantine", { limit })) as unknown[]).length;
  expect([await count("3"), await count("0"), await count("-5"), await count("x"), await count("1e9"), await count("")]).toEqual([
    3, 100, 1, 100, 1, 100,
  ]);
});

test("the list of quarantined records shows no content, one record does", async () => {
  await store.transaction((tx) =>
    tx.appendQuarantine("a/1", [{ code: "RECORD_NOT_JSON", message: "no", position: "f:1", raw: "content" }], START),
  );
  const list = (await ask("quarantine")) as { id: number }[];
  expect(JSON.stringify(list)).not.toContain("content");
  expect(await ask("quarantine-record", { id: String(list[0]?.id) })).toMatchObject({ raw: "content", position: "f:1" });
  expect(await ask("quarantine", { source: "b/1" })).toEqual([]);
});

test("dead letters are listed, shown with what was refused, and replayed one or all", async () => {
  const ids = ["x", "y", "z"];
  await store.transaction(async (tx) => {
    await tx.saveAlerts(ids.map((id) => ({ ...alertSubject().alert, id, revision: 1 })));
    await tx.addDeliveries(
      ids.map((id) => ({
        key: id,
        destination: id === "z" ? "e/1" : "d/1",
        kind: "alert",
        subjectId: id,
        revision: 1,
        dueTime: START,
        createdTime: START,
      })),
    );
  });
  await store.settleDeliveries(
    ids.map((key) => ({ key, status: "dead", attempts: 1, dueTime: START, note: "HTTP_REJECTED: no", body: `body ${key}` })),
    START,
  );
  expect(await ask("deadletters", { destination: "d/1" })).toHaveLength(2);
  expect(await ask("deadletter", { id: "x" })).toMatchObject({ key: "x", body: "body x" });
  expect(await ask("deadletters-replay", { id: "x" })).toEqual({ replayed: 1 });
  expect(await ask("deadletters-replay", { destination: "e/1" })).toEqual({ replayed: 1 });
  expect(await ask("deadletters-replay")).toEqual({ replayed: 1 });
  expect(await ask("deadletters")).toEqual([]);
  expect(await ask("deliveries", { status: "pending" })).toHaveLength(3);
  expect(await ask("deliveries", { status: "no such status" })).toHaveLength(3);
});

test("a source's lag is how far its watermark lies behind, null when it has none", async () => {
  const moved = { from: null, to: "c", newestTime: null, now: START, stored: 0, duplicates: 0, quarantined: 0, late: 0 };
  await store.transaction((tx) => tx.moveCursor({ ...moved, source: "a/1", watermark: START - 5 }));
  await store.transaction((tx) => tx.moveCursor({ ...moved, source: "b/1", watermark: null }));
  expect(await ask("sources")).toMatchObject([
    { source: "a/1", lagMs: 5 },
    { source: "b/1", lagMs: null },
  ]);
});
