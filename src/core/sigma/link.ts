import type { CorrelationBody, RuleDraft } from "./draft.ts";
import { expressionOf } from "./expression.ts";
import type { References } from "./filters.ts";
import { didYouMean, didYouMeanId } from "./did-you-mean.ts";
import { reject, show, type KeyPath, type Warn } from "./rejection.ts";
import type { Correlation, CorrelationType, DurationMs, GroupField, Threshold } from "./rules.ts";
import type { CompileScope } from "./scope.ts";

/** Shortest default of a suppression window (`semantics.md` section 5). */
export const SUPPRESS_DEFAULT_MS: DurationMs = 15 * 60_000;

/** A correlation of which all references are known; whether it alerts is not. */
export type LinkedCorrelation<E> = Omit<Correlation<E>, "alerts">;

/** A draft of a correlation and the documents that it refers to, in order. */
export interface CorrelationNode<E> {
  readonly draft: RuleDraft<E>;
  readonly body: CorrelationBody;
  readonly targets: readonly RuleDraft<E>[];
}

/** Looks up what a correlation refers to. @throws {Rejection} for unknown names, filters and repeats */
export function resolveTargets<E>(
  draft: RuleDraft<E>,
  body: CorrelationBody,
  references: References<E>,
  rejected: ReadonlySet<string>,
): CorrelationNode<E> {
  const targets: RuleDraft<E>[] = [];
  body.correlation.references.forEach((name, index) => {
    const place = ["correlation", "rules", index];
    const target = references.get(name);
    if (target === undefined) {
      const reason = rejected.has(name) ? ", which was rejected" : `: no rule has this id or name${didYouMeanId(name, references.keys())}`;
      reject(place, `the correlation refers to ${show(name)}${reason}`);
    }
    if (target.body.kind === "filter") reject(place, `the correlation refers to ${show(name)}, which is a filter`);
    if (targets.includes(target)) reject(place, `the correlation refers to ${show(name)} twice, by id and by name`);
    targets.push(target);
  });
  return { draft, body, targets };
}

/**
 * Resolves groups, fields and the condition.
 * `inner` are the correlations that it refers to, by key. @throws {Rejection}
 */
export function linkCorrelation<E>(
  scope: CompileScope<E>,
  node: CorrelationNode<E>,
  references: References<E>,
  inner: ReadonlyMap<string, LinkedCorrelation<E>>,
  warn: Warn,
): LinkedCorrelation<E> {
  const { head } = node.draft;
  const { correlation } = node.body;
  const rules = node.targets.map((target) => target.head.info.id);
  const keyOf = (name: string): string | undefined => references.get(name)?.head.info.id;
  const { condition, baseline } = correlation;
  const metricField = baseline?.metricField;
  return {
    info: head.info,
    type: correlation.type,
    rules,
    groupBy: correlation.groupBy.map((name, index) => groupField(scope, node, references, inner, name, index)),
    timespanMs: correlation.timespanMs,
    threshold: correlation.threshold ?? defaultThreshold(correlation.type, rules.length),
    expression: condition === undefined ? undefined : expressionOf(condition, keyOf, rules),
    fields: correlation.fields.map((path) => countedField(scope, node, inner, path, ["correlation", "condition", "field"], warn)),
    percentile: correlation.percentile,
    newValue: correlation.newValue,
    baseline: baseline && {
      ...baseline,
      metricField: metricField === undefined ? undefined : countedField(scope, node, inner, metricField, ["correlation", "metric"], warn),
    },
    suppressMs: head.custodes.suppressMs ?? Math.max(correlation.timespanMs, SUPPRESS_DEFAULT_MS),
    latenessMs: head.custodes.latenessMs,
  };
}

function defaultThreshold(type: CorrelationType, rules: number): Threshold {
  return type === "temporal" || type === "temporal_ordered" ? { gte: rules } : {};
}

function groupField<E>(
  scope: CompileScope<E>,
  node: CorrelationNode<E>,
  references: References<E>,
  inner: ReadonlyMap<string, LinkedCorrelation<E>>,
  name: string,
  index: number,
): GroupField<E> {
  const fields = node.body.correlation.aliases.get(name);
  const place = fields === undefined ? ["correlation", "group-by", index] : ["correlation", "aliases", name];
  const aliased = fields === undefined ? undefined : aliasByRule(node, references, fields, place);
  const paths = new Map<string, string>();
  const readers = new Map<string, (event: E) => unknown>();
  for (const target of node.targets) {
    const key = target.head.info.id;
    const path = aliased === undefined ? name : aliased.get(key);
    if (path === undefined) reject(place, `the alias ${show(name)} has no field for ${show(key)}; it must cover every referenced rule`);
    paths.set(key, path);
    if (target.body.kind === "detection") {
      const { read } = scope.field(path, place);
      readers.set(key, scope.options.reader.groupField?.(path) ?? read);
      continue;
    }
    const names = inner.get(key)!.groupBy.map((field) => field.name);
    if (!names.includes(path)) reject(place, `the correlation ${show(key)} does not group by ${show(path)}${didYouMean(path, names)}`);
  }
  return { name, read: (rule) => readers.get(rule) ?? null, path: (rule) => paths.get(rule) ?? name };
}

function aliasByRule<E>(
  node: CorrelationNode<E>,
  references: References<E>,
  fields: ReadonlyMap<string, string>,
  place: KeyPath,
): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const [name, path] of fields) {
    const target = references.get(name);
    if (target === undefined || !node.targets.includes(target)) {
      const known = node.targets.map((one) => one.head.name ?? one.head.info.id);
      reject([...place, name], `the alias names ${show(name)}, which "rules" does not${didYouMean(name, known)}`);
    }
    const key = target.head.info.id;
    if (result.has(key)) reject([...place, name], `the alias names ${show(name)} twice, by id and by name`);
    result.set(key, path);
  }
  return result;
}

/** A field whose values are counted. Of an inner correlation's alerts only group fields can be. */
function countedField<E>(
  scope: CompileScope<E>,
  node: CorrelationNode<E>,
  inner: ReadonlyMap<string, LinkedCorrelation<E>>,
  path: string,
  place: KeyPath,
  warn: Warn,
): { readonly path: string; readonly read: (event: E) => unknown } {
  for (const target of node.targets) {
    const key = target.head.info.id;
    const names = inner.get(key)?.groupBy.map((field) => field.name);
    if (names !== undefined && !names.includes(path)) warn(place, `alerts of ${show(key)} have no ${show(path)}, so they never count`);
  }
  const readsEvents = node.targets.some((target) => target.body.kind === "detection");
  return { path, read: readsEvents ? scope.field(path, place).read : () => undefined };
}
