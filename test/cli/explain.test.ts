import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Explanation } from "../../src/backtest/explain.ts";
import type { ExplainedCorrelation } from "../../src/core/correlation/explain.ts";
import { custodes, jsonLines, type AlertLine, type Ran } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-explain-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const put = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

const rules = put(
  "rules.yml",
  `title: Failed sign-in
name: failed
logsource: { category: authentication }
detection: { selection: { outcome: failure }, condition: selection }
---
title: Sign-in
name: good
logsource: { category: authentication }
detection: { selection: { outcome: success }, condition: selection }
---
title: Many failed sign-ins
id: 22222222-2222-4222-8222-222222222222
name: many
correlation: { type: event_count, rules: [failed], group-by: [user], timespan: 5m, condition: { gte: 3 } }
---
title: Failure without success
name: hopeless
correlation: { type: temporal, rules: [failed, good], group-by: [user], timespan: 10m, condition: failed and not good }
---
title: Many tries
name: tries
correlation: { type: value_sum, rules: [failed], group-by: [user], timespan: 10m, condition: { field: tries, gte: 10 } }
---
title: Again and again
name: twice
correlation: { type: event_count, rules: [many], group-by: [user], timespan: 1d, condition: { gte: 2 } }
---
title: Root
name: root
logsource: { category: authentication }
detection: { selection: { user: root }, condition: selection }
---
title: Twin
id: twin-1
logsource: { category: authentication }
detection: { selection: { user: x }, condition: selection }
---
title: Twin
id: twin-2
logsource: { category: authentication }
detection: { selection: { user: x }, condition: selection }
---
title: Known robot
id: robots
logsource: { category: authentication }
filter: { rules: [root], robot: { host: robot }, condition: not robot }
---
title: Broken
name: broken
logsource: { category: authentication }
detection: { selection: { user|nosuch: x }, condition: selection }
`,
);
const START = Date.parse("2026-05-01T10:00:00Z");
const at = (minute: number): string => new Date(START + minute * 60_000).toISOString();
const records: readonly object[] = [
  ...[0, 1, 2, 60, 61, 62].map((minute, index) => ({
    uid: `okta:al-${index}`,
    timestamp: at(minute),
    outcome: "failure",
    user: "al",
    tries: 4,
  })),
  { uid: "okta:al-0", timestamp: at(0), outcome: "failure", user: "al", tries: 4 },
  { uid: "good-7", timestamp: at(61.5), outcome: "success", user: "al" },
  { uid: "lonely", timestamp: at(5), outcome: "failure", user: "bo", tries: "many" },
  { uid: "nobody", timestamp: at(5), outcome: "failure" },
  { uid: "rejected-9", outcome: "failure", user: "al" },
  { uid: "root-1", timestamp: at(9), outcome: "success", user: "root", host: "robot" },
  { uid: "root-2", timestamp: at(9), outcome: "success", user: "root", host: "\u001B[31mred\u202E" },
];
const input = put("in.ndjson", records.map((record) => `${JSON.stringify(record)}\n`).join(""));
const run = (...more: readonly string[]): Promise<Ran> => custodes(["backtest", "--rules", rules, "--in", `plain=${input}`, ...more]);

describe("custodes backtest --explain", () => {
  test("answers on standard output, with the parts of each rule, the group, the window and the alert", async () => {
    const ran = await run("--explain", "many:okta:al-1");
    expect(ran.code).toBe(0);
    const alerts = jsonLines<AlertLine>((await run()).stdout);
    const [first] = alerts.filter((alert) => alert.rule_title === "Many failed sign-ins");
    expect(ran.stdout).toBe(`event okta:al-1 of 2026-05-01T10:01:00.000Z, ${input}:2
yes  it is part of an alert of this rule
yes  correlation Many failed sign-ins (22222222-2222-4222-8222-222222222222), ${rules}:11
  event_count: events >= 3 within 5m; per user; one alert per 15m
  its alerts reach only the rules that refer to it
  yes  rule Failed sign-in (failed), ${rules}:1
    yes  logsource category authentication: plain events have none, so any is right
    yes  condition selection
    yes  selection: outcome: "failure"; the event has "failure"
  group user = "al"
    no   the window that ends at it, 2026-05-01T09:56:00.000Z to 2026-05-01T10:01:00.000Z: 2 events
    yes  the fullest window that holds it, 2026-05-01T09:57:00.000Z to 2026-05-01T10:02:00.000Z: 3 events
    yes  alert ${ran.stdout.match(/alert ([0-9a-f-]{36})/)?.[1] ?? "none"}: suppression window of 2026-05-01T10:00:00.000Z, 2026-05-01T10:00:00.000Z to 2026-05-01T10:02:00.000Z, 3 events

`);
    // Muted, because another rule refers to it; the alert is what that rule counts.
    expect(first).toBeUndefined();
    const [outer] = alerts.filter((alert) => alert.rule_title === "Again and again");
    expect(outer?.evidence).toContain(ran.stdout.match(/alert ([0-9a-f-]{36})/)?.[1]);
  });

  test("writes alerts where --out says, as ever, and the summary to standard error", async () => {
    const out = join(directory, "out.ndjson");
    const [ran, plain] = await Promise.all([run("--explain", "many:okta:al-1", "--out", out), run()]);
    expect(readFileSync(out, "utf8")).toBe(plain.stdout);
    expect(jsonLines(plain.stdout).length).toBeGreaterThan(1);
    expect(ran.stdout).not.toContain('{"rule_id"');
    expect(jsonLines(ran.stderr).at(-1)).toMatchObject({ events: 11, duplicates: 1, quarantined: 1 });
  });

  const explain = async (...targets: readonly string[]): Promise<readonly Explanation[]> =>
    jsonLines<Explanation & Record<string, unknown>>((await run("--json", ...targets.flatMap((one) => ["--explain", one]))).stdout);

  test("gives one JSON line per question, in order; the rule may be named by id, name or title", async () => {
    const found = await explain(
      "22222222-2222-4222-8222-222222222222:okta:al-1",
      "Many failed sign-ins:lonely",
      "failed:nobody",
      "twin-2:lonely",
    );
    expect(found.map(({ uid, alerted, explained }) => [uid, alerted, explained.rule.title, explained.matched])).toEqual([
      ["okta:al-1", true, "Many failed sign-ins", true],
      ["lonely", false, "Many failed sign-ins", false],
      ["nobody", false, "Failed sign-in", true],
      ["lonely", false, "Twin", false],
    ]);
    expect(found[0]?.time).toBe(START + 60_000);
    expect(found[2]?.referred_by).toEqual(["22222222-2222-4222-8222-222222222222", "hopeless", "tries"]);
  });

  test("says which group field is missing and which value cannot be used", async () => {
    const [group, value] = (await explain("many:nobody", "tries:lonely")).map(({ explained }) => explained as ExplainedCorrelation);
    expect(group?.subjects[0]).toMatchObject({ group_fields: [{ name: "user", value: null, usable: false }], groups: [] });
    expect(value?.subjects[0]).toMatchObject({ values: [{ path: "tries", value: '"many"' }], groups: [{ usable: false, alerts: [] }] });
    const { stdout } = await run("--explain", "many:nobody", "tries:lonely");
    expect(stdout).toContain("no   group field user: the event does not have it, so the event does not count");
    expect(stdout).toContain("no   the value cannot be used");
  });

  test("says what was measured against the threshold", async () => {
    const [enough, few] = (await explain("tries:okta:al-2", "tries:okta:al-0")).map(({ explained }) => explained as ExplainedCorrelation);
    expect(enough?.condition).toBe("sum of tries >= 10 within 10m");
    expect(enough?.subjects[0]?.groups[0]?.window).toMatchObject({ events: 3, measured: 12, holds: true });
    expect(few?.subjects[0]?.groups[0]).toMatchObject({
      window: { events: 1, measured: 4, holds: false },
      best: { measured: 12, holds: true },
    });
  });

  test("says which branch of a boolean condition fails, and what stands in its way", async () => {
    const { stdout } = await run("--explain", "hopeless:okta:al-4", "hopeless:okta:al-0", "hopeless:good-7");
    const [late, early, good] = stdout.split("\n\n");
    expect(late).toContain("no   branch failed and not good");
    expect(late).toContain(`no   not good: but there is good-7 at ${at(61.5)}`);
    expect(late).toContain("no   no alert: no window with the event in it meets failed and not good within 10m");
    expect(early).toContain("yes  branch failed and not good");
    expect(early).toMatch(/yes {2}alert [0-9a-f-]{36}/);
    expect(good).toContain("no   it is part of no alert of this rule");
  });

  test("explains a rule over alerts through the alert that the event is part of", async () => {
    const [found] = await explain("twice:okta:al-5");
    expect(found?.alerted).toBe(true);
    const { subjects, rules: inner } = found!.explained as ExplainedCorrelation;
    const [alert] = (inner[0] as ExplainedCorrelation).subjects[0]!.groups[0]!.alerts;
    expect(subjects).toMatchObject([{ kind: "alert", uid: alert?.id, groups: [{ window: { events: 2, holds: true } }] }]);
  });

  test("tells who takes the uid of an alert from the evidence of such a rule which events are behind it", async () => {
    const [outer] = jsonLines<AlertLine>((await run()).stdout).filter((alert) => alert.rule_title === "Again and again");
    const ran = await run("--explain", `twice:${outer?.evidence[0]}`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(
      /this is no event but an alert of 2222.*explain one of the events behind it: okta:al-0, okta:al-1, okta:al-2/,
    );
  });

  test("says where the event is, and which of its records are duplicates", async () => {
    const [found] = await explain("many:okta:al-0");
    expect(found?.places).toEqual([
      { file: input, line: 1, duplicate: false },
      { file: input, line: 7, duplicate: true },
    ]);
    expect((await run("--explain", "many:okta:al-0")).stdout).toContain(`${input}:7 (a duplicate, which does not count)`);
  });

  test("names the filter that drops an event, and shows nothing of an event that moves a cursor", async () => {
    const { stdout } = await run("--explain", "root:root-1", "root:root-2");
    expect(stdout).toContain("no   filter Known robot (robots)");
    expect(stdout).toContain("drops the event");
    expect(stdout).toContain("keeps the event");
    expect(stdout).toContain("yes  alert ");
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test.each([
    ["many:okta:al-11", 1, /no event has this uid; did you mean "okta:al-1"\?/],
    ["many:something else", 1, /no event has this uid; is its file among the inputs\?/],
    ["many:rejected-9", 1, /a record that names it was rejected and is no event: .*in\.ndjson:11 \(RECORD_NO_TIME: /],
    ["mnay:okta:al-1", 64, /no rule has the id, name or title "mnay"; did you mean "many"\?/],
    ["zzzzzzzz:okta:al-1", 64, /no rule has the id, name or title "zzzzzzzz"; "custodes rules list" shows/],
    ["many", 64, /the event is missing; write RULE:UID/],
    ["Twin:lonely", 64, /several rules have this title, twin-1 \(.*twin-2 .*give the id/],
    ["broken:lonely", 64, /the rule was rejected, .*rules\.yml:\d+: unknown modifier "nosuch"/],
    ["robots:lonely", 64, /"robots" is a filter; explain a rule that it filters/],
  ])("%s is answered with %i and what to do", async (target, code, message) => {
    const ran = await run("--explain", target);
    expect(ran.stderr).toMatch(message);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toBe("");
  });

  test("one that is missing does not keep the others from being explained", async () => {
    const ran = await run("--json", "--explain", "many:none", "many:okta:al-1");
    expect(ran.code).toBe(1);
    expect(jsonLines(ran.stdout)).toHaveLength(1);
  });

  test("--json without --explain is wrong usage", async () => {
    const ran = await run("--json");
    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain("--json goes with --explain");
  });
});

test("every event that a shipped rule counts as evidence is explained as part of its alert", async () => {
  const samples = "src/demo/samples";
  const inputs = [
    "kong=kong.ndjson.gz",
    "okta=okta.ndjson",
    "istio=istio.ndjson",
    "kubernetes=kubernetes.ndjson",
    "agent-findings=agent-findings.ndjson",
  ];
  const base = ["backtest", "--in", ...inputs.map((one) => one.replace("=", `=${samples}/`)), "--agents", `${samples}/agents.yaml`];
  const alerts = jsonLines<AlertLine>((await custodes(base)).stdout);
  const isAlert = (uid: string): boolean => /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(uid);
  const targets = alerts.flatMap((alert) =>
    alert.evidence
      .filter((uid) => !isAlert(uid))
      .slice(0, 2)
      .map((uid) => [alert.id, `${alert.rule_id}:${uid}`] as const),
  );
  expect(new Set(alerts.map((alert) => alert.rule_id)).size).toBeGreaterThan(8);
  const ran = await custodes([...base, "--json", "--explain", ...targets.map(([, target]) => target)]);
  const found = jsonLines<Explanation & Record<string, unknown>>(ran.stdout);
  expect(found).toHaveLength(targets.length);
  for (const [index, one] of found.entries()) expect(JSON.stringify(one)).toContain(targets[index]![0]);
  expect(found.every((one) => one.alerted)).toBe(true);
}, 60_000);
