import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { custodes, jsonLines } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-configured-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const config = join(directory, "custodes.yaml");
writeFileSync(
  config,
  `sources:
  http/acme:
    url: https://api.acme.example/v1/events
    map: { category: agent_api, vendor: Acme, product: Cloud, time: at, uid: [id], fields: { operation: what } }
`,
);
// A path with a name before an equals sign is still a path.
const folder = join(directory, "day=1");
mkdirSync(folder);
const file = join(folder, "records.ndjson");
writeFileSync(file, '{"id":"1","at":"2026-09-16T10:00:00Z","what":"read"}\n{"id":"2","at":"2026-09-16T10:00:01Z","what":"read"}\n{}\n');
const rule = join(directory, "rule.yml");
writeFileSync(
  rule,
  `title: Read
id: 3f1c1d0e-8a55-4b6e-9a53-1f4c7a5f9f10
status: test
level: high
logsource: { product: agent, category: agent_api }
detection: { selection: { api.operation: read }, condition: selection }
`,
);

test("a source of a configuration normalizes records as it is configured", async () => {
  const ran = await custodes(["normalize", "-c", config, "--connector", "http/acme", "--in", file]);
  expect(ran.code).toBe(0);
  const events = jsonLines<{ api: { operation: string }; metadata: { uid: string } }>(ran.stdout);
  expect(events.map((event) => event.api.operation)).toEqual(["read", "read"]);
  expect(jsonLines(ran.stderr).at(-1)).toEqual({ records: 3, events: 2, quarantined: 1 });
});

test("a source of a configuration is backtested, named per file or for all", async () => {
  for (const given of [
    ["--in", `http/acme=${file}`],
    ["--connector", "http/acme", "--in", file],
  ]) {
    const ran = await custodes(["backtest", "-c", config, "--rules", rule, ...given]);
    expect([ran.code, jsonLines(ran.stderr).at(-1)]).toMatchObject([0, { events: 2, quarantined: 1, alerts: 1 }]);
  }
});

test.each([
  ["normalize", "--connector", "http", "--in", file],
  ["backtest", "--rules", rule, "--in", `http=${file}`],
])("%s: without a configuration the http connector says what it needs, before anything is read", async (...command) => {
  const ran = await custodes(command);
  expect([ran.code, ran.stdout]).toEqual([78, ""]);
  expect(ran.stderr).toMatch(/^CONFIG_INVALID: the http connector .*give -c FILE and name one of its sources, as in http\/NAME\n$/);
});

test("a source that is not in the configuration is told with the nearest", async () => {
  const ran = await custodes(["normalize", "-c", config, "--connector", "http/acne", "--in", file]);
  expect([ran.code, ran.stdout]).toEqual([64, ""]);
  expect(ran.stderr).toContain('did you mean "http/acme"?');
});
