import type { Extra } from "./entries.ts";
import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import { CANDIDATES_PATH } from "../sigma/several.ts";
import { alertMaker, namesAgent } from "./alert-maker.ts";
import type { Memory } from "./baseline.ts";
import type { Correlator, CorrelatorSetup, InnerEvent } from "./correlator.ts";
import type { ChooseEvidence } from "./evidence.ts";
import type { Cells } from "./cells.ts";
import type { Mark } from "./group.ts";
import { groupValues, takePerRule, takeUniform } from "./intake.ts";
import { keysOf } from "./keys.ts";
import type { Key, Keys } from "./keys.ts";
import type { KeyedHash } from "./keyed-hash.ts";
import type { Counters, Read, ReadExtra, Take } from "./intake.ts";

/** What all correlations of an engine share. */
export interface Shared<E> {
  uuid5(name: string): string;
  readonly latenessMs: number;
  readonly evidenceMax: number;
  readonly counters: Counters;
  /** See CorrelatorSetup. */
  readonly lagMs: number;
  readonly hash: KeyedHash;
  readonly collects: boolean;
  /** Makes, or finds, the keys of groups that are read from these paths. */
  keys(paths: readonly string[], fields: readonly Read<E>[]): Keys<E>;
  /** Correlations that need an event of each rule sleep until there is one: faster, and the same. */
  readonly backlogs: boolean;
  /** Lives as long as the engine: backlogs that are kept go on with their positions. */
  readonly cells: Cells<E>;
}

/** A correlation at work, with its doors for events and inner alerts. */
export interface Assembled<E> {
  readonly take: Take<E>;
  /** The door for alerts of the referenced correlation `rule` (its position), whose groups have these names. */
  takeInner(rule: number, names: readonly string[]): (inner: InnerEvent) => void;
  /** Takes an event by its group values, where a kind needs no more of it than the rules that it matched. */
  takeValues(values: readonly string[], time: EpochMs, mark: Mark, rules: number): Key;
  readonly correlator: Pick<Correlator<never>, "keepFrom" | "idle" | "forget">;
  settle(out: Alert[]): void;
  advance(watermark: EpochMs, newest: EpochMs, out: Alert[]): void;
  reach(): EpochMs;
  entries(): number;
  readonly memory: Memory | undefined;
}

/** How a type of correlation works: its windows, its evidence, and what it reads of a source. */
export interface Working<X extends Extra> {
  correlator(setup: CorrelatorSetup<X>): Correlator<X>;
  readonly evidence: ChooseEvidence<X>;
  extra<S>(fields: readonly Read<S>[]): ReadExtra<S, X>;
}

/** Puts a correlation to work. `deliver` hands its alerts to the correlations that refer to it. */
export function connect<E, X extends Extra>(
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
  const missing = (): undefined => undefined;
  const readers = rules.map((rule) => groupBy.map((field): Read<E> => field.read(rule) ?? missing));
  const detections = rules.map((_, index) => index).filter((index) => groupBy.every((field) => field.read(rules[index]!) !== null));
  const [some] = detections;
  const uniform = sameFields(correlation, detections);
  // Where rules read their group from different places, or from inner alerts alone, nobody else has the same keys.
  const keys =
    uniform && some !== undefined
      ? shared.keys(
          groupBy.map((field) => field.path(rules[some]!)),
          readers[some]!,
        )
      : keysOf<E>(readers[0] ?? []);
  const correlator = working.correlator({
    maker: alertMaker(info, names, agentAt, (name) => shared.uuid5(name)),
    keys,
    slot: keys.slot(),
    timespanMs: correlation.timespanMs,
    suppressMs: correlation.suppressMs,
    keepMs: correlation.latenessMs ?? shared.latenessMs,
    lagMs: shared.lagMs,
    hash: shared.hash,
    collects: shared.collects,
    alerts: correlation.alerts,
    evidence: working.evidence,
    deliver,
  });
  const bare = working.extra<readonly string[]>([]);
  const extra = working.extra(fields.map(({ read }): Read<E> => read));
  return {
    take:
      uniform && !isSpread(correlation)
        ? takeUniform(correlator, keys, extra, counters)
        : takePerRule(correlator, keys, readers, extra, counters),
    takeInner(rule, innerNames) {
      const read = (path: string): Read<readonly string[]> => {
        const index = innerNames.indexOf(path);
        return (values) => values[index];
      };
      const group = groupBy.map((field) => read(field.path(rules[rule]!)));
      const innerExtra = working.extra(fields.map(({ path }) => read(path)));
      return ({ time, mark, values }) => {
        const own = groupValues(group, values);
        const measured = innerExtra(values, 1 << rule);
        if (measured === undefined) return;
        if (own === undefined) counters.ungrouped++;
        else correlator.add(keys.ofValues(own), time, mark, measured);
      };
    },
    takeValues(values, time, mark, rules) {
      const key = keys.ofValues(values);
      correlator.add(key, time, mark, bare(values, rules)!);
      return key;
    },
    correlator,
    settle: (out) => correlator.settle(out),
    advance: (watermark, newest, out) => correlator.advance(watermark, newest, out),
    reach: () => correlator.reach(),
    entries: () => correlator.entries(),
    memory: correlator.memory,
  };
}

/** Whether an event may belong to several groups of a correlation. */
export function isSpread<E>({ groupBy, rules }: Pick<Correlation<E>, "groupBy" | "rules">): boolean {
  return groupBy.some((field) => rules.some((rule) => field.path(rule) === CANDIDATES_PATH));
}

/** Whether every group field has one place in events of all these rules. */
export function sameFields<E>({ groupBy, rules }: Pick<Correlation<E>, "groupBy" | "rules">, positions: readonly number[]): boolean {
  return groupBy.every((field) => new Set(positions.map((position) => field.path(rules[position]!))).size <= 1);
}
