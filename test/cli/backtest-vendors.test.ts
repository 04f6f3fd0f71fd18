import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ALERT_KEYS, custodes, jsonLines, type AlertLine } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-backtest-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("custodes backtest on vendors' records", () => {
  const SAMPLES = "src/demo/samples";
  const inputs = ["kong=kong.ndjson.gz", "okta=okta.ndjson", "istio=istio.ndjson", "kubernetes=kubernetes.ndjson"].map((one) =>
    one.replace("=", `=${SAMPLES}/`),
  );
  const arguments_ = ["backtest", ...inputs.flatMap((one) => ["--in", one]), "--agents", `${SAMPLES}/agents.yaml`];

  test("joins several sources under the shipped rules and names the agents", async () => {
    const out = join(directory, "alerts.ndjson");
    const ran = await custodes([...arguments_, "--in", `agent-findings=${SAMPLES}/agent-findings.ndjson`, "--out", out]);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toBe("");
    const alerts = jsonLines<AlertLine>(readFileSync(out, "utf8"));
    for (const alert of alerts) expect(Object.keys(alert)).toEqual(ALERT_KEYS);
    expect(new Set(alerts.flatMap((alert) => alert.agents)).size).toBeGreaterThan(5);
    expect(jsonLines(ran.stderr).at(-1)).toMatchObject({ quarantined: 4, alerts: alerts.length });
  });

  test("the order in which files are named changes nothing", async () => {
    const turned = ["backtest", "--agents", `${SAMPLES}/agents.yaml`, ...[...inputs].reverse().flatMap((one) => ["--in", one])];
    const [one, other] = await Promise.all([custodes(arguments_), custodes(turned)]);
    expect(jsonLines(one.stdout).length).toBeGreaterThan(5);
    expect(other.stdout).toBe(one.stdout);
  });

  test("what normalize prints can be read instead of the records, with the same alerts", async () => {
    const paths = await Promise.all(
      inputs.map(async (one) => {
        const [connector = "", path = ""] = one.split("=");
        const out = join(directory, `${connector}.ocsf.ndjson`);
        expect(await custodes(["normalize", "--connector", connector, "--in", path, "--out", out])).toMatchObject({ code: 0 });
        return out;
      }),
    );
    const [records, events] = await Promise.all([
      custodes(arguments_),
      custodes(["backtest", "--connector", "ocsf", "--in", ...paths, "--agents", `${SAMPLES}/agents.yaml`]),
    ]);
    expect(jsonLines(records.stdout).length).toBeGreaterThan(5);
    expect(events.stdout).toBe(records.stdout);
  });

  test("without the registry no agent is known, and rules that need one stay silent", async () => {
    const ran = await custodes(["backtest", "--in", inputs[0]!]);
    expect(ran.code).toBe(0);
    expect(jsonLines<AlertLine>(ran.stdout).flatMap((alert) => alert.agents)).toEqual([]);
  });
});

test("a broken agent registry is bad configuration, all problems at once with their lines", async () => {
  const agents = join(directory, "agents.yaml");
  writeFileSync(agents, 'version: 1\nagents:\n  - id: ""\n  - id: a\n    colour: red\n');
  const ran = await custodes(["backtest", "--in", "kong=src/demo/samples/kong.ndjson.gz", "--agents", agents]);
  expect(ran.code).toBe(78);
  expect(ran.stderr).toMatch(/agents\.yaml:3/);
  expect(ran.stderr).toMatch(/agents\.yaml:5/);
});
