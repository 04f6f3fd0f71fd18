/**
 * What opens an incident: an alert of the opening level, or many below it whose risk adds up. Everything here is a pure
 * function of the set of alerts, so a restart, a replay or another order of arrival comes to the same.
 */
import { LEVELS, type Alert, type Level, type RuleInfo } from "../alert.ts";
import type { EpochMs } from "../event.ts";

/** Risk of an alert whose rule names none, by level. */
const RISK: Readonly<Record<Level, number>> = { informational: 5, low: 20, medium: 45, high: 70, critical: 90 };

/** When an incident is opened. */
export interface OpeningPolicy {
  /** An alert of at least this level opens one. */
  readonly openAt: Level;
  /** The risk of alerts below that level opens one when it comes to this much at once; 0: it never does. */
  readonly riskOpen: number;
  /** An alert's risk falls in a straight line from all of it at its first event to nothing after this long. */
  readonly riskDecayMs: number;
  /** 0 to 100. An alert below it opens nothing, adds no risk and decides no level. */
  readonly confidenceMin: number;
}

/** Position of a level, lowest 0. */
export function rank(level: Level): number {
  return LEVELS.indexOf(level);
}

/** 0 to 100; an alert about which nobody has said anything is about no agent, and as sure as its rule. */
export function confidenceOf(alert: Alert): number {
  return alert.confidence ?? 100;
}

/** Whether its events belong to the entity surely enough to act on it alone. */
export function isConfident(alert: Alert, policy: Pick<OpeningPolicy, "confidenceMin">): boolean {
  return confidenceOf(alert) >= policy.confidenceMin;
}

/** Whether an alert opens an incident by its level. */
export function opensByLevel(alert: Alert, policy: OpeningPolicy): boolean {
  return isConfident(alert, policy) && rank(alert.level) >= rank(policy.openAt);
}

/** Risk of one alert, whatever its revision: its rule's, else its level's, less the less sure it is. */
function weight(alert: Alert, rule: RuleInfo | undefined): number {
  return ((rule?.risk ?? RISK[alert.level]) * confidenceOf(alert)) / 100;
}

/** Each alert takes away its share of what is left to 100, so many small ones never pass one certain one at once. */
export function riskOf(alerts: readonly Alert[], rule: (id: string) => RuleInfo | undefined): number {
  let left = 1;
  for (const alert of alerts) left *= 1 - Math.min(100, weight(alert, rule(alert.ruleId))) / 100;
  return Math.round((1 - left) * 100);
}

/** An alert at which risk came to the threshold. */
export interface RiskOpening {
  readonly alert: Alert;
  /** All that count then, itself among them. */
  readonly from: readonly Alert[];
  readonly risk: number;
}

/**
 * Where the accumulated risk of rules below the opening level came to the threshold. It can only do so at an alert: in
 * between it falls. What lies on the other side of a time in `barriers` (a person closed the matter then) counts no more.
 * The rule's level decides, not the alert's: one whose level rises must not take its risk away from the others.
 */
export function riskOpenings(
  alerts: readonly Alert[],
  rule: (id: string) => RuleInfo | undefined,
  policy: OpeningPolicy,
  barriers: readonly EpochMs[] = [],
): RiskOpening[] {
  if (policy.riskOpen <= 0) return [];
  const below = (one: Alert): boolean => rank(rule(one.ruleId)?.level ?? one.level) < rank(policy.openAt);
  const small = alerts.filter((one) => isConfident(one, policy) && below(one)).sort(byTime);
  const openings: RiskOpening[] = [];
  let start = 0;
  for (const [index, alert] of small.entries()) {
    const now = alert.firstTime;
    const barrier = Math.max(-Infinity, ...barriers.filter((one) => one < now));
    while (now - small[start]!.firstTime >= policy.riskDecayMs || small[start]!.firstTime <= barrier) start++;
    const from = small.slice(start, index + 1);
    // In order of time, and so the same to the last bit for any order of arrival.
    const risk = from.reduce((sum, one) => sum + weight(one, rule(one.ruleId)) * (1 - (now - one.firstTime) / policy.riskDecayMs), 0);
    if (risk >= policy.riskOpen) openings.push({ alert, from, risk });
  }
  return openings;
}

/** Alerts in the order in which they happened. */
export function byTime(a: Alert, b: Alert): number {
  return a.firstTime - b.firstTime || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
