/** How hard to answer, and with what. */
import type { Alert, Level, RuleInfo } from "../alert.ts";
import type { Recommendation } from "../incident.ts";
import { rank } from "./risk.ts";

/** Steps of the ladder: 1 soft (80 % of what is expected), 2 hard (150 %), 3 emergency. */
export type ResponseLevel = 1 | 2 | 3;

/** From this multiple of the expected on an answer is hard. */
const HARD_RATIO = 1.5;
/** Of a rule that names no answer and measures nothing. Critical is an emergency: something is being done on purpose. */
const BY_LEVEL: Readonly<Record<Level, ResponseLevel>> = { informational: 1, low: 1, medium: 1, high: 2, critical: 3 };
/** Recommendations that one incident lists, each action of each rule. */
const RECOMMENDED_MAX = 30;

/** What one alert asks for: what its rule says, else what was measured over what was expected, else its level. */
function responseOfOne(alert: Alert, rule: RuleInfo | undefined): ResponseLevel {
  const named = rule?.response?.level;
  if (named === 1 || named === 2 || named === 3) return named;
  const { baseline } = alert;
  if (baseline !== undefined && baseline.baseline > 0) return baseline.numerator / baseline.baseline >= HARD_RATIO ? 2 : 1;
  return BY_LEVEL[alert.level];
}

/** The highest answer that any of the alerts asks for. */
export function responseOf(alerts: readonly Alert[], rule: (id: string) => RuleInfo | undefined): ResponseLevel {
  return Math.max(1, ...alerts.map((alert) => responseOfOne(alert, rule(alert.ruleId)))) as ResponseLevel;
}

/** What stops an attack, and what slows it, by the first word of an action; everything else looks at what was done. */
const STOPS: ReadonlySet<string> = new Set(["block", "disable", "freeze", "isolate", "kill", "quarantine", "revoke", "stop"]);
const SLOWS: ReadonlySet<string> = new Set(["rotate", "throttle"]);

/**
 * What the rules ask for, each action once with the runbook of its rule: what stops it first, then what slows it, then
 * what looks at it; of each the worst alerts' first.
 */
export function recommend(alerts: readonly Alert[], rule: (id: string) => RuleInfo | undefined): Recommendation[] {
  const found = new Map<string, Recommendation>();
  for (const alert of alerts.toSorted((a, b) => rank(b.level) - rank(a.level) || (a.ruleId < b.ruleId ? -1 : 1))) {
    const info = rule(alert.ruleId);
    for (const action of info?.response?.actions ?? []) {
      const runbook = info?.runbook;
      if (!found.has(action)) found.set(action, { action, ruleId: alert.ruleId, ...(runbook === undefined ? {} : { runbook }) });
    }
  }
  return [...found.values()].sort((a, b) => urgency(a.action) - urgency(b.action)).slice(0, RECOMMENDED_MAX);
}

function urgency(action: string): number {
  const verb = action.split(/[_ ]/, 1)[0] ?? "";
  return STOPS.has(verb) ? 0 : SLOWS.has(verb) ? 1 : 2;
}
