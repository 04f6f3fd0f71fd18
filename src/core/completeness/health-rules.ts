/** The built-in rules about the service itself and about silence: their alerts follow from conditions, not from events. */
import type { Alert, Level, RuleInfo } from "../alert.ts";
import type { Condition } from "./condition.ts";

/** What one built-in rule says. */
interface HealthRule {
  readonly title: string;
  readonly level: Level;
  /** Name of the group value that the condition is about. */
  readonly entity: "source" | "destination" | "ai_agent.uid";
  readonly description: string;
  readonly actions: readonly string[];
  readonly tags: readonly string[];
}

/** By id. */
const RULES = {
  "custodes-source-silent": {
    title: "A source is silent",
    level: "high",
    entity: "source",
    description:
      "Nothing was heard of a source for its stall budget, or it came no further. Rules no longer wait for it: what it would have told is not seen.",
    actions: ["check_sender", "check_credential"],
    tags: ["custodes.h12"],
  },
  "custodes-source-refused": {
    title: "A source refuses us",
    level: "high",
    entity: "source",
    description: "A vendor refuses the credential, its permission or the request. Nothing is read until somebody acts.",
    actions: ["check_credential"],
    tags: ["custodes.h12"],
  },
  "custodes-source-gap": {
    title: "Records of a source are missing",
    level: "medium",
    entity: "source",
    description: "A gap was proven and has not been healed by reading again. What happened in it may not be seen.",
    actions: ["check_sender"],
    tags: ["custodes.h12"],
  },
  "custodes-source-quarantine": {
    title: "Most records of a source cannot be understood",
    level: "medium",
    entity: "source",
    description: "Most records of a batch went into quarantine: the vendor changed its format, or somebody sends garbage.",
    actions: ["look_at_quarantine"],
    tags: ["custodes.h12"],
  },
  "custodes-destination-held": {
    title: "A destination takes nothing",
    level: "high",
    entity: "destination",
    description: "A destination fails or refuses. Its deliveries wait; the other destinations tell of it.",
    actions: ["check_destination"],
    tags: ["custodes.h12"],
  },
  "custodes-destination-disabled": {
    title: "A destination was given up",
    level: "critical",
    entity: "destination",
    description:
      "A destination failed for its whole grace period. Nothing is sent there until somebody enables it; its deliveries wait and are kept.",
    actions: ["enable_destination"],
    tags: ["custodes.h12"],
  },
  "custodes-agent-silent": {
    title: "An agent is silent while it should run",
    level: "high",
    entity: "ai_agent.uid",
    description: "No sign of the agent for its declared heartbeat of scheduled time, while every source that carries it was complete.",
    actions: ["check_agent"],
    tags: ["custodes.b52"],
  },
} as const satisfies Readonly<Record<string, HealthRule>>;

/** Id of a built-in rule. */
export type HealthRuleId = keyof typeof RULES;

/** Every built-in rule, by id. */
export const HEALTH_RULES = Object.keys(RULES) as [HealthRuleId, ...HealthRuleId[]];

/** What alerts say of a built-in rule; undefined for any other id. */
export function healthRule(id: string): RuleInfo | undefined {
  if (!isHealthRule(id)) return undefined;
  const { title, level, entity, description, actions, tags } = RULES[id];
  return {
    id,
    title,
    level,
    description,
    path: "builtin",
    line: 0,
    tags,
    status: "stable",
    schedule: undefined,
    entity,
    threat: undefined,
    risk: undefined,
    runbook: `docs/runbooks.md#${id}`,
    response: { level: 1, actions },
    destinations: undefined,
    maps: [],
    falsePositives: [],
    references: [],
  };
}

/** Whether an alert follows from a condition. */
export function isHealthRule(id: string): id is HealthRuleId {
  return Object.hasOwn(RULES, id);
}

/** A condition of a rule, as it begins. */
export function beginning(rule: HealthRuleId, entity: string, since: number, detail: string): Condition {
  return { rule, entity, since, ended: null, level: RULES[rule].level, detail };
}

/** The alert of a condition: one for its whole life, final once it is over. Undefined when its rule is gone. */
export function conditionAlert(condition: Condition, uuid5: (name: string) => string): Alert | undefined {
  const { rule, entity, since, ended, level, detail } = condition;
  if (!isHealthRule(rule)) return undefined;
  const about = RULES[rule].entity;
  return {
    id: uuid5(`health\n${rule}\n${entity}\n${since}`),
    ruleId: rule,
    ruleTitle: RULES[rule].title,
    level,
    group: { [about]: entity, reason: detail },
    bucket: since,
    firstTime: since,
    lastTime: Math.max(since, ended ?? since),
    count: 1,
    evidence: [],
    agents: about === "ai_agent.uid" ? [entity] : [],
    revision: 1,
    final: ended !== null,
  };
}
