/** Boolean conditions with absence: every assignment of every branch is tried. */
import type { BooleanCondition, Correlation } from "../../src/core/sigma/rules.ts";
import { holds } from "./naive-holds.ts";
import type { Item } from "./naive-holds.ts";
import type { Satisfied } from "./naive.ts";

interface Branch {
  wanted: string[];
  unwanted: string[];
}

/** Disjunctive normal form of a condition without `not`. */
function branchesOf(condition: BooleanCondition): Branch[] {
  switch (condition.kind) {
    case "rule":
      return [{ wanted: [condition.rule], unwanted: [] }];
    case "or":
      return condition.of.flatMap(branchesOf);
    case "and":
      return condition.of
        .map(branchesOf)
        .reduce((left, right) =>
          left.flatMap((a) => right.map((b) => ({ wanted: [...a.wanted, ...b.wanted], unwanted: [...a.unwanted, ...b.unwanted] }))),
        );
    case "not":
      throw new Error("pushed down before");
  }
}

function negation(condition: BooleanCondition): BooleanCondition {
  switch (condition.kind) {
    case "rule":
      return { kind: "rule", rule: `!${condition.rule}` };
    case "not":
      return condition.of;
    case "and":
    case "or":
      return { kind: condition.kind === "and" ? "or" : "and", of: condition.of.map(negation) };
  }
}

function branches(condition: BooleanCondition): Branch[] {
  return branchesOf(pushed(condition))
    .map(({ wanted }) => ({
      wanted: wanted.filter((rule) => !rule.startsWith("!")),
      unwanted: wanted.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1)),
    }))
    .filter(({ wanted, unwanted }) => !wanted.some((rule) => unwanted.includes(rule)));
}

/** The same condition with `not` only in front of rules, written as "!rule". */
function pushed(condition: BooleanCondition): BooleanCondition {
  if (condition.kind === "not") {
    const inner = negation(condition.of);
    return condition.of.kind === "rule" ? inner : pushed(inner);
  }
  return condition.kind === "rule" ? condition : { kind: condition.kind, of: condition.of.map(pushed) };
}

/** Branches, for what the random conditions of tests must have. */
export function alternatives(condition: BooleanCondition): readonly Branch[] {
  return branches(condition);
}

/** Negated rules' events are never counted and never evidence. */
export function countedRule(condition: BooleanCondition, rule: string): boolean {
  return branches(condition).some(({ wanted }) => wanted.includes(rule));
}

/** The satisfied anchors of all branches. */
export function absences<E>(correlation: Correlation<E>, condition: BooleanCondition, items: readonly Item[]): Satisfied[] {
  const span = correlation.timespanMs;
  return branches(condition).flatMap((branch) => {
    const wanted = correlation.rules.filter((rule) => branch.wanted.includes(rule));
    const positive = items.filter((item) => item.rules.some((rule) => wanted.includes(rule)));
    const counted = items.filter((item) => item.rules.some((rule) => countedRule(condition, rule)));
    return positive.flatMap(({ time }): Satisfied[] => {
      const right = branch.unwanted.length === 0;
      const [from, to] = right ? [time - span, time] : [time, time + span];
      const within = ({ time: at }: Item): boolean => at >= from && at <= to;
      const window = positive.filter(within);
      const plain = { ...correlation, rules: wanted, threshold: { gte: wanted.length } };
      if (right ? !holds(plain, window) : !without(correlation, wanted, branch.unwanted, window, items, time)) return [];
      return [{ anchor: time, first: window[0]!.time, last: window.at(-1)!.time, window: counted.filter(within) }];
    });
  });
}

/** Some valid assignment starts at time `first`. */
function without<E>(
  { type, rules, timespanMs: span }: Correlation<E>,
  wanted: readonly string[],
  unwanted: readonly string[],
  window: readonly Item[],
  items: readonly Item[],
  first: number,
): boolean {
  const occurs = (rule: string, test: (time: number) => boolean): boolean =>
    items.some((item) => item.rules.includes(rule) && test(item.time));
  if (type === "temporal") {
    return (
      wanted.every((rule) => window.some((item) => item.rules.includes(rule))) &&
      !unwanted.some((rule) => occurs(rule, (time) => time >= first - span && time <= first + span))
    );
  }
  return assignments(wanted, window, first).some((times) => {
    const last = times.at(-1)!;
    return (
      times[0] === first &&
      !unwanted.some((rule) => {
        // Its neighbours in the order of the rules.
        const before = wanted.filter((other) => rules.indexOf(other) < rules.indexOf(rule)).length;
        if (before === 0) return occurs(rule, (time) => time >= last - span && time < first);
        if (before === wanted.length) return occurs(rule, (time) => time > last && time <= first + span);
        return occurs(rule, (time) => time > times[before - 1]! && time < times[before]!);
      })
    );
  });
}

/** The times of every choice of distinct events, one per rule, in order. */
function assignments(rules: readonly string[], window: readonly Item[], after: number): number[][] {
  const [rule, ...rest] = rules;
  if (rule === undefined) return [[]];
  return window
    .filter((item) => item.rules.includes(rule) && item.time >= after)
    .flatMap((item) =>
      assignments(
        rest,
        window.filter((other) => other !== item),
        item.time,
      ).map((times) => [item.time, ...times]),
    );
}
