import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";

const NONE = { i: false, m: false, s: false };

describe("regular expressions", () => {
  test("hostile patterns over a long text give the right answer", () => {
    const text = "a".repeat(1_000_000);
    expect(regexEngine.compile("(a+)+$", NONE)(text)).toBe(true);
    expect(regexEngine.compile("(a+)+$", NONE)(`${text}b`)).toBe(false);
    expect(regexEngine.compile("^(a|aa)+$", NONE)(`${text}b`)).toBe(false);
    expect(regexEngine.compile("(a*)*b", NONE)(text)).toBe(false);
    expect(regexEngine.compile("(.*a){20}b", NONE)("a".repeat(20_000))).toBe(false);
  });

  test.each(["(?=a)", "(a)\\1", "(?<!a)b", "a{1001}", "(", "a**", "(?>a)", "((((a{100}){100}){100}){100})", "(".repeat(5000)])(
    "%.30s is refused with a reason",
    (pattern) => {
      expect(() => regexEngine.compile(pattern, NONE)).toThrow(/error parsing regexp/);
    },
  );

  test("the shortcut for literals refuses nothing that the engine accepts, and accepts nothing that it refuses", () => {
    expect(() => regexEngine.compile("abc)", NONE)).toThrow();
    expect(() => regexEngine.compile("a\\", NONE)).toThrow();
    expect(regexEngine.compile("a\\.b", NONE)("xa.b")).toBe(true);
  });

  test("any text can be searched, broken surrogates too", () => {
    for (const pattern of ["a.b", "[^a]+$", "(?i)\\w+\\s", "\\x{1F600}"]) {
      const search = regexEngine.compile(pattern, NONE);
      fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => typeof search(text) === "boolean"));
      for (const text of ["\ud800", "a\udc00b", "\ud83d\ude00", "\0", "\ufeff"]) expect(typeof search(text)).toBe("boolean");
    }
  });
});

const atoms = fc.constantFrom(
  "a",
  "b",
  "K",
  "s",
  "ab",
  "\\.",
  "\\\\",
  "-",
  " ",
  "\\/",
  "é",
  "😀",
  "|",
  "^",
  "$",
  "\\$",
  "(",
  ")",
  "(a|b)",
  "(?:a|k)",
  "\\|",
  ".",
);
const patterns = fc
  .tuple(fc.constantFrom("", "(?i)", "^", "(?i)^"), fc.array(atoms, { maxLength: 5 }), fc.constantFrom("", "$"))
  .map((parts) => parts.flat().join(""));
const texts = fc.string({
  unit: fc.constantFrom("a", "b", "k", "K", "\u212a", "s", "\u017f", "S", "A", ".", "\\", "-", " ", "/", "é", "É", "😀", "$", "|", "\n"),
  maxLength: 8,
});
const flags = fc.record({ i: fc.boolean(), m: fc.boolean(), s: fc.boolean() });

test("shortcut or not, the verdict is the engine's", () => {
  let compared = 0;
  fc.assert(
    fc.property(patterns, flags, fc.array(texts, { minLength: 1, maxLength: 6 }), (pattern, given, subjects) => {
      const bits = (given.i ? RE2JS.CASE_INSENSITIVE : 0) | (given.m ? RE2JS.MULTILINE : 0) | (given.s ? RE2JS.DOTALL : 0);
      let reference: RE2JS;
      try {
        reference = RE2JS.compile(pattern, bits);
      } catch {
        expect(() => regexEngine.compile(pattern, given)).toThrow();
        return;
      }
      const search = regexEngine.compile(pattern, given);
      for (const text of subjects) {
        expect(search(text)).toBe(reference.test(text));
        compared++;
      }
    }),
    { numRuns: 5000 },
  );
  expect(compared).toBeGreaterThan(5000);
});
