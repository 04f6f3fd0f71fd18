/** A source stalls and comes back: what was decided meanwhile says so, is told again, and the service tells of itself. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import { call, MINUTE, signIn, unreachable, watching } from "./watching.ts";
import { memoryStore, type TestStore } from "./world.ts";

let memory: TestStore;
beforeAll(async () => void (memory = await memoryStore()));
beforeEach(() => memory.empty());
afterAll(() => memory.store.close());

test("a source stalls, alerts say so, it heals, they are told again with what it brought, and the service's own incident is closed", async () => {
  const it = watching(memory);
  await it.minutes(2);
  const stalledAt = it.now();
  it.idp.fail(unreachable);
  it.idp.add(signIn("s1", stalledAt + 20 * MINUTE), signIn("s2", stalledAt + 21 * MINUTE));
  await it.minutes(20);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);

  const [partial] = await it.alert("both");
  expect(partial).toMatchObject({ count: 2, coverage: { state: "partial", missing: ["fake/idp"] } });
  expect(partial?.coverage?.gaps).toMatchObject([{ source: "fake/idp", why: "unreachable", from: stalledAt - MINUTE, to: null }]);
  expect(await it.incident("agent:a")).toMatchObject([{ coverage: { state: "partial", missing: ["fake/idp"] } }]);
  const [own] = await it.alert("custodes-source-silent");
  expect(own).toMatchObject({ level: "high", group: { source: "fake/idp" }, final: false, bucket: stalledAt });
  expect(own?.coverage).toBeUndefined();
  expect(await it.incident("source:fake/idp")).toMatchObject([{ status: 1, level: "high" }]);
  expect(it.meter.value("source_silent", { source: "fake/idp" })).toBe(1);
  expect(it.meter.value("source_silent", { source: "fake/api" })).toBe(0);
  // Told once however long it lasts, and a restart is no sign of life.
  it.restart();
  await it.minutes(5);
  expect(await it.alert("custodes-source-silent")).toMatchObject([{ revision: 1 }]);

  it.idp.fail(undefined);
  await it.minutes(8);
  const [whole] = await it.alert("both");
  expect(whole?.count).toBe(4);
  expect(whole?.coverage).toBeUndefined();
  expect(whole?.id).toBe(partial?.id);
  expect(await it.incident("agent:a")).toMatchObject([{ coverage: { state: "complete", missing: [] } }]);
  expect((await it.gaps()).map(({ why, state }) => [why, state])).toEqual([["unreachable", "healed"]]);
  expect(await it.alert("custodes-source-silent")).toMatchObject([{ final: true }]);
  expect(await it.incident("source:fake/idp")).toMatchObject([{ status: 5 }]);
  expect(it.meter.value("source_silent", { source: "fake/idp" })).toBe(0);
  const own2 = (await it.store.deliveries()).filter((row) => row.subjectId === own?.id);
  expect(new Set(own2.map((row) => row.revision))).toEqual(new Set([1, 2]));
  // A second silence is another alert.
  it.idp.fail(unreachable);
  await it.minutes(40);
  expect(await it.alert("custodes-source-silent")).toHaveLength(2);
});

test("before a source has proven anything, what is told is not complete, and it is told again once it has", async () => {
  const it = watching(memory);
  it.idp.fail(unreachable);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);
  expect(await it.alert("both")).toMatchObject([{ coverage: { state: "partial", missing: ["fake/idp"], gaps: [] } }]);
  expect(await it.incident("agent:a")).toMatchObject([{ coverage: { state: "partial", missing: ["fake/idp"] } }]);
  expect(await it.alert("custodes-source-silent")).toEqual([]);
  it.idp.fail(undefined);
  await it.minutes(3);
  const [whole] = await it.alert("both");
  expect(whole).toMatchObject({ count: 2, revision: 2 });
  expect(whole?.coverage).toBeUndefined();
  expect(await it.incident("agent:a")).toMatchObject([{ coverage: { state: "complete", missing: [] } }]);
});

test("an alert that late records do not change is told again without the word, also after a restart", async () => {
  const it = watching(memory);
  await it.minutes(2);
  it.idp.fail(unreachable);
  await it.minutes(20);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);
  const [partial] = await it.alert("both");
  expect(partial?.coverage?.missing).toEqual(["fake/idp"]);
  it.restart();
  it.idp.fail(undefined);
  await it.minutes(8);
  const [whole] = await it.alert("both");
  expect(whole).toMatchObject({ count: 2, id: partial?.id });
  expect(whole?.revision).toBeGreaterThan(partial?.revision ?? 0);
  expect(whole?.coverage).toBeUndefined();
});

test("a source that works again but has not come as far yet is still missing from what was told", async () => {
  const it = watching(memory);
  await it.minutes(2);
  it.idp.fail(unreachable);
  await it.minutes(20);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);
  it.idp.prove(it.now() - 10 * MINUTE);
  it.idp.fail(undefined);
  await it.minutes(8);
  expect((await it.store.source("fake/idp"))?.lastError).toBeNull();
  expect((await it.alert("both"))[0]?.coverage?.missing).toEqual(["fake/idp"]);
  it.idp.prove(undefined);
  await it.minutes(1);
  expect((await it.alert("both"))[0]?.coverage).toBeUndefined();
});

test("an alert about a time for which the stalled source was complete is not partial", async () => {
  const it = watching(memory);
  await it.minutes(5);
  const before = it.now() - 3 * MINUTE;
  it.idp.fail(unreachable);
  await it.minutes(20);
  it.api.add(call("c1", before), call("c2", before + 1));
  await it.minutes(1);
  expect((await it.alert("both")).map(({ coverage }) => coverage)).toEqual([undefined]);
});

test("a source that answers for ever and comes no further is missing, told, and whole again when it does", async () => {
  const it = watching(memory);
  await it.minutes(2);
  const since = it.now() - MINUTE;
  it.idp.prove(since);
  await it.minutes(15);
  expect(await it.alert("custodes-source-silent")).toEqual([]);
  await it.minutes(4);
  it.api.add(call("c1", it.now()), call("c2", it.now() + 1));
  await it.minutes(2);
  expect((await it.alert("both"))[0]?.coverage).toMatchObject({
    missing: ["fake/idp"],
    gaps: [{ source: "fake/idp", from: since, to: null }],
  });
  const [own] = await it.alert("custodes-source-silent");
  expect(own).toMatchObject({ group: { source: "fake/idp", reason: expect.stringContaining("comes no further") }, final: false });
  it.restart();
  await it.minutes(2);
  expect(await it.alert("custodes-source-silent")).toMatchObject([{ revision: 1, final: false }]);
  it.idp.prove(undefined);
  await it.minutes(3);
  expect((await it.alert("both"))[0]?.coverage).toBeUndefined();
  expect(await it.alert("custodes-source-silent")).toMatchObject([{ final: true }]);
  expect(await it.gaps()).toMatchObject([{ why: "unreachable", state: "healed" }]);
});

test("a backfill that brings what is long over holds its place however long it takes", async () => {
  const it = watching(memory);
  await it.minutes(2);
  it.idp.prove(it.now() - MINUTE);
  for (let minute = 0; minute < 30; minute++) {
    it.idp.add(signIn(`old${minute}`, it.now() - 120 * MINUTE - minute));
    await it.minutes(1);
  }
  expect(await it.alert("custodes-source-silent")).toEqual([]);
  // What was only just written is no progress.
  for (let minute = 0; minute < 20; minute++) {
    it.idp.add(signIn(`new${minute}`, it.now()));
    await it.minutes(1);
  }
  expect(await it.alert("custodes-source-silent")).toHaveLength(1);
});

test("a credential that is refused is told at once, and its end", async () => {
  const it = watching(memory);
  await it.minutes(1);
  it.api.fail(new Failure("no", { kind: "permanent", code: "HTTP_DENIED" }));
  await it.minutes(1);
  expect(await it.alert("custodes-source-refused")).toMatchObject([
    { final: false, group: { source: "fake/api", reason: "HTTP_DENIED: no" } },
  ]);
  it.api.fail(undefined);
  await it.minutes(8);
  expect(await it.alert("custodes-source-refused")).toMatchObject([{ final: true }]);
  expect(await it.alert("custodes-source-silent")).toEqual([]);
});

test("a destination that is held is told to the others after a while, one that refuses at once", async () => {
  const it = watching(memory);
  it.holds.set("d/1", { until: 0, failures: 1, reason: "HTTP_UNAVAILABLE: 503", paused: false, since: it.now(), disabled: false });
  await it.minutes(15);
  expect(await it.alert("custodes-destination-held")).toEqual([]);
  await it.minutes(2);
  expect(await it.alert("custodes-destination-held")).toMatchObject([{ group: { destination: "d/1" }, final: false }]);
  it.holds.clear();
  await it.minutes(1);
  expect(await it.alert("custodes-destination-held")).toMatchObject([{ final: true }]);
  it.holds.set("d/1", { until: 0, failures: 1, reason: "HTTP_DENIED: no", paused: true, since: it.now(), disabled: false });
  await it.minutes(1);
  expect(await it.alert("custodes-destination-held")).toHaveLength(2);
});

test("what is switched off is not told, but still known", async () => {
  const it = watching(memory, undefined, { alerts: ["custodes-agent-silent"] });
  it.idp.fail(unreachable);
  await it.minutes(20);
  expect(await it.alert("custodes-source-silent")).toEqual([]);
  expect(it.meter.value("source_silent", { source: "fake/idp" })).toBe(1);
  expect(await it.gaps()).toMatchObject([{ why: "unreachable", state: "open" }]);
});
