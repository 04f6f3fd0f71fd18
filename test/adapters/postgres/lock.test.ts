import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lockDirectory, removeStale } from "../../../src/adapters/postgres/lock.ts";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { Failure } from "../../../src/core/errors.ts";
import { startChild, type Child } from "../../servers/child.ts";

const holder = new URL("hold-lock.ts", import.meta.url);
let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "custodes-lock-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function refusal(): Failure {
  try {
    lockDirectory(directory)();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("the directory was not locked");
}

describe("lockDirectory", () => {
  test("refuses a second process while the first one lives, and says which", async () => {
    const child = startChild(holder, directory);
    expect(await child.line()).toBe("locked");
    const failure = refusal();
    expect([failure.kind, failure.code]).toEqual(["config", "STORE_LOCKED"]);
    expect(failure.message).toContain(`process ${child.pid}`);
    const opening = openStore({ kind: "pglite", dataDir: directory });
    await expect(opening).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await child.kill();
  });

  test("takes over the lock of a process that was killed", async () => {
    const child = startChild(holder, directory);
    await child.line();
    await child.kill();
    const release = lockDirectory(directory);
    expect(JSON.parse(readFileSync(join(directory, "lock"), "utf8"))).toMatchObject({ pid: process.pid });
    release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test("refuses this process too when it has the lock already", () => {
    const release = lockDirectory(directory);
    expect(refusal().message).toContain(`process ${process.pid}`);
    release();
    lockDirectory(directory)();
  });

  test.runIf(process.platform === "linux")("does not take a process for the holder that only has its number", () => {
    writeFileSync(join(directory, "lock"), JSON.stringify({ pid: process.pid, start: "boot:1", host: hostname() }));
    lockDirectory(directory)();
    expect(readdirSync(directory)).toEqual([]);
  });

  test("takes over a lock that says nothing", () => {
    for (const text of ["", "{", "null", '{"pid":"1"}', '{"pid":1}']) {
      writeFileSync(join(directory, "lock"), text);
      lockDirectory(directory)();
    }
  });

  test("believes a holder on another host while it touches its lock, and says where it is", () => {
    const path = join(directory, "lock");
    writeFileSync(path, JSON.stringify({ pid: 1, start: "", host: "elsewhere" }));
    expect(refusal().message).toContain("on host elsewhere");
    const old = new Date(Date.now() - 120_000);
    utimesSync(path, old, old);
    lockDirectory(directory)();
  });

  test("puts a lock back that another process took between the look at the stale one and its removal", () => {
    const path = join(directory, "lock");
    writeFileSync(path, "fresh");
    removeStale(path, "stale");
    expect(readFileSync(path, "utf8")).toBe("fresh");
    removeStale(path, "fresh");
    removeStale(path, "fresh");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("lets one of many processes take over a stale lock", async () => {
    writeFileSync(join(directory, "lock"), JSON.stringify({ pid: 2 ** 22 + 1, start: "boot:1", host: hostname() }));
    const children: Child[] = Array.from({ length: 6 }, () => startChild(holder, directory));
    const answers = await Promise.all(children.map((child) => child.line()));
    expect(answers.toSorted()).toEqual(["STORE_LOCKED", "STORE_LOCKED", "STORE_LOCKED", "STORE_LOCKED", "STORE_LOCKED", "locked"]);
    await Promise.all(children.map((child) => child.kill()));
  });
});
