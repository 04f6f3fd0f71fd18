import type { Predicate } from "../sigma/predicate.ts";
import type { BooleanCondition, Correlation, RuleSet } from "../sigma/rules.ts";

/** Changes when what is stored means something else. */
const VERSION = 1;

/**
 * Fingerprint of what makes the history of a rule comparable: its type, group, counted
 * field or metric, window, and the definitions of all rules that it refers to, filters included. Thresholds, lookback,
 * seasonality, suppression and all metadata may change without losing history; the order of `rules`, too.
 */
export function baselineKey<E>(correlation: Correlation<E>, rules: RuleSet<E>, uuid5: (name: string) => string): string {
  const { type, fields, baseline } = correlation;
  const definitions = definitionsOf(rules);
  const counted =
    type === "new_value"
      ? fields.map(({ path }) => path)
      : type === "baseline_ratio"
        ? [baseline?.metric ?? "", baseline?.metricField?.path ?? "", correlation.timespanMs]
        : [...fields.map(({ path }) => path), correlation.timespanMs];
  return uuid5(`baseline\n${JSON.stringify([VERSION, type, counted, inputsOf(correlation, definitions)])}`);
}

type Definitions = (rule: string) => unknown;

/** What each document is, by id; without what does not change which events or inner alerts there are. */
function definitionsOf<E>({ detections, correlations }: RuleSet<E>): Definitions {
  const texts = new Map<Predicate<E>, string>();
  const predicateText = (predicate: Predicate<E>): string => {
    const found = texts.get(predicate);
    if (found !== undefined) return found;
    // The keys of and, or and not are numbers of one compilation.
    const text =
      predicate.parts.length === 0 ? predicate.key : JSON.stringify([predicate.kind, ...predicate.parts.map(predicateText).toSorted()]);
    texts.set(predicate, text);
    return text;
  };
  /** The compiler has rejected cycles; one that slipped in does no harm. */
  const open = new Set<string>();
  const definition: Definitions = (rule) => {
    if (open.has(rule)) return rule;
    open.add(rule);
    const found = definitionOf(rule);
    open.delete(rule);
    return found;
  };
  const definitionOf: Definitions = (rule) => {
    const detection = detections.find(({ info }) => info.id === rule);
    if (detection !== undefined) {
      return detection.predicate === undefined ? rule : [detection.categories?.toSorted() ?? null, predicateText(detection.predicate)];
    }
    const inner = correlations.find(({ info }) => info.id === rule);
    if (inner === undefined) return rule;
    const { type, timespanMs, threshold, expression, fields, percentile, newValue, baseline, suppressMs } = inner;
    const metric = baseline && { ...baseline, metricField: baseline.metricField?.path };
    const settings = { type, timespanMs, threshold, fields: fields.map(({ path }) => path), percentile, newValue, metric, suppressMs };
    return [settings, expression === undefined ? null : expressionText(expression, definition), inputsOf(inner, definition)];
  };
  return definition;
}

/** Definition and group fields of each referenced rule. */
function inputsOf<E>({ rules, groupBy, type }: Correlation<E>, definition: Definitions): readonly string[] {
  const inputs = rules.map((rule) => JSON.stringify([definition(rule), groupBy.map((field) => field.path(rule))]));
  return type === "temporal_ordered" ? inputs : inputs.toSorted();
}

function expressionText(condition: BooleanCondition, definition: Definitions): unknown {
  if (condition.kind === "rule") return definition(condition.rule);
  if (condition.kind === "not") return ["not", expressionText(condition.of, definition)];
  return [condition.kind, ...condition.of.map((one) => expressionText(one, definition))];
}
