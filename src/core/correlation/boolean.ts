import type { BooleanCondition } from "../sigma/rules.ts";

/** One way to meet a boolean condition: rules that must occur, and rules that must not. Positions, ascending. */
export interface Branch {
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
}

/** Most branches of a condition: each is evaluated by itself, and their number can double with every `or`. */
export const BRANCHES_MAX = 64;

/**
 * The disjunctive normal form of a condition over `rules`, without branches that contradict themselves. Undefined when
 * it names an unknown rule or has more than BRANCHES_MAX branches on the way.
 */
export function branchesOf(condition: BooleanCondition, rules: readonly string[]): readonly Branch[] | undefined {
  const found = normalForm(condition, false, rules);
  if (found === undefined) return undefined;
  const ascending = (set: ReadonlySet<number>): number[] => [...set].sort((a, b) => a - b);
  return found
    .filter(({ wanted, unwanted }) => wanted.isDisjointFrom(unwanted))
    .map(({ wanted, unwanted }) => ({ positives: ascending(wanted), negatives: ascending(unwanted) }));
}

/** A branch that is being put together. */
interface Literals {
  readonly wanted: ReadonlySet<number>;
  readonly unwanted: ReadonlySet<number>;
}

function normalForm(condition: BooleanCondition, negated: boolean, rules: readonly string[]): readonly Literals[] | undefined {
  switch (condition.kind) {
    case "rule": {
      const position = rules.indexOf(condition.rule);
      if (position < 0) return undefined;
      const here = new Set([position]);
      const none = new Set<number>();
      return [negated ? { wanted: none, unwanted: here } : { wanted: here, unwanted: none }];
    }
    case "not":
      return normalForm(condition.of, !negated, rules);
    case "and":
    case "or": {
      // A negated `and` is an `or` of the negated parts, and the other way round.
      const united = (condition.kind === "or") !== negated;
      let all: readonly Literals[] | undefined;
      for (const part of condition.of) {
        const more = normalForm(part, negated, rules);
        if (more === undefined) return undefined;
        if (all === undefined) all = more;
        else all = united ? [...all, ...more] : all.flatMap((left) => more.map((right) => both(left, right)));
        if (all.length > BRANCHES_MAX) return undefined;
      }
      return all ?? [];
    }
  }
}

function both(left: Literals, right: Literals): Literals {
  return { wanted: left.wanted.union(right.wanted), unwanted: left.unwanted.union(right.unwanted) };
}
