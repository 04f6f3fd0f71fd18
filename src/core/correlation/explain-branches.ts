/** What each branch of a boolean condition says about one event. */
import type { EpochMs } from "../event.ts";
import { safeText } from "../safe-text.ts";
import type { BooleanCondition, Correlation } from "../sigma/rules.ts";
import { branchesOf, type Branch } from "./boolean.ts";
import type { Member } from "./explain-members.ts";
import { anchorsOf, rulesIn } from "./explain-windows.ts";

/** Events that stand in the way of a branch and are named, at most. */
const NAMED_MAX = 5;
const UID_MAX = 200;

/** A branch: rules that must have events, and rules that must not. */
export interface ExplainedBranch {
  readonly wants: readonly string[];
  readonly forbids: readonly string[];
  /** The branch holds for a window with the event in it. */
  readonly holds: boolean;
  /** Wanted rules without any event within a timespan of this one. */
  readonly missing: readonly string[];
  /** Events of forbidden rules within a timespan of this one, the nearest first. */
  readonly in_the_way: readonly { readonly rule: string; readonly uid: string; readonly time: EpochMs }[];
}

/** Each branch by itself, as the engine evaluates it. `members` are the usable ones of the group. */
export function explainBranches<E>(
  correlation: Correlation<E>,
  member: Member,
  members: readonly Member[],
  newest: EpochMs,
): readonly ExplainedBranch[] {
  const { rules, timespanMs } = correlation;
  const branches = correlation.expression === undefined ? [] : (branchesOf(correlation.expression, rules) ?? []);
  const near = members.filter(({ time }) => Math.abs(time - member.time) <= timespanMs);
  const present = rulesIn(near);
  const name = (at: number): string => rules[at]!;
  return branches.map((branch) => {
    const alone = { ...correlation, expression: expressionOf(branch, rules) };
    const anchors = anchorsOf(alone, members, newest);
    return {
      wants: branch.positives.map(name),
      forbids: branch.negatives.map(name),
      holds: anchors.some(({ uids }) => uids.includes(member.uid)),
      missing: branch.positives.filter((at) => !present.has(at)).map(name),
      in_the_way: inTheWay(branch, near, member.time).map(({ at, one }) => ({
        rule: name(at),
        uid: safeText(one.uid, UID_MAX),
        time: one.time,
      })),
    };
  });
}

function inTheWay(branch: Branch, near: readonly Member[], time: EpochMs): readonly { readonly at: number; readonly one: Member }[] {
  return near
    .flatMap((one) => branch.negatives.filter((at) => (one.bits & (1 << at)) !== 0).map((at) => ({ at, one })))
    .sort((a, b) => Math.abs(a.one.time - time) - Math.abs(b.one.time - time))
    .slice(0, NAMED_MAX);
}

/** The branch as a condition of its own. */
function expressionOf({ positives, negatives }: Branch, rules: readonly string[]): BooleanCondition {
  const rule = (at: number): BooleanCondition => ({ kind: "rule", rule: rules[at]! });
  return { kind: "and", of: [...positives.map(rule), ...negatives.map((at): BooleanCondition => ({ kind: "not", of: rule(at) }))] };
}
