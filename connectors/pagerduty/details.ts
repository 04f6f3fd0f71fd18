/** `custom_details`: what the person who is woken needs to decide, in the order in which PagerDuty shows it. */
import type { Alert, RuleInfo } from "../../src/core/alert.ts";
import { attackOf } from "../../src/core/attack.ts";
import type { Incident } from "../../src/core/incident.ts";
import { missingTexts } from "../../src/archetypes/own-object.ts";
import { incidentTexts } from "../../src/core/incident/texts.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import { iso } from "./values.ts";

/** Entries of a list: more than anybody reads on a telephone. */
const LIST_MAX = 100;
/** Entries that a list keeps in the first round of shortening. */
const LIST_SHORT = 10;
/** Longest text in a list, UTF-16 units. */
const ENTRY_MAX = 500;
/** Longest description, UTF-16 units. */
const DESCRIPTION_MAX = 4_000;

/** Lists in the order in which they are shortened, and then left out, when the event is too large. */
export const GIVEN_UP_FIRST = [
  "proof",
  "evidence_ids",
  "timeline",
  "endpoints_touched",
  "credential_places",
  "users_affected",
  "could_still_reach",
  "tried_failed",
  "undone_by_hand",
  "ips",
  "hosts",
  "users",
  "credentials",
  "alerts",
  "tags",
  "missing_sources",
  "attack",
  "rules",
  "actions",
  "runbooks",
  "data_touched",
  "infrastructure_changed",
  "sent_out",
  "recommended",
  "cannot_be_undone",
] as const;

/** Keys and values; lists are lists of texts. */
export type Details = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Everything that may be shown of an incident; `shortened` cuts it to size. */
export function details(incident: Incident, rules: readonly RuleInfo[]): Details {
  const attack = attackOf(incident.tags, incident.maps);
  const { why, proof, ...rest } = textDetails(incident);
  const evidence = [...new Set(incident.alerts.flatMap((alert) => alert.evidence))];
  return {
    why,
    description: incident.story === "" ? undefined : safeText(incident.story, DESCRIPTION_MAX),
    agent_id: text(incident.agentUid),
    agent_owner: text(incident.agentOwner),
    level: incident.level,
    risk_score: incident.risk,
    first_seen: iso(incident.firstTime),
    last_seen: iso(incident.lastTime),
    ...rest,
    runbooks: list(incident.runbooks),
    actions: list(incident.actions),
    alerts: list(incident.alerts.slice(0, LIST_MAX).map(alertLine)),
    alert_count: incident.alerts.length,
    rules: list(rules.map((rule) => `${rule.title} (${rule.id})`)),
    attack: list([...attack.tactics.map((tactic) => tactic.name), ...attack.techniques, ...attack.subTechniques, ...attack.atlas]),
    users: list(incident.users),
    credentials: list(incident.credentials),
    hosts: list(incident.hosts),
    ips: list(incident.ips),
    timeline: list(incident.timeline.slice(0, LIST_MAX).map((entry) => `${iso(entry.time)} ${entry.source}: ${entry.text}`)),
    coverage: incident.coverage.state,
    missing_sources: list(missingTexts(incident.coverage)),
    proof,
    evidence_ids: list(evidence.slice(0, LIST_MAX)),
    evidence_count: evidence.length,
    tags: list(incident.tags),
    entity: text(incident.entity),
    incident_id: text(incident.id),
    revision: incident.revision,
    final: incident.final,
  };
}

/** Why it is an incident, how sure, what it reached and what to do. */
function textDetails(incident: Incident): Details {
  const entries = Object.entries(incidentTexts(incident)).map(([name, value]): [string, Details[string]] => {
    if (typeof value === "string") return [name, safeText(value, DESCRIPTION_MAX)];
    return [name, typeof value === "object" ? list(value) : value];
  });
  return Object.fromEntries(entries);
}

/** The details after `steps` steps of giving up: first each list is shortened, then each is left out. */
export function shortened(given: Details, steps: number): Details {
  let kept = given;
  const names = new Set<string>();
  for (let step = 0; step < steps; step++) {
    const name = GIVEN_UP_FIRST[step % GIVEN_UP_FIRST.length] ?? "";
    const value = kept[name];
    if (!Array.isArray(value)) continue;
    names.add(name);
    kept = { ...kept, [name]: step < GIVEN_UP_FIRST.length ? (value as readonly string[]).slice(0, LIST_SHORT) : undefined };
  }
  return names.size === 0 ? kept : { ...kept, truncated: [...names] };
}

/** After this many steps there is nothing left to give up. */
export const STEPS_MAX = 2 * GIVEN_UP_FIRST.length;

function alertLine(alert: Alert): string {
  return `${alert.level}: ${alert.ruleTitle} (${alert.count} events)`;
}

function text(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : safeText(value, ENTRY_MAX);
}

/** An empty list says nothing that its absence does not. */
function list(texts: readonly string[]): string[] | undefined {
  const safe = safeList(texts, LIST_MAX, ENTRY_MAX);
  return safe.length === 0 ? undefined : safe;
}
