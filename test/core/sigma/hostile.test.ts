/** Rules and events that somebody made to stop the service, or to be read as something else. */
import { v5 } from "uuid";
import { describe, expect, test } from "vitest";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import { plainEvent, plainReader } from "../../../src/core/sigma/plain-reader.ts";
import { compilePlain, plain, ruleText, selectionReason, selects } from "./build.ts";

const NONE = { i: false, m: false, s: false };
const MILLION = "a".repeat(1_000_000);

/** Milliseconds of one RE2 search that reads a whole million characters: the measure for all others. */
function onePass(): number {
  const search = regexEngine.compile("[b-y]z$", NONE);
  search(MILLION);
  return timed(() => search(MILLION));
}

function timed(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

describe("hostile regular expressions", () => {
  test.each([
    ["(a+)+$", "b"],
    ["(a|aa)+$", "b"],
    ["(a|a?)+$", "b"],
    ["(?:a*)*$", "b"],
    ["^(.*a){20}$", "b"],
    [".*.*.*=.*", ""],
    ["(.*)(.*)(.*)(.*)x", ""],
    ["(?i)(\u212a|k)+$", "b"],
    ["(?:a|b)*a(?:a|b){20}c", "bcb"],
    ["(?i)ignore (all )?(previous|prior) instructions", "i"],
  ])("%s over a million characters costs passes, not powers", (pattern, tail) => {
    const search = regexEngine.compile(pattern, NONE);
    const text = MILLION + tail;
    expect(timed(() => search(text))).toBeLessThan(100 * onePass() + 500);
  });

  test.each(["(x{1000}){1000}", "((a{100}){10}){10}", "((a{1000})*){2}", "a{1,1001}"])("the count of %s is refused", (pattern) => {
    expect(selectionReason(JSON.stringify({ "f|re": pattern }))).toMatch(/invalid repeat count/);
  });

  test.each([
    ["a class counted to a thousand, many times", "(?:\\pL{1000})".repeat(50)],
    ["optional counts", "((a?){100}){10}".repeat(20)],
    ["thousands of alternatives", Array.from({ length: 1400 }, (_, index) => `${String.fromCharCode(0x4e00 + index)}${index}`).join("|")],
  ])("%s is refused with its size, the limit and what to do", (_, pattern) => {
    expect(selectionReason(JSON.stringify({ "f|re": pattern }))).toMatch(
      /is refused: it compiles to \d+ steps, more than 5000; use smaller counts or fewer alternatives/,
    );
  });

  test("what a security rule may need is far from the limits", () => {
    for (const pattern of ["[A-Za-z0-9+/]{200,1000}={0,2}", "(?i)(?:[a-z0-9]{1,60}\\.){3,9}example", "^.{1000}", "\\p{Han}{1,500}"])
      expect(selectionReason(JSON.stringify({ "f|re": pattern }))).toBe("");
  });

  test("a pattern of a million characters is refused before it is compiled", () => {
    expect(selectionReason(JSON.stringify({ "f|re": MILLION }))).toMatch(/longer than 8192 characters/);
  });

  test("wildcards that cost a step for each of a million places are refused, plain texts of any length are not", () => {
    expect(selectionReason(JSON.stringify({ f: `*${"a?".repeat(500_000)}b*` }))).toMatch(
      /a value with "\?" is longer than 8192 characters/,
    );
    expect(selectionReason(JSON.stringify({ f: `*${"a*".repeat(50_000)}b*`, "g|contains": MILLION, h: MILLION }))).toBe("");
  });

  test("a refused pattern rejects its rule and no other", () => {
    const good = ruleText("  selection: {f|re: '^a+$'}").replace("id: test", "id: good");
    const { detections, rejected } = compilePlain(`${ruleText("  selection: {f|re: '(a{1000}){1000}'}")}---\n${good}`);
    expect(detections.map(({ info }) => info.id)).toEqual(["good"]);
    expect(rejected).toMatchObject([{ rule: "test", line: 5 }]);
  });
});

describe("hostile events", () => {
  test("keywords search an event of ten megabytes, and wildcards do", () => {
    const event = { f: Array.from({ length: 10 }, (_, index) => `${MILLION}${index}`) };
    expect(selects("[needle]", event)).toBe(false);
    expect(selects("['a9']", event)).toBe(true);
    expect(selects("['*a?a?a?a?b*']", event)).toBe(false);
    expect(selects("{'|re': '(a+)+b'}", event)).toBe(false);
  });

  test("one field within another is searched in linear time, whoever wrote both", () => {
    const half = "a".repeat(100_000);
    const reference = timed(() => selects("{f|fieldref|contains: g}", { f: MILLION, g: "b" }));
    const hostile = timed(() => expect(selects("{f|fieldref|contains: g}", { f: MILLION, g: `${half}b${half}` })).toBe(false));
    expect(hostile).toBeLessThan(50 * reference + 300);
    expect(selects("{f|fieldref|contains: g}", { f: `${MILLION}b${half}`, g: `${half}b${half}` })).toBe(true);
  });

  test("long lists are compared with each other", () => {
    const list = (from: number): string[] => Array.from({ length: 50_000 }, (_, index) => `v${from + index}`);
    expect(selects("{f|fieldref: g}", { f: list(0), g: list(60_000) })).toBe(false);
    expect(selects("{f|fieldref: g}", { f: list(0), g: list(49_999) })).toBe(true);
    expect(selects("{f|fieldref|neq: g}", { f: list(0), g: list(60_000) })).toBe(true);
  });

  test.each([
    ["lists", `{"time": 1, "a": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["maps", `{"time": 1, "a": ${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`],
  ])("a record of 100,000 nested %s is refused, not a crash", (_, text) => {
    expect(() => plainEvent(JSON.parse(text), "time", () => "hash")).toThrow(/nested deeper than 64 levels/);
  });

  test("a record of 100,000 keys is read", () => {
    const record = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, index]));
    expect(selects("{k99999: 99999, k0: 0}", record)).toBe(true);
    expect(selects("{a.b.c.d.e: 1}", record)).toBe(false);
    expect(selects("{k100000: null}", record)).toBe(true);
  });
});

describe("names of prototypes", () => {
  const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__", "prototype"];

  test.each(NAMES)("a field named %s is a field like any other", (name) => {
    const record = JSON.parse(`{${JSON.stringify(name)}: "x", "a": {${JSON.stringify(name)}: "y"}}`) as object;
    expect(selects(`{${JSON.stringify(name)}: x}`, record)).toBe(true);
    expect(selects(`{${JSON.stringify(`a.${name}`)}: y}`, record)).toBe(true);
    for (const key of [name, `a.${name}`, `${name}.${name}`, `${name}.length`]) {
      expect(selects(`{${JSON.stringify(key)}: null}`, { a: {} })).toBe(true);
      expect(selects(`{${JSON.stringify(`${key}|exists`)}: true}`, { a: {} })).toBe(false);
    }
  });

  test.each(NAMES)("a search identifier named %s is one", (name) => {
    const key = JSON.stringify(name);
    const { detections, rejected } = compilePlain(ruleText(`  ${key}: {a: 1}\n  condition: ${name} and all of ${name.slice(0, 3)}*`));
    expect(rejected).toEqual([]);
    expect(detections[0]!.matches(plain({ a: 1 }))).toBe(true);
    expect(compilePlain(ruleText(`  s: {a: 1}\n  condition: s or ${name}`)).rejected).toHaveLength(1);
  });

  test.each(NAMES)("a group and an alias may be named %s", (name) => {
    const key = JSON.stringify(name);
    const rules = compilePlain(
      [
        ruleText("  selection: {a: 1}"),
        `title: T\nid: grouped\nlogsource: {}\ncorrelation: {type: event_count, rules: [test], group-by: [${key}], timespan: 1m, condition: {gte: 1}}\n`,
        `title: U\nid: aliased\ncorrelation: {type: event_count, rules: [test], group-by: [${key}], timespan: 1m, condition: {gte: 1}, aliases: {${key}: {test: b}}}\n`,
      ]
        .map((text) => text.replace("logsource: {}\n", ""))
        .join("---\n"),
    );
    expect(rules.rejected).toEqual([]);
    const made = engine(rules, {
      reader: plainReader(),
      uuid5: (text) => v5(text, "6f0d4e2a-5c1b-5e0e-9a55-c05705e5a1e7"),
      latenessMs: 0,
    });
    made.push([{ uid: "u", time: 0, value: JSON.parse(`{"a": 1, ${key}: "g", "b": "h"}`) }]);
    const groups = made.finish().map(({ ruleId, group }) => [ruleId, JSON.stringify(group)]);
    expect(groups).toContainEqual(["grouped", `{${key}:"g"}`]);
    expect(groups).toContainEqual(["aliased", `{${key}:"h"}`]);
  });
});
