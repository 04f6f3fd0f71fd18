import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import { alertMaker, namesAgent } from "./alert-maker.ts";
import { branchesOf } from "./boolean.ts";
import type { Branch } from "./boolean.ts";
import { bitsOf, matchBranch } from "./branch-match.ts";
import { branching } from "./branching.ts";
import type { Branching } from "./branching.ts";
import type { Correlator, CorrelatorSetup, InnerEvent } from "./correlator.ts";
import { eventCount } from "./event-count.ts";
import { firstEvidence, sharedEvidence } from "./evidence.ts";
import type { ChooseEvidence } from "./evidence.ts";
import { countedText, groupKey, measuredNumber, nothing, ruleSet, takePerRule, takeUniform } from "./intake.ts";
import type { Counters, Read, ReadExtra, Take } from "./intake.ts";
import { sliding } from "./sliding.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import type { Group } from "./group.ts";
import { temporalOrdered } from "./temporal-ordered.ts";
import { temporal } from "./temporal.ts";
import { onlyGrows, slides } from "./threshold.ts";
import { countPerWindow, meanPerWindow, percentilePerWindow, rulesPerWindow, sumPerWindow, valuesPerWindow } from "./tumbling-kinds.ts";
import { tumbling } from "./tumbling.ts";
import type { TumblingKind } from "./tumbling.ts";
import { valueCount } from "./value-count.ts";
import { valueSum } from "./value-sum.ts";

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
  entries(): number;
}

/** How a type of correlation works: its windows, its evidence, and what it reads of a source. */
interface Working<X> {
  correlator(setup: CorrelatorSetup<X>): Correlator<X>;
  readonly evidence: ChooseEvidence<X>;
  extra<S>(fields: readonly Read<S>[]): ReadExtra<S, X>;
}

/** Puts a correlation together. `deliver` hands its alerts to the correlations that refer to it. */
export function assemble<E>(
  correlation: Correlation<E>,
  shared: Shared<E>,
  deliver: ((inner: InnerEvent) => void) | undefined,
): Assembled<E> {
  const { type, timespanMs, rules } = correlation;
  const threshold = correlation.expression === undefined ? correlation.threshold : { gte: rules.length };
  const grouped = correlation.groupBy.length > 0;
  const first = <X>(): ChooseEvidence<X> => firstEvidence(shared.evidenceMax);
  const perRule = (): ChooseEvidence<number> => sharedEvidence(shared.evidenceMax, rules.length);
  const slide =
    <X, G extends Group<X>>(kind: SlidingKind<X, G>) =>
    (setup: CorrelatorSetup<X>): Correlator<X> =>
      sliding(setup, kind, onlyGrows(threshold));
  const tumble =
    <X>(kind: TumblingKind<X>) =>
    (setup: CorrelatorSetup<X>): Correlator<X> =>
      tumbling(setup, kind, grouped);
  const up = slides(threshold);
  const put = <X>(working: Working<X>): Assembled<E> => connect(correlation, shared, deliver, working);
  const numbers =
    (least: number) =>
    <S>(fields: readonly Read<S>[]): ReadExtra<S, number> =>
      measuredNumber(fields, least);
  const any = Number.NEGATIVE_INFINITY;

  const branches = correlation.expression === undefined ? undefined : (branchesOf(correlation.expression, rules) ?? []);
  // A condition that wants every rule, and nothing else, is the plain type.
  if (branches !== undefined && !(branches.length === 1 && branches[0]!.positives.length === rules.length)) {
    const condition = booleanCondition(correlation, branches);
    const evidence = sharedEvidence(shared.evidenceMax, rules.length, condition.counted);
    return put({ correlator: (setup) => branching(setup, condition), evidence, extra: ruleSet });
  }
  switch (type) {
    case "event_count":
      return put({
        correlator: up ? slide(eventCount(threshold, timespanMs)) : tumble(countPerWindow(threshold)),
        evidence: first(),
        extra: nothing,
      });
    case "value_count":
      return put({
        correlator: up ? slide(valueCount(threshold, timespanMs)) : tumble(valuesPerWindow(threshold)),
        evidence: first(),
        extra: countedText,
      });
    case "temporal":
      return put({
        correlator: up ? slide(temporal(threshold, timespanMs, rules.length)) : tumble(rulesPerWindow(threshold)),
        evidence: perRule(),
        extra: ruleSet,
      });
    case "temporal_ordered":
      return put({
        correlator: (setup) => sliding(setup, temporalOrdered(timespanMs, rules.length), true),
        evidence: perRule(),
        extra: ruleSet,
      });
    case "value_sum":
      return put({
        correlator: up ? slide(valueSum(threshold, timespanMs)) : tumble(sumPerWindow(threshold)),
        evidence: first(),
        extra: numbers(up ? 0 : any),
      });
    case "value_avg":
      return put({ correlator: tumble(meanPerWindow(threshold)), evidence: first(), extra: numbers(any) });
    case "value_percentile":
    case "value_median":
      return put({
        correlator: tumble(percentilePerWindow(threshold, type === "value_median" ? 50 : (correlation.percentile ?? 50))),
        evidence: first(),
        extra: numbers(any),
      });
    case "new_value":
    case "baseline_ratio":
      throw new RangeError(`correlation type ${type} is not evaluated; unsupported() names such rules`);
  }
}

/** A boolean condition as branches. */
function booleanCondition<E>({ rules, timespanMs, type }: Correlation<E>, branches: readonly Branch[]): Branching {
  return {
    rules: rules.length,
    branches: branches.map((branch) => ({
      match: matchBranch(branch, type === "temporal_ordered", timespanMs),
      wanted: bitsOf(branch.positives),
    })),
    counted: bitsOf(branches.flatMap(({ positives }) => positives)),
  };
}

function connect<E, X>(
  correlation: Correlation<E>,
  shared: Shared<E>,
  deliver: ((inner: InnerEvent) => void) | undefined,
  working: Working<X>,
): Assembled<E> {
  const { info, rules, groupBy, fields } = correlation;
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
    entries: () => correlator.entries(),
  };
}

/** Whether every group field has one place in events of all these rules. */
export function sameFields<E>({ groupBy, rules }: Correlation<E>, positions: readonly number[]): boolean {
  return groupBy.every((field) => new Set(positions.map((position) => field.path(rules[position]!))).size <= 1);
}
