import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { custodes, jsonLines } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-normalize-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const KONG = "connectors/kong/samples/edge-and-bad.ndjson";

test("events go to standard output as OCSF, bad records to standard error with their line, and the counts come last", async () => {
  const ran = await custodes(["normalize", "--connector", "kong", "--in", KONG]);
  expect(ran.code).toBe(0);
  const events = jsonLines<{ class_uid: number; time: number; metadata: { version: string; uid: string } }>(ran.stdout);
  const said = jsonLines(ran.stderr);
  const counts = said.at(-1) as unknown as { records: number; events: number; quarantined: number };
  expect(ran.stdout.trimEnd().split("\n")).toHaveLength(events.length);
  expect(events).toHaveLength(counts.events);
  expect(counts.events).toBeGreaterThan(0);
  for (const event of events) {
    expect(event.metadata.version).toBe("1.8.0");
    expect(event.class_uid).toBe(6003);
    expect(Number.isSafeInteger(event.time)).toBe(true);
  }
  const bad = said.slice(0, -1);
  expect(bad).toHaveLength(counts.quarantined);
  expect(counts.records).toBe(counts.events + counts.quarantined);
  for (const one of bad) expect(Object.keys(one)).toEqual(["line", "code", "message"]);
  const lines = bad.map((one) => Number(one["line"]));
  expect(lines).toEqual([...lines].sort((a, b) => a - b));
  const text = readFileSync(KONG, "utf8").split("\n");
  expect(bad.find((one) => one["code"] === "RECORD_FORBIDDEN_KEY")?.["line"]).toBe(
    text.findIndex((line) => line.includes("__proto__")) + 1,
  );
});

test("nothing of a bad record's content is told", async () => {
  const file = join(directory, "secret.ndjson");
  writeFileSync(file, '{"password":"hunter2-very-secret"}\nhunter2-very-secret\n["hunter2-very-secret"]\n');
  const ran = await custodes(["normalize", "--connector", "okta", "--in", file]);
  expect(ran.code).toBe(0);
  expect(jsonLines(ran.stderr).at(-1)).toEqual({ records: 3, events: 0, quarantined: 3 });
  expect(ran.stdout + ran.stderr).not.toContain("hunter2");
});

test("several files and directories are read, the output goes to a file, and bad records name their file", async () => {
  const [one, two, out] = [join(directory, "one.ndjson"), join(directory, "two.ndjson"), join(directory, "out.ndjson")];
  const good = readFileSync("connectors/zeek/samples/conn.ndjson", "utf8").split("\n").slice(0, 3).join("\n");
  writeFileSync(one, `${good}\n`);
  writeFileSync(two, "nonsense\n");
  const ran = await custodes(["normalize", "--connector", "zeek", "--in", one, two, "--out", out, "--ocsf", "1.9.0"]);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toBe("");
  const events = jsonLines<{ metadata: { version: string } }>(readFileSync(out, "utf8"));
  expect(events.map((event) => event.metadata.version)).toEqual(["1.9.0", "1.9.0", "1.9.0"]);
  expect(jsonLines(ran.stderr)[0]).toMatchObject({ line: 1, code: "RECORD_NOT_JSON", file: two });
});

test("compressed documents are read as their connector's files are", async () => {
  const ran = await custodes(["normalize", "--connector", "aws-cloudtrail", "--in", "connectors/aws-cloudtrail/samples"]);
  expect(ran.code).toBe(0);
  const events = jsonLines<{ metadata: { product: { name: string } } }>(ran.stdout);
  expect(events.length).toBeGreaterThan(5);
  expect(new Set(events.map((event) => event.metadata.product.name))).toEqual(new Set(["CloudTrail"]));
});

test.each([
  [["normalize", "--connector", "kongg", "--in", KONG], /did you mean "kong"/],
  [["normalize", "--connector", "elastic", "--in", KONG], /no source connector "elastic"/],
  [["normalize", "--connector", "plain", "--in", KONG], /no source connector/],
  [["normalize", "--connector", "kong", "--in", "no/such/file"], /does not exist/],
  [["normalize", "--connector", "kong", "--in", KONG, "--ocsf", "1.7.0"], /1\.8\.0/],
  [["normalize", "--in", KONG], /--connector/],
])("%j is wrong usage", async (arguments_, message) => {
  const ran = await custodes(arguments_);
  expect(ran.code).toBe(64);
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).not.toMatch(/\n\s+at /);
  expect(ran.stdout).toBe("");
});
