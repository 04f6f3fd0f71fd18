import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CUT_MARK, safeList, safeText } from "../../src/core/safe-text.ts";

const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/u;
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc
    .array(fc.constantFrom("\u202e", "\u0000", "\n", "\u200b", "\ud83d", "\u{1f600}", "\u{e0041}", "a", " ", "\\", "\u001b[31m", "\ufeff"))
    .map((parts) => parts.join("")),
);

describe("safe text", () => {
  it("shows nothing hidden, stays well-formed and within its length, for any text", () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 40 }), (text, max) => {
        const safe = safeText(text, max);
        expect(hidden.test(safe)).toBe(false);
        expect(safe.isWellFormed()).toBe(true);
        expect(safe.length).toBeLessThanOrEqual(max);
        expect(safeText(safe, max)).toBe(safe);
      }),
    );
  });

  it("knows every hidden character of Unicode", () => {
    const shown: string[] = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      const char = String.fromCodePoint(code);
      if (hidden.test(char) && hidden.test(safeText(char, 12))) shown.push(code.toString(16));
    }
    expect(shown).toEqual([]);
  });

  it.each([
    ["plain text", "plain text"],
    ["Zürich, 東京, 🚀", "Zürich, 東京, 🚀"],
    ["one\r\ntwo\tthree", "one two three"],
    ["exe\u202egnp.txt", "exe\\u{202e}gnp.txt"],
    ["\u001b[31mred", "\\u{1b}[31mred"],
    ["zero\u200bwidth", "zero\\u{200b}width"],
    ["tag\u{e0041}", "tag\\u{e0041}"],
    ["half\ud83d", "half\\u{d83d}"],
    ["", ""],
  ])("writes %j as %j", (text, expected) => {
    expect(safeText(text, 100)).toBe(expected);
  });

  it("marks a cut and splits neither a pair nor an escape", () => {
    expect(safeText("abcdef", 6)).toBe("abcdef");
    expect(safeText("abcdefg", 6)).toBe(`abcde${CUT_MARK}`);
    expect(safeText("abcd🚀🚀", 6)).toBe(`abcd${CUT_MARK}`);
    expect(safeText("ab\u202ecd", 6)).toBe(`ab${CUT_MARK}`);
  });

  it("ends early on a long text", () => {
    expect(safeText("\u202e".repeat(5_000_000), 20).length).toBeLessThanOrEqual(20);
  });
});

describe("a safe list", () => {
  it("keeps order, drops repeats, empties and what is beyond its length", () => {
    expect(safeList(["b", "", undefined, "a", "b", "c", "d"], 3, 10)).toEqual(["b", "a", "c"]);
  });
});
