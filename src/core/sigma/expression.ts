import type { Condition } from "./condition.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import type { BooleanCondition } from "./rules.ts";

const PLACE: KeyPath = ["correlation", "condition"];

/** Branches of the disjunctive normal form; each is watched by itself, so their number costs memory. */
const BRANCHES_MAX = 64;

/**
 * A boolean condition over rules, with `keyOf` giving each rule's key. `keys` are those of `rules`.
 * @throws {Rejection} when it names other rules, has too many branches, or one that nothing positive belongs to
 */
export function expressionOf(condition: Condition, keyOf: (name: string) => string | undefined, keys: readonly string[]): BooleanCondition {
  const named = new Set<string>();
  const expression = translate(condition, keyOf, named);
  for (const key of named) if (!keys.includes(key)) reject(PLACE, `the condition names ${show(key)}, which "rules" does not`);
  for (const key of keys) if (!named.has(key)) reject(PLACE, `"rules" names ${show(key)}, which the condition does not`);
  if (countBranches(expression, false) > BRANCHES_MAX)
    reject(PLACE, `the condition has more than ${BRANCHES_MAX} alternatives; split the rule`);
  if (canBeNegative(expression, false))
    reject(PLACE, 'an alternative of the condition holds without any event: each needs a rule without "not"');
  return expression;
}

function translate(condition: Condition, keyOf: (name: string) => string | undefined, named: Set<string>): BooleanCondition {
  switch (condition.kind) {
    case "name": {
      const rule = keyOf(condition.name);
      if (rule === undefined)
        reject(PLACE, `the condition names ${show(condition.name)}, which "rules" does not${caseHint(condition.name)}`);
      named.add(rule);
      return { kind: "rule", rule };
    }
    case "of":
      return reject(PLACE, '"of" does not stand in the condition of a correlation; name the rules');
    case "not":
      return { kind: "not", of: translate(condition.of, keyOf, named) };
    case "and":
    case "or":
      return { kind: condition.kind, of: condition.of.map((part) => translate(part, keyOf, named)) };
  }
}

function caseHint(name: string): string {
  return ["and", "or", "not"].includes(name.toLowerCase()) ? "; and, or, not are written in lower case" : "";
}

/** Number of branches of the disjunctive normal form. `not` turns and into or. */
function countBranches(expression: BooleanCondition, negated: boolean): number {
  if (expression.kind === "rule") return 1;
  if (expression.kind === "not") return countBranches(expression.of, !negated);
  const isProduct = (expression.kind === "and") !== negated;
  const counts = expression.of.map((part) => countBranches(part, negated));
  return counts.reduce((sum, count) => (isProduct ? sum * count : sum + count), isProduct ? 1 : 0);
}

/** Whether some branch has no positive rule. */
function canBeNegative(expression: BooleanCondition, negated: boolean): boolean {
  if (expression.kind === "rule") return negated;
  if (expression.kind === "not") return canBeNegative(expression.of, !negated);
  const isProduct = (expression.kind === "and") !== negated;
  const parts = expression.of.map((part) => canBeNegative(part, negated));
  return isProduct ? !parts.includes(false) : parts.includes(true);
}
