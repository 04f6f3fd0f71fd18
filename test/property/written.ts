/** Random rules as an author writes them, and the rules that the naive evaluator takes instead of the compiler's. */
import type { BooleanCondition, RuleSet } from "../../src/core/sigma/rules.ts";
import { detection, ruleSet } from "../core/correlation/build.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { DETECTIONS } from "./naive-histories.ts";

/** Suppression window of the detections, as their documents say. */
const OWN_SUPPRESS_MS = 12_000;

/** How detections are written: the field that names them, and where they look. */
export interface Wording {
  readonly field: string;
  readonly logsource: Readonly<Record<string, string>>;
}

const PLAIN: Wording = { field: "is", logsource: { category: "x" } };

/** Documents of a YAML file, which JSON is; `loud` are the rules that say `generate: true`. */
export function ruleFile(specs: readonly CorrelationSpec[], loud: ReadonlySet<string>, { field, logsource }: Wording = PLAIN): string {
  const detections = DETECTIONS.map((id) => ({
    title: `detection ${id}`,
    name: id,
    logsource,
    detection: { selection: { [field]: id }, condition: "selection" },
    custodes: { suppress: "12s" },
  }));
  const documents = [...specs.map((spec) => correlationDocument(spec, loud.has(spec.id))), ...detections];
  return documents.map((document) => JSON.stringify(document)).join("\n---\n");
}

function correlationDocument(spec: CorrelationSpec, generate: boolean): unknown {
  const { id, type, rules, groupBy, aliases, timespanMs, suppressMs, threshold, fields, percentile, more } = spec;
  const field = fields === undefined ? {} : { field: fields.length === 1 ? fields[0] : fields };
  const ranked = percentile === undefined ? {} : { percentile };
  const condition = more?.expression === undefined ? { ...threshold, ...field, ...ranked } : conditionText(more.expression);
  const { newValue, baseline } = more ?? {};
  const novelty = newValue && { lookback: seconds(newValue.lookbackMs), min_history: seconds(newValue.minHistoryMs) };
  const measured = baseline && {
    metric: baseline.metric === "count" ? "count" : `${baseline.metric}(${baseline.metricField!.path})`,
    baseline_days: baseline.baselineDays,
    seasonality: baseline.seasonality,
    min_count: baseline.minCount,
  };
  return {
    title: `correlation ${id}`,
    name: id,
    ...(generate ? { generate } : {}),
    ...(suppressMs === undefined ? {} : { custodes: { suppress: seconds(suppressMs) } }),
    correlation: {
      type,
      rules,
      "group-by": groupBy?.length === 0 ? undefined : groupBy,
      aliases: aliases && named(aliases, rules),
      timespan: seconds(timespanMs),
      condition,
      ...novelty,
      ...measured,
    },
  };
}

/** Aliases name the referenced rules and no others. */
function named(aliases: NonNullable<CorrelationSpec["aliases"]>, rules: readonly string[]): CorrelationSpec["aliases"] {
  return Object.fromEntries(
    Object.entries(aliases).map(([name, fields]) => [name, Object.fromEntries(rules.map((rule) => [rule, fields[rule]!]))]),
  );
}

function seconds(ms: number): string {
  return `${ms / 1000}s`;
}

function conditionText(condition: BooleanCondition): string {
  if (condition.kind === "rule") return condition.rule;
  if (condition.kind === "not") return `not (${conditionText(condition.of)})`;
  return `(${condition.of.map(conditionText).join(` ${condition.kind} `)})`;
}

/** What the documents mean: who alerts on its own is worked out here, from section 4 alone. */
export function meaning(specs: readonly CorrelationSpec[], loud: ReadonlySet<string>): RuleSet<TestEvent> {
  const alerts = (id: string): boolean => {
    const referring = specs.filter(({ rules }) => rules.includes(id));
    return referring.length === 0 || referring.some((one) => loud.has(one.id));
  };
  const detections = DETECTIONS.map((id) => detection(id, { alerts: alerts(id), suppressMs: OWN_SUPPRESS_MS }));
  return ruleSet(
    detections,
    specs.map((spec) => ({ ...spec, suppressMs: spec.suppressMs ?? Math.max(spec.timespanMs, 900_000), alerts: alerts(spec.id) })),
  );
}
