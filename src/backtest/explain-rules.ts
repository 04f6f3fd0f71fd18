import type { Correlation, Detection, RuleSet } from "../core/sigma/rules.ts";

/** Ids of the rules that stand for the alerts of a correlation begin with this; no rule's own id can. */
const PROBE = "\0probe:";

/** A rule with all that it refers to, set up so that everything can be seen. */
export interface Closure<E> {
  readonly detections: ReadonlyMap<string, Detection<E>>;
  readonly correlations: ReadonlyMap<string, Correlation<E>>;
}

/** What the rules refer to, and they themselves. */
export function closureOf<E>(rules: RuleSet<E>, wanted: Iterable<string>): Closure<E> {
  const detections = new Map<string, Detection<E>>();
  const correlations = new Map<string, Correlation<E>>();
  const visit = (id: string): void => {
    if (correlations.has(id) || detections.has(id)) return;
    const detection = rules.detections.find(({ info }) => info.id === id);
    if (detection !== undefined) detections.set(id, detection);
    const correlation = rules.correlations.find(({ info }) => info.id === id);
    if (correlation === undefined) return;
    correlations.set(id, correlation);
    for (const rule of correlation.rules) visit(rule);
  };
  for (const id of wanted) visit(id);
  return { detections, correlations };
}

/**
 * The rules such that each has alerts of its own, also where only others get them. Of each correlation that another one
 * refers to, a probe has an alert for every event that those get: each at its time, with its group.
 */
export function probedRules<E>({ detections, correlations }: Closure<E>): RuleSet<E> {
  const referred = new Set([...correlations.values()].flatMap(({ rules }) => rules));
  const probes = [...correlations.values()].filter(({ info }) => referred.has(info.id)).map(probe);
  return {
    detections: [...detections.values()].map((detection) => ({ ...detection, alerts: true })),
    correlations: [...[...correlations.values()].map((correlation) => ({ ...correlation, alerts: true })), ...probes],
    rejected: [],
    warnings: [],
  };
}

/** The id of the correlation that a probe's alert is about; undefined for an alert of a rule. */
export function probedId(ruleId: string): string | undefined {
  return ruleId.startsWith(PROBE) ? ruleId.slice(PROBE.length) : undefined;
}

/** Counts one event in a window of no length, and has a suppression window of a millisecond. */
function probe<E>(inner: Correlation<E>): Correlation<E> {
  return {
    info: { ...inner.info, id: `${PROBE}${inner.info.id}` },
    type: "event_count",
    rules: [inner.info.id],
    groupBy: inner.groupBy.map(({ name }) => ({ name, read: () => null, path: () => name })),
    timespanMs: 0,
    threshold: { gte: 1 },
    expression: undefined,
    fields: [],
    percentile: undefined,
    newValue: undefined,
    baseline: undefined,
    suppressMs: 1,
    latenessMs: inner.latenessMs,
    alerts: true,
  };
}
