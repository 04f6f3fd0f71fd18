import type { Extra } from "./entries.ts";
import type { Correlation } from "../sigma/rules.ts";
import { baselineRatio } from "./baseline-ratio.ts";
import { branchesOf } from "./boolean.ts";
import type { Branch } from "./boolean.ts";
import { bitsOf, matchBranch } from "./branch-match.ts";
import { branching } from "./branching.ts";
import { connect } from "./connect.ts";
import type { Assembled, Shared, Working } from "./connect.ts";
import type { Correlator, CorrelatorSetup, InnerEvent } from "./correlator.ts";
import { eventCount } from "./event-count.ts";
import { firstEvidence, sharedEvidence } from "./evidence.ts";
import type { ExactSum } from "./exact-sum.ts";
import type { Group } from "./group.ts";
import { countedText, measuredNumber, nothing, ruleSet } from "./intake.ts";
import type { Read, ReadExtra } from "./intake.ts";
import { newValue } from "./new-value.ts";
import { sliding } from "./sliding.ts";
import type { SlidingKind } from "./sliding-kind.ts";
import { temporalOrdered } from "./temporal-ordered.ts";
import { temporal } from "./temporal.ts";
import { onlyGrows, slides } from "./threshold.ts";
import {
  countPerWindow,
  distinctOf,
  meanPerWindow,
  percentilePerWindow,
  rulesPerWindow,
  sumOf,
  sumPerWindow,
  valuesPerWindow,
} from "./tumbling-kinds.ts";
import { tumbling } from "./tumbling.ts";
import type { TumblingKind } from "./tumbling.ts";
import { valueCount } from "./value-count.ts";
import { valueSum } from "./value-sum.ts";

type Windows<X extends Extra> = (setup: CorrelatorSetup<X>) => Correlator<X>;

/** Puts a correlation together. `deliver` hands its alerts to the correlations that refer to it. */
export function assemble<E>(
  correlation: Correlation<E>,
  shared: Shared<E>,
  deliver: ((inner: InnerEvent) => void) | undefined,
): Assembled<E> {
  return workingOf(correlation, shared.evidenceMax, (working) => connect(correlation, shared, deliver, working));
}

/** Hands `put` what a correlation's type works with; what an event is to it is of a type of its own. */
export function workingOf<E, R>(correlation: Correlation<E>, evidenceMax: number, put: <X extends Extra>(working: Working<X>) => R): R {
  const { type, threshold, timespanMs } = correlation;
  const evidence = firstEvidence(evidenceMax);
  const up = slides(threshold);
  switch (type) {
    case "event_count":
      return put({
        correlator: up ? slide(correlation, eventCount(threshold, timespanMs)) : tumble(correlation, countPerWindow(threshold)),
        evidence,
        extra: nothing,
      });
    case "value_count":
      return put({
        correlator: up ? slide(correlation, valueCount(threshold, timespanMs)) : tumble(correlation, valuesPerWindow(threshold)),
        evidence,
        extra: countedText,
      });
    case "temporal":
    case "temporal_ordered":
      return put(temporalWorking(correlation, evidenceMax));
    case "value_sum":
      return put({
        correlator: up ? slide(correlation, valueSum(threshold, timespanMs)) : tumble(correlation, sumPerWindow(threshold)),
        evidence,
        extra: numbers(up ? 0 : Number.NEGATIVE_INFINITY),
      });
    case "value_avg":
      return put({ correlator: tumble(correlation, meanPerWindow(threshold)), evidence, extra: numbers(Number.NEGATIVE_INFINITY) });
    case "value_percentile":
    case "value_median":
      return put({
        correlator: tumble(correlation, percentilePerWindow(threshold, type === "value_median" ? 50 : (correlation.percentile ?? 50))),
        evidence,
        extra: numbers(Number.NEGATIVE_INFINITY),
      });
    case "new_value": {
      const novelty = { ...correlation.newValue!, evidenceMax };
      return put({ correlator: (setup) => newValue(setup, novelty), evidence, extra: countedText });
    }
    case "baseline_ratio":
      return compared(correlation, put, evidenceMax);
  }
}

/** Windows that slide. */
function slide<E, X extends Extra, G extends Group<X>>({ threshold }: Correlation<E>, kind: SlidingKind<X, G>): Windows<X> {
  return (setup) => sliding(setup, kind, onlyGrows(threshold));
}

/** Windows that tumble. */
function tumble<E, X extends Extra>({ groupBy }: Correlation<E>, kind: TumblingKind<X>): Windows<X> {
  return (setup) => tumbling(setup, kind, groupBy.length > 0);
}

function numbers(least: number): <S>(fields: readonly Read<S>[]) => ReadExtra<S, number> {
  return (fields) => measuredNumber(fields, least);
}

function temporalWorking<E>(correlation: Correlation<E>, evidenceMax: number): Working<number> {
  const { type, timespanMs, rules, expression } = correlation;
  const branches = expression === undefined ? undefined : (branchesOf(expression, rules) ?? []);
  // A condition that wants every rule, and nothing else, is the plain type.
  const plain = branches === undefined || (branches.length === 1 && branches[0]!.positives.length === rules.length);
  if (!plain) {
    const wanted = bitsOf(branches.flatMap(({ positives }) => positives));
    return {
      correlator: (setup) => branching(setup, { rules: rules.length, branches: branches.map(matched), counted: wanted }),
      evidence: sharedEvidence(evidenceMax, rules.length, wanted),
      extra: ruleSet,
    };
  }
  const threshold = branches === undefined ? correlation.threshold : { gte: rules.length };
  const evidence = sharedEvidence(evidenceMax, rules.length);
  if (type === "temporal_ordered") {
    return { correlator: (setup) => sliding(setup, temporalOrdered(timespanMs, rules.length), true), evidence, extra: ruleSet };
  }
  if (!slides(threshold)) return { correlator: tumble(correlation, rulesPerWindow(threshold)), evidence, extra: ruleSet };
  const kind = temporal(threshold, timespanMs, rules.length);
  return { correlator: (setup) => sliding(setup, kind, onlyGrows(threshold)), evidence, extra: ruleSet };

  function matched(branch: Branch): { match: ReturnType<typeof matchBranch>; wanted: number } {
    return { match: matchBranch(branch, type === "temporal_ordered", timespanMs), wanted: bitsOf(branch.positives) };
  }
}

function compared<E, R>(correlation: Correlation<E>, put: <X extends Extra>(working: Working<X>) => R, evidenceMax: number): R {
  const setup = { ...correlation.baseline!, timespanMs: correlation.timespanMs };
  const { threshold } = correlation;
  const evidence = firstEvidence(evidenceMax);
  const whole = (count: number): ExactSum => ({ whole: count, units: 0n });
  switch (setup.metric) {
    case "count": {
      const kind = baselineRatio<0>(threshold, setup, (_, from, to) => whole(to - from), "none");
      return put({ correlator: tumble(correlation, kind), evidence, extra: nothing });
    }
    case "sum": {
      const kind = baselineRatio<number>(threshold, setup, ({ numbers }, from, to) => sumOf(numbers, from, to), "number");
      return put({ correlator: tumble(correlation, kind), evidence, extra: numbers(Number.NEGATIVE_INFINITY) });
    }
    case "distinct": {
      const kind = baselineRatio<string>(threshold, setup, ({ texts }, from, to) => whole(distinctOf(texts, from, to)), "text");
      return put({ correlator: tumble(correlation, kind), evidence, extra: countedText });
    }
  }
}
