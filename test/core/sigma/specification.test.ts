import { existsSync, readdirSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { parse } from "yaml";
import { beforeAll, describe, expect, test } from "vitest";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { plainReader } from "../../../src/core/sigma/plain-reader.ts";
import { CORRELATION_TYPES } from "../../../src/core/sigma/rules.ts";
import { compilePlain } from "./build.ts";

const SPEC = resolve("../shared/spec");
const present = existsSync(SPEC);

test.runIf(process.env["CI"] === "true")("the published schemas and samples are there", () => {
  expect(present).toBe(true);
});

/** What the samples refer to but do not bring: detection rules by id or name. */
const MISSING = [
  "5638f7c0-ac70-491d-8465-2a65075e0d86",
  "website_access",
  "rule_a_id",
  "process_creation",
  "recon_cmd_a",
  "recon_cmd_b",
  "recon_cmd_c",
];

/** The verdict on every sample, together with what it refers to: loaded, or the class of the reason. */
const VERDICTS: Readonly<Record<string, RegExp | "loads">> = {
  "correlation/event_count.yml": "loads",
  "correlation/event_count_ecs.yml": "loads",
  "correlation/temporal.yml": "loads",
  "correlation/temporal_ordered.yml": "loads",
  "correlation/value_avg.yml": "loads",
  "correlation/value_count.yml": "loads",
  // Sigma's sample names no percentile; which one is meant cannot be known.
  "correlation/value_percentile.yml": /needs "percentile"/,
  "correlation/value_sum.yml": "loads",
  "filter/filter_1.yml": "loads",
  "filter/filter_ecs.yml": "loads",
  "rules/rule_1.yml": "loads",
  "rules/rule_ecs.yml": "loads",
};

describe.skipIf(!present)("the published samples (../shared/spec)", () => {
  const root = resolve(SPEC, "tests/schema");
  const files = present
    ? readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(root, resolve(entry.parentPath, entry.name)))
        .toSorted()
    : [];

  test("each has a verdict", () => {
    expect(files).toEqual(Object.keys(VERDICTS).toSorted());
  });

  test.each(files)("%s", (file) => {
    const context = MISSING.map(
      (name) => `title: ${name}\nname: ${name}\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n`,
    ).join("---\n");
    const documents = [...parseRuleFile("context.yml", context), ...parseRuleFile(file, readFileSync(resolve(root, file), "utf8"))];
    const { rejected } = compileRules(documents, { reader: plainReader(), regex: regexEngine, logsource: false });
    const verdict = VERDICTS[file]!;
    if (verdict === "loads") expect(rejected).toEqual([]);
    else {
      expect(rejected).toHaveLength(1);
      expect(rejected[0]!.reason).toMatch(verdict);
    }
  });

  test("without what they refer to, correlations are rejected for that and filters warn", () => {
    const documents = files.flatMap((file) => parseRuleFile(file, readFileSync(resolve(root, file), "utf8")));
    const { detections, correlations, rejected, warnings } = compileRules(documents, {
      reader: plainReader(),
      regex: regexEngine,
      logsource: false,
    });
    expect([detections.length, correlations.length]).toEqual([1, 0]);
    expect(rejected.map((one) => one.reason.replace(/"[^"]*"|rules\/\S+|correlation\/\S+/g, "…"))).toEqual([
      "the correlation refers to …: no rule has this id or name",
      "the id … is taken by …",
      "the correlation refers to …: no rule has this id or name",
      "the correlation refers to …: no rule has this id or name",
      "the correlation refers to …: no rule has this id or name",
      "the correlation refers to …: no rule has this id or name",
      "value_percentile needs …, a number from 0 to 100",
      "the correlation refers to …: no rule has this id or name",
      "the id … is taken by …",
    ]);
    expect(warnings.map((one) => one.message).filter((message) => message.includes("no rule has the id"))).toHaveLength(4);
  });
});

describe.skipIf(!present)("the published schemas (../shared/spec)", () => {
  const validators = new Map<string, (value: unknown) => boolean>();
  beforeAll(() => {
    for (const [kind, file] of [
      ["detection", "sigma-detection-rule-schema.json"],
      ["correlation", "sigma-correlation-rules-schema.json"],
      ["filter", "sigma-filters-schema.json"],
    ] as const) {
      const ajv = new Ajv2020({ strict: false, allErrors: true });
      formats.default(ajv);
      const schema = JSON.parse(readFileSync(resolve(SPEC, "json-schema", file), "utf8")) as Record<string, unknown>;
      // One of the schemas names its meta-schema with a trailing #, which validators do not resolve.
      delete schema["$schema"];
      validators.set(kind, ajv.compile(schema));
    }
  });

  test("every type of the correlation schema is known here", () => {
    const schema = readFileSync(resolve(SPEC, "json-schema/sigma-correlation-rules-schema.json"), "utf8");
    const types = [...schema.matchAll(/"const": "((?:event|value|temporal)\w*)"/g)].map((match) => match[1]!);
    expect(new Set(types).size).toBe(7);
    for (const type of types) expect(CORRELATION_TYPES).toContain(type);
  });

  const DETECTION = "title: T\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n";
  const FILTER = "title: T\nlogsource: {category: x}\nfilter:\n  rules: [r]\n  selection: {a: 1}\n  condition: not selection\n";
  const CORRELATION =
    "title: T\ncorrelation:\n  type: event_count\n  rules: [rr]\n  group-by: [a]\n  timespan: 1h\n  condition: {gte: 1}\n";
  const RULE = "---\ntitle: R\nname: rr\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n";

  test.each([
    ["detection", DETECTION],
    ["filter", FILTER],
    ["correlation", CORRELATION],
  ])("a %s that the schema accepts loads", (kind, text) => {
    expect(validators.get(kind)!(parse(text))).toBe(true);
    expect(compilePlain(text + RULE).rejected).toEqual([]);
  });

  test.each([
    ["detection", DETECTION.replace("title: T", "titel: T")],
    ["detection", DETECTION.replace("title: T", "title: 5")],
    ["detection", DETECTION.replace("title: T", `title: ${"T".repeat(257)}`)],
    ["detection", DETECTION.replace("logsource: {category: x}\n", "")],
    ["detection", DETECTION.replace("{category: x}", "{category: 5}")],
    ["detection", DETECTION.replace("  condition: s\n", "")],
    ["detection", DETECTION.replace("condition: s", "condition: 5")],
    ["detection", `${DETECTION}level: severe\n`],
    ["detection", `${DETECTION}status: done\n`],
    ["detection", `${DETECTION}tags: attack.t1\n`],
    ["detection", `${DETECTION}references: [5]\n`],
    ["detection", `${DETECTION}falsepositives: none\n`],
    ["detection", `${DETECTION}related: [{id: 6c82cf5c-090d-4d57-9188-533577631108, type: other}]\n`],
    ["detection", `${DETECTION}author: 5\n`],
    ["detection", `${DETECTION}date: soon\n`],
    ["detection", `${DETECTION}name: 5\n`],
    ["detection", `${DETECTION}scope: servers\n`],
    ["filter", FILTER.replace("  rules: [r]\n", "")],
    ["filter", FILTER.replace("[r]", "[]")],
    ["filter", FILTER.replace("  condition: not selection\n", "")],
    ["filter", FILTER.replace("logsource: {category: x}\n", "")],
    ["correlation", CORRELATION.replace("  rules: [rr]\n", "")],
    ["correlation", CORRELATION.replace("[rr]", "rr")],
    ["correlation", CORRELATION.replace("[rr]", "[rr, rr]")],
    ["correlation", CORRELATION.replace("event_count", "events")],
    ["correlation", CORRELATION.replace("  timespan: 1h\n", "")],
    ["correlation", CORRELATION.replace("1h", "3600")],
    ["correlation", CORRELATION.replace("  condition: {gte: 1}\n", "")],
    ["correlation", CORRELATION.replace("[a]", "a")],
    ["correlation", `${CORRELATION}generate: sometimes\n`],
  ])("a %s that the schema refuses is rejected (%#)", (kind, text) => {
    expect(validators.get(kind)!(parse(text))).toBe(false);
    expect(compilePlain(text + RULE).rejected).toHaveLength(1);
  });
});
