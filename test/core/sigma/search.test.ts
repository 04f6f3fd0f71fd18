import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { globTest } from "../../../src/core/sigma/glob.ts";
import { DASH, DASHES, ONE, parsePattern, type Pattern } from "../../../src/core/sigma/pattern.ts";
import { indexOf, stretchSearch } from "../../../src/core/sigma/search.ts";

const letter = fc.constantFrom("a", "b", "😀", "-", "\u2013", "\ud83d");
const text = fc.string({ unit: letter, maxLength: 12 });
const stretch: fc.Arbitrary<Pattern> = fc.array(
  fc.oneof(fc.constantFrom("a", "b", "ab", "aab", "-", "😀"), fc.constantFrom(ONE, ONE, DASH)),
  {
    minLength: 1,
    maxLength: 5,
  },
);

/** Every place is tried, code point by code point. */
function slowSearch(pattern: Pattern, where: string, start: number, end: number): number {
  const places = pattern.flatMap((item): (string | number)[] => (typeof item === "string" ? Array.from(item) : [item]));
  for (let from = start; from < end; from += where.codePointAt(from)! > 0xffff ? 2 : 1) {
    let at = from;
    const here = places.every((place) => {
      if (at >= where.length) return false;
      const character = String.fromCodePoint(where.codePointAt(at)!);
      at += character.length;
      return place === ONE || place === character || (place === DASH && DASHES.includes(character));
    });
    if (here && at <= end) return at;
  }
  return -1;
}

describe("searching texts in linear time", () => {
  test("a stretch with ? is found where the definition finds it", () => {
    fc.assert(
      fc.property(stretch, text, fc.nat(3), fc.nat(12), (pattern, where, from, to) => {
        const [start, end] = [Math.min(from, where.length), Math.min(from + to, where.length)];
        // Within a pair no stretch starts.
        fc.pre(start === 0 || where.slice(0, start).isWellFormed() || !where.slice(start).isWellFormed());
        expect(stretchSearch(pattern)!(where, start, end)).toBe(slowSearch(pattern, where, start, end));
      }),
      { numRuns: 5000 },
    );
  });

  test("a stretch of more than 32 and 64 places is found across the words of its set", () => {
    for (const size of [31, 32, 33, 63, 64, 65, 100]) {
      const places: Pattern = [ONE, "a".repeat(size - 2), ONE];
      const search = stretchSearch(places)!;
      const found = `bb${"a".repeat(size - 2)}b`;
      expect(search(found, 0, found.length)).toBe(size + 1);
      expect(search(found, 0, size)).toBe(-1);
      const short = `b${"a".repeat(size - 3)}bb${"a".repeat(size - 3)}b`;
      expect(search(short, 0, short.length)).toBe(-1);
    }
  });

  test("texts that are not well formed are left to comparing units", () => {
    expect(stretchSearch(["\ud83d", ONE])).toBeUndefined();
    const tail = "x".repeat(2_000_000);
    expect(globTest(["\ud83d", 1, "b", 0])(`\ud83dab${tail}`)).toBe(true);
  });

  test("a literal is found where the native search finds it, in texts long enough for the other way", () => {
    const pieces = fc.constantFrom("a".repeat(70), "ab".repeat(40), "aab".repeat(30), "b", "a", "😀".repeat(40));
    const long = fc.array(pieces, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(long, long, fc.nat(40), fc.constantFrom("tail", "head", "not"), (literal, filling, start, where) => {
        const filled = filling.repeat(Math.ceil(40_000 / filling.length));
        const all = where === "head" ? literal + filled : where === "tail" ? filled + literal : filled;
        expect(indexOf(all, literal, start)).toBe(all.indexOf(literal, start));
      }),
      { numRuns: 300 },
    );
    expect(indexOf("ab", "a".repeat(100), 0)).toBe(-1);
  });

  test("hostile texts and patterns end: a reference in the same process is the measure", () => {
    const million = "a".repeat(1_000_000);
    const timed = (work: () => unknown): number => {
      const start = performance.now();
      work();
      return performance.now() - start;
    };
    // One pass over a million characters in the same language, the best of three.
    const onePass = Math.min(
      ...[1, 2, 3].map(() =>
        timed(() => {
          let sum = 0;
          for (let index = 0; index < million.length; index++) sum += million.charCodeAt(index);
          return sum;
        }),
      ),
    );
    const half = "a".repeat(50_000);
    const patterns = [
      "*a*a*a*a*b",
      `*${"a?".repeat(200)}b*`,
      `*${"?".repeat(400)}b*`,
      `*${"a".repeat(500)}?b*`,
      `*${half}b${half}*`,
      `*${"a*".repeat(2000)}b`,
    ];
    for (const pattern of patterns) {
      const match = globTest(parsePattern(pattern));
      // Trying every place would be thousands of passes.
      expect(timed(() => expect(match(million)).toBe(false))).toBeLessThan(200 * onePass + 200);
    }
    expect(timed(() => expect(indexOf(million, `${half}b${half}`, 0)).toBe(-1))).toBeLessThan(200 * onePass + 200);
  });
});
