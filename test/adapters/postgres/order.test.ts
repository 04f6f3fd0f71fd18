import { afterAll, expect, test } from "vitest";
import { openStore } from "../../../src/adapters/postgres/open.ts";
import { startChild } from "../../servers/child.ts";
import { required, startPostgres } from "../../servers/servers.ts";

const server = required(await startPostgres());
afterAll(() => server?.stop());

const WRITERS = 3;
const BATCHES = 60;
const BATCH = 40;

test.runIf(server !== undefined)("a reader that follows the log of several writing processes never skips a row", async () => {
  const url = server?.url ?? "";
  const { store } = await openStore({ kind: "postgres", url });
  const children = Array.from({ length: WRITERS }, (_, index) =>
    startChild(new URL("append-forever.ts", import.meta.url), `w${index}`, url, String(BATCHES)),
  );
  const uids: string[] = [];
  let after = 0;
  let writing = true;
  const written = Promise.all(children.map((child) => child.ended())).then(() => (writing = false));
  for (;;) {
    const last = !writing;
    const page = await store.readLog(after, 500);
    for (const { sequence, event } of page) {
      expect(sequence).toBeGreaterThan(after);
      after = sequence;
      uids.push(event.uid);
    }
    if (last && page.length === 0) break;
  }
  await written;
  // What the follower saw, page by page, is everything, once: a row that committed late would be missing here.
  expect(uids).toHaveLength(WRITERS * BATCHES * BATCH);
  expect(new Set(uids).size).toBe(uids.length);
  for (let writer = 0; writer < WRITERS; writer++) {
    const own = uids.filter((uid) => uid.startsWith(`w${writer}:`));
    expect(own).toEqual(Array.from({ length: BATCHES * BATCH }, (_, index) => `w${writer}:${Math.floor(index / BATCH)}:${index % BATCH}`));
  }
  // The writers did write at the same time: their batches are mixed.
  const turns = uids.filter((uid, index) => uid.split(":")[0] !== uids[index - 1]?.split(":")[0]).length;
  expect(turns).toBeGreaterThan(WRITERS);
  await store.close();
});
