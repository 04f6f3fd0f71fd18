import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { custodes } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-rules-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const RULE = `
title: Refusal
id: 77777777-7777-4777-8777-777777777777
name: refusal
logsource: { category: agent_api, product: agent }
detection: { selection: { refusal: true }, condition: selection }
level: low
custodes: { threat: D1 }
tags: [custodes.b99]
`;
const CASES = `
defaults: { category: agent_api }
cases:
  - name: fires on a refusal
    events: [{ refusal: true }]
    expect: [{ rule: refusal }]
  - name: stays silent without one
    events: [{ refusal: false }]
    expect: []
`;

function pack(name: string, cases: string, rule = RULE): string {
  writeFileSync(join(directory, `${name}.yml`), rule);
  const path = join(directory, `${name}.test.yml`);
  writeFileSync(path, cases);
  return join(directory, `${name}.yml`);
}

describe("custodes rules test", () => {
  test("runs the shipped cases, and all pass", async () => {
    const ran = await custodes(["rules", "test"]);
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(ran.stdout) ?? [];
    expect(Number(passed)).toBeGreaterThan(30);
    expect(failed).toBe("0");
  });

  test("a case that fails is named with its place, and the answer is no", async () => {
    const good = pack("good", CASES);
    expect(await custodes(["rules", "test", good])).toMatchObject({ code: 0, stdout: "2 passed, 0 failed\n" });
    rmSync(good);
    const bad = pack("bad", CASES.replace("events: [{ refusal: true }]", "events: [{ refusal: false }]"));
    const ran = await custodes(["rules", "test", bad]);
    expect(ran).toMatchObject({ code: 1, stdout: "1 passed, 1 failed\n" });
    expect(ran.stderr).toMatch(/bad\.test\.yml:4: fires on a refusal: refusal: 1 expected, 0 raised/);
    rmSync(bad);
  });

  test("an alert that no case expects fails it", async () => {
    const path = pack("loud", CASES.replace("events: [{ refusal: false }]", "events: [{ refusal: true }]"));
    const ran = await custodes(["rules", "test", path]);
    expect(ran).toMatchObject({ code: 1, stdout: "1 passed, 1 failed\n" });
    expect(ran.stderr).toContain("which nothing expects");
    rmSync(path);
  });

  test("broken cases and rules are all told with their lines", async () => {
    const path = pack(
      "broken",
      CASES.replace("refusal: true", "refusals: true").replace("expect: []", "expectt: []"),
      RULE.replace("refusal: true", "refusal|no: x"),
    );
    const ran = await custodes(["rules", "test", path]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/broken\.test\.yml:\d+: /);
    expect(ran.stderr).toMatch(/broken\.yml:\d+: .*"no"/);
    rmSync(path);
  });

  test("a path without cases is no success", async () => {
    const ran = await custodes(["rules", "test", join(directory, "none")]);
    expect(ran).toMatchObject({ code: 1, stdout: "0 passed, 0 failed\n" });
  });
});

interface RuleJson {
  readonly id: string;
  readonly title: string;
  readonly path: string;
  readonly level: string;
  readonly tags: readonly string[];
  readonly status: string;
  readonly schedule: string | null;
  readonly threat: string | null;
  readonly maps: readonly { readonly framework: string; readonly version: string; readonly id: string }[];
}

describe("custodes rules list", () => {
  test("--json: every shipped rule that alerts has a row of the inventory, a threat row and mappings with versions", async () => {
    const ran = await custodes(["rules", "list", "--json"]);
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const list = JSON.parse(ran.stdout) as RuleJson[];
    expect(list.length).toBeGreaterThan(15);
    // A drill is no threat: it has no row in any inventory.
    const threats = list.filter((rule) => !rule.tags.includes("custodes.drill"));
    expect(threats).toHaveLength(list.length - 1);
    for (const rule of threats) {
      for (const key of ["id", "title", "path", "level", "tags", "status", "schedule"]) expect(rule, rule.title).toHaveProperty(key);
      expect(rule.tags.join(" "), rule.title).toMatch(/\bcustodes\.[a-z]\d+\b/);
      expect(rule.threat, rule.title).toMatch(/^D\d+$/);
      expect(rule.maps.length, rule.title).toBeGreaterThan(0);
      for (const map of rule.maps) for (const value of [map.framework, map.version, map.id]) expect(value, rule.title).not.toBe("");
    }
    expect(new Set(list.map((rule) => rule.id)).size).toBe(list.length);
  });

  test("for people: one aligned line per rule, with its codes and place, within 120 columns", async () => {
    const [list, json] = await Promise.all([custodes(["rules", "list"]), custodes(["rules", "list", "--json"])]);
    const [head, ...rows] = list.stdout.trimEnd().split("\n");
    expect(head).toMatch(/^STATUS +LEVEL +CODES +SPAN +HORIZON +TITLE +FILE$/);
    const rules = JSON.parse(json.stdout) as RuleJson[];
    expect(rows.pop()).toMatch(/^\d+ more raise no alerts of their own .*--all lists them$/);
    expect(rows).toHaveLength(rules.length);
    rules.forEach((rule, index) => {
      expect(rows[index]).toContain(rule.title.slice(0, 40));
      expect(rows[index]).toMatch(/ …?[\w/-]+\.yml:\d+$/);
      expect(rows[index]?.length).toBeLessThanOrEqual(120);
    });
  });

  test("--wide shows the rest: whole titles and places, types, mappings, how it runs", async () => {
    const { stdout } = await custodes(["rules", "list", "--wide"]);
    expect(stdout.split("\n")[0]).toMatch(/^STATUS +LEVEL +CODES +THREAT +TYPE +SPAN +HORIZON +RUNS +MAPPINGS +ROUTES +TITLE +FILE$/);
    expect(stdout).toMatch(
      /^loaded +critical +C2 +D6 +temporal_ordered +30m +\S+ +continuously +\S*T1110\S* +unknown without -c +Failed authentications, then success and gateway calls from the same address +correlations\/credential-theft\/failures-then-success\.yml:\d+$/m,
    );
  });
});
