import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { literalSearch } from "../../../src/core/sigma/aho-corasick.ts";
import { buildNet, linearNet } from "../../../src/core/sigma/net-build.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { fold } from "../../../src/core/sigma/fold.ts";
import { requiredLiterals } from "../../../src/core/sigma/literals.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { newEvent } from "../../../src/core/new-event.ts";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { compilePlain, plain } from "./build.ts";

const text = fc.string({ unit: fc.constantFrom("a", "B", "b", "K", "\u212a", "\u{1f600}", "1", "-", "."), maxLength: 6 });
const anyScalar = fc.oneof(text, fc.constantFrom(0, 1, 10, -0, true, false, null));
const modifiers = fc.constantFrom(
  "",
  "|contains",
  "|startswith",
  "|endswith",
  "|contains|all",
  "|cased",
  "|contains|cased",
  "|neq",
  "|contains|windash",
  "|wide|base64offset|contains",
);
const values = fc.oneof(anyScalar, fc.array(text, { minLength: 1, maxLength: 5 }));
const key = fc
  .tuple(fc.constantFrom("f", "g", "a.b", ""), modifiers)
  .map(([name, modifier]) => name + (name === "" && modifier === "" ? "|contains" : modifier));
const regexes = fc.constantFrom(
  "ab+c",
  "(?i)a(b|1)k1",
  "a|b1",
  "[ab]{2}K?1",
  "^ab",
  "b1$",
  "a\\.b",
  "ab*1",
  "(ab)?b1",
  "\\x61b",
  "\\QaB\\E1",
  "k1(?i:b)",
);
const map = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(key, values, { minKeys: 1, maxKeys: 3 }) },
  { weight: 1, arbitrary: regexes.map((source) => ({ "f|re": source })) },
  { weight: 1, arbitrary: fc.constantFrom({ "f|exists": true }, { "g|gte": 1 }, { "f|fieldref": "g" }, { "g|re": "a+" }) },
);
const rule = fc.record({
  one: fc.oneof(map, fc.array(map, { minLength: 1, maxLength: 3 }), fc.array(text, { minLength: 1, maxLength: 3 })),
  two: map,
  condition: fc.constantFrom("one", "one and two", "one or two", "one and not two", "not one", "1 of them", "two and (one or not two)"),
});
const value = fc.oneof(anyScalar, text, fc.array(fc.oneof(anyScalar, fc.array(text, { maxLength: 2 })), { maxLength: 3 }));
const event = fc.dictionary(fc.constantFrom("f", "g", "a.b", "h"), value, { maxKeys: 4 });

function yaml(rules: readonly { one: unknown; two: unknown; condition: string }[]): string {
  return rules
    .map(({ one, two, condition }, index) =>
      JSON.stringify({
        title: `R${index}`,
        name: `r${index}`,
        logsource: { category: "any" },
        detection: condition === "one" || condition === "not one" ? { one, condition } : { one, two, condition },
      }),
    )
    .join("\n---\n");
}

describe("a net of conditions", () => {
  test("is satisfied by an event exactly where each condition by itself is", () => {
    let satisfied = 0;
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 14 }), fc.array(event, { minLength: 1, maxLength: 6 }), (rules, events) => {
        const { detections } = compilePlain(yaml(rules));
        const conditions = detections.map(({ predicate }) => predicate!);
        const net = buildNet(conditions, undefined);
        const linear = linearNet(conditions);
        for (const one of events) {
          const found: number[] = [];
          const expected: number[] = [];
          net.match(plain(one), found);
          linear.match(plain(one), expected);
          expect({ rules, one, found: found.toSorted((a, b) => a - b) }).toEqual({ rules, one, found: expected });
          satisfied += expected.length;
        }
      }),
      { numRuns: 2500 },
    );
    expect(satisfied).toBeGreaterThan(2000);
  });

  test("knows what a category decides", () => {
    const document = (category: string, name: string): string =>
      `title: ${name}\nname: ${name}\nlogsource: {product: agent, category: ${category}}\ndetection:\n  s: {status_id: 1}\n  condition: s\n`;
    const { detections } = compileRules(parseRuleFile("r.yml", `${document("dns", "a")}---\n${document("egress", "b")}`), {
      reader: eventReader,
      regex: regexEngine,
      logsource: true,
    });
    const conditions = detections.map(({ predicate }) => predicate!);
    for (const category of ["dns", "egress", "file"] as const) {
      const one = { ...newEvent("u", 1, category, 4001, 6), statusId: 1 };
      const found: number[] = [];
      buildNet(conditions, category).match(one, found);
      expect(found.map((index) => detections[index]!.info.name)).toEqual(category === "dns" ? ["a"] : category === "egress" ? ["b"] : []);
    }
  });
});

test("a literal that a regular expression is said to need is in every text that it matches", () => {
  const atom = fc.constantFrom("ab", "k1", "-", "(a|b1)", "[ab]", "[^a]1", "(?:ab1)", ".", "\\.", "\\d", "x");
  const piece = fc
    .tuple(atom, fc.constantFrom("", "", "", "*", "+", "?", "{0,2}", "{2}", "*?"))
    .map(([one, quantifier]) => one + quantifier);
  const source = fc
    .tuple(fc.constantFrom("", "(?i)", "^"), fc.array(piece, { minLength: 1, maxLength: 5 }), fc.constantFrom("", "$", "|ab"))
    .map(([head, pieces, tail]) => head + pieces.join("") + tail);
  const fragment = fc.constantFrom("ab", "AB", "k1", "\u212a1", "-", "b1", "a", "x", ".", "1");
  const subject = fc.array(fragment, { maxLength: 8 }).map((fragments) => fragments.join(""));
  let matched = 0;
  fc.assert(
    fc.property(source, fc.array(subject, { minLength: 40, maxLength: 40 }), (pattern, subjects) => {
      const flags = { i: false, m: false, s: false };
      const literals = requiredLiterals([{ kind: "regex", source: pattern, flags }]);
      if (literals === undefined) return;
      const matches = regexEngine.compile(pattern, flags);
      for (const one of subjects) {
        if (!matches(one)) continue;
        matched++;
        expect({ pattern, one, literals, has: literals.some((literal) => fold(one).includes(literal)) }).toMatchObject({ has: true });
      }
    }),
    { numRuns: 3000 },
  );
  expect(matched).toBeGreaterThan(500);
});

describe("a search for many literals", () => {
  test("finds exactly those that occur", () => {
    const literal = fc.string({ unit: fc.constantFrom("a", "b", "\u00e9"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.uniqueArray(literal, { minLength: 1, maxLength: 12 }),
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\u00e9", "c"), maxLength: 30 })),
        (literals, texts) => {
          const search = literalSearch(literals);
          for (const one of texts) {
            const found = new Set<number>();
            search.search(one, (index) => found.add(index));
            expect([...found].toSorted((a, b) => a - b)).toEqual(literals.flatMap((item, index) => (one.includes(item) ? [index] : [])));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("misses nothing when there are more literals than its table holds", () => {
    const literals = Array.from(
      { length: 3000 },
      (_, index) => `${index.toString(36)}-${String.fromCharCode(0x4e00 + index)}-${"x".repeat(200)}-${index}`,
    );
    const search = literalSearch(literals);
    const found: number[] = [];
    search.search(`...${literals[1234]}...`, (index) => found.push(index));
    expect(found).toContain(1234);
  });
});
