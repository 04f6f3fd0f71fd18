import type { RejectedRule } from "../alert.ts";
import type { Correlation, RuleSet } from "../sigma/rules.ts";
import { BRANCHES_MAX, branchesOf } from "./boolean.ts";
import { sameFields } from "./connect.ts";
import { TEMPORAL_RULES_MAX } from "./temporal.ts";

/**
 * The correlations that the engine would not evaluate, with the reason, and those that refer to them. Callers reject
 * them before they make an engine; the engine itself leaves them out.
 */
export function unsupported<E>(ruleSet: RuleSet<E>): readonly RejectedRule[] {
  const reasons = new Map<string, string>();
  for (const correlation of ruleSet.correlations) {
    const reason = whyUnsupported(correlation);
    if (reason !== undefined) reasons.set(correlation.info.id, reason);
  }
  // Each round finds at least one more rule, or is the last.
  for (let found = true; found;) {
    found = false;
    for (const { info, rules } of ruleSet.correlations) {
      const broken = rules.find((rule) => reasons.has(rule));
      if (broken === undefined || reasons.has(info.id)) continue;
      reasons.set(info.id, `it refers to ${broken}, which is rejected`);
      found = true;
    }
  }
  return ruleSet.correlations
    .filter(({ info }) => reasons.has(info.id))
    .map(({ info }) => ({ rule: info.id, file: info.path, line: info.line, reason: reasons.get(info.id)! }));
}

/** Why the engine would not evaluate a correlation, if it would not. */
export function whyUnsupported<E>(correlation: Omit<Correlation<E>, "alerts">): string | undefined {
  const { type, rules, expression } = correlation;
  if (type === "new_value" && correlation.newValue === undefined) return "new_value without its settings";
  if (type === "baseline_ratio" && correlation.baseline === undefined) return "baseline_ratio without its settings";
  if (expression !== undefined) {
    const branches = branchesOf(expression, rules);
    if (branches === undefined) return `its condition names a rule that "rules" does not, or has more than ${BRANCHES_MAX} alternatives`;
    if (branches.some(({ positives }) => positives.length === 0)) return "an alternative of its condition wants no rule at all";
  }
  const many = rules.length > TEMPORAL_RULES_MAX;
  if (many && type.startsWith("temporal")) return `it refers to more than ${TEMPORAL_RULES_MAX} rules`;
  if (many && !sameFields(correlation, [...rules.keys()])) return `its aliases are for more than ${TEMPORAL_RULES_MAX} rules`;
  return undefined;
}
