/** Alerts and contexts for tests of incidents. */
import { uuid5 } from "../../../src/adapters/system/system.ts";
import type { Alert, Level, RuleInfo } from "../../../src/core/alert.ts";
import type { Event } from "../../../src/core/event.ts";
import { groupAlerts, type GroupingContext, type IncidentPolicy } from "../../../src/core/incident/group.ts";
import type { Incident } from "../../../src/core/incident.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { ruleInfo } from "../../fixtures/subjects.ts";
import { agent } from "../identity/agents.ts";

export const T = Date.UTC(2026, 2, 31, 12);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** A context in which a rule is named by its level, unless `rules` say more. */
export function grouping(
  changes: {
    rules?: Readonly<Record<string, Partial<RuleInfo>>>;
    events?: readonly Event[];
    policy?: Partial<IncidentPolicy>;
    now?: number;
  } = {},
): GroupingContext {
  const { rules = {}, events = [], policy = {}, now = T } = changes;
  return {
    rule: (id) => ruleInfo({ id, level: (rules[id]?.level ?? id) as Level, risk: undefined, response: undefined, ...rules[id] }),
    agent: (id) => agent(id, { name: `${id}-bot`, owner: `${id}-owner`, team: "Care", scopes: ["crm:read"] }),
    evidence: new Map(events.map((one) => [one.uid, one])),
    uuid5,
    policy: incidentPolicy(policy),
    now,
    coverage: { state: "complete", missing: [], watermark: T },
  };
}

/** An alert of agent `a`, of the rule that is named like its level. */
export function alertAt(id: string, hour: number, level: Level, changes: Partial<Alert> = {}): Alert {
  return {
    id,
    ruleId: level,
    ruleTitle: `title ${level}`,
    level,
    group: { "ai_agent.uid": "a" },
    bucket: T,
    firstTime: T + hour * HOUR,
    lastTime: T + hour * HOUR,
    count: 1,
    evidence: [],
    agents: ["a"],
    revision: 1,
    final: true,
    ...changes,
  };
}

/** What is stored, step after step, as the pipeline does it. */
export function memory(): {
  step(changed: readonly Alert[], given?: GroupingContext): readonly Incident[];
  put(incident: Incident): void;
  readonly incidents: readonly Incident[];
} {
  const incidents = new Map<string, Incident>();
  const alerts = new Map<string, Alert>();
  return {
    step(changed, given = grouping()) {
      const result = groupAlerts({ incidents: [...incidents.values()], alerts: [...alerts.values()] }, changed, given);
      for (const incident of result) incidents.set(incident.id, incident);
      for (const alert of changed) alerts.set(alert.id, alert);
      return result;
    },
    put: (incident) => void incidents.set(incident.id, incident),
    get incidents() {
      return [...incidents.values()];
    },
  };
}
