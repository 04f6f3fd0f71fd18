/** Rules and events by hand, for tests of the engine. */
import { v5 } from "uuid";
import { unknownRule, type RuleInfo } from "../../../src/core/alert.ts";
import type { Category } from "../../../src/core/event.ts";
import type { Reader } from "../../../src/core/sigma/reader.ts";
import type { Correlation, CorrelationType, Detection, GroupField, RuleSet, Threshold } from "../../../src/core/sigma/rules.ts";

/** An event of tests: it matches the detections that it names. */
export interface TestEvent {
  readonly uid: string;
  readonly time: number;
  readonly is: readonly string[];
  readonly category?: Category;
  readonly agent?: string;
  readonly [field: string]: unknown;
}

export const testReader: Reader<TestEvent> = {
  uid: (event) => event.uid,
  time: (event) => event.time,
  category: (event) => event.category,
  agent: (event) => event.agent,
  field: (path) => (event) => event[path],
  paths: [],
  strings() {},
};

/** The namespace of alert ids, `semantics.md` section 8. */
export const uuid5 = (name: string): string => v5(name, "6f0d4e2a-5c1b-5e0e-9a55-c05705e5a1e7");

const info = (id: string): RuleInfo => ({ ...unknownRule(id, `rule ${id}`, "high"), path: "test.yml", line: 1, status: "test" });

export function detection(id: string, more: Partial<Detection<TestEvent>> = {}): Detection<TestEvent> {
  return {
    info: info(id),
    matches: (event) => event.is.includes(id),
    categories: undefined,
    alerts: false,
    suppressMs: 10,
    latenessMs: undefined,
    ...more,
  };
}

export interface CorrelationSpec {
  readonly id: string;
  readonly type: CorrelationType;
  readonly rules: readonly string[];
  readonly groupBy?: readonly string[];
  /** Group name -> rule -> field. */
  readonly aliases?: { readonly [name: string]: { readonly [rule: string]: string } };
  readonly timespanMs: number;
  readonly suppressMs?: number;
  readonly threshold: Threshold;
  readonly fields?: readonly string[];
  readonly percentile?: number;
  readonly alerts?: boolean;
  readonly more?: Partial<Correlation<TestEvent>>;
}

/** `inner`: ids of correlations, whose alerts have no fields but their group. */
export function correlation(spec: CorrelationSpec, inner: ReadonlySet<string> = new Set()): Correlation<TestEvent> {
  const field = (name: string): GroupField<TestEvent> => {
    const path = (rule: string): string => spec.aliases?.[name]?.[rule] ?? name;
    return {
      name,
      path,
      read: (rule) => (inner.has(rule) ? null : (event) => event[path(rule)]),
    };
  };
  return {
    info: info(spec.id),
    type: spec.type,
    rules: spec.rules,
    groupBy: (spec.groupBy ?? []).map(field),
    timespanMs: spec.timespanMs,
    threshold: spec.threshold,
    expression: undefined,
    fields: (spec.fields ?? []).map((path) => ({ path, read: (event) => event[path] })),
    percentile: spec.percentile,
    newValue: undefined,
    baseline: undefined,
    suppressMs: spec.suppressMs ?? spec.timespanMs,
    latenessMs: undefined,
    alerts: spec.alerts ?? true,
    ...spec.more,
  };
}

export function ruleSet(detections: readonly Detection<TestEvent>[], specs: readonly CorrelationSpec[]): RuleSet<TestEvent> {
  const inner = new Set(specs.map(({ id }) => id));
  return { detections, correlations: specs.map((spec) => correlation(spec, inner)), rejected: [], warnings: [] };
}
