import { parseCondition, type Condition } from "./condition.ts";
import { durationAt } from "./custodes-keys.ts";
import { mapAt, numberAt, onlyKeys, own, textAt, wordAt, type YamlMap } from "./document.ts";
import { nearestName } from "./did-you-mean.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import { CORRELATION_TYPES, type Correlation, type CorrelationType, type DurationMs, type Threshold } from "./rules.ts";
import { fieldsOf, thresholdOf } from "./threshold.ts";

/** A correlation section, understood but for what it refers to. */
export interface CorrelationDraft {
  readonly type: CorrelationType;
  /** Ids or names as written, in order. */
  readonly references: readonly string[];
  readonly groupBy: readonly string[];
  /** Group name -> reference as written -> field. */
  readonly aliases: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** 0 for a `new_value` without one. */
  readonly timespanMs: DurationMs;
  /** Undefined where the default applies. */
  readonly threshold: Threshold | undefined;
  readonly condition: Condition | undefined;
  readonly fields: readonly string[];
  readonly percentile: number | undefined;
  readonly newValue: Correlation<unknown>["newValue"];
  readonly baseline: BaselineDraft | undefined;
  readonly generate: boolean;
}

type Baseline = NonNullable<Correlation<unknown>["baseline"]>;
/** As in a correlation, with the metric's field by path. */
type BaselineDraft = Omit<Baseline, "metricField"> & { readonly metricField: string | undefined };

/** The key of the section, and the place of all problems in it. */
const SECTION: KeyPath = ["correlation"];

const COMMON: readonly string[] = ["type", "rules", "group-by", "aliases", "timespan", "condition", "generate"];
const OWN: Readonly<Partial<Record<CorrelationType, readonly string[]>>> = {
  value_percentile: ["percentile"],
  new_value: ["lookback", "min_history"],
  baseline_ratio: ["metric", "baseline_days", "seasonality", "min_count"],
};

const DAY_MS = 86_400_000;
/** Defaults of the extension types (`semantics.md` section 4). */
const LOOKBACK_MS = 30 * DAY_MS;
const MIN_HISTORY_MS = DAY_MS;
const BASELINE_DAYS = 14;
/** Baselines reach back at most ten years, as far as any log. */
const BASELINE_DAYS_MAX = 3653;

/** Reads the correlation section of a document. @throws {Rejection} */
export function parseCorrelation(document: YamlMap): CorrelationDraft {
  const map = mapAt(own(document, "correlation"), SECTION);
  const type = wordAt(map, "type", SECTION, CORRELATION_TYPES) ?? reject(SECTION, "the correlation has no type");
  checkKeys(map, type);
  const condition = booleanCondition(map, type);
  const references = referencesOf(map, condition);
  const groupBy = namesAt(map, "group-by") ?? [];
  const timespanMs = durationAt(map, "timespan", SECTION, 1);
  if (timespanMs === undefined && type !== "new_value") reject(SECTION, "the correlation has no timespan");
  return {
    type,
    references,
    groupBy,
    aliases: aliasesOf(map, groupBy),
    timespanMs: timespanMs ?? 0,
    threshold: condition === undefined ? thresholdOf(map, type, references.length) : {},
    condition,
    fields: condition === undefined ? fieldsOf(map, type) : [],
    percentile: type === "value_percentile" ? percentileOf(map) : undefined,
    newValue: type === "new_value" ? newValueOf(map) : undefined,
    baseline: type === "baseline_ratio" ? baselineOf(map, timespanMs ?? 0) : undefined,
    generate: generateOf(document, map),
  };
}

function checkKeys(map: YamlMap, type: CorrelationType): void {
  const known = [...COMMON, ...(OWN[type] ?? [])];
  const all = [...COMMON, ...Object.values(OWN).flat()];
  for (const key of Object.keys(map)) {
    if (known.includes(key)) continue;
    const place = [...SECTION, key];
    if (key === "custodes")
      reject(place, `unknown key "custodes" in "correlation": it stands at the top level; did you mean "${nearestName(key, known)}"?`);
    if (!all.includes(key)) onlyKeys(map, SECTION, known);
    const owners = Object.entries(OWN).filter(([, keys]) => keys.includes(key));
    reject(
      place,
      `the key ${show(key)} belongs to ${owners.map(([owner]) => owner).join(", ")}, not to ${type}; did you mean "${nearestName(key, known)}"?`,
    );
  }
}

function booleanCondition(map: YamlMap, type: CorrelationType): Condition | undefined {
  const value = own(map, "condition");
  if (typeof value !== "string") return undefined;
  const place = [...SECTION, "condition"];
  if (type !== "temporal" && type !== "temporal_ordered") reject(place, `${type} takes a map of comparisons, not a text`);
  return parseCondition(value, place);
}

function referencesOf(map: YamlMap, condition: Condition | undefined): readonly string[] {
  const given = namesAt(map, "rules");
  if (condition === undefined) return given ?? reject(SECTION, "the correlation names no rules");
  const named = [...namesIn(condition, new Set())];
  if (given === undefined) return named;
  return given;
}

function namesIn(condition: Condition, names: Set<string>): Set<string> {
  if (condition.kind === "name") names.add(condition.name);
  else if (condition.kind === "of")
    reject([...SECTION, "condition"], '"of" does not stand in the condition of a correlation; name the rules');
  else for (const part of condition.kind === "not" ? [condition.of] : condition.of) namesIn(part, names);
  return names;
}

/** A list of different, non-empty texts, or undefined without the key. */
function namesAt(map: YamlMap, key: string): readonly string[] | undefined {
  const value = own(map, key);
  if (value === undefined) return undefined;
  const place = [...SECTION, key];
  if (!Array.isArray(value)) reject(place, `${show(key)} must be a list of texts, not ${show(value)}`);
  const names = new Set<string>();
  value.forEach((item: unknown, index) => {
    if (typeof item !== "string" || item.trim() === "") reject([...place, index], `${show(key)} must hold texts, not ${show(item)}`);
    if (names.has(item)) reject([...place, index], `${show(key)} lists ${show(item)} twice`);
    names.add(item);
  });
  return [...names];
}

function aliasesOf(map: YamlMap, groupBy: readonly string[]): CorrelationDraft["aliases"] {
  const result = new Map<string, ReadonlyMap<string, string>>();
  const value = own(map, "aliases");
  if (value === undefined) return result;
  const place = [...SECTION, "aliases"];
  for (const [alias, fields] of Object.entries(mapAt(value, place))) {
    const aliasPlace = [...place, alias];
    if (!groupBy.includes(alias)) reject(aliasPlace, `the alias ${show(alias)} is not in group-by`);
    const byRule = mapAt(fields, aliasPlace);
    result.set(alias, new Map(Object.keys(byRule).map((rule) => [rule, textAt(byRule, rule, aliasPlace)!])));
  }
  return result;
}

/**
 * `generate` stands at the top level in the schema and inside `correlation` in many rules;
 * both are understood.
 */
function generateOf(document: YamlMap, map: YamlMap): boolean {
  const read = (from: YamlMap, keys: KeyPath): boolean | undefined => {
    const value = own(from, "generate");
    if (value !== undefined && typeof value !== "boolean")
      reject([...keys, "generate"], `"generate" must be true or false, not ${show(value)}`);
    return value;
  };
  const outer = read(document, []);
  const inner = read(map, SECTION);
  if (outer !== undefined && inner !== undefined && outer !== inner)
    reject([...SECTION, "generate"], '"generate" is given twice, differently');
  return outer ?? inner ?? false;
}

/** Beside the field in `condition`, or in the section itself; never both with different numbers. */
function percentileOf(map: YamlMap): number {
  const condition = mapAt(own(map, "condition"), [...SECTION, "condition"]);
  const near = numberAt(condition, "percentile", [...SECTION, "condition"], 0, 100);
  const far = numberAt(map, "percentile", SECTION, 0, 100);
  if (near !== undefined && far !== undefined && near !== far)
    reject([...SECTION, "percentile"], '"percentile" is given twice, differently');
  return near ?? far ?? reject(SECTION, 'value_percentile needs "percentile", a number from 0 to 100');
}

function newValueOf(map: YamlMap): CorrelationDraft["newValue"] {
  return {
    lookbackMs: durationAt(map, "lookback", SECTION, 1) ?? LOOKBACK_MS,
    minHistoryMs: durationAt(map, "min_history", SECTION, 0) ?? MIN_HISTORY_MS,
  };
}

function baselineOf(map: YamlMap, timespanMs: DurationMs): BaselineDraft {
  const text = textAt(map, "metric", SECTION) ?? "count";
  const match = /^(sum|distinct)\(\s*(\S(?:.*\S)?)\s*\)$/.exec(text);
  if (match === null && text !== "count")
    reject([...SECTION, "metric"], `"metric" must be count, sum(field) or distinct(field), not ${show(text)}`);
  const baselineDays = numberAt(map, "baseline_days", SECTION, 0, BASELINE_DAYS_MAX) ?? BASELINE_DAYS;
  if (Math.floor((baselineDays * DAY_MS) / timespanMs) < 1)
    reject([...SECTION, "baseline_days"], `${baselineDays} days hold no window of this timespan`);
  return {
    metric: match === null ? "count" : match[1] === "sum" ? "sum" : "distinct",
    metricField: match?.[2],
    baselineDays,
    seasonality: wordAt(map, "seasonality", SECTION, ["none", "hour_of_day", "hour_of_week"]) ?? "none",
    minCount: numberAt(map, "min_count", SECTION, 0, Number.MAX_SAFE_INTEGER) ?? 0,
  };
}
