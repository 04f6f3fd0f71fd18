import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openStore, type OpenStore } from "../../../src/adapters/postgres/open.ts";
import { smallDisk, type SmallDisk } from "../../fixtures/small-disk.ts";
import { testLog } from "../../pipeline/world.ts";
import { events } from "../../contract/subjects.ts";
import { day, request } from "../../contract/store-expire.ts";
import { failureCode } from "../../contract/store.ts";

const UNAVAILABLE = "retryable STORE_UNAVAILABLE";
/** More than any batch of these tests writes, less than the write-ahead log takes at its next segment. */
const ALMOST_FULL = 100_000;

let directory = "";
let disk: SmallDisk;
let opened: OpenStore | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "custodes-disk-"));
  disk = smallDisk(directory);
});
afterEach(async () => {
  disk.left = Number.POSITIVE_INFINITY;
  await opened?.store.close();
  opened = undefined;
  disk.restore();
  vi.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

const open = async (log = testLog()): Promise<OpenStore["store"]> => {
  opened = await openStore({ kind: "pglite", dataDir: directory }, { log });
  return opened.store;
};
const append = (name: string, count = 500) =>
  opened?.store.transaction((tx) => tx.appendEvents("kong/a", events(name, count))) ?? Promise.reject(new Error("no store"));
const uids = async (): Promise<string[]> => ((await opened?.store.readLog(0, 1_000_000)) ?? []).map(({ event }) => event.uid);

/** Appends batches until one fails; the names of those that were acknowledged. */
async function fill(): Promise<{ readonly acknowledged: string[]; readonly error: unknown }> {
  const acknowledged: string[] = [];
  for (let batch = 0; batch < 10_000; batch++) {
    try {
      await append(`b${batch}.`);
    } catch (error) {
      return { acknowledged, error };
    }
    acknowledged.push(`b${batch}.`);
  }
  throw new Error("the disk was never full");
}
/** Tries until the store answers: it is opened again no sooner than a second after it failed. */
const working = () => vi.waitFor(() => opened?.store.lastSequence(), { timeout: 30_000, interval: 100 });
const expected = (names: readonly string[]): string[] => names.flatMap((name) => events(name, 500).map(({ uid }) => uid));

test.each(["ENOSPC", "EDQUOT", "EIO"])("a store whose disk fails with %s refuses everything with the reason, and heals", async (code) => {
  const log = testLog();
  await open(log);
  const heard: unknown[] = [];
  const client = await opened?.pool.connect();
  client?.on("notification", ({ payload }: { payload: unknown }) => heard.push(payload));
  await client?.query("listen news");
  disk.code = code;
  disk.left = ALMOST_FULL;
  const { acknowledged, error } = await fill();
  expect(disk.refused).toBeGreaterThan(0);
  expect(error).toMatchObject({ kind: "retryable", code: "STORE_UNAVAILABLE", scope: "connector" });
  expect(String(error)).toContain(`${directory}`);
  expect(String(error)).toContain(`(${code})`);
  const before = disk.refused;
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(await failureCode(append("lost."))).toBe(UNAVAILABLE);
    expect(await failureCode(opened?.store.sources() ?? Promise.resolve())).toBe(UNAVAILABLE);
    await expect(opened?.pool.query("select 1")).rejects.toThrow(directory);
  }
  // A dead database is asked for nothing: it would wait for its own locks for ever.
  expect(disk.refused).toBe(before);

  disk.left = Number.POSITIVE_INFINITY;
  await working();
  expect(await uids()).toEqual(expected(acknowledged));
  await append("after.");
  expect(await uids()).toEqual(expected([...acknowledged, "after."]));
  await opened?.pool.query("select pg_notify('news', 'back')");
  await vi.waitFor(() => expect(heard).toEqual(["back"]));
  expect(log.lines.map((line) => /the embedded store (failed|works again)/.exec(line)?.[1])).toEqual(["failed", "works again"]);
});

test("what was committed is there after a restart, too, and the disk may still be full at the next start", async () => {
  await open();
  disk.left = ALMOST_FULL;
  const { acknowledged } = await fill();
  await opened?.store.close();
  opened = undefined;
  expect(await failureCode(open())).toBe(UNAVAILABLE);
  expect(readdirSync(directory)).toEqual(["database"]);
  disk.left = Number.POSITIVE_INFINITY;
  await open();
  expect(await uids()).toEqual(expected(acknowledged));
});

test("a disk that stays too full is not tried again", async () => {
  await open();
  disk.left = ALMOST_FULL;
  await fill();
  disk.left = 31 * 1_048_576;
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const left = disk.left;
  expect(await failureCode(append("lost."))).toBe(UNAVAILABLE);
  expect(disk.left).toBe(left);
});

test("a database whose making was cut off is made again", async () => {
  disk.left = 20 * 1_048_576;
  expect(await failureCode(open())).toBe(UNAVAILABLE);
  expect(existsSync(join(directory, "database"))).toBe(true);
  disk.left = Number.POSITIVE_INFINITY;
  await open();
  await append("first.");
  expect(await uids()).toEqual(expected(["first."]));
  expect(readdirSync(directory).sort()).toEqual(["database", "lock"]);
});

test("a directory that is removed is told, and no other database is begun in its place", async () => {
  const log = testLog();
  await open(log);
  await append("first.");
  rmSync(directory, { recursive: true });
  for (let attempt = 0; attempt < 3; attempt++) {
    const error: unknown = await append("lost.").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(String(error)).toMatch(/was removed or replaced while it was in use.*stop the service/);
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
  expect(existsSync(directory)).toBe(false);
  expect(log.lines).toHaveLength(1);
});

test("an error of PostgreSQL that is none of the disk leaves the database working", async () => {
  const log = testLog();
  await open(log);
  await append("first.");
  await expect(opened?.pool.query("select 1 / 0")).rejects.toThrow("division by zero");
  expect(await uids()).toEqual(expected(["first."]));
  expect(log.lines).toEqual([]);
});

test("a disk that becomes full while a day is taken out of the log leaves it whole or gone, and the rest goes on", async () => {
  const clock = { now: day(20_000) };
  opened = await openStore({ kind: "pglite", dataDir: directory }, { now: () => clock.now });
  for (const name of ["a", "b", "c"]) await append(name, 3000);
  clock.now = day(20_009);
  await append("new", 10);
  const { store } = opened;
  const expire = () => store.expire(request(clock.now, { log: 86_400_000 }));
  disk.left = 0;
  expect(await failureCode(expire())).toBe(UNAVAILABLE);
  disk.left = Number.POSITIVE_INFINITY;
  await working();
  expect([10, 9010]).toContain((await uids()).length);
  expect((await expire())?.days.at(-1)).toMatchObject({ events: 9000 });
  expect(await uids()).toEqual(events("new", 10).map(({ uid }) => uid));
});
