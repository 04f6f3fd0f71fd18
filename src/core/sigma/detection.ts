import { parseCondition, type Condition } from "./condition.ts";
import { globTest } from "./glob.ts";
import { didYouMean } from "./did-you-mean.ts";
import { ANY, joinPattern } from "./pattern.ts";
import type { Predicate } from "./predicate.ts";
import { reject, show, type KeyPath, type Warn } from "./rejection.ts";
import type { CompileScope } from "./scope.ts";
import { compileSelection } from "./selection.ts";

/** Keys that Sigma 1 put beside the search identifiers and that changed what a rule means. */
const OBSOLETE: readonly string[] = ["timeframe"];

/** The predicate of a detection or filter section, and whether its condition negates anything. */
export interface Section<E> {
  readonly predicate: Predicate<E>;
  readonly negates: boolean;
}

/**
 * Compiles search identifiers and their condition. Every identifier is understood, also those that the condition
 * leaves out. `skip` are the section's keys that are no identifiers.
 * @throws {Rejection}
 */
export function compileSection<E>(
  scope: CompileScope<E>,
  section: unknown,
  keys: KeyPath,
  skip: readonly string[],
  warn: Warn,
): Section<E> {
  if (typeof section !== "object" || section === null || Array.isArray(section)) reject(keys, `${show(keys.at(-1))} must be a map`);
  const map = section as Readonly<Record<string, unknown>>;
  if (!Object.hasOwn(map, "condition")) reject(keys, "the condition is missing");
  const selections = new Map<string, Predicate<E>>();
  for (const [name, value] of Object.entries(map)) {
    if (name === "condition" || skip.includes(name)) continue;
    const isObsolete = OBSOLETE.includes(name) && typeof value === "string";
    if (isObsolete) reject([...keys, name], `${show(name)} is not part of Sigma 2; write a correlation with a timespan`);
    selections.set(name, compileSelection(scope, value, [...keys, name]));
  }
  if (selections.size === 0) reject(keys, "there is nothing to search for: no identifier beside the condition");
  const place = [...keys, "condition"];
  const texts: unknown[] = Array.isArray(map["condition"]) ? map["condition"] : [map["condition"]];
  const used = new Set<string>();
  const conditions = texts.map((text) => {
    if (typeof text !== "string") reject(place, `the condition must be a text or a list of texts, not ${show(text)}`);
    return parseCondition(text, place);
  });
  const predicate = scope.pool.or(conditions.map((condition) => assemble(scope, condition, selections, used, place)));
  for (const name of selections.keys()) if (!used.has(name)) warn([...keys, name], `${show(name)} is not used by the condition`);
  return { predicate, negates: conditions.some(negates) };
}

function negates(condition: Condition): boolean {
  if (condition.kind === "not") return true;
  return (condition.kind === "and" || condition.kind === "or") && condition.of.some(negates);
}

/** The predicate of a condition over compiled identifiers; notes those that it uses. @throws {Rejection} */
export function assemble<E>(
  scope: CompileScope<E>,
  condition: Condition,
  selections: ReadonlyMap<string, Predicate<E>>,
  used: Set<string>,
  keys: KeyPath,
): Predicate<E> {
  switch (condition.kind) {
    case "name": {
      const found = selections.get(condition.name);
      if (found === undefined)
        reject(keys, `the condition names ${show(condition.name)}, which is no identifier${hint(condition.name, selections)}`);
      used.add(condition.name);
      return found;
    }
    case "of": {
      const names = namesOf(condition.pattern, [...selections.keys()]);
      if (names.length === 0) reject(keys, `no identifier matches "${condition.every ? "all" : "1"} of ${condition.pattern ?? "them"}"`);
      for (const name of names) used.add(name);
      const parts = names.map((name) => selections.get(name)!);
      return condition.every ? scope.pool.and(parts) : scope.pool.or(parts);
    }
    case "not":
      return scope.pool.not(assemble(scope, condition.of, selections, used, keys));
    case "and":
    case "or":
      return scope.pool[condition.kind](condition.of.map((part) => assemble(scope, part, selections, used, keys)));
  }
}

function hint<E>(name: string, selections: ReadonlyMap<string, Predicate<E>>): string {
  if (["and", "or", "not", "of"].includes(name.toLowerCase())) return "; and, or, not, of are written in lower case";
  return didYouMean(name, selections.keys());
}

/** Names that an `of` means; those that start with `_` only when the pattern does too. */
export function namesOf(pattern: string | undefined, names: readonly string[]): readonly string[] {
  const matches =
    pattern === undefined
      ? () => true
      : globTest(
          joinPattern(
            pattern
              .split("*")
              .flatMap((part) => [part, ANY])
              .slice(0, -1),
          ),
        );
  const hidden = pattern?.startsWith("_") ?? false;
  return names.filter((name) => (hidden || !name.startsWith("_")) && matches(name));
}
