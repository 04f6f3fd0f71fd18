import type { Category } from "../event.ts";
import type { FieldSource } from "./field-test.ts";
import type { Detection } from "./rules.ts";

/** What a test costs, roughly; cheaper ones go first, which changes no verdict. */
export const COST = { category: 0, number: 1, exact: 2, pattern: 4, regex: 16, keyword: 64 } as const;

/** A condition on one event. Predicates with one key are one object within a compilation. */
export interface Predicate<E> {
  /** Canonical: equal keys mean equal verdicts. */
  readonly key: string;
  /** Number of the predicate within its compilation, for tables of verdicts. */
  readonly id: number;
  readonly kind: "field" | "keyword" | "category" | "and" | "or" | "not";
  /** Operands of and, or, not. */
  readonly parts: readonly Predicate<E>[];
  /**
   * For kind `field`: its path, and the folded texts when it is equality with one of them and nothing
   * else.
   */
  readonly path: string | undefined;
  readonly exact: readonly string[] | undefined;
  /** For kind `field`: the field. */
  readonly source: FieldSource<E> | undefined;
  /** Folded texts of which one is in a folded text of `visitTexts` whenever it holds; undefined when there are none. */
  readonly literals: readonly string[] | undefined;
  readonly visitTexts: ((event: E, visit: (folded: string) => void) => void) | undefined;
  readonly cost: number;
  /** Pure; never throws. */
  readonly test: (event: E) => boolean;
}

/** What a leaf brings with it. */
export type Leaf<E> = Pick<Predicate<E>, "kind" | "cost" | "test"> & {
  readonly source?: FieldSource<E>;
  readonly exact?: readonly string[];
  readonly literals?: readonly string[];
  readonly visitTexts?: (event: E, visit: (folded: string) => void) => void;
};

/** Makes predicates and hands out the same object for the same key. */
export interface PredicatePool<E> {
  leaf(key: string, make: () => Leaf<E>): Predicate<E>;
  and(parts: readonly Predicate<E>[]): Predicate<E>;
  or(parts: readonly Predicate<E>[]): Predicate<E>;
  not(part: Predicate<E>): Predicate<E>;
  category(category: Category, read: (event: E) => Category | undefined): Predicate<E>;
}

/** An empty pool; one per compilation. */
export function predicatePool<E>(): PredicatePool<E> {
  const known = new Map<string, Predicate<E>>();
  const leaf = (key: string, make: () => Leaf<E>, parts: readonly Predicate<E>[] = []): Predicate<E> => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = make();
    const { kind, cost, test, source, exact, literals, visitTexts } = made;
    const result = { key, id: known.size, kind, parts, path: source?.path, exact, source, literals, visitTexts, cost, test };
    known.set(key, result);
    return result;
  };
  const join = (kind: "and" | "or", operands: readonly Predicate<E>[]): Predicate<E> => {
    const parts = [...new Set(operands.flatMap((operand) => (operand.kind === kind ? operand.parts : [operand])))];
    if (parts.length === 1) return parts[0]!;
    const key = `${kind}:${parts
      .map((part) => part.id)
      .toSorted((a, b) => a - b)
      .join(",")}`;
    parts.sort((a, b) => a.cost - b.cost || a.id - b.id);
    const cost = parts.reduce((sum, part) => sum + part.cost, 0);
    return leaf(key, () => ({ kind, cost, test: joined(kind, parts) }), parts);
  };
  return {
    leaf: (key, make) => leaf(key, make),
    and: (parts) => join("and", parts),
    or: (parts) => join("or", parts),
    not: (part) => leaf(`not:${part.id}`, () => ({ kind: "not", cost: part.cost, test: (event) => !part.test(event) }), [part]),
    category: (category, read) =>
      leaf(`category:${category}`, () => ({ kind: "category", cost: COST.category, test: (event) => read(event) === category })),
  };
}

/** Two operands are so common that they are worth a test without a loop. */
function joined<E>(kind: "and" | "or", parts: readonly Predicate<E>[]): (event: E) => boolean {
  const tests = parts.map((part) => part.test);
  if (tests.length === 2) {
    const [first, second] = tests as [(event: E) => boolean, (event: E) => boolean];
    return kind === "and" ? (event) => first(event) && second(event) : (event) => first(event) || second(event);
  }
  const stop = kind === "or";
  return (event) => {
    for (const test of tests) if (test(event) === stop) return stop;
    return !stop;
  };
}

/** What a detection tests as a predicate, also where it was not compiled from a document. */
export function conditionOf<E>({ predicate, matches }: Pick<Detection<E>, "predicate" | "matches">): Predicate<E> {
  if (predicate !== undefined) return predicate;
  return {
    key: "",
    id: -1,
    kind: "field",
    parts: [],
    path: undefined,
    exact: undefined,
    source: undefined,
    literals: undefined,
    visitTexts: undefined,
    cost: COST.regex,
    test: matches,
  };
}
