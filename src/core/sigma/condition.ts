import { reject, show, type KeyPath } from "./rejection.ts";

/**
 * A condition of a detection, filter or correlation, as a tree.
 * `pattern` of an `of` is undefined for `them`.
 */
export type Condition =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "of"; readonly every: boolean; readonly pattern: string | undefined }
  | { readonly kind: "not"; readonly of: Condition }
  | { readonly kind: "and" | "or"; readonly of: readonly Condition[] };

/** Conditions are read up to this length and nesting: recursion over them must stay shallow. */
const LENGTH_MAX = 16_384;
const DEPTH_MAX = 64;

const WORDS: readonly string[] = ["and", "or", "not", "of"];

interface Cursor {
  readonly tokens: readonly string[];
  readonly keys: KeyPath;
  at: number;
}

/**
 * Parses `not` > `and` > `or`, parentheses and `1 of`, `any of`, `all of`.
 * @throws {Rejection} with what is wrong
 */
export function parseCondition(text: string, keys: KeyPath): Condition {
  if (text.length > LENGTH_MAX) reject(keys, `the condition is longer than ${LENGTH_MAX} characters`);
  if (text.includes("|")) reject(keys, "aggregations after a pipe are not part of Sigma 2; write a correlation");
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  if (tokens.length === 0) reject(keys, "the condition is empty");
  const cursor: Cursor = { tokens, keys, at: 0 };
  const result = parseOr(cursor, 0);
  const rest = tokens[cursor.at];
  if (rest !== undefined) reject(keys, `${show(rest)} is not expected in the condition${caseHint(tokens)}`);
  return result;
}

function parseOr(cursor: Cursor, depth: number): Condition {
  return parseChain(cursor, "or", () => parseChain(cursor, "and", () => parseNot(cursor, depth)));
}

function parseChain(cursor: Cursor, word: "and" | "or", operand: () => Condition): Condition {
  const parts = [operand()];
  while (cursor.tokens[cursor.at] === word) {
    cursor.at++;
    parts.push(operand());
  }
  return parts.length === 1 ? parts[0]! : { kind: word, of: parts };
}

function parseNot(cursor: Cursor, depth: number): Condition {
  if (depth > DEPTH_MAX) reject(cursor.keys, `the condition is nested deeper than ${DEPTH_MAX} levels`);
  const token = cursor.tokens[cursor.at++];
  if (token === undefined) reject(cursor.keys, "the condition ends where a name is expected");
  if (token === "not") return { kind: "not", of: parseNot(cursor, depth + 1) };
  if (token === "(") {
    const inner = parseOr(cursor, depth + 1);
    const close = cursor.tokens[cursor.at++];
    if (close === undefined) reject(cursor.keys, "a parenthesis of the condition is not closed");
    if (close !== ")") reject(cursor.keys, `${show(close)} is not expected in the condition${caseHint(cursor.tokens)}`);
    return inner;
  }
  if (cursor.tokens[cursor.at] === "of") return parseOf(cursor, token);
  if (token === ")" || WORDS.includes(token)) reject(cursor.keys, `${show(token)} stands where a name is expected`);
  return { kind: "name", name: token };
}

function parseOf(cursor: Cursor, count: string): Condition {
  if (count !== "1" && count !== "any" && count !== "all") reject(cursor.keys, `${show(count)} of: only "1", "any" and "all" go with "of"`);
  cursor.at++;
  const pattern = cursor.tokens[cursor.at++];
  if (pattern === undefined || pattern === "(" || pattern === ")" || WORDS.includes(pattern))
    reject(cursor.keys, `"${count} of" needs "them" or a name, with or without *`);
  return { kind: "of", every: count === "all", pattern: pattern === "them" ? undefined : pattern };
}

function caseHint(tokens: readonly string[]): string {
  const shouts = tokens.some((token) => WORDS.includes(token.toLowerCase()) && !WORDS.includes(token));
  return shouts ? "; and, or, not, of are written in lower case" : "";
}

/** Writes a condition so that parsing it gives the same tree. */
export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case "name":
      return condition.name;
    case "of":
      return `${condition.every ? "all" : "1"} of ${condition.pattern ?? "them"}`;
    case "not":
      return `not ${operandText(condition.of)}`;
    case "and":
    case "or":
      return condition.of.map(operandText).join(` ${condition.kind} `);
  }
}

function operandText(condition: Condition): string {
  return condition.kind === "and" || condition.kind === "or" ? `(${conditionText(condition)})` : conditionText(condition);
}
