import { describe, expect, test } from "vitest";
import { selectionReason, selects } from "./build.ts";

type Row = readonly [selection: string, event: object, matches: boolean];

function table(title: string, rows: readonly Row[]): void {
  describe(title, () => {
    test.each(rows)("%s on %j is %s", (selection, event, matches) => {
      expect(selects(selection, event)).toBe(matches);
    });
  });
}

table("a text matches as a whole and whatever its case", [
  ["{f: abc}", { f: "abc" }, true],
  ["{f: abc}", { f: "ABC" }, true],
  ["{f: ABC}", { f: "abc" }, true],
  ["{f: abc}", { f: "abcd" }, false],
  ["{f: abc}", { f: "xabc" }, false],
  ["{f: abc}", {}, false],
  ["{f: abc}", { f: null }, false],
  ["{f: straße}", { f: "STRAẞE" }, true],
  ["{f: σίσυφος}", { f: "ΣΊΣΥΦΟΣ" }, true],
  ["{f: i}", { f: "\u0131" }, false],
  ["{f: i}", { f: "\u0130" }, false],
  ["{f: k}", { f: "\u212a" }, true],
  ["{f: strasse}", { f: "straße" }, false],
  ["{f|cased: abc}", { f: "abc" }, true],
  ["{f|cased: abc}", { f: "Abc" }, false],
]);

table("values under one key are OR, keys are AND, lists of maps are OR", [
  ["{f: [a, b]}", { f: "b" }, true],
  ["{f: [a, b]}", { f: "c" }, false],
  ["{f: a, g: b}", { f: "a", g: "b" }, true],
  ["{f: a, g: b}", { f: "a", g: "c" }, false],
  ["[{f: a}, {g: b}]", { f: "x", g: "b" }, true],
  ["[{f: a}, {g: b}]", { f: "x", g: "x" }, false],
]);

table("wildcards and their escaping", [
  ["{f: 'a*c'}", { f: "aXXc" }, true],
  ["{f: 'a*c'}", { f: "ac" }, true],
  ["{f: 'a*c'}", { f: "acx" }, false],
  ["{f: 'a?c'}", { f: "aXc" }, true],
  ["{f: 'a?c'}", { f: "ac" }, false],
  ["{f: 'a?c'}", { f: "a😀c" }, true],
  ["{f: 'a??c'}", { f: "a😀c" }, false],
  ["{f: '*'}", { f: "" }, true],
  ["{f: '*'}", { f: "anything" }, true],
  ["{f: '*'}", { f: null }, false],
  ["{f: '*'}", {}, false],
  ["{f: '?'}", { f: "" }, false],
  ["{f: 'a\\*c'}", { f: "a*c" }, true],
  ["{f: 'a\\*c'}", { f: "abc" }, false],
  ["{f: 'a\\?c'}", { f: "a?c" }, true],
  ["{f: 'a\\?c'}", { f: "abc" }, false],
  ["{f: 'a\\b'}", { f: "a\\b" }, true],
  ["{f: 'a\\\\b'}", { f: "a\\b" }, true],
  ["{f: 'a\\\\\\\\b'}", { f: "a\\\\b" }, true],
  ["{f: 'a\\\\\\b'}", { f: "a\\\\b" }, true],
  ["{f: 'a\\\\*'}", { f: "a\\xyz" }, true],
  ["{f: 'a\\\\*'}", { f: "a*" }, false],
  ["{f: 'a\\\\\\*'}", { f: "a\\*" }, true],
  ["{f: 'a\\\\\\*'}", { f: "a\\b" }, false],
  ["{f: 'a\\'}", { f: "a\\" }, true],
  ["{f: 'A*C'}", { f: "aXc" }, true],
  ["{f|cased: 'A*C'}", { f: "aXc" }, false],
  ["{f|cased: 'A*C'}", { f: "AXC" }, true],
]);

table("contains, startswith and endswith, also with wildcards", [
  ["{f|contains: bc}", { f: "aBCd" }, true],
  ["{f|contains: bc}", { f: "abd" }, false],
  ["{f|contains: 'b*d'}", { f: "abXXde" }, true],
  ["{f|contains: 'b?d'}", { f: "abXXde" }, false],
  ["{f|startswith: ab}", { f: "ABc" }, true],
  ["{f|startswith: ab}", { f: "xab" }, false],
  ["{f|endswith: bc}", { f: "aBC" }, true],
  ["{f|endswith: bc}", { f: "bcd" }, false],
  ["{f|contains|cased: bc}", { f: "aBC" }, false],
  ["{f|contains|all: [ab, cd]}", { f: "cd-ab" }, true],
  ["{f|contains|all: [ab, cd]}", { f: "ab" }, false],
  ["{f|startswith: [x, ab]}", { f: "abc" }, true],
  ["{f|endswith: '\\cmd.exe'}", { f: "C:\\Windows\\CMD.EXE" }, true],
  ["{f|contains: 20}", { f: 1200 }, true],
]);

table("null, the empty text and presence are three things", [
  ["{f: null}", {}, true],
  ["{f: null}", { f: null }, true],
  ["{f: null}", { f: "" }, false],
  ["{f: null}", { f: 0 }, false],
  ["{f: ''}", { f: "" }, true],
  ["{f: ''}", {}, false],
  ["{f: ''}", { f: null }, false],
  ["{f: ''}", { f: " " }, false],
  ["{f|exists: true}", { f: null }, true],
  ["{f|exists: true}", { f: "" }, true],
  ["{f|exists: true}", {}, false],
  ["{f|exists: false}", {}, true],
  ["{f|exists: false}", { f: null }, false],
  ["{f: [null, a]}", {}, true],
  ["{f: [null, a]}", { f: "A" }, true],
  ["{f: [null, a]}", { f: "b" }, false],
]);

table("neq is the opposite where the field has a value", [
  ["{f|neq: a}", { f: "b" }, true],
  ["{f|neq: a}", { f: "A" }, false],
  ["{f|neq: a}", {}, false],
  ["{f|neq: a}", { f: null }, false],
  ["{f|neq: [a, b]}", { f: "c" }, true],
  ["{f|neq: [a, b]}", { f: "b" }, false],
  ["{f|neq: null}", { f: "x" }, true],
  ["{f|neq: null}", { f: "" }, true],
  ["{f|neq: null}", {}, false],
  ["{f|neq: ''}", { f: "x" }, true],
  ["{f|neq: ''}", { f: "" }, false],
  ["{f|contains|neq: bc}", { f: "abcd" }, false],
  ["{f|contains|neq: bc}", { f: "ad" }, true],
  ["{f|contains|all|neq: [a, b]}", { f: "a" }, true],
  ["{f|contains|all|neq: [a, b]}", { f: "ab" }, false],
  ["{f|neq: 7}", { f: 7 }, false],
  ["{f|neq: 7}", { f: 8 }, true],
  ["{f|neq: a}", { f: [] }, false],
  ["{f|neq: a}", { f: {} }, false],
  ["{f|neq: a}", { f: ["b", "a"] }, false],
  ["{f|neq: a}", { f: ["b", null] }, true],
  ["{f|neq: a}", { f: [null] }, false],
  ["{f|re|neq: '^a'}", { f: "ba" }, true],
  ["{f|re|neq: '^a'}", { f: "ab" }, false],
]);

table("scalars are compared by canonical text", [
  ["{f: 7}", { f: 7 }, true],
  ["{f: 7}", { f: "7" }, true],
  ["{f: '7'}", { f: 7 }, true],
  ["{f: 10}", { f: 10.0 }, true],
  ["{f: 10.0}", { f: 10 }, true],
  ["{f: 10}", { f: "10.0" }, false],
  ["{f: '10.0'}", { f: 10 }, false],
  ["{f: 0}", { f: -0 }, true],
  ["{f: 1e21}", { f: 1e21 }, true],
  ["{f: 1e21}", { f: "1e+21" }, true],
  ["{f: true}", { f: true }, true],
  ["{f: true}", { f: "TRUE" }, true],
  ["{f: 'true'}", { f: true }, true],
  ["{f: true}", { f: 1 }, false],
  ["{f: false}", { f: null }, false],
  ["{f: [4624, 4625]}", { f: 4625 }, true],
  ["{f: [4624, 4625]}", { f: "4625" }, true],
  ["{f: '46*'}", { f: 4625 }, true],
  ["{f: 0x10}", { f: 16 }, true],
]);

table("numbers compare as numbers", [
  ["{f|gt: 9}", { f: 10 }, true],
  ["{f|gt: 9}", { f: "10" }, true],
  ["{f|gt: 9}", { f: "1e1" }, true],
  ["{f|gt: 9}", { f: " 10" }, false],
  ["{f|gt: 9}", { f: "0x10" }, false],
  ["{f|gt: 9}", { f: "ten" }, false],
  ["{f|gt: 9}", { f: true }, false],
  ["{f|gt: 0}", { f: true }, false],
  ["{f|gt: -1}", { f: null }, false],
  ["{f|gt: -1}", { f: "" }, false],
  ["{f|gte: 10}", { f: 10 }, true],
  ["{f|lt: 10}", { f: 10 }, false],
  ["{f|lte: 10}", { f: 10 }, true],
  ["{f|lt: 0.5}", { f: 0.25 }, true],
  ["{f|gt: 9}", { f: [1, 10] }, true],
]);

table("arrays match by element, nested ones are flattened, maps match nothing", [
  ["{f: a}", { f: ["x", "A"] }, true],
  ["{f: a}", { f: [["x"], [["a"]]] }, true],
  ["{f: a}", { f: [] }, false],
  ["{f: null}", { f: [] }, false],
  ["{f: ''}", { f: [] }, false],
  ["{f|exists: true}", { f: [] }, true],
  ["{f: null}", { f: ["a", null] }, true],
  ["{f: null}", { f: ["a"] }, false],
  ["{f: '*'}", { f: {} }, false],
  ["{f: null}", { f: {} }, false],
  ["{f|exists: true}", { f: {} }, true],
  ["{f|contains|all: [a, b]}", { f: ["xa", "xb"] }, true],
  ["{f|all: [a, b]}", { f: ["a", "b"] }, true],
  ["{f|all: [a, b]}", { f: ["a"] }, false],
  ["{f|all: [a, null]}", { f: ["a", null] }, true],
]);

table("paths: the exact key first, then dotted splits from the left, arrays of maps fan out", [
  ["{a.b: x}", { "a.b": "x", a: { b: "y" } }, true],
  ["{a.b: y}", { "a.b": "x", a: { b: "y" } }, false],
  ["{a.b.c: x}", { a: { "b.c": "x" } }, true],
  ["{a.b.c: x}", { "a.b": { c: "x" } }, true],
  ["{a.b.c: x}", { a: { b: { d: 1 } }, "a.b": { c: "x" } }, true],
  ["{a.b: y}", { a: [{ b: "x" }, { b: "y" }, { c: 1 }, 5] }, true],
  ["{a.b: null}", { a: [{ b: "x" }, { c: 1 }] }, false],
  ["{a.b: null}", { a: [{ b: null }, { b: "x" }] }, true],
  ["{a.b: null}", { a: [{ c: 1 }] }, true],
  ["{a.b: null}", { a: [] }, true],
  ["{a.b|exists: true}", { a: [{ b: [] }] }, true],
  ["{a.b.c: z}", { a: [{ b: [{ c: "y" }, { c: ["z"] }] }] }, true],
  ["{a.b: x}", { a: "b" }, false],
  ["{__proto__.x: null}", {}, true],
  ["{constructor|exists: true}", {}, false],
  ["{a.length|exists: true}", { a: "text" }, false],
  ["{toString.name|exists: true}", {}, false],
]);

describe("values that mean nothing are rejected", () => {
  test.each([
    ["{f|gt: abc}", '"gt" needs a number'],
    ["{f|gt: '5'}", "take the quotes away"],
    ["{f|exists: 'yes'}", '"exists" needs true or false'],
    ["{f|exists: [true]}", '"exists" needs true or false'],
    ["{f|contains: null}", "null goes with no modifier but neq and all"],
    ["{f|re: 5}", '"re" needs a text'],
    ["{f|re: [a, null]}", "null goes with no modifier but neq and all"],
    ["{f: {g: a}}", "a field's value must be text, a number, a boolean or null, not a map"],
    ["{f: [[a]]}", "not a list"],
    ["{f: []}", '"f" is an empty list'],
    ["{f: {}}", '"f" is an empty map'],
    ["{}", '"selection" is an empty map'],
    ["[]", '"selection" is an empty list'],
    ["{f: .nan}", "an infinite number or a not-a-number matches nothing"],
    ["{f|unknown: a}", 'unknown modifier "unknown"'],
    ["{f|containz: a}", 'did you mean "contains"?'],
    ["{f|contains|contains: a}", "given twice"],
    ["{f|contains|startswith: a}", "exclude each other"],
    ["{f|re|cidr: a}", "exclude each other"],
    ["{f|i: a}", 'only follows "re"'],
    ["{f|re|cased: a}", 'the modifier "cased" does not go with "re"'],
    ["{f|exists|all: true}", 'the modifier "all" does not go with "exists"'],
    ["{f|neq|gt: 1}", "use the opposite"],
    ["{f|gt|contains: 1}", "does not go with numbers and times"],
    ["{f|wide|utf16be: a}", "exclude each other"],
    ["{'': a}", "a key without a field"],
    ["{'|gt': 1}", "needs a field"],
    ["[null]", "null is no keyword"],
    ["[[a]]", "a list stands where a keyword is expected"],
  ])("%s: %s", (selection, reason) => {
    expect(selectionReason(selection)).toContain(reason);
  });
});
