/** The embedded service on a disk that fills up: what it says, what it refuses, and that it heals without a restart. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSamples } from "../../src/demo/make-samples.ts";
import { smallDisk, type SmallDisk } from "../fixtures/small-disk.ts";
import { startInside, type Inside } from "./inside.ts";
import { until } from "./service.ts";

/** Enough for a few pushes, less than the next segment of the write-ahead log. */
const ALMOST_FULL = 200_000;

const directory = mkdtempSync(join(tmpdir(), "custodes-full-"));
const data = join(directory, "data");
const lines = makeSamples(Date.now() - 90_000_000).kong.slice(0, -4);
/** What the sender pushes, one after the other, until each is acknowledged. */
const bodies = Array.from({ length: 40 }, (_, index) => lines.slice(index * 50, (index + 1) * 50).join("\n"));

let disk: SmallDisk;
let service: Inside;
beforeAll(async () => {
  mkdirSync(data);
  writeFileSync(join(directory, "kong.ndjson"), `${lines.slice(0, 100).join("\n")}\n`);
  disk = smallDisk(data);
  service = await startInside(
    directory,
    `data: ./data
receiver: { listen: "127.0.0.1:0" }
correlation: { every: "* * * * * *" }
sources:
  kong/pushed: {}
  kong/file: { path: ${join(directory, "kong.ndjson")}, every: "* * * * * *" }
`,
  );
});
afterAll(async () => {
  disk.left = Number.POSITIVE_INFINITY;
  await service.stop();
  disk.restore();
  rmSync(directory, { recursive: true, force: true });
});

const push = (body: string): Promise<Response> =>
  fetch(`${service.url}/push/kong/pushed`, { method: "POST", headers: { "content-type": "application/x-ndjson" }, body });
const metrics = async (): Promise<string> => (await fetch(`${service.url}/metrics`)).text();

test("pushes are refused while the disk is full, health says what to do, and nothing is lost or doubled once there is space", async () => {
  await until("the file", async () => (await service.store.source("kong/file"))?.events === 100);
  expect(await metrics()).toMatch(/^custodes_store_up 1$/m);
  disk.left = ALMOST_FULL;
  const refused: string[] = [];
  for (const body of bodies) {
    const answer = await push(body);
    if (answer.status < 300) continue;
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    refused.push(body);
  }
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(bodies.length);
  const health = await (await fetch(`${service.url}/healthz`)).json();
  expect(health).toMatchObject({ status: "red", parts: [{ name: "store", ok: false }] });
  expect(JSON.stringify(health)).toMatch(/no space is left for the data directory .*data \(ENOSPC\): free at least 32 MiB/);
  expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
  expect(await metrics()).toMatch(/^custodes_store_up 0$/m);
  const said = service.said.filter(({ message }) => message === "a push could not be stored" || message === "the embedded store failed");
  expect(said.map(({ message }) => message).sort()).toEqual(["a push could not be stored", "the embedded store failed"]);

  disk.left = Number.POSITIVE_INFINITY;
  for (const body of refused) await until("a durable push", async () => (await push(body)).status < 300);
  const pushed = new Set(bodies.flatMap((body) => body.split("\n")));
  const state = await service.store.source("kong/pushed");
  const known = new Set(lines.slice(0, 100));
  const stored = (await service.store.readLog(0, 1_000_000)).map(({ event }) => event.uid);
  expect(new Set(stored).size).toBe(stored.length);
  expect(stored).toHaveLength(new Set([...pushed, ...known]).size);
  expect(state?.quarantined).toBe(0);
  await until("correlation", async () => (await service.store.offset("continuous")) === (await service.store.lastSequence()));
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  expect(service.said.filter(({ message }) => message === "the embedded store works again")).toHaveLength(1);
}, 180_000);
