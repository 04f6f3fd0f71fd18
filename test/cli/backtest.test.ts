import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { uuid5 } from "../../src/adapters/system/system.ts";
import { ALERT_KEYS, custodes, jsonLines, type AlertLine } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-backtest-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const START = Date.parse("2026-05-01T10:00:00Z");
const MINUTE = 60_000;

let files = 0;
function file(content: string, name = `file-${files++}`): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
const ndjson = (records: readonly object[]): string => file(records.map((record) => `${JSON.stringify(record)}\n`).join(""));

const RULES = `
title: Failed sign-in
id: 11111111-1111-4111-8111-111111111111
name: failed
logsource: { category: authentication, product: agent }
detection: { selection: { outcome: failure }, condition: selection }
level: low
---
title: Many failed sign-ins
id: 22222222-2222-4222-8222-222222222222
correlation:
  type: event_count
  rules: [failed]
  group-by: [user]
  timespan: 5m
  condition: { gte: 3 }
level: high
`;
const rules = file(RULES, "rules.yml");
const broken = file(
  `title: Unknown modifier
id: 33333333-3333-4333-8333-333333333333
logsource: { category: authentication, product: agent }
detection:
  selection:
    outcome|nosuch: x
  condition: selection
`,
  "broken.yml",
);

/** `count` failures of a user, one a minute. */
const failures = (user: string, count: number, start = START) =>
  Array.from({ length: count }, (_, index) => ({
    uid: `${user}-${index}`,
    timestamp: new Date(start + index * MINUTE).toISOString(),
    outcome: "failure",
    user,
  }));

describe("custodes backtest on plain events", () => {
  test("prints one alert per line with exactly the promised keys, in their order, and a summary on standard error", async () => {
    const input = ndjson([...failures("bo", 4), ...failures("al", 3), { uid: "x", timestamp: START, outcome: "success", user: "al" }]);
    const ran = await custodes(["backtest", "--rules", rules, "--in", `plain=${input}`]);
    expect(ran.code).toBe(0);
    const alerts = jsonLines<AlertLine>(ran.stdout);
    expect(ran.stdout).toBe(alerts.map((alert) => `${JSON.stringify(alert)}\n`).join(""));
    for (const alert of alerts) expect(Object.keys(alert)).toEqual(ALERT_KEYS);
    const bucket = Math.floor((START + 2 * MINUTE) / 900_000) * 900_000;
    const id = (group: string) => uuid5(`22222222-2222-4222-8222-222222222222\n${group}\n${bucket}`);
    const base = {
      rule_id: "22222222-2222-4222-8222-222222222222",
      rule_title: "Many failed sign-ins",
      severity: "high",
      bucket,
      agents: [],
    };
    expect(alerts).toEqual([
      {
        ...base,
        group: { user: "al" },
        first_time: START,
        last_time: START + 2 * MINUTE,
        count: 3,
        evidence: ["al-0", "al-1", "al-2"],
        id: id('{"user":"al"}'),
      },
      {
        ...base,
        group: { user: "bo" },
        first_time: START,
        last_time: START + 3 * MINUTE,
        count: 4,
        evidence: ["bo-0", "bo-1", "bo-2", "bo-3"],
        id: id('{"user":"bo"}'),
      },
    ]);
    const summary = jsonLines(ran.stderr).at(-1);
    expect(summary).toMatchObject({ events: 8, duplicates: 0, quarantined: 0, late_events: 0, alerts: 2 });
    expect(summary?.["events_per_second"]).toBeGreaterThan(0);
  });

  test("alerts are sorted by bucket, then rule, then group", async () => {
    const later = failures("al", 3, START + 3_600_000);
    const second = file(RULES.replaceAll("1111", "0000").replaceAll("2222", "1212").replaceAll("failed", "other"), "second.yml");
    const input = ndjson([...later, ...failures("zed", 3), ...failures("bo", 3)]);
    const ran = await custodes(["backtest", "--rules", rules, second, "--in", input, "--connector", "plain"]);
    const order = jsonLines<AlertLine>(ran.stdout).map((alert) => [alert.bucket, alert.rule_id, alert.group["user"]].join(" "));
    expect(order).toHaveLength(6);
    expect(order).toEqual([...order].sort());
  });

  test("a uid is the record's uid, else its id, else a hash of its content; equal ones are one event", async () => {
    const at = (minute: number) => new Date(START + minute * MINUTE).toISOString();
    const bare = { timestamp: at(3), outcome: "failure", user: "u" };
    const input = ndjson([
      { uid: "one", id: "ignored", timestamp: at(0), outcome: "failure", user: "u" },
      { uid: "one", timestamp: at(0), outcome: "failure", user: "u", more: "ignored: the first one counts" },
      { id: 7, timestamp: at(1), outcome: "failure", user: "u" },
      { uid: "", id: "text", timestamp: at(2), outcome: "failure", user: "u" },
      bare,
      { user: "u", outcome: "failure", timestamp: at(3) },
    ]);
    const ran = await custodes(["backtest", "--rules", rules, "--in", `plain=${input}`]);
    const [alert] = jsonLines<AlertLine>(ran.stdout);
    expect(alert?.count).toBe(4);
    expect(alert?.evidence.slice(0, 3)).toEqual(["one", "7", "text"]);
    expect(alert?.evidence[3]).toMatch(/[0-9a-f]{32}/);
    expect(jsonLines(ran.stderr).at(-1)).toMatchObject({ events: 4, duplicates: 2 });
  });

  test("the time is read from --time-field: RFC 3339 with an offset, seconds or milliseconds; anything else is quarantined with its line", async () => {
    const times = ["2026-05-01T12:00:00+02:00", START / 1000 + 60, String(START + 2 * MINUTE), "2026-05-01T10:03:00", "soon", null];
    const records = times.map((at, index) => ({ uid: String(index), meta: { at }, outcome: "failure", user: "u" }));
    const ran = await custodes(["backtest", "--rules", rules, "--in", `plain=${ndjson(records)}`, "--time-field", "meta.at"]);
    expect(jsonLines<AlertLine>(ran.stdout)).toMatchObject([
      { count: 3, evidence: ["0", "1", "2"], first_time: START, last_time: START + 2 * MINUTE },
    ]);
    const said = jsonLines(ran.stderr);
    expect(said.slice(0, -1).map((one) => [one["line"], one["code"]])).toEqual([4, 5, 6].map((line) => [line, "RECORD_NO_TIME"]));
    expect(said.at(-1)).toMatchObject({ events: 3, quarantined: 3 });
  });

  test("lines that are no object are reported, and the rest counts", async () => {
    const input = file(
      `${JSON.stringify(failures("u", 1)[0])}\nnonsense\n[]\n7\n\n${failures("u", 3)
        .map((one) => JSON.stringify(one))
        .join("\n")}`,
    );
    const ran = await custodes(["backtest", "--rules", rules, "--in", `plain=${input}`]);
    expect(ran.code).toBe(0);
    expect(jsonLines<AlertLine>(ran.stdout)).toMatchObject([{ count: 3 }]);
    expect(jsonLines(ran.stderr).map((one) => one["line"])).toEqual([2, 3, 4, undefined]);
  });
});

describe("late events", () => {
  // What more events could make false is the hard part: a window that is closed too early reports too few.
  const strict = file(
    `${RULES}---
title: Quiet hour
id: 44444444-4444-4444-8444-444444444444
correlation: { type: event_count, rules: [failed], group-by: [user], timespan: 1h, condition: { lt: 30 } }
---
title: Failure of one without the other
id: 55555555-5555-4555-8555-555555555555
correlation: { type: temporal, rules: [failed, good], timespan: 10m, condition: failed and not good }
---
title: Sign-in
id: 66666666-6666-4666-8666-666666666666
name: good
logsource: { category: authentication, product: agent }
detection: { selection: { outcome: success }, condition: selection }
`,
    "strict.yml",
  );
  const success = { uid: "good", timestamp: new Date(START + 7.1 * 3_600_000).toISOString(), outcome: "success", user: "cy" };
  const many = [...failures("al", 40), ...failures("bo", 25, START + 3 * 3_600_000), ...failures("cy", 3, START + 7 * 3_600_000), success];

  test("a file whose events are hours out of order gives the same alerts as the sorted one, byte for byte", async () => {
    const shuffled = [...many].sort((a, b) => (hash(a.uid) < hash(b.uid) ? -1 : 1));
    expect(shuffled).not.toEqual(many);
    const sorted = await custodes(["backtest", "--rules", strict, "--in", `plain=${ndjson(many)}`]);
    const unsorted = await custodes(["backtest", "--rules", strict, "--in", `plain=${ndjson(shuffled)}`]);
    const split = await custodes([
      "backtest",
      "--rules",
      strict,
      "--in",
      `plain=${ndjson(shuffled.slice(20))}`,
      `plain=${ndjson(shuffled.slice(0, 20))}`,
    ]);
    expect(new Set(jsonLines<AlertLine>(sorted.stdout).map((alert) => alert.rule_title)).size).toBe(3);
    expect(unsorted.stdout).toBe(sorted.stdout);
    expect(split.stdout).toBe(sorted.stdout);
    expect(jsonLines(sorted.stderr).at(-1)?.["late_events"]).toBe(0);
    expect(jsonLines(unsorted.stderr).at(-1)?.["late_events"]).toBeGreaterThan(10);
  });

  test("an event exactly the lateness behind is not late, one millisecond more is", async () => {
    const at = (ms: number) => ({ uid: String(ms), timestamp: START + ms, outcome: "failure", user: "u" });
    const late = async (lateness: string) => {
      const input = ndjson([at(60_000), at(0), at(-1)]);
      const ran = await custodes(["backtest", "--rules", rules, "--in", `plain=${input}`, "--lateness", lateness]);
      expect(jsonLines<AlertLine>(ran.stdout)).toMatchObject([{ count: 3 }]);
      return jsonLines(ran.stderr).at(-1)?.["late_events"];
    };
    expect([await late("60s"), await late("59s"), await late("5m")]).toEqual([1, 2, 0]);
  });
});

/** A fixed order that has nothing to do with time. */
function hash(text: string): string {
  return uuid5(text);
}

describe("rules that cannot be loaded", () => {
  const input = ndjson(failures("u", 3));

  test("are reported as NDJSON with file, line and reason, and the rest of the pack runs", async () => {
    const ran = await custodes(["backtest", "--rules", rules, broken, "--in", `plain=${input}`]);
    expect(ran.code).toBe(0);
    expect(jsonLines(ran.stdout)).toHaveLength(1);
    const [rejected] = jsonLines(ran.stderr);
    expect(Object.keys(rejected ?? {})).toEqual(["rule", "file", "line", "reason"]);
    expect(rejected).toMatchObject({ rule: "33333333-3333-4333-8333-333333333333", file: broken });
    expect(rejected?.["reason"]).toContain("nosuch");
    expect(rejected?.["line"]).toBeGreaterThan(0);
  });

  test("end the backtest with 78 when none is left, before anything is read", async () => {
    const ran = await custodes(["backtest", "--rules", broken, "--in", `plain=${input}`]);
    expect(ran.code).toBe(78);
    expect(ran.stdout).toBe("");
    expect(jsonLines(ran.stderr)[0]).toMatchObject({ file: broken });
  });

  test("a rule path that does not exist ends it with 78", async () => {
    const ran = await custodes(["backtest", "--rules", join(directory, "none.yml"), "--in", `plain=${input}`]);
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain("none.yml");
  });
});

test.each([
  [["backtest", "--rules", rules, "--in", "no/such.ndjson", "--connector", "plain"], /does not exist/],
  [["backtest", "--rules", rules, "--in", rules], /name the connector/],
  [["backtest", "--rules", rules, "--in", `plian=${rules}`], /did you mean "plain"/],
  [["backtest", "--rules", rules, "--in", `plain=${rules}`, "--lateness", "5 minutes"], /is not a duration/],
  [["backtest", "--rules", rules, "--in", `plain=${rules}`, `kong=${rules}`], /cannot be mixed/],
  [["backtest", "--rules", rules], /--in/],
  [["backtest", "--in", `kong=${rules}`, "--agents", "no/such.yaml"], /does not exist/],
])("%j is wrong usage", async (arguments_, message) => {
  const ran = await custodes(arguments_);
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).not.toMatch(/\n\s+at /);
  expect(ran.code).toBe(64);
});
