import fc from "fast-check";
import { expect, test } from "vitest";
import { holdsFor } from "../../property/plan.ts";
import { compilePlain, plain } from "./build.ts";
import { holds, meant, written, type Said, type Sections, type Scalar } from "./naive.ts";

const word = fc.string({ unit: fc.constantFrom("a", "A", "b", "1", "é", "É", "K", "k", "\u212a", "σ", "ς", "-", " "), maxLength: 4 });
const pattern = fc.string({ unit: fc.constantFrom("a", "B", "1", "*", "?", "\\", "é", "-"), maxLength: 5 });
const shell = fc.constantFrom("-a", "/a b", "x -a", "cmd /c -b", "a-b", '"-a', "- a", "--a", "*-a", "x\u2014a", " \u2014a");
const date = fc.constantFrom(
  "2026-01-01T00:00:00Z",
  "2024-12-30T23:59:59Z",
  "2027-01-03T12:30:00+02:00",
  "2020-02-29T05:06:07.5Z",
  "2021-01-03T23:00:00-05:00",
);
const address = fc.constantFrom(
  "10.0.0.1",
  "10.255.0.9",
  "192.168.1.77",
  "2001:db8::1",
  "::1",
  "2001:DB8:0::ffff",
  "10.0.0",
  "010.0.0.1",
  "10.0.0.1/8",
);
const network = fc.constantFrom("10.0.0.0/8", "192.168.1.0/24", "2001:db8::/32", "::1", "0.0.0.0/0", "10.0.0.1", "::/0");
const number = fc.constantFrom(0, 1, 10, -1.5, 2.5, 1e21, 1e-7);
const encoded = fc
  .tuple(fc.string({ maxLength: 4 }), fc.constantFrom("ab", "aé", "cmd"), fc.string({ maxLength: 4 }), fc.constantFrom("utf8", "utf16le"))
  .map(([head, body, tail, encoding]) => Buffer.from(head + body + tail, encoding as BufferEncoding).toString("base64"));

const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  { weight: 6, arbitrary: word },
  { weight: 2, arbitrary: number },
  fc.constantFrom<Scalar>(true, false, null, null, "", "10", "1e1", "+.5", "0x1", "true"),
  shell,
  date,
  address,
  encoded,
);
const node = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 5, arbitrary: scalar },
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "a.b", "b.a"), tie("tree"), { maxKeys: 3 }),
  ),
})).tree;
const event = fc.dictionary(fc.constantFrom("a", "b", "a.b", "c"), node, { maxKeys: 4 }) as fc.Arbitrary<Record<string, unknown>>;
const field = fc.constantFrom("a", "a", "b", "a.b", "a.b.a", "c", "missing");

/** Modifiers and values that go with each other. */
const kinds: fc.Arbitrary<readonly [modifiers: readonly string[], value: fc.Arbitrary<unknown>]> = fc
  .tuple(
    fc.constantFrom("", "contains", "startswith", "endswith"),
    fc.boolean(),
    fc.constantFrom("lt", "lte", "gt", "gte"),
    fc.nat(13),
    fc.subarray(["i", "m", "s"]),
  )
  .map(([position, cased, comparison, choice, flags]) => {
    const at = position === "" ? [] : [position];
    const list = (one: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof(one, fc.array(one, { minLength: 1, maxLength: 3 }));
    switch (choice) {
      case 0:
        return [["exists"], fc.boolean()];
      case 1:
        return [["fieldref", ...at], list(field)];
      case 2:
        return [["cidr"], list(network)];
      case 3:
        return [[comparison], list(number)];
      case 4:
        return [[...(cased ? [comparison] : []), comparison === "lt" ? "week" : comparison === "gt" ? "day" : "hour"], list(fc.nat(53))];
      case 5:
        return [
          ["re", ...flags, ...at],
          list(fc.constantFrom("^a", "a$", "(?i)a.b", "[ab]+1?", "a|1", "^$", "\\d+", "é", "^.{2}$", "(?i)k")),
        ];
      case 6:
        return [["windash", ...at], list(shell)];
      case 7:
        return [[...(cased ? ["wide"] : []), "base64offset", "contains"], list(fc.constantFrom("ab", "aé", "cmd"))];
      case 8:
        return [[...(cased ? ["wide"] : []), "base64", ...at], list(fc.constantFrom("ab", "aé", "cmd"))];
      case 9:
        return [[], list(fc.oneof(fc.constant(null), word, number))];
      default:
        return [[...at, ...(cased ? ["cased"] : [])], list(fc.oneof(pattern, word, number, fc.boolean()))];
    }
  });
const entry = fc.tuple(field, kinds, fc.constantFrom("", "", "all", "neq")).chain(([name, [modifiers, values], more]) => {
  const apt =
    more === "" || modifiers.includes("exists") || (more === "neq" && modifiers.some((one) => /^[lg]te?$/.test(one))) ? [] : [more];
  return values.map((value) => [[name, ...modifiers, ...apt].join("|"), value] as const);
});
const map = fc.array(entry, { minLength: 1, maxLength: 2 }).map((entries) => Object.fromEntries(entries));
const keyword = fc.oneof(word, pattern, shell).filter((text) => text !== "");
const keywords = fc
  .tuple(fc.constantFrom("all", "cased", "re", "all|re", "contains|all"), fc.array(keyword, { minLength: 1, maxLength: 3 }))
  .map(([modifiers, words]) => ({
    [`|${modifiers}`]: modifiers.includes("re") ? words.map((one) => one.replace(/[^a-zA-Z1é]/gu, ".")) : words,
  }));
const section = fc.oneof(
  { weight: 4, arbitrary: map },
  fc.array(fc.oneof(map, keyword), { minLength: 1, maxLength: 3 }),
  keyword,
  keywords,
) as fc.Arbitrary<unknown>;
const sections: fc.Arbitrary<Sections> = fc.dictionary(fc.constantFrom("sel", "sel_2", "other", "_hidden"), section, {
  minKeys: 1,
  maxKeys: 4,
});

function condition(names: readonly string[]): fc.Arbitrary<Said> {
  const leaf: fc.Arbitrary<Said> = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...names).map((name): Said => ({ kind: "name", name })) },
    fc
      .tuple(fc.boolean(), fc.constantFrom("them", "sel*", "*", "_*", "*2", "*o*"))
      .map(([every, of]): Said => ({ kind: "of", every, pattern: of })),
  );
  return fc.letrec<{ tree: Said }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      tie("tree").map((of): Said => ({ kind: "not", of })),
      fc
        .tuple(fc.constantFrom("and" as const, "or" as const), fc.array(tie("tree"), { minLength: 2, maxLength: 3 }))
        .map(([kind, of]): Said => ({ kind, of })),
    ),
  })).tree;
}

function patternsOf(said: Said): string[] {
  if (said.kind === "of") return [said.pattern];
  if (said.kind === "not") return patternsOf(said.of);
  return said.kind === "name" ? [] : said.of.flatMap(patternsOf);
}

test("a detection says of any event what the text says: every modifier, wildcards, lists, conditions", () => {
  let yes = 0;
  let no = 0;
  const rule = sections.chain((given) => fc.tuple(fc.constant(given), condition(Object.keys(given))));
  const tried = fc.tuple(rule, fc.array(event, { minLength: 1, maxLength: 6 }));
  holdsFor("detections say what the text says", tried, ([[given, said], events]) => {
    const document = { title: "t", logsource: { category: "x" }, detection: { ...given, condition: written(said) } };
    const { detections, rejected } = compilePlain(JSON.stringify(document));
    if (patternsOf(said).some((of) => meant(of, given).length === 0)) {
      expect(rejected.map(({ reason }) => reason).join()).toMatch(/no identifier matches/);
      return;
    }
    expect(rejected).toEqual([]);
    for (const one of events) {
      const verdict = holds(said, given, one);
      expect({ detection: document.detection, event: one, verdict: detections[0]!.matches(plain(one)) }).toEqual({
        detection: document.detection,
        event: one,
        verdict,
      });
      if (verdict) yes++;
      else no++;
    }
  });
  // A property about rules that never match says nothing.
  expect(Math.min(yes, no)).toBeGreaterThan(500);
});
