import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { custodes, jsonLines, type Ran } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-render-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const SAMPLES = "src/demo/samples";
const alertsFile = join(directory, "alerts.ndjson");
let alerts: { readonly id: string; readonly severity: string; readonly rule_title: string; readonly last_time: number }[] = [];

beforeAll(async () => {
  const inputs = ["kong=kong.ndjson.gz", "okta=okta.ndjson", "agent-findings=agent-findings.ndjson"];
  const named = inputs.map((one) => one.replace("=", `=${SAMPLES}/`));
  const ran = await custodes(["backtest", "--in", ...named, "--agents", `${SAMPLES}/agents.yaml`, "--out", alertsFile]);
  expect(ran.code, ran.stderr).toBe(0);
  alerts = jsonLines(readFileSync(alertsFile, "utf8"));
  expect(alerts.length).toBeGreaterThan(10);
});

const render = (destination: string, ...more: readonly string[]): Promise<Ran> =>
  custodes(["render", "--destination", destination, "--in", alertsFile, ...more]);

describe("custodes render prints what the destination would get", () => {
  test("elastic: an action and a document per alert, under the alert's id", async () => {
    const ran = await render("elastic");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const lines = jsonLines<Record<string, Record<string, unknown>>>(ran.stdout);
    expect(lines).toHaveLength(2 * alerts.length);
    alerts.forEach((alert, index) => {
      expect(lines[2 * index]?.["index"]).toMatchObject({ _id: alert.id, version: 1, version_type: "external" });
      expect(lines[2 * index + 1]).toMatchObject({ message: alert.rule_title, event: { kind: "alert" } });
    });
  });

  test("opensearch: the same as elastic", async () => {
    const ran = await render("opensearch");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toBe((await render("elastic")).stdout.replaceAll("elastic/render:", "opensearch/render:"));
  });

  test("splunk: one envelope per alert with its key", async () => {
    const ran = await render("splunk");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const envelopes = jsonLines<{ time: number; sourcetype: string; fields: Record<string, string> }>(ran.stdout);
    expect(envelopes.map((one) => one.fields["custodes_id"])).toEqual(alerts.map((alert) => alert.id));
    expect(envelopes.map((one) => Math.round(one.time * 1000))).toEqual(alerts.map((alert) => alert.last_time));
    expect(new Set(envelopes.map((one) => one.sourcetype))).toEqual(new Set(["custodes:alert"]));
  });

  test("sentinel: one row of ASimAlertEventLogs per alert", async () => {
    const ran = await render("sentinel");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const rows = jsonLines(ran.stdout);
    expect(rows.map((row) => row["EventUid"])).toEqual(alerts.map((alert) => alert.id));
    for (const row of rows) expect(row).toMatchObject({ EventSchema: "AlertEvent", EventType: "Alert" });
  });

  test("pagerduty: one trigger per alert that would page, without a key, and why the others would not", async () => {
    const ran = await render("pagerduty");
    expect(ran.code).toBe(0);
    const paging = alerts.filter((alert) => alert.severity === "high" || alert.severity === "critical");
    const events = jsonLines<{ event_action: string; payload: { class: string } }>(ran.stdout);
    expect(events).toHaveLength(paging.length);
    expect(new Set(events.map((event) => event.payload.class))).toEqual(new Set(paging.map((alert) => alert.rule_title)));
    expect(ran.stdout).not.toContain("routing_key");
    const [first, ...said] = ran.stderr.trimEnd().split("\n");
    expect(first).toMatch(/^pagerduty takes incidents only: each alert is shown as an incident of its own/);
    expect(said).toHaveLength(alerts.length - paging.length);
    for (const line of said) expect(line).toMatch(/:\d+: not sent: level \w+ is below minLevel high$/);
  });
});

test("the same alerts give the same bytes, to a file as to standard output, from a file as from standard input", async () => {
  const out = join(directory, "out");
  const [first, piped] = await Promise.all([
    render("splunk"),
    custodes(["render", "--destination", "splunk", "--in", "-"], { stdin: readFileSync(alertsFile, "utf8") }),
    render("splunk", "--out", out),
  ]);
  expect(piped.stdout).toBe(first.stdout);
  expect(readFileSync(out, "utf8")).toBe(first.stdout);
});

test("what is no alert is refused with its line, the rest is rendered, and the answer is no", async () => {
  const mixed = join(directory, "mixed.ndjson");
  const [line] = readFileSync(alertsFile, "utf8").split("\n");
  writeFileSync(mixed, `nonsense\n${line}\n{"rule_id":"x"}\n\n`);
  const ran = await custodes(["render", "--destination", "elastic", "--in", mixed]);
  expect(ran.code).toBe(1);
  expect(jsonLines(ran.stdout)).toHaveLength(2);
  expect(ran.stderr.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/mixed\.ndjson:1: RECORD_NOT_JSON: /),
    expect.stringMatching(/mixed\.ndjson:3: RECORD_FIELD_INVALID: /),
  ]);
});

test.each([
  [["render", "--destination", "kong", "--in", "package.json"], /known: .*elastic, .*opensearch, .*pagerduty, .*sentinel, .*splunk/],
  [["render", "--destination", "elastic", "--in", "no/such/file"], /no such file/],
  [["render", "--in", "package.json"], /--destination/],
])("%j is wrong usage", async (arguments_, message) => {
  const ran = await custodes(arguments_);
  expect(ran.code).toBe(64);
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).not.toMatch(/\n\s+at /);
});
