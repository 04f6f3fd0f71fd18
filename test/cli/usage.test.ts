import { describe, expect, test } from "vitest";
import { custodes } from "./command.ts";

const COMMANDS = ["run", "demo", "check", "normalize", "backtest", "render", "rules", "sources", "incidents", "deadletters", "quarantine"];

test("--help and --version are good, and name every command", async () => {
  const [help, version] = await Promise.all([custodes(["--help"]), custodes(["--version"])]);
  expect([help.code, version.code]).toEqual([0, 0]);
  for (const command of COMMANDS) expect(help.stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe("wrong usage ends with 64 and a sentence", () => {
  test.each([
    [[]],
    [["nosuch"]],
    [["--nosuch"]],
    [["run", "--nosuch"]],
    [["run", "too", "many"]],
    [["rules"]],
    [["rules", "nosuch"]],
    [["incidents", "show"]],
    [["quarantine"]],
    [["deadletters", "nosuch"]],
    [["backtest", "--lateness"]],
  ])("%j", async (arguments_) => {
    const ran = await custodes(arguments_);
    expect(ran.code).toBe(64);
    expect(ran.stderr).not.toBe("");
    expect(ran.stderr).not.toMatch(/\n\s+at /);
    expect(ran.stdout).toBe("");
  });

  test("a command that is nearly right is suggested", async () => {
    const ran = await custodes(["quarantin"]);
    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain("quarantine");
  });
});

test("an output that cannot be written is told in a sentence", async () => {
  const input = "src/demo/samples/okta.ndjson";
  const ran = await custodes(["normalize", "--connector", "okta", "--in", input, "--out", "/no/such/directory/out"]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/no such file or directory/);
  expect(ran.stderr).not.toMatch(/\n\s+at /);
});

test("the schema of the configuration names every connector", async () => {
  const ran = await custodes(["schema"]);
  expect(ran.code).toBe(0);
  const schema = JSON.stringify(JSON.parse(ran.stdout));
  for (const connector of ["kong", "okta", "istio", "kubernetes", "agent-findings", "otlp", "elastic", "splunk", "sentinel", "pagerduty"])
    expect(schema).toContain(connector);
});
