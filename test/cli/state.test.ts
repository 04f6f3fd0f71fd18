import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/postgres/open.ts";
import { startChild } from "../servers/child.ts";
import { custodes } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-state-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const config = join(directory, "custodes.yaml");
const data = join(directory, "data");
// A port on which nobody listens.
writeFileSync(config, 'data: ./data\nreceiver: { listen: "127.0.0.1:9" }\nsources: { kong/a: {} }\n');
const sources = () => custodes(["sources", "-c", config, "--json"]);

test("commands at once on a stopped service wait for each other", async () => {
  const { store } = await openStore({ kind: "pglite", dataDir: data });
  await store.close();
  for (const ran of await Promise.all([sources(), sources(), sources()])) {
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([0, [{ source: "kong/a" }]]);
    expect(ran.stderr).toMatch(/^(the store is in use and no service answers on 127\.0\.0\.1:9: waiting up to 10 s\n)?$/);
  }
});

test("a store that stays in use is told after a while, with who has it", async () => {
  const holder = startChild(new URL("../adapters/postgres/hold-lock.ts", import.meta.url), data);
  expect(await holder.line()).toBe("locked");
  const ran = await sources();
  await holder.kill();
  expect(ran.code).toBe(1);
  expect(ran.stdout).toBe("");
  expect(ran.stderr).toMatch(new RegExp(`in use by process ${holder.pid}: .*waited 10 s, and no service answers on 127\\.0\\.0\\.1:9`));
});
