/** Why an event is part of an alert of a correlation, or of none, as plain data: its groups, its values, and the windows around it. */
import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { safeText } from "../safe-text.ts";
import { explainedRule, shownValue, type ExplainedDetection, type ExplainedRule } from "../sigma/explain.ts";
import type { Correlation } from "../sigma/rules.ts";
import { Several } from "../sigma/several.ts";
import { branchesOf } from "./boolean.ts";
import { explainBranches, type ExplainedBranch } from "./explain-branches.ts";
import { explainHistory, type ExplainedHistory } from "./explain-history.ts";
import { measuredFields, membersOf, type Member, type Subject } from "./explain-members.ts";
import { anchorsOf, measureOf, rulesIn, windowWay, type Anchor } from "./explain-windows.ts";
import { alignDown } from "./group.ts";

/** Names and values are shown up to this many characters. */
const TEXT_MAX = 200;

/** One window of a group: [from, to] where windows slide, [from, to) where they tumble. Times are epoch milliseconds. */
export interface ExplainedWindow {
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly events: number;
  /** What the condition compares; null where there is nothing to compare. */
  readonly measured: number | null;
  readonly holds: boolean;
  /** Referenced rules without an event in the window, for types that want several. */
  readonly missing_rules: readonly string[];
}

/** An alert that the event is part of. */
export interface ExplainedAlert {
  readonly id: string;
  readonly bucket: EpochMs;
  readonly first_time: EpochMs;
  readonly last_time: EpochMs;
  readonly count: number;
}

/** The event, or an inner alert that it is part of, in one group. */
export interface ExplainedMember {
  /** Referenced rules that it matched in this group. */
  readonly rules: readonly string[];
  readonly group: Readonly<Record<string, string>>;
  /** Usable: the values that are counted or measured are there. */
  readonly usable: boolean;
  /** Windows that slide: the one that ends at the event. Windows that tumble: the one that holds it. */
  readonly window: ExplainedWindow | null;
  /** Of the sliding windows that hold the event, the one with the most. */
  readonly best: ExplainedWindow | null;
  readonly branches: readonly ExplainedBranch[];
  readonly history: ExplainedHistory | null;
  readonly baseline: { readonly numerator: number; readonly baseline: number; readonly ratio: number; readonly windows: number } | null;
  readonly alerts: readonly ExplainedAlert[];
  /** Starts of the suppression windows of the anchors that hold the event. */
  readonly buckets: readonly EpochMs[];
}

/** What reaches the correlation: the event itself, or an alert of an inner correlation that it is part of. */
export interface ExplainedSubject {
  readonly kind: "event" | "alert";
  readonly uid: string;
  readonly time: EpochMs;
  readonly matched_rules: readonly string[];
  /** Group fields of each rule that it matched; null is missing. */
  readonly group_fields: readonly {
    readonly rule: string;
    readonly name: string;
    readonly path: string;
    readonly value: string | null;
    readonly usable: boolean;
  }[];
  readonly values: readonly { readonly path: string; readonly value: string | null }[];
  readonly groups: readonly ExplainedMember[];
}

/** A correlation and one event. */
export interface ExplainedCorrelation {
  readonly kind: "correlation";
  readonly rule: ExplainedRule;
  /** The event is part of an alert of this rule. */
  readonly matched: boolean;
  readonly type: string;
  readonly condition: string;
  readonly group_by: readonly string[];
  readonly timespan_ms: number;
  readonly suppress_ms: number;
  /** False: other rules refer to it, and its alerts reach only them. */
  readonly raises_alerts: boolean;
  readonly rules: readonly (ExplainedDetection | ExplainedCorrelation)[];
  readonly subjects: readonly ExplainedSubject[];
}

/** What is known of the group of a member. */
export interface GroupWorld {
  /** Its members, in order of (time, uid), as far as they matter. */
  readonly members: readonly Member[];
  /** Final alerts of the rule and group. */
  readonly alerts: readonly Alert[];
  /** Newest event time of the input. */
  readonly newest: EpochMs;
}

/** Explains what one subject is to a correlation; `worldOf` knows the group of each of its members. */
export function explainSubject<E>(
  correlation: Correlation<E>,
  subject: Subject,
  kind: ExplainedSubject["kind"],
  worldOf: (member: Member) => GroupWorld,
): ExplainedSubject {
  const { rules, groupBy } = correlation;
  const names = subject.rules.map((rule) => rules[rule]!);
  return {
    kind,
    uid: safeText(subject.uid, TEXT_MAX),
    time: subject.time,
    matched_rules: names,
    group_fields: subject.rules.flatMap((rule) =>
      groupBy.map((field, at) => {
        const value = subject.group(rule, at);
        const usable = value instanceof Several || (value !== null && ["string", "number", "boolean"].includes(typeof value));
        return { rule: rules[rule]!, name: field.name, path: field.path(rules[rule]!), value: shownValue(value), usable };
      }),
    ),
    values: measuredFields(correlation).map(({ path }, at) => ({ path, value: shownValue(subject.value(at)) })),
    groups: membersOf(correlation, subject).map((member) => explainMember(correlation, member, worldOf(member))),
  };
}

/** Puts the parts of an explained correlation together. */
export function explainedCorrelation<E>(
  correlation: Correlation<E>,
  condition: string,
  rules: ExplainedCorrelation["rules"],
  subjects: readonly ExplainedSubject[],
): ExplainedCorrelation {
  return {
    kind: "correlation",
    rule: explainedRule(correlation.info),
    matched: subjects.some(({ groups }) => groups.some(({ alerts }) => alerts.length > 0)),
    type: correlation.type,
    condition: safeText(condition, 2 * TEXT_MAX),
    group_by: correlation.groupBy.map(({ name }) => safeText(name, TEXT_MAX)),
    timespan_ms: correlation.timespanMs,
    suppress_ms: correlation.suppressMs,
    raises_alerts: correlation.alerts,
    rules,
    subjects,
  };
}

function explainMember<E>(correlation: Correlation<E>, member: Member, world: GroupWorld): ExplainedMember {
  const { timespanMs, suppressMs, groupBy, rules } = correlation;
  const way = windowWay(correlation);
  const usable = member.extra !== undefined;
  const members = world.members.filter(({ extra }) => extra !== undefined);
  const anchors = usable ? anchorsOf(correlation, members, world.newest) : [];
  const { time } = member;
  const start = alignDown(time, Math.max(1, timespanMs));
  const holding = anchors.filter((anchor) => holdsEvent(way, anchor, member, timespanMs, start));
  const counts = usable && isCounted(way, correlation, member, holding);
  const alerts = counts ? world.alerts.filter(({ firstTime, lastTime }) => time >= firstTime && time <= lastTime) : [];
  const window = (from: EpochMs, to: EpochMs, anchor: EpochMs): ExplainedWindow => {
    const inside = members.filter((one) => one.time >= from && (way === "tumbling" ? one.time < to : one.time <= to));
    const missing = correlation.type.startsWith("temporal") ? missingRules(rules, inside) : [];
    const holds = anchors.some((one) => one.time === anchor);
    return { from, to, events: inside.length, measured: measureOf(correlation, inside) ?? null, holds, missing_rules: missing };
  };
  const sliding = usable && way === "sliding";
  const candidates = sliding ? members.filter((one) => one.time >= time && one.time <= time + timespanMs).map((one) => one.time) : [];
  const windows = [...new Set(candidates)].map((anchor) => window(anchor - timespanMs, anchor, anchor));
  return {
    rules: rules.filter((_, at) => (member.bits & (1 << at)) !== 0),
    group: Object.fromEntries(groupBy.map(({ name }, at) => [safeText(name, TEXT_MAX), safeText(member.values[at]!, TEXT_MAX)])),
    usable,
    window: sliding
      ? window(time - timespanMs, time, time)
      : usable && way === "tumbling"
        ? window(start, start + timespanMs, start)
        : null,
    best: bestOf(windows),
    branches: usable && way === "branches" ? explainBranches(correlation, member, members, world.newest) : [],
    history: usable && way === "history" ? explainHistory(correlation, member, members, holding.length > 0) : null,
    baseline: usable ? baselineOf(correlation, members, world.newest, start) : null,
    alerts: alerts.map(({ id, bucket, firstTime, lastTime, count }) => ({
      id,
      bucket,
      first_time: firstTime,
      last_time: lastTime,
      count,
    })),
    buckets: [...new Set(holding.map((anchor) => alignDown(anchor.time, suppressMs)))],
  };
}

/** Whether the anchor's window has the event in it. */
function holdsEvent(way: ReturnType<typeof windowWay>, anchor: Anchor, { time, uid }: Member, timespanMs: number, start: EpochMs): boolean {
  if (way === "tumbling") return anchor.time === start;
  if (way === "sliding") return anchor.time >= time && anchor.time - timespanMs <= time;
  return anchor.uids.includes(uid);
}

/** Whether an alert counts the event when it lies between its first and last. */
function isCounted<E>(
  way: ReturnType<typeof windowWay>,
  correlation: Correlation<E>,
  { bits }: Member,
  holding: readonly Anchor[],
): boolean {
  // A rule of new values counts those events alone that fired, and a boolean condition none of what it forbids.
  if (way === "history") return holding.length > 0;
  if (way !== "branches" || correlation.expression === undefined) return true;
  const wanted = (branchesOf(correlation.expression, correlation.rules) ?? []).flatMap(({ positives }) => positives);
  return wanted.some((at) => (bits & (1 << at)) !== 0);
}

function missingRules(rules: readonly string[], members: readonly Member[]): readonly string[] {
  const present = rulesIn(members);
  return rules.filter((_, at) => !present.has(at));
}

/** One that holds before one that does not, then the one with the most. */
function bestOf(windows: readonly ExplainedWindow[]): ExplainedWindow | null {
  let best: ExplainedWindow | null = null;
  for (const one of windows) {
    if (best === null || (one.holds && !best.holds) || (one.holds === best.holds && (one.measured ?? 0) > (best.measured ?? 0))) best = one;
  }
  return best;
}

/** The numbers of a `baseline_ratio` in a window, whether they suffice or not. */
function baselineOf<E>(
  correlation: Correlation<E>,
  members: readonly Member[],
  newest: EpochMs,
  start: EpochMs,
): ExplainedMember["baseline"] {
  if (correlation.baseline === undefined) return null;
  const any: Correlation<E> = { ...correlation, threshold: {}, baseline: { ...correlation.baseline, minCount: 0 } };
  const found = anchorsOf(any, members, newest).find((anchor) => anchor.time === start)?.baseline;
  return found === undefined ? null : { ...found, ratio: found.numerator / found.baseline };
}
