/**
 * What a detection rule is made of, as it is written: a tree whose every node has its own compiled predicate. It is put
 * together by compiling the parts again in the rule's own pool, which hands out the same object for the same test; so
 * a node's verdict is that of the very test that decides, and there is no second evaluator that could differ.
 */
import type { Category } from "../event.ts";
import { parseCondition, type Condition, conditionText } from "./condition.ts";
import { assemble, namesOf } from "./detection.ts";
import { isYamlMap, own, type YamlMap } from "./document.ts";
import type { DetectionBody, RuleDraft } from "./draft.ts";
import type { FilterRule } from "./filters.ts";
import type { Predicate } from "./predicate.ts";
import { Rejection, type KeyPath } from "./rejection.ts";
import type { CompileScope } from "./scope.ts";
import { compileSelection } from "./selection.ts";
import type { RuleInfo } from "../alert.ts";

/** A test of one event. */
interface Tested<E> {
  readonly predicate: Predicate<E>;
}

/** One value that a rule wants, and whether it alone would be met. */
export interface WantedOutline<E> {
  readonly value: unknown;
  /** Undefined where a value says nothing by itself. */
  readonly predicate: Predicate<E> | undefined;
}

/** What a search identifier is made of. */
export type TestOutline<E> =
  | (Tested<E> & { readonly kind: "all" | "any"; readonly parts: readonly TestOutline<E>[] })
  | (Tested<E> & {
      readonly kind: "field";
      readonly field: string;
      readonly modifiers: readonly string[];
      readonly wanted: readonly WantedOutline<E>[];
      readonly read: (event: E) => unknown;
      /** Of `fieldref`: reads the other field of each wanted value, in order. */
      readonly others: readonly ((event: E) => unknown)[];
    })
  | (Tested<E> & { readonly kind: "keywords"; readonly modifiers: readonly string[]; readonly wanted: readonly WantedOutline<E>[] });

/** A condition; `text` is how it could be written. A `name` is an identifier of the same section. */
export interface ConditionOutline<E> extends Tested<E> {
  readonly kind: Condition["kind"];
  readonly text: string;
  readonly parts: readonly ConditionOutline<E>[];
}

/** The identifiers and conditions of a detection or filter section. Of several conditions one is enough. */
export interface SectionOutline<E> extends Tested<E> {
  readonly conditions: readonly ConditionOutline<E>[];
  readonly identifiers: readonly { readonly name: string; readonly test: TestOutline<E> }[];
}

/** A detection rule with its logsource and the filters that apply to it. All of them must hold. */
export interface DetectionOutline<E> {
  readonly logsource: Readonly<Record<string, string>>;
  readonly categories: readonly Category[] | undefined;
  /** Undefined where the logsource admits every event. */
  readonly category: Predicate<E> | undefined;
  readonly section: SectionOutline<E>;
  readonly filters: readonly { readonly info: RuleInfo; readonly section: SectionOutline<E> }[];
}

/** The outline of a compiled detection rule. */
export function detectionOutline<E>(
  scope: CompileScope<E>,
  draft: RuleDraft<E>,
  body: DetectionBody<E>,
  category: Predicate<E> | undefined,
  filters: readonly FilterRule<E>[],
): DetectionOutline<E> {
  return {
    logsource: Object.fromEntries(body.logsource),
    categories: body.categories,
    category,
    section: sectionOutline(scope, draft, "detection", [], body.predicate),
    filters: filters.map((filter) => ({
      info: filter.draft.head.info,
      section: sectionOutline(scope, filter.draft, "filter", ["rules"], filter.body.predicate),
    })),
  };
}

function sectionOutline<E>(
  scope: CompileScope<E>,
  draft: RuleDraft<E>,
  key: string,
  skip: readonly string[],
  predicate: Predicate<E>,
): SectionOutline<E> {
  // The document was compiled: it is a map with a section that is one.
  const section = own(draft.document.value as YamlMap, key) as YamlMap;
  const selections = new Map<string, Predicate<E>>();
  const identifiers: { readonly name: string; readonly test: TestOutline<E> }[] = [];
  for (const [name, value] of Object.entries(section)) {
    if (name === "condition" || skip.includes(name)) continue;
    selections.set(name, compileSelection(scope, value, [key, name]));
    identifiers.push({ name, test: selectionOutline(scope, value, [key, name]) });
  }
  const place = [key, "condition"];
  const texts = [own(section, "condition")].flat() as readonly string[];
  const conditions = texts.map((text) => conditionOutline(scope, parseCondition(text, place), selections, place));
  return { predicate, conditions, identifiers };
}

function conditionOutline<E>(
  scope: CompileScope<E>,
  condition: Condition,
  selections: ReadonlyMap<string, Predicate<E>>,
  keys: KeyPath,
): ConditionOutline<E> {
  const parts: readonly Condition[] =
    condition.kind === "of"
      ? namesOf(condition.pattern, [...selections.keys()]).map((name) => ({ kind: "name", name }))
      : condition.kind === "not"
        ? [condition.of]
        : condition.kind === "name"
          ? []
          : condition.of;
  return {
    kind: condition.kind,
    text: conditionText(condition),
    predicate: assemble(scope, condition, selections, new Set(), keys),
    parts: parts.map((part) => conditionOutline(scope, part, selections, keys)),
  };
}

function selectionOutline<E>(scope: CompileScope<E>, value: unknown, keys: KeyPath): TestOutline<E> {
  const predicate = compileSelection(scope, value, keys);
  if (isYamlMap(value)) return mapOutline(scope, value, keys, predicate);
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const words = items.filter((item) => !isYamlMap(item));
  const parts = items.filter(isYamlMap).map((item) => mapOutline(scope, item, keys, compileSelection(scope, item, keys)));
  if (words.length > 0) {
    const wanted = words.map((word) => ({ value: word, predicate: compileSelection(scope, [word], keys) }));
    parts.push({ kind: "keywords", modifiers: [], wanted, predicate: compileSelection(scope, words, keys) });
  }
  return parts.length === 1 ? parts[0]! : { kind: "any", predicate, parts };
}

function mapOutline<E>(scope: CompileScope<E>, map: YamlMap, keys: KeyPath, predicate: Predicate<E>): TestOutline<E> {
  const parts = Object.entries(map).map(([key, value]) => entryOutline(scope, key, value, keys));
  return parts.length === 1 ? parts[0]! : { kind: "all", predicate, parts };
}

function entryOutline<E>(scope: CompileScope<E>, key: string, value: unknown, keys: KeyPath): TestOutline<E> {
  const [field = "", ...modifiers] = key.split("|");
  const predicate = compileSelection(scope, { [key]: value }, keys);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const wanted = values.map((one) => ({ value: one, predicate: alone(scope, key, one, keys) }));
  if (field === "") return { kind: "keywords", modifiers, wanted, predicate };
  const others = modifiers.includes("fieldref") ? values.map((one) => scope.field(String(one), keys).read) : [];
  return { kind: "field", field, modifiers, wanted, predicate, read: scope.field(field, keys).read, others };
}

/** The same entry with one of its values. */
function alone<E>(scope: CompileScope<E>, key: string, value: unknown, keys: KeyPath): Predicate<E> | undefined {
  try {
    return compileSelection(scope, { [key]: value }, keys);
  } catch (error) {
    // Some values go only together with others.
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}
