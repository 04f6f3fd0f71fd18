/** Values of `%name%` in rules, and packs that hold filters alone, for the commands that read rules. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { custodes, jsonLines, type AlertLine } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-placeholders-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const write = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

const RULE = `title: Danger
name: danger
logsource: { category: agent_api }
detection: { s: { "api.operation|expand": "%danger%" }, condition: s }
`;
const FILTER = `title: Not that
logsource: { category: agent_api }
filter: { rules: any, s: { api.operation: other }, condition: not s }
`;
const events = write(
  "events.ndjson",
  ["erase", "drop table", "read"].map((operation, at) => JSON.stringify({ timestamp: 1_700_000_000 + at, api: { operation } })).join("\n"),
);
const backtest = (rules: string, ...more: readonly string[]) =>
  custodes(["backtest", "--rules", rules, "--connector", "plain", "--in", events, ...more]);

describe("placeholders", () => {
  test("of a file are values of rules in a backtest, lists and wildcards too", async () => {
    const rules = write("rule.yml", RULE);
    const file = write("values.yaml", 'danger: [erase, "drop*"]\n');
    const ran = await backtest(rules, "--placeholders", file);
    expect([ran.code, jsonLines<AlertLine>(ran.stdout).map((alert) => alert.count)]).toEqual([0, [2]]);
  });

  test("that are not configured reject the rule by name", async () => {
    const ran = await backtest(write("rule.yml", RULE), "--placeholders", write("values.yaml", "dangers: erase\n"));
    expect(ran.code).toBe(78);
    expect(jsonLines(ran.stderr)).toMatchObject([
      { rule: "danger", line: 4, reason: 'the placeholder "danger" is not configured; did you mean "dangers"?' },
    ]);
  });

  test.each([
    ["a missing file", "none.yaml", undefined, /none\.yaml:0: cannot be read \(ENOENT\)/],
    ["a map as a value", "map.yaml", "danger: { a: b }\n", /map\.yaml:1: danger: /],
    ["an empty list", "empty.yaml", "x: y\ndanger: []\n", /empty\.yaml:2: danger: /],
    ["a name with a percent sign", "percent.yaml", '"%danger%": erase\n', /percent\.yaml:1: .*neither % nor spaces/],
  ])("of %s are told with their place", async (_, name, text, wanted) => {
    const file = text === undefined ? join(directory, name) : write(name, text);
    const ran = await backtest(write("rule.yml", RULE), "--placeholders", file);
    expect(ran.code).toBe(78);
    expect(ran.stderr).toMatch(wanted);
  });

  test("of the configuration are used by check, beside those of a file", async () => {
    const rules = write("two.yml", `${RULE.replace("{ category: agent_api }", "{ category: agent_api, product: agent }")}`);
    const config = (placeholders: string): string => write("custodes.yaml", `rules: [${rules}]\n${placeholders}sources: { kong/a: {} }\n`);
    const bad = await custodes(["check", "-c", config("placeholders: { other: x }\n")]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toMatch(/two\.yml:4: danger: the placeholder "danger" is not configured/);
    expect(await custodes(["check", "-c", config("placeholders: { danger: [erase, 7] }\n")])).toMatchObject({ code: 0, stderr: "" });
    const file = write("values.yaml", "danger: erase\n");
    expect(await custodes(["check", "-c", config(""), "--placeholders", file])).toMatchObject({ code: 0, stderr: "" });
    const wrong = await custodes(["check", "-c", config("placeholders: { danger: { a: b } }\n")]);
    expect([wrong.code, wrong.stderr]).toEqual([78, expect.stringMatching(/custodes\.yaml:2: placeholders\.danger: /)]);
  });
});

describe("a pack of filters alone", () => {
  test("can alert about nothing, which is no error of the pack, but is said", async () => {
    const ran = await backtest(write("filter.yml", FILTER));
    expect([ran.code, ran.stdout]).toEqual([0, ""]);
    expect(jsonLines(ran.stderr)).toContainEqual({ warning: "the rules are filters alone: nothing can alert" });
  });

  test("is one when all rules beside them were rejected", async () => {
    const ran = await backtest(write("filter.yml", `${FILTER}---\n${RULE}`));
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain("filters were loaded, but no rule that they could apply to");
  });
});
