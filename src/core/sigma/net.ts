import type { LiteralSearch } from "./aho-corasick.ts";
import { foldWith, type FoldMemo } from "./fold.ts";
import { scalarText } from "./scalar-test.ts";
import { DEPTH_MAX } from "../record.ts";

/**
 * A set of conditions that is decided together: a field's value is looked at once and leads to all conditions that it
 * can still satisfy, so that the cost of an event grows with what it matches and not with the number of rules.
 */
export interface Net<E> {
  /** Appends the numbers of all conditions that the event satisfies to `out`, each once. */
  match(event: E, out: number[]): void;
}

/** What is left to decide once everything on the way here holds. */
export interface Node<E> {
  /** Conditions that hold. */
  readonly hits: readonly number[];
  readonly tests: readonly { readonly test: (event: E) => boolean; readonly next: Node<E> }[];
  readonly switches: readonly Switch<E>[];
  readonly scans: readonly Scan<E>[];
  /** Number of the last event that came here: several ways may lead to one node. */
  seen: number;
}

/** Where each exact value of a field leads. */
export interface Switch<E> {
  readonly read: (event: E) => unknown;
  readonly memo: FoldMemo;
  /** By folded text. */
  readonly byText: ReadonlyMap<string, Node<E>>;
  readonly byNumber: ReadonlyMap<number, Node<E>>;
  readonly whenTrue: Node<E> | undefined;
  readonly whenFalse: Node<E> | undefined;
}

/** Where each literal that occurs in a field's texts leads. */
export interface Scan<E> {
  readonly visitTexts: (event: E, visit: (folded: string) => void) => void;
  readonly search: LiteralSearch;
  readonly next: readonly Node<E>[];
}

/** Runs a net from its root. `conditions`: how many there are. */
export function runNet<E>(root: Node<E>, conditions: number): Net<E> {
  /** Number of the last event that satisfied each condition. */
  const satisfied = new Float64Array(conditions);
  let current = 0;
  let out: number[] = [];
  let event: E;

  function visit(node: Node<E>): void {
    if (node.seen === current) return;
    node.seen = current;
    for (const hit of node.hits) {
      if (satisfied[hit] === current) continue;
      satisfied[hit] = current;
      out.push(hit);
    }
    for (const one of node.switches) dispatch(one, one.read(event), 0);
    for (const one of node.tests) if (one.test(event)) visit(one.next);
    for (const one of node.scans) scan(one);
  }

  function dispatch(one: Switch<E>, value: unknown, depth: number): void {
    let next: Node<E> | undefined;
    if (typeof value === "string") next = one.byText.get(foldWith(one.memo, value));
    else if (typeof value === "number") next = one.byNumber.get(value);
    else if (typeof value === "boolean") next = value ? one.whenTrue : one.whenFalse;
    else if (Array.isArray(value) && depth <= DEPTH_MAX)
      for (const element of value as readonly unknown[]) dispatch(one, element, depth + 1);
    if (next !== undefined) visit(next);
  }

  function scan(one: Scan<E>): void {
    one.visitTexts(event, (text) => one.search.search(text, (literal) => visit(one.next[literal]!)));
  }

  return {
    match(given, into) {
      current++;
      event = given;
      out = into;
      visit(root);
    },
  };
}

/** Folded canonical texts of a value's scalars, as tests on a field see them. */
export function visitFoldedTexts(value: unknown, memo: FoldMemo, visit: (folded: string) => void, depth = 0): void {
  if (typeof value === "string") visit(foldWith(memo, value));
  else if (typeof value === "number" || typeof value === "boolean") {
    const text = scalarText(value);
    if (text !== undefined) visit(foldWith(memo, text));
  } else if (Array.isArray(value) && depth <= DEPTH_MAX)
    for (const element of value as readonly unknown[]) visitFoldedTexts(element, memo, visit, depth + 1);
}
