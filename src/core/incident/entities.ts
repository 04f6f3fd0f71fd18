import type { Alert, RuleInfo } from "../alert.ts";

/** How rules name the agent. */
const AGENT = "ai_agent.uid";
/** How they name one of several agents that share a key: each alert is about one of them. */
const CANDIDATE = "agent.candidates";
const AGENT_ENTITY = "agent:";

/** Whom an alert is about: the value of the rule's entity, else its agents, else its group, else the rule itself. */
export function entitiesOf(alert: Alert, rule: RuleInfo | undefined): string[] {
  if (rule?.entity !== undefined && rule.entity !== AGENT) {
    const value = alert.group[rule.entity];
    if (value !== undefined) return [`${rule.entity}:${value}`];
  }
  const grouped = alert.group[AGENT] ?? alert.group[CANDIDATE];
  if (grouped !== undefined) return [`${AGENT_ENTITY}${grouped}`];
  if (alert.agents.length > 0) return alert.agents.map((agent) => `${AGENT_ENTITY}${agent}`);
  const keys = Object.keys(alert.group).sort();
  return keys.length > 0 ? [keys.map((key) => `${key}:${alert.group[key]}`).join(",")] : [`rule:${alert.ruleId}`];
}

/** The agent of an entity; undefined when it is no agent. */
export function agentOf(entity: string): string | undefined {
  return entity.startsWith(AGENT_ENTITY) ? entity.slice(AGENT_ENTITY.length) : undefined;
}
