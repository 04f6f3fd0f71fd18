/** Alerts and incidents as OCSF findings. */
import type { Alert, Level, RuleInfo } from "../alert.ts";
import type { GapNote } from "../completeness/partial.ts";
import { CLASS, type Event } from "../event.ts";
import { INCIDENT_STATUS, type Incident } from "../incident.ts";
import { incidentTexts } from "../incident/texts.ts";
import { attacksOf, tagsOf } from "./attacks.ts";
import { activityOf, SEVERITY_NAMES } from "./classes.ts";
import { classify, evidenceOf, metadata, type OcsfOptions } from "./event.ts";
import { has, put, visible, type Tree } from "./place.ts";

/** Alerts carry at most this many evidence events (`semantics.md` section 5); more given here are left out. */
const EVIDENCE_MAX = 25;
/** Findings, timeline entries and observables of one incident object: consumers refuse documents far above a megabyte. */
const INCIDENT_ITEMS_MAX = 100;

/** OCSF `severity_id` of each level. */
const SEVERITIES: Readonly<Record<Level, number>> = { informational: 1, low: 2, medium: 3, high: 4, critical: 5 };
/** OCSF `priority_id` of each level: it has no place for information. */
const PRIORITIES: Readonly<Record<Level, number>> = { informational: 1, low: 1, medium: 2, high: 3, critical: 4 };
/** OCSF captions of an incident's `status_id`. */
const INCIDENT_STATUS_NAMES = ["Unknown", "New", "In Progress", "On Hold", "Resolved", "Closed"] as const;
/** OCSF observable `type_id`. */
const OBSERVABLE = { hostname: 1, ip: 2, userName: 4, credential: 19 } as const;

/** An alert as a Detection Finding (2004). Every revision has the same finding uid; `metadata.sequence` counts them. */
export function alertToOcsf(alert: Alert, rule: RuleInfo, evidence: readonly Event[], options: OcsfOptions): object {
  const { version } = options;
  const events = evidence.slice(0, EVIDENCE_MAX);
  const target: Tree = { metadata: findingMetadata(alert.id, alert.revision, rule.tags, options), time: alert.lastTime };
  classify(target, CLASS.detectionFinding, alert.revision > 1 ? 2 : 1, version);
  level(target, alert.level);
  Object.assign(target, { status_id: 1, status: "New", is_alert: true, message: visible(alert.ruleTitle), count: alert.count });
  Object.assign(target, { start_time: alert.firstTime, end_time: alert.lastTime });
  risk(target, rule.risk);
  confidence(target, alert.confidence);
  target["finding_info"] = findingInfo(alert, rule, events, version);
  if (events.length > 0) target["evidences"] = events.map((event) => evidenceOf(event, version));
  const resources = resourcesOf(events);
  if (resources.length > 0) target["resources"] = resources;
  const observables = alertObservables(events);
  if (observables.length > 0) target["observables"] = observables;
  const remedy = remediation(rule);
  if (remedy !== undefined) target["remediation"] = remedy;
  target["unmapped"] = { ...alertRest(alert), rule: ruleRest(rule) };
  return target;
}

/** An incident as an Incident Finding (2005) with one finding per alert. `rules` are those of its alerts. */
export function incidentToOcsf(incident: Incident, rules: readonly RuleInfo[], evidence: readonly Event[], options: OcsfOptions): object {
  const { version } = options;
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const target: Tree = {
    metadata: findingMetadata(incident.id, incident.revision, incident.tags, options),
    time: Math.max(incident.openedTime, incident.lastTime),
  };
  const closed = incident.status === INCIDENT_STATUS.resolved || incident.status === INCIDENT_STATUS.closed;
  classify(target, CLASS.incidentFinding, closed ? 3 : incident.revision > 1 ? 2 : 1, version);
  level(target, incident.level);
  target["status_id"] = INCIDENT_STATUS_NAMES[incident.status] === undefined ? 0 : incident.status;
  target["status"] = INCIDENT_STATUS_NAMES[incident.status] ?? INCIDENT_STATUS_NAMES[0];
  target["priority_id"] = PRIORITIES[incident.level];
  Object.assign(target, { message: visible(incident.title), desc: visible(incident.story) });
  Object.assign(target, { start_time: incident.firstTime, end_time: incident.lastTime });
  target["count"] = incident.alerts.reduce((sum, alert) => sum + alert.count, 0);
  target["assignee_group"] = { name: visible(owner(incident, options)) };
  const alerts = incident.alerts.slice(0, INCIDENT_ITEMS_MAX);
  target["finding_info_list"] = alerts.map((alert) => findingInfo(alert, byId.get(alert.ruleId), evidence, version));
  const attacks = attacksOf(incident.tags, incident.maps);
  if (attacks.length > 0) target["attacks"] = attacks;
  risk(target, incident.risk);
  confidence(target, incident.confidence);
  put(target, ["metadata", "profiles"], ["security_control"]);
  const observables = incidentObservables(incident);
  if (observables.length > 0) target["observables"] = observables;
  target["unmapped"] = incidentRest(incident);
  return target;
}

function owner(incident: Incident, options: OcsfOptions): string {
  return has(incident.agentOwner) ? incident.agentOwner : (options.assigneeGroup ?? "unassigned");
}

function findingMetadata(uid: string, revision: number, tags: readonly string[], options: OcsfOptions): Tree {
  const result = metadata(uid, "Custodes", "Custodes", options.version);
  result["sequence"] = revision;
  if (tags.length > 0) result["labels"] = tags.map(visible);
  return result;
}

function level(target: Tree, name: Level): void {
  target["severity_id"] = SEVERITIES[name];
  target["severity"] = SEVERITY_NAMES[SEVERITIES[name]];
}

/** OCSF's five risk levels over 0 to 100; the steps are the severity table's, so that 100 is Critical and 0 Info. */
function risk(target: Tree, score: number | undefined): void {
  if (score === undefined || !Number.isFinite(score)) return;
  target["risk_score"] = Math.round(score);
  target["risk_level_id"] = score >= 90 ? 4 : score >= 70 ? 3 : score >= 40 ? 2 : score > 0 ? 1 : 0;
}

/** OCSF's three levels of confidence over 0 to 100. */
function confidence(target: Tree, score: number | undefined): void {
  if (score === undefined || !Number.isFinite(score)) return;
  target["confidence_score"] = Math.round(score);
  const id = score >= 80 ? 3 : score >= 50 ? 2 : 1;
  Object.assign(target, { confidence_id: id, confidence: ["Unknown", "Low", "Medium", "High"][id] });
}

function findingInfo(alert: Alert, rule: RuleInfo | undefined, events: readonly Event[], version: OcsfOptions["version"]): Tree {
  const info: Tree = {
    uid: alert.id,
    title: visible(alert.ruleTitle),
    analytic: { uid: visible(alert.ruleId), name: visible(alert.ruleTitle), type: "Rule", type_id: 1 },
    first_seen_time: alert.firstTime,
    last_seen_time: alert.lastTime,
    related_events_count: alert.count,
  };
  if (rule !== undefined) {
    if (has(rule.description)) info["desc"] = visible(rule.description);
    if (has(rule.threat)) info["types"] = [visible(rule.threat)];
    const attacks = attacksOf(rule.tags, rule.maps);
    if (attacks.length > 0) info["attacks"] = attacks;
    const tags = tagsOf(rule.maps);
    if (tags.length > 0) info["tags"] = tags;
  }
  const known = new Map(events.map((event) => [event.uid, event]));
  const related = alert.evidence.slice(0, EVIDENCE_MAX).map((uid) => relatedEvent(uid, known.get(uid), version));
  if (related.length > 0) info["related_events"] = related;
  const sources = new Set(alert.evidence.map((uid) => known.get(uid)?.source).filter(has));
  if (sources.size > 0) info["data_sources"] = [...sources].sort().map(visible);
  return info;
}

function relatedEvent(uid: string, event: Event | undefined, version: OcsfOptions["version"]): Tree {
  const related: Tree = { uid: visible(uid) };
  if (event !== undefined) related["type_uid"] = event.classUid * 100 + activityOf(event.classUid, event.activityId, version).id;
  return related;
}

function resourcesOf(events: readonly Event[]): readonly Tree[] {
  const found = new Map<string, Tree>();
  for (const event of events) {
    const { resourceUid, resourceName, resourceType } = event;
    if (!has(resourceUid) && !has(resourceName)) continue;
    const resource: Tree = {};
    if (has(resourceUid)) resource["uid"] = visible(resourceUid);
    if (has(resourceName)) resource["name"] = visible(resourceName);
    if (has(resourceType)) resource["type"] = visible(resourceType);
    found.set(JSON.stringify(resource), resource);
  }
  return [...found.values()];
}

function remediation(rule: RuleInfo): Tree | undefined {
  const actions = rule.response?.actions ?? [];
  const desc = has(rule.runbook) ? rule.runbook : actions.join(", ");
  if (!has(desc)) return undefined;
  const remedy: Tree = { desc: visible(desc) };
  if (rule.references.length > 0) remedy["references"] = rule.references.map(visible);
  return remedy;
}

function alertRest(alert: Alert): Tree {
  const group = Object.entries(alert.group).map(([name, value]) => ({ name: visible(name), value: visible(value) }));
  const rest: Tree = { group, bucket: alert.bucket, agents: alert.agents.map(visible), final: alert.final };
  if (alert.coverage !== undefined) {
    const { state, missing, gaps } = alert.coverage;
    rest["coverage"] = { state, missing: missing.slice(0, INCIDENT_ITEMS_MAX).map(visible), gaps: gaps.map(gapTree) };
  }
  return rest;
}

function gapTree({ source, from, to, why }: GapNote): Tree {
  return { source: visible(source), from, ...(to === null ? {} : { to }), why };
}

function ruleRest(rule: RuleInfo): Tree {
  const rest: Tree = { path: visible(rule.path), line: rule.line, status: visible(rule.status) };
  if (rule.response !== undefined) rest["response"] = { level: rule.response.level, actions: rule.response.actions.map(visible) };
  if (rule.falsePositives.length > 0) rest["false_positives"] = rule.falsePositives.map(visible);
  return rest;
}

function incidentRest(incident: Incident): Tree {
  const { state, missing, watermark } = incident.coverage;
  const rest: Tree = { entity: visible(incident.entity), final: incident.final };
  rest["coverage"] = { state, missing: missing.slice(0, INCIDENT_ITEMS_MAX).map(visible), watermark };
  if (incident.coverage.gaps !== undefined) put(rest, ["coverage", "gaps"], incident.coverage.gaps.map(gapTree));
  if (has(incident.agentUid)) put(rest, ["ai_agent", "uid"], visible(incident.agentUid));
  if (has(incident.agentName)) put(rest, ["ai_agent", "name"], visible(incident.agentName));
  rest["timeline"] = incident.timeline.slice(0, INCIDENT_ITEMS_MAX).map((entry) => ({
    time: entry.time,
    uid: visible(entry.uid),
    source: visible(entry.source),
    text: visible(entry.text),
  }));
  rest["taxonomy"] = tagsOf(incident.maps);
  rest["runbooks"] = incident.runbooks.map(visible);
  rest["actions"] = incident.actions.map(visible);
  for (const [name, value] of Object.entries(incidentTexts(incident))) {
    if (typeof value === "string") rest[name] = visible(value);
    else if (typeof value === "object") rest[name] = value.map(visible);
    else if (value !== undefined) rest[name] = value;
  }
  return rest;
}

/** Collects distinct observables. */
function observer(): { readonly list: Tree[]; readonly add: (name: string, typeId: number, value: string | undefined) => void } {
  const list: Tree[] = [];
  const seen = new Set<string>();
  const add = (name: string, typeId: number, value: string | undefined): void => {
    const key = `${typeId} ${value}`;
    if (!has(value) || seen.has(key) || list.length >= INCIDENT_ITEMS_MAX) return;
    seen.add(key);
    list.push({ name, type_id: typeId, value: visible(value) });
  };
  return { list, add };
}

function alertObservables(events: readonly Event[]): readonly Tree[] {
  const { list, add } = observer();
  for (const [index, event] of events.entries()) {
    const at = `evidences[${index}]`;
    add(`${at}.src_endpoint.ip`, OBSERVABLE.ip, event.srcIp);
    add(`${at}.dst_endpoint.ip`, OBSERVABLE.ip, event.dstIp);
    add(`${at}.dst_endpoint.hostname`, OBSERVABLE.hostname, event.dstHost);
    add(`${at}.actor.user.name`, OBSERVABLE.userName, event.userName);
    add(`${at}.api.token.uid`, OBSERVABLE.credential, event.credentialUid);
  }
  return list;
}

function incidentObservables(incident: Incident): readonly Tree[] {
  const { list, add } = observer();
  for (const ip of incident.ips) add("ips", OBSERVABLE.ip, ip);
  for (const host of incident.hosts) add("hosts", OBSERVABLE.hostname, host);
  for (const user of incident.users) add("users", OBSERVABLE.userName, user);
  for (const credential of incident.credentials) add("credentials", OBSERVABLE.credential, credential);
  return list;
}
