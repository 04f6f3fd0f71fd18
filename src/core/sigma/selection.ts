import { choicesOf, type Choice } from "./choices.ts";
import { existsTest, differTest, matchTest, referenceTest, type FieldSource, type ValueTest } from "./field-test.ts";
import { fold, foldMemo } from "./fold.ts";
import { requiredLiterals } from "./literals.ts";
import { visitFoldedTexts } from "./net.ts";
import { parseFieldKey, type FieldKey } from "./modifiers.ts";
import { literalOf } from "./pattern.ts";
import { COST, type Leaf, type Predicate } from "./predicate.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import { scalarTest, type ScalarTest } from "./scalar-test.ts";
import type { CompileScope } from "./scope.ts";

/**
 * A search identifier: a map (AND), a list of maps and keywords (OR), or one keyword.
 * @throws {Rejection}
 */
export function compileSelection<E>(scope: CompileScope<E>, value: unknown, keys: KeyPath): Predicate<E> {
  if (!Array.isArray(value)) return isMap(value) ? compileMap(scope, value, keys) : keywords(scope, KEYWORD, [value], [keys]);
  const maps: Predicate<E>[] = [];
  const words: unknown[] = [];
  const wordKeys: KeyPath[] = [];
  value.forEach((item: unknown, index) => {
    if (isMap(item)) maps.push(compileMap(scope, item, [...keys, index]));
    else {
      words.push(item);
      wordKeys.push([...keys, index]);
    }
  });
  return scope.pool.or(words.length > 0 ? [...maps, keywords(scope, KEYWORD, words, wordKeys)] : maps);
}

/** What a keyword without modifiers is. */
const KEYWORD: FieldKey = parseFieldKey("|contains", []);

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function compileMap<E>(scope: CompileScope<E>, map: Readonly<Record<string, unknown>>, keys: KeyPath): Predicate<E> {
  return scope.pool.and(Object.entries(map).map(([text, value]) => compileEntry(scope, text, value, [...keys, text])));
}

function compileEntry<E>(scope: CompileScope<E>, text: string, value: unknown, keys: KeyPath): Predicate<E> {
  const key = parseFieldKey(text, keys);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const places = Array.isArray(value) ? values.map((_, index) => [...keys, index]) : [keys];
  if (key.field === "") return keywords(scope, key, values, places);
  const field = scope.field(key.field, keys);
  if (key.kind === "exists") return exists(scope, field, value, keys);
  if (key.kind === "fieldref") return references(scope, field, key, values, places);
  const choices = values.map((item, index) => choicesOf(key, item, scope.placeholders, places[index]!));
  return fieldPredicate(scope, field, key, key.all ? choices : [choices.flat()], keys);
}

function exists<E>(scope: CompileScope<E>, field: FieldSource<E>, value: unknown, keys: KeyPath): Predicate<E> {
  if (typeof value !== "boolean") reject(keys, `"exists" needs true or false, not ${show(value)}`);
  return scope.pool.leaf(JSON.stringify(["exists", field.path, value]), () => ({
    kind: "field",
    cost: COST.number,
    source: field,
    test: existsTest(field, value),
  }));
}

function references<E>(
  scope: CompileScope<E>,
  field: FieldSource<E>,
  key: FieldKey,
  values: readonly unknown[],
  places: readonly KeyPath[],
): Predicate<E> {
  const parts = values.map((value, index) => {
    if (typeof value !== "string" || value === "") reject(places[index]!, `"fieldref" needs the name of a field, not ${show(value)}`);
    const other = scope.field(value, places[index]!);
    return scope.pool.leaf(JSON.stringify(["fieldref", field.path, other.path, key.position, key.neq]), () => ({
      kind: "field",
      cost: COST.regex,
      source: field,
      test: referenceTest(field, other, key.position, key.neq),
    }));
  });
  // NOT (a OR b) is every one differs; NOT (a AND b) is some one differs.
  return key.all !== key.neq ? scope.pool.and(parts) : scope.pool.or(parts);
}

/** `groups` are ANDed, the choices within one are ORed; `neq` negates the whole. */
function fieldPredicate<E>(
  scope: CompileScope<E>,
  field: FieldSource<E>,
  key: FieldKey,
  groups: readonly (readonly Choice[])[],
  keys: KeyPath,
): Predicate<E> {
  const { pool, options } = scope;
  const valueTest = (choices: readonly Choice[]): ValueTest => ({
    scalar: scalarTest(choices, options.regex, keys),
    orNull: choices.some((choice) => choice.kind === "null"),
  });
  if (key.neq) {
    return pool.leaf(JSON.stringify(["neq", field.path, groups.map(canonical).toSorted()]), () => ({
      kind: "field",
      source: field,
      cost: Math.max(...groups.map(costOf)),
      test: differTest(field, groups.map(valueTest)),
    }));
  }
  return pool.and(
    groups.map((choices) =>
      pool.leaf(JSON.stringify(["field", field.path, canonical(choices)]), (): Leaf<E> => {
        const exact = exactTexts(choices);
        const literals = requiredLiterals(choices);
        return {
          kind: "field",
          source: field,
          cost: costOf(choices),
          test: matchTest(field, valueTest(choices)),
          visitTexts: (event, visit) => visitFoldedTexts(field.read(event), field.memo, visit),
          ...(exact === undefined ? undefined : { exact }),
          ...(literals === undefined ? undefined : { literals }),
        };
      }),
    ),
  );
}

function canonical(choices: readonly Choice[]): string {
  return JSON.stringify([...new Set(choices.map((choice) => JSON.stringify(choice)))].toSorted());
}

function costOf(choices: readonly Choice[]): number {
  const costs = choices.map((choice) => {
    if (choice.kind === "regex") return COST.regex;
    if (choice.kind === "null") return COST.number;
    if (choice.kind === "number") return choice.part === undefined ? COST.number : COST.regex;
    return choice.kind === "text" && literalOf(choice.pattern) !== undefined ? COST.exact : COST.pattern;
  });
  return Math.max(...costs);
}

function exactTexts(choices: readonly Choice[]): readonly string[] | undefined {
  const texts = new Set<string>();
  for (const choice of choices) {
    const literal = choice.kind === "text" && !choice.cased ? literalOf(choice.pattern) : undefined;
    if (literal === undefined) return undefined;
    texts.add(literal);
  }
  return [...texts];
}

/**
 * Substrings, or with `re` patterns, of any string value;
 * under `all` each value may be met by another string.
 */
function keywords<E>(scope: CompileScope<E>, key: FieldKey, values: readonly unknown[], places: readonly KeyPath[]): Predicate<E> {
  const choices = values.map((value, index) => {
    if (Array.isArray(value) || isMap(value)) reject(places[index]!, `${show(value)} stands where a keyword is expected`);
    return choicesOf(key, value, scope.placeholders, places[index]!);
  });
  const groups = key.all ? choices : [choices.flat()];
  return scope.pool.and(
    groups.map((group) =>
      scope.pool.leaf(JSON.stringify(["keyword", canonical(group)]), (): Leaf<E> => {
        const literals = requiredLiterals(group);
        const { reader } = scope.options;
        return {
          kind: "keyword",
          cost: COST.keyword,
          test: keywordTest(scope, scalarTest(group, scope.options.regex, places[0]!)!),
          visitTexts: (event, visit) => reader.strings(event, (text) => visit(fold(text))),
          ...(literals === undefined ? undefined : { literals }),
        };
      }),
    ),
  );
}

function keywordTest<E>(scope: CompileScope<E>, test: ScalarTest): (event: E) => boolean {
  const { reader } = scope.options;
  const memo = foldMemo();
  let found = false;
  // One visitor for all events: matching is synchronous, so it is never entered twice.
  const visit = (text: string): void => {
    if (!found && test(text, memo)) found = true;
  };
  return (event) => {
    found = false;
    reader.strings(event, visit);
    return found;
  };
}
