/** Mistakes that readers of Sigma rules are known for, each with the smallest event that shows it. */
import { describe, expect, test } from "vitest";
import { compilePlain, plain, reasons, ruleText, selects } from "./build.ts";

type Case = readonly [what: string, selection: string, event: object, verdict: boolean];

const CASES: readonly Case[] = [
  ["neq with a list is no list of neq", "{f|neq: [a, b]}", { f: "a" }, false],
  ["neq with a list holds for a third value", "{f|neq: [a, b]}", { f: "c" }, true],
  ["neq of a missing field says nothing", "{f|neq: a}", {}, false],
  ["null is no empty text", "{f: null}", { f: "" }, false],
  ["an empty text is not null", "{f: ''}", { f: null }, false],
  ["an empty text is no missing field", "{f: ''}", {}, false],
  ["null matches a missing field", "{f: null}", {}, true],
  ["exists is true of null", "{f|exists: true}", { f: null }, true],
  ["exists: false is no value false", "{f|exists: false}", { f: false }, false],
  ["a trailing backslash does not escape the wildcard that contains adds", "{f|contains: '\\Desktop\\'}", { f: "C:\\Desktop\\x" }, true],
  ["a trailing backslash is wanted", "{f|contains: '\\Desktop\\'}", { f: "C:\\Desktop*x" }, false],
  ["a trailing backslash does not escape the wildcard that startswith adds", "{f|startswith: 'C:\\'}", { f: "C:\\x" }, true],
  ["two backslashes and a star are a backslash and a wildcard", "{f: 'a\\\\*'}", { f: "a\\bc" }, true],
  ["a backslash and a star are a star", "{f: 'a\\*'}", { f: "abc" }, false],
  ["a single backslash before a letter is one", "{f: 'a\\b'}", { f: "a\\b" }, true],
  ["a dot is no wildcard", "{f: 'a.c'}", { f: "abc" }, false],
  ["brackets are no class", "{f: 'a[bc]'}", { f: "ab" }, false],
  ["a wildcard reaches across lines", "{f: 'a*c'}", { f: "a\nb\nc" }, true],
  ["a wildcard is no case", "{f: 'A*c'}", { f: "abC" }, true],
  ["cased reaches the parts beside a wildcard", "{f|cased: 'A*c'}", { f: "abC" }, false],
  ["a value is the whole text", "{f: abc}", { f: "xabc" }, false],
  ["a regular expression is no whole text", "{f|re: b}", { f: "abc" }, true],
  ["a regular expression knows cases", "{f|re: B}", { f: "abc" }, false],
  ["the end of a text is not before its last line break", "{f|re: 'a$'}", { f: "a\n" }, false],
  ["a number as text is compared as a number", "{f|gt: 9}", { f: "10" }, true],
  ["a text is no number", "{f|lt: 9}", { f: "" }, false],
  ["a number matches its text", "{f: 4625}", { f: "4625" }, true],
  ["a text matches its number", "{f: '4625'}", { f: 4625 }, true],
  ["all asks each value of the same field", "{f|contains|all: [a, b]}", { f: "a" }, false],
  ["all may be met by different elements", "{f|contains|all: [a, b]}", { f: ["xa", "xb"] }, true],
  ["a list of maps is OR", "[{f: a}, {g: b}]", { g: "b" }, true],
  ["keys of a map are AND", "{f: a, g: b}", { g: "b" }, false],
  ["a keyword is a part of a text, in any field", "[evil]", { a: { b: ["an EVIL thing"] } }, true],
  ["a keyword is no name of a field", "[evil]", { evil: "x" }, false],
  ["a network is no prefix of a text", "{f|cidr: 10.0.0.0/8}", { f: "10.0.0.0.evil.example" }, false],
  ["a network matches inside only", "{f|cidr: 192.168.0.0/23}", { f: "192.168.2.0" }, false],
  ["a short form of an address is that address", "{f|cidr: '2001:db8::/32'}", { f: "2001:0DB8:0:0::1" }, true],
  ["windash leaves a dash inside a word alone", "{f|windash: 'a-b'}", { f: "a/b" }, false],
  ["windash changes a dash and a slash alike", "{f|windash|contains: ' -enc'}", { f: "x /enc y" }, true],
  [
    "base64offset finds the value at any offset",
    "{f|base64offset|contains: foobar}",
    { f: Buffer.from("xfoobary").toString("base64") },
    true,
  ],
  ["base64 knows cases", "{f|base64|contains: foo}", { f: Buffer.from("foo").toString("base64").toLowerCase() }, false],
  ["a field of a field is not a field's text", "{f: b}", { f: { g: "b" } }, false],
  ["a dotted name that exists is preferred", "{a.b: x}", { "a.b": "x", a: { b: "y" } }, true],
];

test.each(CASES)("%s", (_, selection, event, verdict) => {
  expect(selects(selection, event)).toBe(verdict);
});

describe("conditions", () => {
  const holds = (condition: string, event: object): boolean => {
    const text = ruleText(`  sel_a: {a: 1}\n  sel_b: {b: 1}\n  _helper: {c: 1}\n  condition: ${condition}`);
    const { detections, rejected } = compilePlain(text);
    expect(rejected).toEqual([]);
    return detections[0]!.matches(plain(event));
  };

  test("1 of them and all of them leave out names with an underscore", () => {
    expect(holds("1 of them", { c: 1 })).toBe(false);
    expect(holds("all of them", { a: 1, b: 1 })).toBe(true);
    expect(holds("1 of _*", { c: 1 })).toBe(true);
    expect(holds("all of *", { a: 1, b: 1 })).toBe(true);
  });

  test("not binds more than and, and more than or", () => {
    expect(holds("not sel_a and sel_b", { b: 1 })).toBe(true);
    expect(holds("not sel_a and sel_b", {})).toBe(false);
    expect(holds("sel_a or sel_b and _helper", { a: 1 })).toBe(true);
    expect(holds("(sel_a or sel_b) and _helper", { a: 1 })).toBe(false);
    expect(holds("not 1 of sel_*", { a: 1 })).toBe(false);
  });

  test("what is not understood is no condition that holds", () => {
    for (const condition of ["2 of sel_*", "sel_a AND sel_b", "sel_a sel_b", "1 of other_*", "sel_c", "sel_a | count() > 5", "near sel_a"])
      expect(reasons(ruleText(`  sel_a: {a: 1}\n  sel_b: {b: 1}\n  condition: ${condition}`))).toHaveLength(1);
  });
});
