import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conditionText, parseCondition, type Condition } from "../../../src/core/sigma/condition.ts";
import { compilePlain, onlyDetection, plain, reasons, ruleText } from "./build.ts";

const SECTION = "  a: {x: 1}\n  b: {y: 1}\n  c: {z: 1}\n  sel_1: {x: 1}\n  sel_2: {y: 1}\n  _hidden: {h: 1}\n";

function holds(condition: string, event: object): boolean {
  return onlyDetection(ruleText(`${SECTION}  condition: ${condition}`)).matches(plain(event));
}

function why(condition: string): string {
  return reasons(ruleText(`${SECTION}  condition: ${condition}`)).join("\n");
}

describe("conditions", () => {
  test.each([
    ["a and b", { x: 1, y: 1 }, true],
    ["a and b", { x: 1 }, false],
    ["a or b", { y: 1 }, true],
    ["not a", {}, true],
    ["not a", { x: 1 }, false],
    ["not not a", { x: 1 }, true],
    ["a or b and c", { x: 1 }, true],
    ["(a or b) and c", { x: 1 }, false],
    ["not a and b", { y: 1 }, true],
    ["not (a and b)", { x: 1 }, true],
    ["not a or b", { x: 1, y: 1 }, true],
    ["a and not b or c", { x: 1, y: 1 }, false],
    ["(a)", { x: 1 }, true],
    ["  ( a )and( b )", { x: 1, y: 1 }, true],
    ["1 of sel_*", { y: 1 }, true],
    ["any of sel_*", { y: 1 }, true],
    ["all of sel_*", { y: 1 }, false],
    ["all of sel_*", { x: 1, y: 1 }, true],
    ["1 of *_2", { y: 1 }, true],
    ["1 of s*l*2", { x: 1 }, false],
    ["1 of sel_1", { x: 1 }, true],
    ["1 of them", { h: 1 }, false],
    ["1 of them", { z: 1 }, true],
    ["all of them", { x: 1, y: 1, z: 1 }, true],
    ["1 of *", { h: 1 }, false],
    ["1 of _*", { h: 1 }, true],
    ["1 of _hidden", { h: 1 }, true],
    ["_hidden", { h: 1 }, true],
    ["not 1 of sel_*", {}, true],
    ["1 of sel_* and not 1 of c*", { x: 1, z: 1 }, false],
    ["[a and c, b]", { y: 1 }, true],
    ["[a and c, b]", { x: 1 }, false],
  ] as const)("%s on %j is %s", (condition, event, matches) => {
    expect(holds(condition, event)).toBe(matches);
  });

  test.each([
    ["nothing", '"nothing", which is no identifier'],
    ["a AND b", "lower case"],
    ["a OR b", "lower case"],
    ["NOT a", "lower case"],
    ["1 OF sel_*", "lower case"],
    ["a b", '"b" is not expected'],
    ["a and", "ends where a name is expected"],
    ["and a", '"and" stands where a name is expected'],
    ["(a", "not closed"],
    ["a)", '")" is not expected'],
    ["()", "stands where a name is expected"],
    ["''", "the condition is empty"],
    ["2 of sel_*", 'only "1", "any" and "all"'],
    ["1 of", 'needs "them" or a name'],
    ["1 of (a)", 'needs "them" or a name'],
    ["1 of nope*", "no identifier matches"],
    ["a | count() > 5", "write a correlation"],
    ["5", "must be a text or a list of texts"],
    ["[a, 5]", "must be a text or a list of texts"],
    ["[]", "is an empty list"],
    [`${"(".repeat(100)}a${")".repeat(100)}`, "nested deeper"],
    ["a".repeat(20_000), "longer than"],
  ])("%s is rejected: %s", (condition, reason) => {
    expect(why(condition)).toContain(reason);
  });

  test("an of over hidden names only matches nothing, and rejects", () => {
    expect(reasons(ruleText("  _a: {x: 1}\n  condition: 1 of them"))[0]).toContain("no identifier matches");
  });

  test("the condition is needed, and something beside it", () => {
    expect(reasons("title: T\nlogsource: {category: x}\ndetection:\n  selection: {a: 1}\n")).toEqual(["3: the condition is missing"]);
    expect(reasons("title: T\nlogsource: {category: x}\ndetection:\n  condition: selection\n")[0]).toContain("nothing to search for");
  });

  test("an identifier that the condition leaves out is checked and warned about", () => {
    expect(compilePlain(ruleText("  a: {x: 1}\n  b: {y: 1}\n  condition: a")).warnings.map((one) => one.message)).toContain(
      '"b" is not used by the condition',
    );
    expect(reasons(ruleText("  a: {x: 1}\n  b: {'y|nope': 1}\n  condition: a"))[0]).toContain("unknown modifier");
  });

  test("the timeframe of Sigma 1 is refused", () => {
    expect(reasons(ruleText("  a: {x: 1}\n  timeframe: 5m\n  condition: a"))[0]).toContain("write a correlation");
  });
});

const condition: fc.Arbitrary<Condition> = fc.letrec<{ tree: Condition }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.record({ kind: fc.constant("name" as const), name: fc.constantFrom("a", "b", "sel_1", "of_x", "them") }),
    fc.record({ kind: fc.constant("of" as const), every: fc.boolean(), pattern: fc.constantFrom(undefined, "a*", "*", "_x") }),
    fc.record({ kind: fc.constant("not" as const), of: tie("tree") }),
    fc.record({ kind: fc.constantFrom("and" as const, "or" as const), of: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }) }),
  ),
})).tree;

test("a condition that is written out parses to the same tree", () => {
  fc.assert(
    fc.property(condition, (tree) => {
      expect(parseCondition(conditionText(tree), [])).toEqual(tree);
    }),
  );
});

test("a condition means what its tree means", () => {
  const names = ["a", "b", "c"] as const;
  const leaf = fc.record({ kind: fc.constant("name" as const), name: fc.constantFrom(...names) });
  const boolean: fc.Arbitrary<Condition> = fc.letrec<{ tree: Condition }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ kind: fc.constant("not" as const), of: tie("tree") }),
      fc.record({ kind: fc.constantFrom("and" as const, "or" as const), of: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }) }),
    ),
  })).tree;
  const truth = (tree: Condition, facts: ReadonlySet<string>): boolean => {
    if (tree.kind === "name") return facts.has(tree.name);
    if (tree.kind === "not") return !truth(tree.of, facts);
    if (tree.kind === "of") return false;
    return tree.kind === "and" ? tree.of.every((part) => truth(part, facts)) : tree.of.some((part) => truth(part, facts));
  };
  fc.assert(
    fc.property(boolean, fc.subarray([...names]), (tree, facts) => {
      const event = Object.fromEntries(facts.map((name) => [{ a: "x", b: "y", c: "z" }[name], 1]));
      expect(holds(conditionText(tree), event)).toBe(truth(tree, new Set(facts)));
    }),
  );
});
