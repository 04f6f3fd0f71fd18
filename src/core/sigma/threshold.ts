import { mapAt, own, type YamlMap } from "./document.ts";
import { didYouMean } from "./did-you-mean.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import type { CorrelationType, Threshold } from "./rules.ts";

const PLACE: KeyPath = ["correlation", "condition"];
const OPERATORS = ["gt", "gte", "lt", "lte", "eq", "neq"] as const;

/** Whether a type's condition names a field, and whether several. */
const FIELDS: Readonly<Record<CorrelationType, "none" | "one" | "many">> = {
  event_count: "none",
  temporal: "none",
  temporal_ordered: "none",
  baseline_ratio: "none",
  value_count: "many",
  value_sum: "one",
  value_avg: "one",
  value_percentile: "one",
  value_median: "one",
  new_value: "one",
};

/**
 * The comparisons of a correlation's condition map; undefined where a type that has a default gives none.
 * `rules` is the number of referenced rules. @throws {Rejection}
 */
export function thresholdOf(map: YamlMap, type: CorrelationType, rules: number): Threshold | undefined {
  const value = own(map, "condition");
  const isTemporal = type === "temporal" || type === "temporal_ordered";
  if (value === undefined) return isTemporal ? undefined : reject(["correlation"], `${type} needs a condition`);
  const condition = mapAt(value, PLACE);
  checkKeys(condition, type);
  const threshold: { -readonly [K in keyof Threshold]: number } = {};
  for (const operator of OPERATORS) {
    const number = own(condition, operator);
    if (number === undefined) continue;
    const place = [...PLACE, operator];
    if (typeof number !== "number" || !Number.isFinite(number)) reject(place, `${show(operator)} needs a number, not ${show(number)}`);
    threshold[operator] = number;
  }
  const given = Object.keys(threshold).length;
  if (type === "new_value") return {};
  if (given === 0) reject(PLACE, `the condition compares with nothing; it needs one of ${OPERATORS.join(", ")}`);
  if (type === "temporal_ordered" && (given > 1 || threshold.gte !== rules))
    reject(PLACE, `temporal_ordered takes no comparison but gte: ${rules}, the number of its rules`);
  return threshold;
}

function checkKeys(condition: YamlMap, type: CorrelationType): void {
  const known: string[] = type === "new_value" ? [] : [...OPERATORS];
  if (FIELDS[type] !== "none") known.push("field");
  if (type === "value_percentile") known.push("percentile");
  for (const key of Object.keys(condition)) {
    if (!known.includes(key)) reject([...PLACE, key], `the condition of ${type} knows no ${show(key)}${didYouMean(key, known)}`);
  }
}

/** Paths of `condition.field`; none for types that have none. @throws {Rejection} */
export function fieldsOf(map: YamlMap, type: CorrelationType): readonly string[] {
  if (FIELDS[type] === "none") return [];
  const place = [...PLACE, "field"];
  const value = own(mapAt(own(map, "condition"), PLACE), "field");
  if (value === undefined) reject(PLACE, `${type} needs a field in its condition`);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (FIELDS[type] === "one" && Array.isArray(value)) reject(place, `the condition of ${type} takes one field, not a list`);
  const paths = new Set<string>();
  for (const path of values) {
    if (typeof path !== "string" || path === "") reject(place, `"field" must name a field, not ${show(path)}`);
    if (paths.has(path)) reject(place, `"field" lists ${show(path)} twice`);
    paths.add(path);
  }
  return [...paths];
}
