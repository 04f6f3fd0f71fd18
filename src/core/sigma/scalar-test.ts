import { numeric } from "../record.ts";
import { rangeTest } from "./address.ts";
import type { Choice } from "./choices.ts";
import { foldWith, type FoldMemo } from "./fold.ts";
import { globTest } from "./glob.ts";
import { literalOf, ONE, type Pattern } from "./pattern.ts";
import type { RegexEngine } from "./reader.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import { timePart } from "./time-part.ts";

/** A value of an event that is not null, an array or a map. */
export type Scalar = string | number | boolean;

/**
 * Whether a scalar satisfies a rule's value.
 * The memo belongs to the field that the scalar comes from. Never throws.
 */
export type ScalarTest = (value: Scalar, memo: FoldMemo) => boolean;

/** Regular expressions are refused beyond this length: compiled ones take memory in proportion. */
const REGEX_LENGTH_MAX = 8192;
/** Patterns with `?` are refused beyond this length: a character of a text costs a step per 32 of their places. */
const SINGLES_LENGTH_MAX = 8192;

/**
 * One test for "any of these choices" (`null` is the caller's business);
 * undefined when there are none.
 */
export function scalarTest(choices: readonly Choice[], regex: RegexEngine, keys: KeyPath): ScalarTest | undefined {
  const exact = new Set<string>();
  const exactCased = new Set<string>();
  const tests: ScalarTest[] = [];
  for (const choice of choices) {
    const literal = choice.kind === "text" ? literalOf(choice.pattern) : undefined;
    if (literal === undefined || choice.kind !== "text") tests.push(...otherTest(choice, regex, keys));
    else if (choice.cased) exactCased.add(literal);
    else exact.add(literal);
  }
  if (exactCased.size > 0) tests.unshift(exactTest(exactCased, true));
  if (exact.size > 0) tests.unshift(exactTest(exact, false));
  const [only] = tests;
  if (tests.length < 2) return only;
  return (value, memo) => {
    for (const test of tests) if (test(value, memo)) return true;
    return false;
  };
}

/** The canonical text of a scalar, JSON's; undefined for numbers that JSON cannot write. */
export function scalarText(value: Scalar): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
  return value ? "true" : "false";
}

/**
 * Numbers are compared as numbers where a text is the canonical text of one:
 * the same verdict without making texts.
 */
function exactTest(texts: ReadonlySet<string>, cased: boolean): ScalarTest {
  const numbers = new Set([...texts].map(Number).filter((number) => Number.isFinite(number) && texts.has(String(number))));
  const whenTrue = texts.has("true");
  const whenFalse = texts.has("false");
  const [text = ""] = texts;
  if (texts.size === 1 && numbers.size === 0 && !whenTrue && !whenFalse)
    return cased ? (value) => value === text : (value, memo) => typeof value === "string" && foldWith(memo, value) === text;
  return (value, memo) => {
    if (typeof value === "string") return texts.has(cased ? value : foldWith(memo, value));
    if (typeof value === "number") return numbers.has(value);
    return value ? whenTrue : whenFalse;
  };
}

function otherTest(choice: Choice, regex: RegexEngine, keys: KeyPath): ScalarTest[] {
  switch (choice.kind) {
    case "null":
      return [];
    case "text":
      if (tooLong(choice.pattern)) reject(keys, `a value with "?" is longer than ${SINGLES_LENGTH_MAX} characters`);
      return [patternTest(choice.pattern, choice.cased)];
    case "regex":
      return [regexTest(choice, regex, keys)];
    case "range": {
      const inRange = rangeTest(choice.range);
      return [(value) => typeof value === "string" && inRange(value)];
    }
    case "number":
      return [numberTest(choice)];
  }
}

function tooLong(pattern: Pattern): boolean {
  if (!pattern.includes(ONE)) return false;
  return pattern.reduce<number>((sum, item) => sum + (typeof item === "string" ? item.length : 1), 0) > SINGLES_LENGTH_MAX;
}

function patternTest(pattern: Pattern, cased: boolean): ScalarTest {
  const test = globTest(pattern);
  return (value, memo) => {
    const text = scalarText(value);
    return text !== undefined && test(cased ? text : foldWith(memo, text));
  };
}

function regexTest(choice: Extract<Choice, { kind: "regex" }>, regex: RegexEngine, keys: KeyPath): ScalarTest {
  if (choice.source.length > REGEX_LENGTH_MAX) reject(keys, `the regular expression is longer than ${REGEX_LENGTH_MAX} characters`);
  let test: (text: string) => boolean;
  try {
    test = regex.compile(choice.source, choice.flags);
  } catch (error) {
    reject(keys, `the regular expression ${show(choice.source)} is refused: ${error instanceof Error ? error.message : "no reason given"}`);
  }
  return (value) => {
    const text = scalarText(value);
    return text !== undefined && test(text);
  };
}

function numberTest(choice: Extract<Choice, { kind: "number" }>): ScalarTest {
  const { part, than } = choice;
  const compare = comparison(choice.comparison, than);
  if (part === undefined) {
    return (value) => {
      const number = typeof value === "boolean" ? undefined : numeric(value);
      return number !== undefined && compare(number);
    };
  }
  return (value) => {
    const number = timePart(part, value);
    return number !== undefined && compare(number);
  };
}

function comparison(name: Extract<Choice, { kind: "number" }>["comparison"], than: number): (value: number) => boolean {
  switch (name) {
    case "lt":
      return (value) => value < than;
    case "lte":
      return (value) => value <= than;
    case "gt":
      return (value) => value > than;
    case "gte":
      return (value) => value >= than;
    case "eq":
      return (value) => value === than;
  }
}
