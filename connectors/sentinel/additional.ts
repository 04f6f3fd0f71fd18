/** What the schema has no column for: AdditionalFields, one dynamic column with a size of its own. */
import type { Alert } from "../../src/core/alert.ts";
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import type { Event } from "../../src/core/event.ts";
import type { Incident, Mapping } from "../../src/core/incident.ts";
import { missingTexts } from "../../src/archetypes/own-object.ts";
import { incidentTexts } from "../../src/core/incident/texts.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery } from "../../src/ports/connector.ts";
import { iso, LIST_MAX, short, TITLE_MAX } from "./values.ts";

/** Values are cut at 64 KB by the service, by older pages at 32 KB; AdditionalFields stays below both. */
export const FIELD_BYTES_MAX = 32_000;
/** Longest sentence about an incident, UTF-16 units. */
const TEXT_MAX = 1_000;
/** Evidence uids of one row: the field map asks for a cap of this order. */
const EVIDENCE_MAX = 50;

/** Lists in the order in which they are given up when the field is too large; `Truncated` names them. */
const GIVEN_UP_FIRST = [
  "Proof",
  "Timeline",
  "EvidenceIds",
  "Alerts",
  "Tags",
  "Mappings",
  "Hosts",
  "Users",
  "IpAddresses",
  "Credentials",
  "Group",
  "RuleIds",
  "Agents",
  "CoverageMissing",
  "Sources",
  "EndpointsTouched",
  "CredentialPlaces",
  "UsersAffected",
  "CouldStillReach",
  "UndoneByHand",
  "DataTouched",
  "InfrastructureChanged",
  "SentOut",
  "Recommended",
  "CannotBeUndone",
] as const;

type Fields = Readonly<Record<string, unknown>>;
type AlertSubject = Extract<FindingDelivery["subject"], { kind: "alert" }>;
type IncidentSubject = Extract<FindingDelivery["subject"], { kind: "incident" }>;

/** AdditionalFields of an alert's row. */
export function alertFields(delivery: FindingDelivery, { alert, rule, evidence }: AlertSubject): Fields {
  const agent = evidence.find((event) => event.agentUid !== undefined && event.agentUid === alert.agents[0]);
  return fitting({
    ...identityFields(delivery, alert.revision, alert.final),
    AgentId: short(alert.agents[0]),
    AgentName: short(agent?.agentName),
    Agents: names(alert.agents),
    RuleIds: names([alert.ruleId]),
    Group: groupList(alert),
    Bucket: iso(alert.bucket),
    ...(alert.coverage === undefined ? {} : coverageFields(alert.coverage)),
    Tags: names(rule.tags),
    Mappings: mappings(rule.maps),
    EvidenceIds: safeList(alert.evidence, EVIDENCE_MAX, TITLE_MAX),
    Sources: sources(evidence),
  });
}

/** AdditionalFields of an incident's row. */
export function incidentFields(delivery: FindingDelivery, { incident, rules, evidence }: IncidentSubject): Fields {
  return fitting({
    ...identityFields(delivery, incident.revision, incident.final),
    AgentId: short(incident.agentUid),
    AgentName: short(incident.agentName),
    Entity: short(incident.entity),
    ...coverageFields(incident.coverage),
    OpenedTime: iso(incident.openedTime),
    RuleIds: names(rules.map((rule) => rule.id)),
    AlertCount: incident.alerts.length,
    Alerts: incident.alerts.slice(0, LIST_MAX).map(alertSummary),
    ...textFields(incident),
    Tags: names(incident.tags),
    Mappings: mappings(incident.maps),
    Hosts: names(incident.hosts),
    IpAddresses: names(incident.ips),
    Users: names(incident.users),
    Credentials: names(incident.credentials),
    EvidenceIds: safeList(
      incident.alerts.slice(0, EVIDENCE_MAX).flatMap((alert) => alert.evidence),
      EVIDENCE_MAX,
      TITLE_MAX,
    ),
    Timeline: incident.timeline.slice(0, LIST_MAX).map((entry) => ({
      Time: iso(entry.time),
      Source: safeText(entry.source, TITLE_MAX),
      Text: safeText(entry.text, TITLE_MAX),
    })),
    Sources: sources(evidence),
  });
}

/** Why it is an incident, how sure, what it reached and what to do: `cannot_be_undone` is CannotBeUndone here. */
function textFields(incident: Incident): Fields {
  const entries = Object.entries(incidentTexts(incident)).map(([name, value]): [string, unknown] => {
    const column = name.replace(/(^|_)([a-z])/g, (_, _before, letter: string) => letter.toUpperCase());
    if (typeof value === "string") return [column, safeText(value, TEXT_MAX)];
    return [column, typeof value === "object" ? names(value) : value];
  });
  return Object.fromEntries(entries);
}

/** The service has no idempotency: a reader drops repeated rows by DedupKey and old states by EventUid and Revision. */
function identityFields(delivery: FindingDelivery, revision: number, final: boolean): Fields {
  return { DedupKey: safeText(delivery.key, TITLE_MAX), Kind: delivery.subject.kind, Revision: revision, Final: final };
}

function coverageFields(
  coverage: Pick<Incident["coverage"], "state" | "missing" | "gaps"> & { readonly watermark?: number | undefined },
): Fields {
  const { state, watermark } = coverage;
  const missing = names(missingTexts(coverage));
  return { Coverage: state, CoverageMissing: missing, Watermark: watermark === undefined ? undefined : iso(watermark) };
}

function alertSummary(alert: Alert): Fields {
  return { Id: safeText(alert.id, TITLE_MAX), RuleId: safeText(alert.ruleId, TITLE_MAX), Severity: alert.level, Count: alert.count };
}

/** As a list, because a group field's name comes from a rule file and must not become a key of ours. */
function groupList(alert: Alert): readonly Fields[] {
  return Object.entries(alert.group)
    .slice(0, LIST_MAX)
    .map(([name, value]) => ({ Name: safeText(name, TITLE_MAX), Value: safeText(value, TITLE_MAX) }));
}

function names(texts: readonly string[]): string[] {
  return safeList(texts, LIST_MAX, TITLE_MAX);
}

function mappings(maps: readonly Mapping[]): string[] {
  return names(maps.slice(0, LIST_MAX).map((map) => `${map.framework} ${map.version} ${map.id}`));
}

function sources(evidence: readonly Event[]): string[] {
  return names(evidence.map((event) => event.source));
}

function fitting(fields: Fields): Fields {
  let kept = fields;
  const truncated: string[] = [];
  for (const name of GIVEN_UP_FIRST) {
    if (utf8Bytes(JSON.stringify(kept)) <= FIELD_BYTES_MAX) break;
    if (kept[name] === undefined) continue;
    truncated.push(name);
    kept = { ...kept, [name]: undefined, Truncated: truncated };
  }
  return kept;
}
