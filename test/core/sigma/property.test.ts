import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { newEvent } from "../../../src/core/new-event.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { MODIFIERS } from "../../../src/core/sigma/modifiers.ts";
import { compilePlain, plain, ruleText } from "./build.ts";

type Scalar = string | number | boolean | null;

/** The semantics of texts, null, arrays, neq and all, written as they read and without any shortcut. */
function naive(modifiers: readonly string[], values: readonly Scalar[], field: unknown): boolean {
  const elements = Array.isArray(field) ? (field.flat(5) as unknown[]) : [field ?? null];
  const one = (value: Scalar): boolean => elements.some((element) => naiveScalar(modifiers, value, element));
  const matched = modifiers.includes("all") ? values.every(one) : values.some(one);
  if (!modifiers.includes("neq")) return matched;
  return elements.some((element) => element !== null && typeof element !== "object") && !matched;
}

function naiveScalar(modifiers: readonly string[], value: Scalar, element: unknown): boolean {
  if (value === null) return element === null;
  if (element === null || typeof element === "object") return false;
  const cased = modifiers.includes("cased");
  const own = typeof element === "string" ? element : JSON.stringify(element);
  const text = cased ? own : own.toLowerCase();
  const open = (name: string): string => (modifiers.includes("contains") || modifiers.includes(name) ? "*" : "");
  const pattern = open("endswith") + (cased ? String(value) : String(value).toLowerCase()) + open("startswith");
  return wild(pattern, text);
}

function wild(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern[0] === "*") return wild(pattern.slice(1), text) || (text !== "" && wild(pattern, text.slice(1)));
  return text !== "" && (pattern[0] === "?" || pattern[0] === text[0]) && wild(pattern.slice(1), text.slice(1));
}

const word = fc.string({ unit: fc.constantFrom("a", "B", "b", "1", "0"), maxLength: 4 });
const pattern = fc.string({ unit: fc.constantFrom("a", "B", "1", "*", "?"), maxLength: 4 });
const scalar = fc.oneof(word, fc.constantFrom<Scalar>(0, 1, 10, -1.5, true, false, null));
const field = fc.oneof(
  scalar,
  fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.constant({ a: "b" })), { maxLength: 3 }),
  fc.constant(undefined),
  fc.constant({}),
);

test("a field matches as the semantics say, whatever way the compiler takes", () => {
  const entry = fc.record({
    position: fc.constantFrom("", "contains", "startswith", "endswith"),
    flags: fc.subarray(["all", "cased", "neq"]),
    values: fc.array(fc.oneof(pattern, fc.constantFrom<Scalar>(0, 1, 10, true)), { minLength: 1, maxLength: 4 }),
    orNull: fc.boolean(),
  });
  fc.assert(
    fc.property(entry, fc.array(field, { minLength: 1, maxLength: 5 }), ({ position, flags, values, orNull }, fields) => {
      const withNull = orNull && position === "" && !flags.includes("cased");
      const all = withNull ? [...values, null] : values;
      const modifiers = [position, ...flags].filter((name) => name !== "");
      const selection = JSON.stringify({ [["f", ...modifiers].join("|")]: all });
      const { detections, rejected } = compilePlain(ruleText(`  selection: ${selection}`));
      expect(rejected).toEqual([]);
      for (const value of fields) {
        const event = value === undefined ? {} : { f: value };
        expect({ selection, event, verdict: detections[0]!.matches(plain(event)) }).toEqual({
          selection,
          event,
          verdict: naive(modifiers, all, value),
        });
      }
    }),
    { numRuns: 2000 },
  );
});

const anyKey = fc
  .tuple(fc.constantFrom("f", "a.b", "g", ""), fc.array(fc.constantFrom(...MODIFIERS), { maxLength: 3 }))
  .map(([name, modifiers]) => [name, ...modifiers].join("|"));
const anyValue = fc.oneof(scalar, fc.constantFrom("10.0.0.0/8", "^a+$", "%x%", "g", "-a /b", "a\\*"), fc.array(scalar, { maxLength: 3 }));
const anySelection = fc.oneof(
  fc.dictionary(anyKey, anyValue, { maxKeys: 3 }),
  fc.array(fc.oneof(fc.dictionary(anyKey, anyValue, { maxKeys: 2 }), scalar), { maxLength: 3 }),
  scalar,
);
const anyEvent = fc.dictionary(fc.constantFrom("f", "a", "a.b", "g", "b"), fc.jsonValue({ maxDepth: 3, stringUnit: "binary" }), {
  maxKeys: 4,
});

describe("any rule", () => {
  test("is compiled or rejected, and a compiled one has a verdict on any event, always the same", () => {
    let compiled = 0;
    fc.assert(
      fc.property(fc.array(anySelection, { minLength: 1, maxLength: 4 }), fc.array(anyEvent, { maxLength: 4 }), (selections, events) => {
        const texts = selections.map((selection, index) =>
          ruleText(`  selection: ${JSON.stringify(selection)}`).replace("id: test", `id: test${index}`),
        );
        const together = compilePlain(texts.join("---\n"));
        expect(together.detections.length + together.rejected.length).toBe(texts.length);
        for (const detection of together.detections) {
          const alone = compilePlain(texts[Number(detection.info.id.slice(4))]!).detections[0]!;
          for (const event of events) {
            const verdict = detection.matches(plain(event));
            expect(typeof verdict).toBe("boolean");
            expect(detection.matches(plain(event))).toBe(verdict);
            // What rules share with each other changes no verdict.
            expect(alone.matches(plain(event))).toBe(verdict);
            compiled++;
          }
        }
      }),
      { numRuns: 1500 },
    );
    expect(compiled).toBeGreaterThan(300);
  });

  test("any document at all is compiled or rejected, with a line and one line of reason", () => {
    const key = fc.constantFrom(
      "title",
      "id",
      "name",
      "detection",
      "correlation",
      "filter",
      "logsource",
      "custodes",
      "condition",
      "type",
      "rules",
      "timespan",
      "group-by",
      "aliases",
      "level",
      "a",
    );
    const node = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.constantFrom("a", "any", "temporal", "event_count", "5m", "not a"),
        fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
        fc.array(tie("tree"), { maxLength: 3 }),
      ),
    })).tree;
    fc.assert(
      fc.property(fc.array(fc.dictionary(key, node, { maxKeys: 7 }), { minLength: 1, maxLength: 3 }), (documents) => {
        const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
        const set = compilePlain(text);
        for (const rejected of set.rejected) {
          expect(rejected.line).toBeGreaterThan(0);
          expect(rejected.reason).toMatch(/^\S.*\S$/);
        }
        expect(set.detections.length + set.correlations.length + set.rejected.length).toBeLessThanOrEqual(documents.length);
      }),
      { numRuns: 2000 },
    );
  });

  test("the order of documents and files means nothing", () => {
    const rule = (name: string, rest: string): string => `title: ${name}\nname: ${name}\n${rest}`;
    const detection = "logsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n";
    const files: readonly (readonly [string, string])[] = [
      ["a.yml", rule("one", detection)],
      ["b.yml", rule("two", "correlation:\n  type: event_count\n  rules: [one]\n  timespan: 1m\n  condition: {gt: 1}\n")],
      ["c.yml", rule("one", detection)],
      ["d.yml", rule("three", "correlation:\n  type: temporal\n  rules: [two, four]\n  timespan: 1m\n")],
      ["e.yml", rule("f", "logsource: {category: x}\nfilter:\n  rules: any\n  s: {b: 1}\n  condition: not s\n")],
    ];
    const summary = (order: readonly (readonly [string, string])[]): unknown => {
      const set = compileRules(
        order.flatMap(([path, text]) => parseRuleFile(path, text)),
        { reader: eventReader, regex: regexEngine, logsource: false },
      );
      return [set.detections.map((one) => one.info.id), set.correlations.map((one) => one.info.id), set.rejected, set.warnings];
    };
    fc.assert(
      fc.property(fc.shuffledSubarray([...files], { minLength: files.length }), (order) => {
        expect(summary(order)).toEqual(summary(files));
      }),
    );
  });
});

test("rules share what is the same, cheap tests first", () => {
  const text = [
    "title: A\nname: a\nlogsource: {category: egress}\ndetection:\n  s: {dst_endpoint.hostname|re: 'x+y', traffic.bytes_out|gt: 5, agent.role: [r, q]}\n  condition: s\n",
    "title: B\nname: b\nlogsource: {category: egress}\ndetection:\n  s: {agent.role: [Q, R]}\n  condition: s\n",
  ].join("---\n");
  const { detections } = compileRules(parseRuleFile("r.yml", text), { reader: eventReader, regex: regexEngine, logsource: true });
  const [a, b] = detections.map((one) => one.predicate!);
  expect(a!.parts.map((part) => [part.kind, part.path])).toEqual([
    ["category", undefined],
    ["field", "traffic.bytes_out"],
    ["field", "agent.role"],
    ["field", "dst_endpoint.hostname"],
  ]);
  expect(b!.parts[1]).toBe(a!.parts[2]);
  expect([...b!.parts[1]!.exact!].toSorted()).toEqual(["q", "r"]);
  const event = { ...newEvent("u", 1, "egress", 4001, 6), agentRole: "R", dstHost: "axxy", bytesOut: 6 };
  expect(detections.map((one) => one.matches(event))).toEqual([true, true]);
  expect(detections.map((one) => one.matches({ ...event, category: "dns" }))).toEqual([false, false]);
});
