/** An explained correlation for people. */
import type { EpochMs } from "../event.ts";
import { detectionLines, ruleText, type ExplainedLine } from "../sigma/explain-text.ts";
import type { BooleanCondition, Correlation, Threshold } from "../sigma/rules.ts";
import type { ExplainedCorrelation, ExplainedMember, ExplainedSubject, ExplainedWindow } from "./explain.ts";

/** A time as people read it. */
export function isoText(time: EpochMs): string {
  return Math.abs(time) <= 8.64e15 ? new Date(time).toISOString() : String(time);
}

/** A length of time in the largest unit that fits. */
function durationText(ms: number): string {
  for (const [name, unit] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const)
    if (ms >= unit && ms % unit === 0) return `${ms / unit}${name}`;
  return `${ms}ms`;
}

const SIGNS: Readonly<Record<keyof Threshold, string>> = { gt: ">", gte: ">=", lt: "<", lte: "<=", eq: "=", neq: "!=" };

/** A correlation's condition in one line; `nameOf` gives a referenced rule's name. */
export function conditionOf<E>(correlation: Correlation<E>, nameOf: (rule: string) => string): string {
  const { type, threshold, expression, fields, percentile, baseline, newValue } = correlation;
  const within = correlation.timespanMs > 0 ? ` within ${durationText(correlation.timespanMs)}` : "";
  if (expression !== undefined) return `${expressionText(expression, nameOf)}${within}`;
  if (newValue !== undefined)
    return `a value of ${fields[0]?.path ?? ""} that was not seen in the ${durationText(newValue.lookbackMs)} before`;
  const field = baseline?.metricField?.path ?? fields.map(({ path }) => path).join(", ");
  const of = field === "" ? "" : ` of ${field}`;
  const what = {
    event_count: "events",
    value_count: `different values${of}`,
    temporal: "different rules",
    temporal_ordered: "rules in their order",
    value_sum: `sum${of}`,
    value_avg: `mean${of}`,
    value_percentile: `percentile ${percentile ?? 50}${of}`,
    value_median: `median${of}`,
    new_value: "",
    baseline_ratio: `${baseline?.metric ?? "count"}${of} / baseline`,
  }[type];
  const signs = Object.entries(threshold).map(([operator, limit]) => `${SIGNS[operator as keyof Threshold]} ${limit}`);
  return `${what} ${signs.join(" and ")}${within}`;
}

function expressionText(expression: BooleanCondition, nameOf: (rule: string) => string): string {
  if (expression.kind === "rule") return nameOf(expression.rule);
  if (expression.kind === "not") return `not ${operand(expression.of, nameOf)}`;
  return expression.of.map((part) => operand(part, nameOf)).join(` ${expression.kind} `);
}

function operand(part: BooleanCondition, nameOf: (rule: string) => string): string {
  return part.kind === "and" || part.kind === "or" ? `(${expressionText(part, nameOf)})` : expressionText(part, nameOf);
}

/** The lines of an explained correlation. */
export function correlationLines(found: ExplainedCorrelation, depth: number): ExplainedLine[] {
  const { rule, matched, condition, group_by: groupBy, subjects } = found;
  const grouped = groupBy.length === 0 ? "one group for all" : `per ${groupBy.join(", ")}`;
  const lines: ExplainedLine[] = [
    { depth, verdict: matched, text: `correlation ${ruleText(rule)}` },
    {
      depth: depth + 1,
      verdict: undefined,
      text: `${found.type}: ${condition}; ${grouped}; one alert per ${durationText(found.suppress_ms)}`,
    },
  ];
  if (!found.raises_alerts) lines.push(said(depth + 1, "its alerts reach only the rules that refer to it"));
  for (const one of found.rules)
    lines.push(...(one.kind === "detection" ? detectionLines(one, depth + 1) : correlationLines(one, depth + 1)));
  if (subjects.length === 0) lines.push(no(depth + 1, "the event matches none of its rules, so it takes no part"));
  return [...lines, ...subjects.flatMap((subject) => subjectLines(found, subject, depth + 1))];
}

function subjectLines(found: ExplainedCorrelation, subject: ExplainedSubject, depth: number): ExplainedLine[] {
  const lines: ExplainedLine[] = [];
  if (subject.kind === "alert")
    lines.push(
      said(depth, `through the alert ${subject.uid} of ${isoText(subject.time)}, an event of ${subject.matched_rules.join(", ")}`),
    );
  for (const { rule, name, path, value, usable } of subject.group_fields) {
    if (usable) continue;
    const alias = path === name ? "" : ` (${path} of ${rule})`;
    const has = value === null ? "the event does not have it" : `the event has ${value}, which is no value to group by`;
    lines.push(no(depth, `group field ${name}${alias}: ${has}, so the event does not count`));
  }
  for (const { path, value } of subject.values) lines.push(said(depth, `value of ${path}: ${value ?? "missing"}`));
  return [...lines, ...subject.groups.flatMap((group) => memberLines(found, group, depth))];
}

function memberLines(found: ExplainedCorrelation, member: ExplainedMember, depth: number): ExplainedLine[] {
  const group = Object.entries(member.group).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const lines = [said(depth, `group ${group.length === 0 ? "of all events" : group.join(", ")}`)];
  if (!member.usable)
    return [...lines, no(depth + 1, "the value cannot be used (missing, null, or no number), so the event does not count")];
  const { window, best, history, baseline } = member;
  const tumbles = best === null && window !== null;
  if (window !== null) lines.push(windowLine(tumbles ? "the window that holds it" : "the window that ends at it", window, depth + 1));
  if (best !== null && best.to !== window?.to) lines.push(windowLine("the fullest window that holds it", best, depth + 1));
  if (baseline !== null)
    lines.push(
      said(
        depth + 1,
        `${baseline.numerator} against a baseline of ${baseline.baseline} over ${baseline.windows} windows: ${baseline.ratio}`,
      ),
    );
  for (const branch of member.branches) lines.push(...branchLines(branch, depth + 1));
  if (history !== null) lines.push(...historyLines(history, depth + 1));
  return [...lines, ...alertLines(found, member, depth + 1)];
}

function windowLine(
  what: string,
  { from, to, events, measured, holds, missing_rules: missing }: ExplainedWindow,
  depth: number,
): ExplainedLine {
  const number = measured === null || measured === events ? "" : `, measured ${measured}`;
  const lacks = missing.length === 0 ? "" : `; none of ${missing.join(", ")}`;
  return {
    depth,
    verdict: holds,
    text: `${what}, ${isoText(from)} to ${isoText(to)}: ${events} ${events === 1 ? "event" : "events"}${number}${lacks}`,
  };
}

function branchLines(
  { wants, forbids, holds, missing, in_the_way: inTheWay }: ExplainedMember["branches"][number],
  depth: number,
): ExplainedLine[] {
  const text = [...wants, ...forbids.map((rule) => `not ${rule}`)].join(" and ");
  return [
    { depth, verdict: holds, text: `branch ${text}` },
    ...missing.map((rule) => no(depth + 1, `${rule}: no event of this group near it`)),
    // What is near does not forbid a branch that holds: an order can make it harmless.
    ...(holds ? [] : inTheWay.map(({ rule, uid, time }) => no(depth + 1, `not ${rule}: but there is ${uid} at ${isoText(time)}`))),
  ];
}

function historyLines(
  { fires, lookback_ms: lookback, min_history_ms: least, first_time: first, seen }: NonNullable<ExplainedMember["history"]>,
  depth: number,
): ExplainedLine[] {
  const before =
    seen === null
      ? "the value was never seen in this group before"
      : `the value was last seen before in ${seen.uid} at ${isoText(seen.time)}`;
  return [
    { depth, verdict: fires, text: `${before}; ${durationText(lookback)} are looked back` },
    ...(first === null ? [] : [said(depth, `the group's first event is of ${isoText(first)}; it must be ${durationText(least)} old`)]),
  ];
}

function alertLines(found: ExplainedCorrelation, { alerts, buckets }: ExplainedMember, depth: number): ExplainedLine[] {
  if (alerts.length === 0) return [no(depth, `no alert: no window with the event in it meets ${found.condition}`)];
  return alerts.map(({ id, bucket, first_time: first, last_time: last, count }) => {
    const span = `${isoText(first)} to ${isoText(last)}, ${count} ${count === 1 ? "event" : "events"}`;
    const anchored = buckets.includes(bucket) ? "" : "; its own windows do not hold, but the alert spans it";
    return { depth, verdict: true, text: `alert ${id}: suppression window of ${isoText(bucket)}, ${span}${anchored}` };
  });
}

function said(depth: number, text: string): ExplainedLine {
  return { depth, verdict: undefined, text };
}

function no(depth: number, text: string): ExplainedLine {
  return { depth, verdict: false, text };
}
