import { describe, expect, test } from "vitest";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { compilePlain, reasons, ruleText } from "./build.ts";

const SELECTION = "  selection: {a: 1}";

function why(extra: string): string {
  return reasons(ruleText(SELECTION, extra)).join("\n");
}

function warnings(extra: string): readonly string[] {
  return compilePlain(ruleText(SELECTION, extra)).warnings.map((one) => `${one.line}: ${one.message}`);
}

describe("metadata", () => {
  test("what a rule says about itself arrives in its info", () => {
    const text = `title: A title
id: 545a5da6-f103-4919-a519-e9aec1026ee4
name: a_name
status: test
description: words
references: [https://example.org/1]
author: Someone
date: 2026-01-31
modified: 2026-02-01
tags: [attack.t1211, custodes.c1]
level: high
falsepositives: [none known]
logsource: {product: x}
custodes:
  schedule: "*/5 * * * *"
  timezone: Europe/Berlin
  suppress: 1h
  lateness: 0s
  entity: a
  threat: D4
  risk: 80
  maps: [{framework: MITRE ATT&CK, version: "18.0", id: T1041}, {framework: OWASP, version: 2025, id: LLM01}]
  runbook: docs/runbooks/x.md
  response: {level: 2, actions: [throttle]}
  destinations: [elastic/main]
detection:
  selection: {a: 1}
  condition: selection
`;
    const { detections, rejected, warnings: warned } = compilePlain(text);
    expect(rejected).toEqual([]);
    expect(warned).toEqual([]);
    expect(detections[0]).toMatchObject({ suppressMs: 3_600_000, latenessMs: 0, alerts: true });
    expect(detections[0]!.info).toEqual({
      id: "545a5da6-f103-4919-a519-e9aec1026ee4",
      name: "a_name",
      title: "A title",
      description: "words",
      path: "rules.yml",
      line: 1,
      level: "high",
      tags: ["attack.t1211", "custodes.c1"],
      status: "test",
      schedule: "*/5 * * * *",
      timezone: "Europe/Berlin",
      entity: "a",
      threat: "D4",
      risk: 80,
      runbook: "docs/runbooks/x.md",
      response: { level: 2, actions: ["throttle"] },
      destinations: ["elastic/main"],
      maps: [
        { framework: "MITRE ATT&CK", version: "18.0", id: "T1041" },
        { framework: "OWASP", version: "2025", id: "LLM01" },
      ],
      falsePositives: ["none known"],
      references: ["https://example.org/1"],
    });
  });

  test("a rule without a level is medium, and its own alerts are suppressed for 15 minutes", () => {
    const [detection] = compilePlain(ruleText(SELECTION)).detections;
    expect(detection).toMatchObject({ info: { level: "medium" }, suppressMs: 900_000, latenessMs: undefined });
  });

  test.each([
    ["level: hihg\n", 'did you mean "high"?'],
    ["level: 3\n", '"level" must be a text'],
    ["status: prod\n", '"status" cannot be "prod"'],
    ["description: 5\n", '"description" must be a text'],
    ["description:\n", '"description" must be a text, not null'],
    ["tags: attack.t1\n", '"tags" must be a list of texts'],
    ["tags: [5]\n", '"tags" must hold texts'],
    ["tags: []\n", '"tags" is an empty list'],
    ["references: https://x\n", '"references" must be a list'],
    ["falsepositives: none\n", '"falsepositives" must be a list'],
    ["fields: a\n", '"fields" must be a list'],
    ["author: [a]\n", '"author" must be a text'],
    ["date: 20260131\n", '"date" must be a text, not 20260131; quote it'],
    ["date: yesterday\n", "must be a date like 2026-01-31"],
    ["related: {id: x, type: similar}\n", '"related" must be a list of maps'],
    ["related: [{id: x}]\n", "the related rule has no type"],
    ["related: [{id: x, type: like}]\n", '"type" cannot be "like"'],
    ["name: ''\n", '"name" is empty'],
    ["action: global\n", 'the key "action" is not part of Sigma 2'],
    ["correlation: {type: event_count}\n", "a document has either detection or correlation, not both"],
    ["own_key: {x: {}}\n", '"x" is an empty map'],
    [`name: ${"n".repeat(257)}\n`, "longer than 256"],
  ])("%j is rejected: %s", (extra, reason) => {
    expect(why(extra)).toContain(reason);
  });

  test("ids that are no UUID, tags of another form, old dates and misspelt keys only warn", () => {
    expect(warnings("tags: [Attack]\n")).toContain('4: the tag "Attack" is not of the form namespace.tag in lower case');
    expect(warnings("")).toContain('2: the id "test" is not a UUID');
    expect(warnings("date: 2026/1/31\n")).toContain('4: "date" is written YYYY-MM-DD since Sigma 2');
    expect(warnings("falsepositve: [x]\n")).toContain('4: unknown key "falsepositve" is ignored; did you mean "falsepositives"?');
    expect(warnings("generate: true\n").join()).toContain('it stands inside "correlation"');
    expect(warnings("simulation: [x]\n").join()).not.toContain("simulation");
  });

  test("a title, a kind and a map are the least of a document", () => {
    expect(reasons("logsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n")).toEqual(["1: the title is missing"]);
    expect(reasons("title: T\ndetecton: {s: {a: 1}}\n")[0]).toContain("none of detection, correlation, filter");
    expect(reasons("title: T\ndetecton: {s: {a: 1}}\n")[0]).toContain('did you mean "detection"?');
    expect(reasons("- a\n- b\n")[0]).toContain("must be a map, not a list");
    expect(reasons("text\n")[0]).toContain("must be a map");
    expect(reasons("{}\n")[0]).toContain("the document is an empty map");
    expect(reasons("title: 5\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n")[0]).toContain('"title" must be a text');
  });

  test("nesting has a limit", () => {
    expect(why(`deep: ${"[".repeat(80)}1${"]".repeat(80)}\n`)).toContain("nested deeper");
  });
});

describe("custodes keys", () => {
  test.each([
    ["{supress: 1h}", 'unknown key "supress" in "custodes"; did you mean "suppress"?'],
    ["{}", '"custodes" is an empty map'],
    ["text", '"custodes" must be a map'],
    ["{suppress: 1 h}", '"suppress" must be a number with s, m, h, d, w, M or y'],
    ["{suppress: 0s}", "must be longer than nothing"],
    ["{suppress: 90}", "must be a number with"],
    ["{suppress: 101y}", "must be a number with"],
    ["{lateness: -1m}", "must be a number with"],
    ["{risk: 101}", '"risk" must be a number from 0 to 100'],
    ["{risk: high}", '"risk" must be a number'],
    ["{timezone: Mars/Olympus}", "is not a time zone"],
    ["{response: {actions: [x]}}", "the response has no level"],
    ["{response: {level: 4, actions: [x]}}", "from 1 to 3"],
    ["{response: {level: 1.5}}", "must be 1, 2 or 3"],
    ["{response: {level: 1, action: [x]}}", 'did you mean "actions"?'],
    ["{maps: [{framework: x, id: y}]}", "the mapping has no version"],
    ["{maps: [{framework: x, version: 18.5, id: y}]}", "quote it"],
    ["{maps: {framework: x}}", '"maps" must be a list'],
    ["{destinations: elastic}", '"destinations" must be a list'],
    ["{schedule: 5}", '"schedule" must be a text'],
  ])("%s: %s", (custodes, reason) => {
    expect(why(`custodes: ${custodes}\n`)).toContain(reason);
  });

  test("durations have the units of timespans", () => {
    const suppressMs = (text: string): number =>
      compilePlain(ruleText(SELECTION, `custodes: {suppress: ${text}}\n`)).detections[0]!.suppressMs;
    expect(["1s", "2m", "3h", "4d", "5w", "1M", "1y"].map(suppressMs)).toEqual([
      1000, 120_000, 10_800_000, 345_600_000, 3_024_000_000, 2_629_746_000, 31_556_952_000,
    ]);
  });
});

describe("logsource", () => {
  const RULE = (logsource: string): string => `title: T\nlogsource: ${logsource}\ndetection:\n  s: {api.operation: 1}\n  condition: s\n`;
  const compile = (text: string) =>
    compileRules(parseRuleFile("r.yml", text), { reader: eventReader, regex: regexEngine, logsource: true });

  test("a detection rule or filter without one is rejected, in plain backtests too", () => {
    expect(reasons("title: T\ndetection:\n  s: {a: 1}\n  condition: s\n")).toEqual(["1: the logsource is missing"]);
    expect(reasons("title: T\nfilter:\n  rules: any\n  s: {a: 1}\n  condition: not s\n")).toEqual(["1: the logsource is missing"]);
    expect(reasons(RULE("{definition: x}"))).toEqual(["2: the logsource names none of category, product, service"]);
    expect(reasons(RULE("{category: [x]}"))[0]).toContain('"category" must be a text');
    expect(reasons(RULE("{product: windows, service: security}"))).toEqual([]);
  });

  test("on normalized events it decides which categories a rule sees", () => {
    expect(compile(RULE("{product: agent}")).detections[0]!.categories).toBeUndefined();
    expect(compile(RULE("{category: egress}")).detections[0]!.categories).toEqual(["egress"]);
    expect(compile(RULE("{product: agent, category: dns}")).detections[0]!.categories).toEqual(["dns"]);
    expect(compile(RULE("{category: egres}")).rejected[0]!.reason).toContain('did you mean "egress"?');
    expect(compile(RULE("{product: windows}")).rejected[0]!.reason).toContain('no event has the product "windows"');
    expect(compile(RULE("{category: egress, service: x}")).rejected[0]!.reason).toContain("no event has a service");
  });

  test("a field that events do not have is rejected with the nearest that they have", () => {
    const [rejected] = compile(RULE("{product: agent}").replace("api.operation", "api.operatoin")).rejected;
    expect(rejected).toEqual({ rule: "T", file: "r.yml", line: 4, reason: 'unknown field "api.operatoin"; did you mean "api.operation"?' });
  });
});

describe("places and identity of what is rejected", () => {
  test("file, line and the id, name or title, and the rest of the pack loads", () => {
    const text = `${ruleText(SELECTION)}---
title: Broken
name: broken_rule
logsource: {category: x}
detection:
  selection:
    a: 1
    b|endwith: 2
  condition: selection
---
title: Good
logsource: {category: x}
detection:
  selection: {a: 2}
  condition: selection
`;
    const { detections, rejected } = compilePlain(text);
    expect(detections.map((one) => [one.info.id, one.info.line])).toEqual([
      ["test", 1],
      ["Good", 17],
    ]);
    expect(rejected).toEqual([
      { rule: "broken_rule", file: "rules.yml", line: 14, reason: 'unknown modifier "endwith"; did you mean "endswith"?' },
    ]);
  });

  test("an id or name that is taken rejects the later document, by path and line", () => {
    const rule = (id: string, name: string): string =>
      `title: ${id}${name}\n${id && `id: ${id}\n`}${name && `name: ${name}\n`}logsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n`;
    const files = [
      ...parseRuleFile("b.yml", rule("one", "")),
      ...parseRuleFile("c.yml", rule("three", "one")),
      ...parseRuleFile("a.yml", `${rule("one", "uno")}---\n${rule("two", "uno")}`),
    ];
    const { detections, rejected } = compileRules(files, { reader: eventReader, regex: regexEngine, logsource: false });
    expect(detections).toEqual([]);
    const plainSet = compilePlain(`${rule("one", "uno")}---\n${rule("two", "uno")}---\n${rule("uno", "")}---\n${rule("", "three")}`);
    expect(plainSet.detections.map((one) => one.info.id)).toEqual(["one", "three"]);
    expect(plainSet.rejected.map((one) => one.reason)).toEqual([
      'the name "uno" is taken by rules.yml:1',
      'the id "uno" is taken by rules.yml:1',
    ]);
    expect(rejected.map((one) => one.file)).toEqual(["a.yml", "a.yml", "b.yml", "c.yml"]);
  });

  test("a document that is rejected takes no id", () => {
    const text = `title: A\nid: x\nlevel: nope\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n---\ntitle: B\nid: x\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n`;
    expect(compilePlain(text).detections.map((one) => one.info.title)).toEqual(["B"]);
  });
});
