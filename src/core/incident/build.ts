/** Everything of an incident that follows from the set of its alerts and their evidence. */
import { LEVELS, type Alert, type RuleInfo } from "../alert.ts";
import type { Event } from "../event.ts";
import type { AgentProfile } from "../identity/profile.ts";
import { INCIDENT_STATUS, type Incident, type IncidentProfile, type Mapping } from "../incident.ts";
import { tellStory } from "../story.ts";
import { agentOf } from "./entities.ts";
import { othersOf } from "./blast.ts";
import { credentialsIn } from "./credentials.ts";
import { byTimeAndUid, mergeTimeline, timelineEntry } from "./evidence.ts";
import { recommend, responseOf } from "./response.ts";
import { titleOf } from "./why.ts";
import { byTime, confidenceOf, isConfident, rank, riskOf, type OpeningPolicy } from "./risk.ts";

/** Alerts that one incident lists, the most severe first to stay; its times and story cover the rest too. */
const ALERTS_MAX = 50;
/** Values per list (hosts, addresses, users, credentials). */
const LIST_MAX = 50;

/** What building needs to know beside the alerts. */
export interface BuildContext {
  readonly rule: (id: string) => RuleInfo | undefined;
  readonly agent: (id: string) => AgentProfile | undefined;
  /** Evidence events and those behind inner alerts by uid, as far as they could be loaded. */
  readonly evidence: ReadonlyMap<string, Event>;
  readonly policy: OpeningPolicy;
  readonly coverage: Incident["coverage"];
}

/** An incident that holds nothing yet. */
export function openIncident(id: string, entity: string, alert: Alert, context: BuildContext): Incident {
  return {
    id,
    revision: 0,
    entity,
    agentUid: agentOf(entity),
    agentName: undefined,
    agentOwner: undefined,
    title: "",
    story: "",
    level: alert.level,
    risk: 0,
    status: INCIDENT_STATUS.new,
    openedTime: alert.firstTime,
    firstTime: alert.firstTime,
    lastTime: alert.lastTime,
    alerts: [],
    tags: [],
    maps: [],
    timeline: [],
    hosts: [],
    ips: [],
    users: [],
    credentials: [],
    runbooks: [],
    actions: [],
    final: false,
    coverage: context.coverage,
  };
}

/** The incident with these alerts in the place of its own. */
export function build(base: Incident, given: readonly Alert[], context: BuildContext): Incident {
  const alerts = listed(given, context.policy);
  const rules = [...new Set(alerts.map((alert) => alert.ruleId))].map(context.rule).filter((rule) => rule !== undefined);
  const sure = alerts.filter((alert) => isConfident(alert, context.policy));
  const deciding = sure.length > 0 ? sure : alerts;
  const isLead = (alert: Alert): number => Number(alert.id === base.lead);
  const worst = deciding.toSorted((a, b) => rank(b.level) - rank(a.level) || isLead(b) - isLead(a) || byTime(a, b))[0]!;
  const uids = new Set(alerts.flatMap((alert) => [...alert.evidence, ...(alert.behind ?? [])]));
  const evidence = [...uids].map((uid) => context.evidence.get(uid)).filter((event) => event !== undefined);
  evidence.sort(byTimeAndUid);
  const profile = base.agentUid === undefined ? undefined : context.agent(base.agentUid);
  const who = profile?.name ?? base.agentName ?? base.entity;
  const total = Math.max(base.alertsAtLeast ?? 0, given.length);
  return {
    ...base,
    ...(profile === undefined ? {} : { agentName: profile.name, agentOwner: profile.owner, profile: profileOf(profile) }),
    title: titleOf(worst, who),
    story: tellStory(who, alerts, total),
    ...(total > alerts.length ? { alertsAtLeast: total } : {}),
    level: worst.level,
    risk: riskOf(alerts, context.rule),
    confidence: Math.max(...deciding.filter((alert) => alert.level === worst.level).map(confidenceOf)),
    firstTime: Math.min(base.firstTime, ...given.map((alert) => alert.firstTime)),
    lastTime: Math.max(base.lastTime, ...given.map((alert) => alert.lastTime)),
    alerts,
    tags: distinct(rules.flatMap((rule) => rule.tags)),
    maps: distinctMaps(rules.flatMap((rule) => rule.maps)),
    timeline: mergeTimeline(base.timeline, evidence.map(timelineEntry), alerts),
    ...seenIn(evidence, base, namesOf(profile)),
    runbooks: distinct([...rules.map((rule) => rule.runbook), profile?.runbook].filter((one) => one !== undefined)),
    actions: distinct(rules.flatMap((rule) => rule.response?.actions ?? [])),
    response: responseOf(deciding, context.rule),
    recommended: recommend(alerts, context.rule),
    final: alerts.every((alert) => alert.final),
    coverage: context.coverage,
  };
}

/** The names under which an agent works itself, as the registry knows them. */
export function namesOf(profile: AgentProfile | undefined): ReadonlySet<string> {
  return new Set(profile === undefined ? [] : [profile.id, profile.name, ...profile.keys.map((key) => key.value)]);
}

function seenIn(
  evidence: readonly Event[],
  base: Incident,
  own: ReadonlySet<string>,
): Pick<Incident, "hosts" | "ips" | "users" | "credentials"> {
  const merge = (before: readonly string[], read: (event: Event) => readonly (string | undefined)[]): string[] =>
    distinct([...before, ...evidence.flatMap(read).filter((value) => value !== undefined && value !== "")] as string[]);
  return {
    hosts: merge(base.hosts, (event) => [event.dstHost]),
    ips: merge(base.ips, (event) => [event.srcIp, event.dstIp]),
    users: merge(base.users, (event) => othersOf(event, [event.userName ?? event.userUid, event.targetUserName], own)),
    credentials: merge(base.credentials, (event) => credentialsIn(event).map(({ uid }) => uid)),
  };
}

/** Only what the registry says; a list that it leaves open stays away. */
function profileOf(profile: AgentProfile): IncidentProfile {
  const { team, purpose, role, parent, runbook, dataClasses, scopes } = profile;
  const said = Object.entries({ team, purpose, role, parent, runbook, dataClasses, scopes }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as IncidentProfile;
}

/**
 * The alerts that an incident keeps, in the order in which they happened: the gravest, and of those that are alike the first
 * and the last. With every later alert that comes to the same as if all had been kept.
 */
function listed(alerts: readonly Alert[], policy: OpeningPolicy): Alert[] {
  const grave = (alert: Alert): number => (isConfident(alert, policy) ? LEVELS.length : 0) + rank(alert.level);
  const alike = Map.groupBy(alerts.toSorted(byTime), grave);
  const kept: Alert[] = [];
  for (const one of [...alike.keys()].sort((a, b) => b - a)) {
    const own = alike.get(one)!;
    const left = ALERTS_MAX - kept.length;
    const last = Math.floor(left / 2);
    if (own.length <= left) kept.push(...own);
    else kept.push(...own.slice(0, left - last), ...own.slice(own.length - last));
    if (kept.length >= ALERTS_MAX) break;
  }
  return kept.sort(byTime);
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort().slice(0, LIST_MAX);
}

function distinctMaps(maps: readonly Mapping[]): Mapping[] {
  const byKey = new Map(maps.map((one) => [`${one.framework} ${one.version} ${one.id}`, one]));
  return [...byKey.keys()].sort().map((key) => byKey.get(key)!);
}
