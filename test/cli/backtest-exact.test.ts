import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { custodes, jsonLines, type AlertLine } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-exact-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
function file(content: string, name = `file-${files++}`): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
const ndjson = (...records: readonly object[]): string => file(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
const base = (id: string, selection: string): string =>
  `title: ${id}\nid: ${id}\nlogsource: { product: x }\ndetection: { sel: ${selection}, condition: sel }\n`;
const correlation = (id: string, body: string): string => `title: ${id}\nid: ${id}\ncorrelation: ${body}\n`;
const pack = (...documents: readonly string[]): string => file(documents.join("---\n"), `rules-${files++}.yml`);

async function alertsOf(rules: string, ...inputs: readonly string[]): Promise<readonly AlertLine[]> {
  const ran = await custodes(["backtest", "--rules", rules, ...inputs.flatMap((input) => ["--in", `plain=${input}`])]);
  expect(ran.code).toBe(0);
  return jsonLines<AlertLine>(ran.stdout);
}

describe("a plain backtest", () => {
  test("takes a baseline whose parts cancel for a zero baseline", async () => {
    const rules = pack(
      base("a", "{ f: 1 }"),
      correlation("c", "{ type: baseline_ratio, rules: [a], metric: sum(v), timespan: 1h, baseline_days: 1, condition: { gte: 1 } }"),
    );
    const values = [-1, 0.5, 0.5].map((v, index) => ({ timestamp: index, uid: String(index), f: 1, v }));
    const alerts = await alertsOf(rules, ndjson(...values, { timestamp: 3600, uid: "last", f: 1, v: 2 }));
    expect(alerts.map((alert) => [alert.rule_id, alert.bucket])).toEqual([["c", 3_600_000]]);
  });

  test("a correlation that cannot be evaluated is rejected and mutes nothing", async () => {
    const ids = Array.from({ length: 31 }, (_, index) => `b${index}`);
    const temporal = correlation("c", `{ type: temporal, timespan: 5m, rules: [${ids.join(", ")}] }`);
    const alerts = await alertsOf(
      pack(...ids.map((id, index) => base(id, `{ k: ${index} }`)), temporal),
      ndjson({ timestamp: 1000, uid: "u", k: 3 }),
    );
    expect(alerts.map((alert) => alert.rule_id)).toEqual(["b3"]);
  });

  test("gives the same bytes for every order of the files, also when a uid has two contents", async () => {
    const rules = pack(
      base("a", "{ f: 1 }"),
      correlation("c", "{ type: event_count, rules: [a], group-by: [g], timespan: 5m, condition: { gte: 1 } }"),
    );
    const one = ndjson({ timestamp: 1000, uid: "u", f: 1, g: "A" });
    const other = ndjson({ timestamp: 1000, uid: "u", f: 1, g: "B" });
    const alerts = await alertsOf(rules, one, other);
    expect(alerts).toHaveLength(1);
    expect(await alertsOf(rules, other, one)).toEqual(alerts);
  });

  test("rejects keys that are one text, such as 1 and '1'", async () => {
    const rules = pack(base("a", "{ 1: zzz, '1': a }"), base("b", "{ f: 1 }"));
    expect((await alertsOf(rules, ndjson({ timestamp: 1, uid: "u", "1": "a", f: 1 }))).map((alert) => alert.rule_id)).toEqual(["b"]);
  });

  test("floors fractions of a second as decimals, and quarantines what is no RFC 3339 time", async () => {
    const times = ["65574.207", 65_574.207, 1.001, "1.0009", "0050-01-01T00:00:00Z", "0050-01-01T00:00:00+00:00"];
    const refused = [
      "2024-01-01T00:00:00 +01:00",
      "2024-01-01T00:00:00+0100",
      "2024-01-01T00:00:00,5Z",
      "2024-01-01T00:00:00+25:00",
      "2024-01-01",
    ];
    const input = ndjson(...[...times, ...refused].map((timestamp, index) => ({ timestamp, uid: String(index), f: index })));
    const rules = pack(...[...times, ...refused].map((_, index) => base(`r${index}`, `{ f: ${index} }`)));
    const found = new Map((await alertsOf(rules, input)).map((alert) => [alert.rule_id, alert.first_time]));
    expect(times.map((_, index) => found.get(`r${index}`))).toEqual([
      65_574_207, 65_574_207, 1001, 1000, -60_589_296_000_000, -60_589_296_000_000,
    ]);
    expect(found.size).toBe(times.length);
  });

  test("sorts and prints groups by their canonical text, whatever their names", async () => {
    const rules = pack(
      base("a", "{ f: 1 }"),
      correlation("c", "{ type: event_count, rules: [a], group-by: ['10', '9'], timespan: 5m, condition: { gte: 1 } }"),
    );
    const input = ndjson({ timestamp: 1, uid: "1", f: 1, "9": "y", "10": "b" }, { timestamp: 2, uid: "2", f: 1, "9": "z", "10": "a" });
    const ran = await custodes(["backtest", "--rules", rules, "--in", `plain=${input}`]);
    expect(ran.stdout.match(/"group":\{[^}]*\}/g)).toEqual(['"group":{"10":"a","9":"z"}', '"group":{"10":"b","9":"y"}']);
  });

  test("loads rules whose prose is empty", async () => {
    const prose = "author: ''\ndescription: ''\nlicense: ''\ntaxonomy: ''\n";
    const rules = pack(
      `title: a\nid: a\n${prose}logsource: { product: x, definition: '' }\ndetection: { sel: { f: 1 }, condition: sel }\n`,
    );
    expect(await alertsOf(rules, ndjson({ timestamp: 1, uid: "u", f: 1 }))).toHaveLength(1);
  });
});
