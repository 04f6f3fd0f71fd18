import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { newEvent } from "../../../src/core/new-event.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import {
  explainDetection,
  type ExplainedCondition,
  type ExplainedDetection,
  type ExplainedSection,
  type ExplainedTest,
} from "../../../src/core/sigma/explain.ts";
import { detectionLines, linesText } from "../../../src/core/sigma/explain-text.ts";
import { MODIFIERS } from "../../../src/core/sigma/modifiers.ts";
import { plainReader } from "../../../src/core/sigma/plain-reader.ts";
import { compilePlain, plain, ruleText } from "./build.ts";

/** What follows from the verdicts of the leaves alone; throws where a part says otherwise. */
function verdictOf({ detection, filters, logsource }: ExplainedDetection): boolean {
  return logsource.matched && section(detection) && filters.every((filter) => section(filter.section));
}

function section({ matched, conditions, identifiers }: ExplainedSection): boolean {
  const names = new Map(identifiers.map(({ name, test: one }) => [name, leaves(one)]));
  const verdict = conditions.some((condition) => fromNames(condition, names));
  expect(matched).toBe(verdict);
  return verdict;
}

function fromNames({ kind, text, matched, parts }: ExplainedCondition, names: ReadonlyMap<string, boolean>): boolean {
  const of = parts.map((part) => fromNames(part, names));
  const verdict = {
    name: () => names.get(text)!,
    not: () => !of[0]!,
    and: () => of.every(Boolean),
    or: () => of.some(Boolean),
    of: () => (text.startsWith("all") ? of.every(Boolean) : of.some(Boolean)),
  }[kind]();
  expect({ text, matched }).toEqual({ text, matched: verdict });
  return verdict;
}

function leaves(one: ExplainedTest): boolean {
  if ("parts" in one) {
    const of = one.parts.map(leaves);
    const verdict = one.kind === "all" ? of.every(Boolean) : of.some(Boolean);
    expect(one.matched).toBe(verdict);
    return verdict;
  }
  const single = one.wanted.map(({ matched }) => matched);
  // Under `neq` with `all` and with other values, one value alone says less than the test.
  if (one.wanted_more === 0 && !single.includes(null)) {
    const every = one.modifiers.includes("all") !== one.modifiers.includes("neq");
    expect({ one, verdict: every ? single.every(Boolean) : single.some(Boolean) }).toEqual({ one, verdict: one.matched });
  }
  return one.matched;
}

const scalar = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "B", "1", "*", "?"), maxLength: 4 }),
  fc.constantFrom<string | number | boolean | null>(0, 1, 10, true, null, "10.0.0.0/8", "^a+$", "g", "-a /b"),
);
const key = fc
  .tuple(fc.constantFrom("f", "a.b", "g", ""), fc.array(fc.constantFrom(...MODIFIERS), { maxLength: 2 }))
  .map(([name, modifiers]) => [name, ...modifiers].join("|"));
const value = fc.oneof(scalar, fc.array(scalar, { minLength: 1, maxLength: 3 }));
const map = fc.dictionary(key, value, { minKeys: 1, maxKeys: 2 });
const selection = fc.oneof(map, fc.array(fc.oneof(map, scalar), { minLength: 1, maxLength: 3 }), scalar);
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom("one", "two", "_three", "1 of them", "all of them", "any of t*", "all of _*"),
    tie("condition").map((of) => `not (${of})`),
    fc.tuple(tie("condition"), fc.constantFrom("and", "or"), tie("condition")).map(([a, word, b]) => `(${a}) ${word} (${b})`),
  ),
}));
const field = fc.oneof(scalar, fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), { maxLength: 3 }));
const event = fc.dictionary(fc.constantFrom("f", "a.b", "g", "b"), field, { maxKeys: 4 });

test("the verdict of an explanation, and of every part of it, is the predicate's", () => {
  let explained = 0;
  const rule = fc.record({
    one: selection,
    two: selection,
    _three: selection,
    condition: fc.array(condition, { minLength: 1, maxLength: 2 }),
  });
  const filter = fc.option(fc.record({ one: selection, two: selection, _three: selection, condition }));
  fc.assert(
    fc.property(rule, filter, fc.array(event, { minLength: 1, maxLength: 4 }), (detection, given, events) => {
      const text = `title: T\nid: test\nlogsource: {category: any}\ndetection: ${JSON.stringify(detection)}\n`;
      const more =
        given === null ? "" : `---\ntitle: F\nlogsource: {category: any}\nfilter: ${JSON.stringify({ rules: "any", ...given })}\n`;
      for (const one of compilePlain(text + more).detections) {
        for (const value of events) {
          const found = explainDetection(one, plain(value), plainReader())!;
          expect(found.matched).toBe(one.matches(plain(value)));
          expect(verdictOf(found)).toBe(found.matched);
          explained++;
        }
      }
    }),
    { numRuns: 1500 },
  );
  expect(explained).toBeGreaterThan(500);
});

describe("an explanation", () => {
  const explain = (selection: string, of: object, extra = ""): ExplainedDetection =>
    explainDetection(compilePlain(ruleText(selection) + extra).detections[0]!, plain(of), plainReader())!;
  const text = (found: ExplainedDetection): string => linesText(detectionLines(found, 0));

  test("says for each field what was wanted, what the event has, and which of the values it is", () => {
    const found = explain(
      `  selection: { outcome: failure, user|startswith: [adm, root], tries|gte: 5 }
  known: { host: [a, b] }
  condition: selection and not known`,
      { outcome: "failure", user: "Administrator", tries: 3, host: "b" },
    );
    expect(text(found)).toBe(`no   rule Test (test), rules.yml:1
  yes  logsource category any: plain events have none, so any is right
  no   condition selection and not known
    no   selection
    no   not known
      yes  known
  no   selection: all of these
    yes  outcome: "failure"; the event has "failure"
    yes  user|startswith: any of 2 values; the event has "Administrator"
      yes  "adm"
      no   "root"
    no   tries|gte: 5; the event has 3
  yes  known: host: any of 2 values; the event has "b"
    no   "a"
    yes  "b"`);
  });

  test("tells a missing field from null and from an empty text", () => {
    const has = (of: object): string => text(explain("  selection: { f: x }", of)).split("the event has ")[1]!;
    expect([has({}), has({ f: null }), has({ f: "" }), has({ f: ["a", 1] })]).toEqual(["no such field", "null", '""', '["a",1]']);
  });

  test("shows the other field of a fieldref, lists of maps, and keywords", () => {
    expect(text(explain("  selection: { f|fieldref: g }", { f: "a", g: "b" }))).toContain('f|fieldref: "g" ("b"); the event has "a"');
    expect(text(explain("  selection: { f|fieldref: g }", { f: "a" }))).toContain('"g" (which the event does not have)');
    const list = text(explain("  selection:\n    - { f: a }\n    - g: b\n      h: c\n    - word", { g: "b", h: "a word" }));
    expect(list).toContain("yes  selection: any of these");
    expect(list).toContain("no   all of these");
    expect(list).toContain('yes  keywords: "word"');
  });

  test("names the filters that apply, and the one that drops the event", () => {
    const filter = `---\ntitle: Known hosts\nid: f1\nlogsource: {category: any}\nfilter: { rules: [test], known: { host: h1 }, condition: not known }\n`;
    const found = explain("  selection: { f: a }", { f: "a", host: "h1" }, filter);
    expect(found.matched).toBe(false);
    expect(found.filters).toMatchObject([{ rule: { id: "f1" }, section: { matched: false } }]);
    expect(text(found)).toContain("no   filter Known hosts (f1), rules.yml:8: drops the event");
    expect(text(explain("  selection: { f: a }", { f: "a", host: "h2" }, filter))).toContain("keeps the event");
  });

  test("shows nothing that could move a cursor, and nothing without end", () => {
    const hostile = `\u001B[2Jx\u202E${"long ".repeat(1000)}`;
    const found = explain(`  selection: { f: ${JSON.stringify(hostile)}, g: y }`, { f: hostile, g: ["\r", hostile] });
    for (const shown of [text(found), JSON.stringify(found)]) {
      expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(shown.length).toBeLessThan(3000);
    }
  });

  test("shows at most fifty of many wanted values, those that are met first", () => {
    const values = Array.from({ length: 300 }, (_, index) => `v${index}`);
    const found = explain(`  selection: { f: ${JSON.stringify(values)} }`, { f: "v299" });
    expect(found.detection.identifiers[0]?.test).toMatchObject({ wanted_more: 250, wanted: expect.objectContaining({ length: 50 }) });
    expect(text(found)).toContain('yes  "v299"');
    expect(text(found)).toContain("and 250 more");
  });

  test("says that the event is of another category", () => {
    const rule = "title: T\nlogsource: { category: egress, product: agent }\ndetection: { s: { agent.role: r }, condition: s }\n";
    const set = compileRules(parseRuleFile("r.yml", rule), { reader: eventReader, regex: regexEngine, logsource: true, outlines: true });
    const found = explainDetection(set.detections[0]!, newEvent("u", 1, "dns", 4003, 1), eventReader)!;
    expect(found.logsource).toEqual({ matched: false, wanted: { category: "egress", product: "agent" }, category: "dns" });
    expect(text(found)).toContain("no   logsource category egress, product agent: the event is dns");
  });

  test("needs rules that were compiled for it", () => {
    const set = compileRules(parseRuleFile("r.yml", ruleText("  selection: { f: a }")), {
      reader: plainReader(),
      regex: regexEngine,
      logsource: false,
    });
    expect(explainDetection(set.detections[0]!, plain({}), plainReader())).toBeUndefined();
  });
});
