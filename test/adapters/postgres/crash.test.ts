import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { startChild } from "../../servers/child.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-crash-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const BATCH = 40;
const KILLS = 3;

test("a PGlite store that is killed again and again under load loses no acknowledged row and keeps no half batch", async () => {
  let acknowledged = -1;
  for (let kill = 1; kill <= KILLS; kill++) {
    const child = startChild(new URL("append-forever.ts", import.meta.url), "w", directory);
    expect(await child.line()).toBe("open");
    // The kill comes while further appends are running, since the child never waits for us.
    for (let lines = 0; lines < 20 * kill; lines++) await child.line();
    await child.kill();
    const numbers = (await child.ended()).slice(1).map(Number);
    // Each start goes on where the last acknowledged or at least the last committed batch ended.
    expect(numbers[0]).toBeGreaterThan(acknowledged);
    acknowledged = numbers.at(-1) ?? acknowledged;

    const { store } = await openStore({ kind: "pglite", dataDir: directory });
    const committed = (await store.offset("w")) ?? 0;
    expect(committed).toBeGreaterThan(acknowledged);
    const uids = (await store.readLog(0, 1_000_000)).map((logged) => logged.event.uid);
    const expected = Array.from({ length: committed * BATCH }, (_, index) => `w:${Math.floor(index / BATCH)}:${index % BATCH}`);
    expect(uids).toEqual(expected);
    expect((await store.events(uids.slice(-BATCH))).map(({ uid }) => uid)).toEqual(uids.slice(-BATCH));
    await store.close();
  }
});
