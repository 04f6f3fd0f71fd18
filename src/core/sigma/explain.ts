/** Why a detection rule matches an event or does not: the truth of every part of it, as plain data. */
import type { Category } from "../event.ts";
import { safeText } from "../safe-text.ts";
import type { ConditionOutline, DetectionOutline, SectionOutline, TestOutline, WantedOutline } from "./outline.ts";
import type { Reader } from "./reader.ts";
import type { Detection } from "./rules.ts";

/** Values are shown up to this many characters: enough to see what is wrong with one. */
const VALUE_MAX = 200;
/** Names and texts of a rule are shown up to this many. */
const TEXT_MAX = 400;
/** Wanted values of one test that are shown; those that are met come first. */
const WANTED_MAX = 50;

/** Where a rule is from. */
export interface ExplainedRule {
  readonly id: string;
  readonly title: string;
  readonly file: string;
  readonly line: number;
}

/** A value that a rule wants. */
export interface ExplainedWanted {
  readonly value: string;
  /** Whether it alone would be met; null where a value says nothing by itself. */
  readonly matched: boolean | null;
  /** Of `fieldref`: what the event has in the other field. */
  readonly refers_to?: string | null;
}

/** A test of a search identifier. Texts are cut and safe to show; null is a field that the event does not have. */
export type ExplainedTest =
  | { readonly kind: "all" | "any"; readonly matched: boolean; readonly parts: readonly ExplainedTest[] }
  | {
      readonly kind: "field";
      readonly matched: boolean;
      readonly field: string;
      readonly modifiers: readonly string[];
      readonly wanted: readonly ExplainedWanted[];
      readonly wanted_more: number;
      readonly actual: string | null;
    }
  | {
      readonly kind: "keywords";
      readonly matched: boolean;
      readonly modifiers: readonly string[];
      readonly wanted: readonly ExplainedWanted[];
      readonly wanted_more: number;
    };

/** A part of a condition. */
export interface ExplainedCondition {
  readonly kind: ConditionOutline<never>["kind"];
  readonly matched: boolean;
  readonly text: string;
  readonly parts: readonly ExplainedCondition[];
}

/** A section's conditions (one is enough) and its search identifiers. */
export interface ExplainedSection {
  readonly matched: boolean;
  readonly conditions: readonly ExplainedCondition[];
  readonly identifiers: readonly { readonly name: string; readonly test: ExplainedTest }[];
}

/** A detection rule and one event. */
export interface ExplainedDetection {
  readonly kind: "detection";
  readonly rule: ExplainedRule;
  readonly matched: boolean;
  readonly logsource: {
    readonly matched: boolean;
    readonly wanted: Readonly<Record<string, string>>;
    /** The event's category; null in plain backtests, which ignore logsource. */
    readonly category: Category | null;
  };
  readonly detection: ExplainedSection;
  /** Filters that apply to the rule: an event that does not match one is dropped. */
  readonly filters: readonly { readonly rule: ExplainedRule; readonly section: ExplainedSection }[];
}

/**
 * Explains a detection that was compiled with `outlines`; undefined for another. Every verdict is that of the part's own
 * compiled test.
 */
export function explainDetection<E>(detection: Detection<E>, event: E, reader: Reader<E>): ExplainedDetection | undefined {
  const outline = detection.outline?.();
  if (outline === undefined) return undefined;
  return {
    kind: "detection",
    rule: explainedRule(detection.info),
    matched: detection.matches(event),
    logsource: explainLogsource(outline, event, reader),
    detection: explainSection(outline.section, event),
    filters: outline.filters.map(({ info, section }) => ({ rule: explainedRule(info), section: explainSection(section, event) })),
  };
}

/** Where a rule is from. */
export function explainedRule(info: {
  readonly id: string;
  readonly title: string;
  readonly path: string;
  readonly line: number;
}): ExplainedRule {
  return { id: safeText(info.id, TEXT_MAX), title: safeText(info.title, TEXT_MAX), file: safeText(info.path, TEXT_MAX), line: info.line };
}

/** A value as it is shown: JSON, on one line, cut, without anything that moves a cursor. Null when there is none. */
export function shownValue(value: unknown): string | null {
  return value === undefined ? null : safeText(JSON.stringify(value), VALUE_MAX);
}

function explainLogsource<E>({ logsource, category }: DetectionOutline<E>, event: E, reader: Reader<E>): ExplainedDetection["logsource"] {
  const wanted = Object.fromEntries(Object.entries(logsource).map(([part, text]) => [part, safeText(text, TEXT_MAX)]));
  return { matched: category?.test(event) ?? true, wanted, category: reader.category(event) ?? null };
}

function explainSection<E>({ predicate, conditions, identifiers }: SectionOutline<E>, event: E): ExplainedSection {
  return {
    matched: predicate.test(event),
    conditions: conditions.map((condition) => explainCondition(condition, event)),
    identifiers: identifiers.map(({ name, test }) => ({ name: safeText(name, TEXT_MAX), test: explainTest(test, event) })),
  };
}

function explainCondition<E>({ kind, text, predicate, parts }: ConditionOutline<E>, event: E): ExplainedCondition {
  return {
    kind,
    matched: predicate.test(event),
    text: safeText(text, TEXT_MAX),
    parts: parts.map((part) => explainCondition(part, event)),
  };
}

function explainTest<E>(test: TestOutline<E>, event: E): ExplainedTest {
  const matched = test.predicate.test(event);
  switch (test.kind) {
    case "all":
    case "any":
      return { kind: test.kind, matched, parts: test.parts.map((part) => explainTest(part, event)) };
    case "keywords":
      return { kind: "keywords", matched, modifiers: test.modifiers, ...explainWanted(test.wanted, [], event) };
    case "field":
      return {
        kind: "field",
        matched,
        field: safeText(test.field, TEXT_MAX),
        modifiers: test.modifiers,
        ...explainWanted(test.wanted, test.others, event),
        actual: shownValue(test.read(event)),
      };
  }
}

function explainWanted<E>(
  wanted: readonly WantedOutline<E>[],
  others: readonly ((event: E) => unknown)[],
  event: E,
): { readonly wanted: readonly ExplainedWanted[]; readonly wanted_more: number } {
  const all = wanted.map(({ value, predicate }, index): ExplainedWanted => {
    const other = others[index];
    const shown = { value: shownValue(value) ?? "null", matched: predicate?.test(event) ?? null };
    return other === undefined ? shown : { ...shown, refers_to: shownValue(other(event)) };
  });
  const shown = all.length <= WANTED_MAX ? all : all.toSorted((a, b) => Number(b.matched) - Number(a.matched)).slice(0, WANTED_MAX);
  return { wanted: shown, wanted_more: all.length - shown.length };
}
