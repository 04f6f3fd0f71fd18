/** What a correlation says of the windows of one group: asked of the type's own machinery, one window at a time. */
import type { Alert, AlertBaseline } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import { alertMaker } from "./alert-maker.ts";
import { workingOf } from "./assemble.ts";
import { meanOf } from "./exact-sum.ts";
import type { Member } from "./explain-members.ts";
import { numberedHash } from "./keyed-hash.ts";
import { keysOf } from "./keys.ts";
import { percentileOf } from "./percentile.ts";
import { slides } from "./threshold.ts";
import { distinctOf, sumOf } from "./tumbling-kinds.ts";

/** An anchor at which the condition holds. */
export interface Anchor {
  readonly time: EpochMs;
  /** The events that its alert would have, were it the only one. */
  readonly uids: readonly string[];
  readonly baseline: AlertBaseline | undefined;
}

/** How the windows of a correlation lie. */
export type WindowWay = "sliding" | "tumbling" | "branches" | "history";

/** Evidence that is asked for: more than any window of interest has is not needed. */
const UIDS_MAX = 1000;

/** How the windows of a correlation lie. */
export function windowWay<E>({ type, threshold, expression, newValue }: Correlation<E>): WindowWay {
  if (newValue !== undefined) return "history";
  if (expression !== undefined) return "branches";
  const always = type === "value_avg" || type === "value_percentile" || type === "value_median" || type === "baseline_ratio";
  return always || (type !== "temporal_ordered" && !slides(threshold)) ? "tumbling" : "sliding";
}

/**
 * All anchors of one group at which the condition holds, in order. `members` are the group's, in order of time. With a
 * suppression of a millisecond, every anchor has an alert of its own, so that the alerts are the answer.
 */
export function anchorsOf<E>(correlation: Correlation<E>, members: readonly Member[], newest: EpochMs): readonly Anchor[] {
  return workingOf(correlation, UIDS_MAX, (working): readonly Anchor[] => {
    type Extra = ReturnType<ReturnType<typeof working.extra>> & {};
    const values = members[0]?.values ?? [];
    const names = correlation.groupBy.map(({ name }) => name);
    const keys = keysOf<unknown>(names.map(() => () => undefined));
    const key = keys.ofValues(values);
    const correlator = working.correlator({
      maker: alertMaker(correlation.info, names, [], (name) => name),
      keys,
      slot: keys.slot(),
      timespanMs: correlation.timespanMs,
      suppressMs: 1,
      keepMs: 0,
      lagMs: 0,
      hash: numberedHash(),
      collects: false,
      alerts: true,
      evidence: working.evidence,
      deliver: undefined,
    });
    for (const { time, uid, extra } of members) {
      if (extra !== undefined) correlator.add(key, time, { uid, agents: undefined }, extra as Extra);
    }
    const alerts: Alert[] = [];
    correlator.settle([]);
    correlator.advance(Number.POSITIVE_INFINITY, newest, alerts);
    return alerts
      .filter(({ final }) => final)
      .map(({ bucket, evidence, baseline }) => ({ time: bucket, uids: evidence, baseline }))
      .sort((a, b) => a.time - b.time);
  });
}

/** The number that the condition compares, for the members of one window; undefined where there is none. */
export function measureOf<E>({ type, percentile, baseline }: Correlation<E>, members: readonly Member[]): number | undefined {
  const extras = members.map(({ extra }) => extra);
  switch (type) {
    case "event_count":
      return extras.length;
    case "value_count":
      return distinctOf(extras as string[], 0, extras.length);
    case "temporal":
    case "temporal_ordered":
      return rulesIn(members).size;
    case "value_sum":
      return meanOf(sumOf(extras as number[], 0, extras.length), 1);
    case "value_avg":
      return extras.length === 0 ? undefined : meanOf(sumOf(extras as number[], 0, extras.length), extras.length);
    case "value_percentile":
    case "value_median":
      return extras.length === 0 ? undefined : percentileOf(type === "value_median" ? 50 : (percentile ?? 50))(extras as number[]);
    case "baseline_ratio":
      if (baseline?.metric === "sum") return meanOf(sumOf(extras as number[], 0, extras.length), 1);
      return baseline?.metric === "distinct" ? distinctOf(extras as string[], 0, extras.length) : extras.length;
    case "new_value":
      return undefined;
  }
}

/** Positions of the rules that some member matched. */
export function rulesIn(members: readonly Member[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { bits } of members) for (let rest = bits; rest !== 0; rest &= rest - 1) found.add(31 - Math.clz32(rest & -rest));
  return found;
}
