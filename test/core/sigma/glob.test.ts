import fc from "fast-check";
import { expect, test } from "vitest";
import { fold } from "../../../src/core/sigma/fold.ts";
import { globTest } from "../../../src/core/sigma/glob.ts";
import { ANY, DASH, DASHES, joinPattern, ONE, parsePattern, type Pattern } from "../../../src/core/sigma/pattern.ts";

/** The definition of wildcards, tried in every way, over code points. */
function naive(pattern: readonly (string | number)[], text: readonly string[]): boolean {
  const [head, ...rest] = pattern;
  if (head === undefined) return text.length === 0;
  if (head === ANY) return naive(rest, text) || (text.length > 0 && naive(pattern, text.slice(1)));
  if (text.length === 0) return false;
  if (head === ONE) return naive(rest, text.slice(1));
  if (head === DASH) return DASHES.includes(text[0]!) && naive(rest, text.slice(1));
  return text[0] === head && naive(rest, text.slice(1));
}

const letters = fc.constantFrom("a", "b", "😀", "-", "/");
const items = fc.array(fc.oneof(letters, fc.constantFrom(ANY, ANY, ONE, DASH)), { maxLength: 8 });
const texts = fc.array(letters, { maxLength: 10 });

test("a pattern matches exactly what the definition says", () => {
  fc.assert(
    fc.property(items, texts, (pattern, text) => {
      expect(globTest(joinPattern(pattern))(text.join(""))).toBe(naive(pattern, text));
    }),
    { numRuns: 5000 },
  );
});

test("texts that were made from the pattern match it", () => {
  const filled = items.chain((pattern) =>
    fc
      .tuple(...pattern.map((item) => (item === ANY ? fc.array(letters, { maxLength: 3 }).map((parts) => parts.join("")) : single(item))))
      .map((parts) => ({ pattern, text: parts.join("") })),
  );
  fc.assert(
    fc.property(filled, ({ pattern, text }) => {
      expect(globTest(joinPattern(pattern))(text)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

function single(item: string | number): fc.Arbitrary<string> {
  if (typeof item === "string") return fc.constant(item);
  return item === DASH ? fc.constantFrom(...DASHES) : letters;
}

test("any text that is escaped is read as itself", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "\\", "*", "?", "x") }), (text) => {
      const escaped = text.replace(/[\\*?]/g, "\\$&");
      expect(parsePattern(escaped)).toEqual(text === "" ? [] : [text]);
    }),
  );
});

test.each<readonly [string, Pattern]>([
  ["a*b", ["a", ANY, "b"]],
  ["**", [ANY]],
  ["*?*", [ANY, ONE, ANY]],
  ["\\\\*", ["\\", ANY]],
  ["\\*", ["*"]],
  ["\\a\\", ["\\a\\"]],
  ["", []],
])("%s is read as %j", (text, pattern) => {
  expect(parsePattern(text)).toEqual(pattern);
});

test("folding joins exactly the code points that Unicode's simple case folding joins", () => {
  let cased = "";
  for (let code = 0; code < 0x110000; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    if (character.toLowerCase() !== character || character.toUpperCase() !== character) cased += character;
    else if (fold(character) !== character) expect(character).toBe("a code point without case");
  }
  for (const character of cased) {
    // The flags iu of ECMAScript compare by simple case folding.
    const same = cased.match(new RegExp(`\\u{${character.codePointAt(0)!.toString(16)}}`, "giu")) ?? [];
    for (const other of same) if (fold(other) !== fold(character)) expect(other).toBe(character);
    expect(same).toContain(character);
    expect(Array.from(fold(character))).toHaveLength(1);
    expect(fold(fold(character))).toBe(fold(character));
  }
  expect(Array.from(cased).length).toBeGreaterThan(2000);
});

test("a long text of the wrong kind is answered, with many wildcards too", () => {
  const text = "a".repeat(200_000);
  expect(globTest(parsePattern("*a*a*a*a*a*b"))(text)).toBe(false);
  expect(globTest(parsePattern("*a*a*a*a*a*"))(text)).toBe(true);
  expect(globTest(parsePattern("*a?a?a?b*"))(text)).toBe(false);
});
