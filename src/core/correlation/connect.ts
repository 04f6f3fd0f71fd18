import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import { alertMaker, namesAgent } from "./alert-maker.ts";
import type { Correlator, CorrelatorSetup, InnerEvent } from "./correlator.ts";
import type { ChooseEvidence } from "./evidence.ts";
import { groupKey, takePerRule, takeUniform } from "./intake.ts";
import type { Counters, Read, ReadExtra, Take } from "./intake.ts";
import type { FirstSeen } from "./types.ts";

/** What all correlations of an engine share. */
export interface Shared<E> {
  uuid5(name: string): string;
  readonly latenessMs: number;
  readonly evidenceMax: number;
  readonly counters: Counters;
  /** Makes, or finds, what reads the group of an event from these paths. */
  keys(paths: readonly string[], fields: readonly Read<E>[]): (event: E) => string | undefined;
}

/** A correlation at work, with its doors for events and inner alerts. */
export interface Assembled<E> {
  readonly take: Take<E>;
  /** The door for alerts of the referenced correlation `rule` (its position), whose groups have these names. */
  takeInner(rule: number, names: readonly string[]): (inner: InnerEvent) => void;
  settle(out: Alert[]): void;
  advance(watermark: EpochMs, newest: EpochMs, out: Alert[]): void;
  reach(): EpochMs;
  /** See Engine.firstSeen and Engine.recall. */
  firstSeen(): readonly FirstSeen[];
  recall(seen: FirstSeen, since: EpochMs): void;
  entries(): number;
}

/** How a type of correlation works: its windows, its evidence, and what it reads of a source. */
export interface Working<X> {
  correlator(setup: CorrelatorSetup<X>): Correlator<X>;
  readonly evidence: ChooseEvidence<X>;
  extra<S>(fields: readonly Read<S>[]): ReadExtra<S, X>;
}

/** Puts a correlation to work. `deliver` hands its alerts to the correlations that refer to it. */
export function connect<E, X>(
  correlation: Correlation<E>,
  shared: Shared<E>,
  deliver: ((inner: InnerEvent) => void) | undefined,
  working: Working<X>,
): Assembled<E> {
  const { info, rules, groupBy, baseline } = correlation;
  const fields = baseline === undefined ? correlation.fields : baseline.metricField === undefined ? [] : [baseline.metricField];
  const { counters } = shared;
  const agentAt: number[] = [];
  for (const [index, field] of groupBy.entries()) {
    const paths = rules.map((rule) => field.path(rule));
    if (namesAgent(field.name, paths)) agentAt.push(index);
  }
  const names = groupBy.map(({ name }) => name);
  const correlator = working.correlator({
    maker: alertMaker(info, names, agentAt, (name) => shared.uuid5(name)),
    timespanMs: correlation.timespanMs,
    suppressMs: correlation.suppressMs,
    keepMs: correlation.latenessMs ?? shared.latenessMs,
    alerts: correlation.alerts,
    evidence: working.evidence,
    deliver,
  });
  const keyOfValues = groupKey(
    names.map(
      (_, index): Read<readonly string[]> =>
        (values) =>
          values[index],
    ),
  );
  const missing = (): undefined => undefined;
  const readers = rules.map((rule) => groupBy.map((field): Read<E> => field.read(rule) ?? missing));
  const extra = working.extra(fields.map(({ read }): Read<E> => read));
  const detections = rules.map((_, index) => index).filter((index) => groupBy.every((field) => field.read(rules[index]!) !== null));
  const [some] = detections;
  const common = some === undefined ? [] : readers[some]!;
  // Readers of inner alerts read nothing of events: they must not be remembered as readers of a path.
  const keyOf =
    some === undefined
      ? groupKey(common)
      : shared.keys(
          groupBy.map((field) => field.path(rules[some]!)),
          common,
        );
  return {
    take: sameFields(correlation, detections)
      ? takeUniform(correlator, common, keyOf, extra, counters)
      : takePerRule(correlator, readers, extra, counters),
    takeInner(rule, innerNames) {
      const read = (path: string): Read<readonly string[]> => {
        const index = innerNames.indexOf(path);
        return (values) => values[index];
      };
      const group = groupBy.map((field) => read(field.path(rules[rule]!)));
      const take = takeUniform(correlator, group, groupKey(group), working.extra(fields.map(({ path }) => read(path))), counters);
      return ({ time, mark, values }) => take(values, time, mark, 1 << rule);
    },
    settle: (out) => correlator.settle(out),
    advance: (watermark, newest, out) => correlator.advance(watermark, newest, out),
    reach: () => correlator.reach(),
    firstSeen: () => (correlator.firsts?.() ?? []).map(({ values, time }) => ({ rule: info.id, group: values, time })),
    recall({ group, time }, since) {
      const key = group.length === names.length ? keyOfValues(group) : undefined;
      if (key !== undefined) correlator.recall?.(key, group, time, since);
    },
    entries: () => correlator.entries(),
  };
}

/** Whether every group field has one place in events of all these rules. */
export function sameFields<E>({ groupBy, rules }: Pick<Correlation<E>, "groupBy" | "rules">, positions: readonly number[]): boolean {
  return groupBy.every((field) => new Set(positions.map((position) => field.path(rules[position]!))).size <= 1);
}
