/** Everything of an incident that follows from the set of its alerts and their evidence. */
import type { Alert, RuleInfo } from "../alert.ts";
import type { Event } from "../event.ts";
import type { AgentProfile } from "../identity/profile.ts";
import { INCIDENT_STATUS, type Incident, type IncidentProfile, type Mapping, type TimelineEntry } from "../incident.ts";
import { describeEvent, tellStory } from "../story.ts";
import { agentOf } from "./entities.ts";
import { recommend, responseOf } from "./response.ts";
import { byTime, confidenceOf, isConfident, rank, riskOf, type OpeningPolicy } from "./risk.ts";

/** Alerts that one incident lists, the most severe first to stay; its times and story cover the rest too. */
const ALERTS_MAX = 50;
/** Lines of an incident's timeline. */
const TIMELINE_MAX = 50;
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
  const worst = deciding.toSorted((a, b) => rank(b.level) - rank(a.level) || byTime(a, b))[0]!;
  const uids = new Set(alerts.flatMap((alert) => [...alert.evidence, ...(alert.behind ?? [])]));
  const evidence = [...uids].map((uid) => context.evidence.get(uid)).filter((event) => event !== undefined);
  evidence.sort(byTimeAndUid);
  const profile = base.agentUid === undefined ? undefined : context.agent(base.agentUid);
  const who = profile?.name ?? base.agentName ?? base.entity;
  return {
    ...base,
    ...(profile === undefined ? {} : { agentName: profile.name, agentOwner: profile.owner, profile: profileOf(profile) }),
    title: `${worst.ruleTitle}: ${who}`,
    story: tellStory(who, alerts, given.length >= ALERTS_MAX),
    level: worst.level,
    risk: riskOf(alerts, context.rule),
    confidence: Math.max(...deciding.filter((alert) => alert.level === worst.level).map(confidenceOf)),
    firstTime: Math.min(base.firstTime, ...given.map((alert) => alert.firstTime)),
    lastTime: Math.max(base.lastTime, ...given.map((alert) => alert.lastTime)),
    alerts,
    tags: distinct(rules.flatMap((rule) => rule.tags)),
    maps: distinctMaps(rules.flatMap((rule) => rule.maps)),
    timeline: mergeTimeline(base.timeline, evidence.map(timelineEntry), uids),
    ...seenIn(evidence, base),
    runbooks: distinct([...rules.map((rule) => rule.runbook), profile?.runbook].filter((one) => one !== undefined)),
    actions: distinct(rules.flatMap((rule) => rule.response?.actions ?? [])),
    response: responseOf(deciding, context.rule),
    recommended: recommend(alerts, context.rule),
    final: alerts.every((alert) => alert.final),
    coverage: context.coverage,
  };
}

function seenIn(evidence: readonly Event[], base: Incident): Pick<Incident, "hosts" | "ips" | "users" | "credentials"> {
  const merge = (before: readonly string[], read: (event: Event) => readonly (string | undefined)[]): string[] =>
    distinct([...before, ...evidence.flatMap(read).filter((value) => value !== undefined && value !== "")] as string[]);
  return {
    hosts: merge(base.hosts, (event) => [event.dstHost]),
    ips: merge(base.ips, (event) => [event.srcIp, event.dstIp]),
    users: merge(base.users, (event) => [event.userName ?? event.userUid, event.targetUserName]),
    credentials: merge(base.credentials, (event) => [event.credentialUid]),
  };
}

/** Only what the registry says; a list that it leaves open stays away. */
function profileOf(profile: AgentProfile): IncidentProfile {
  const { team, purpose, role, parent, runbook, dataClasses, scopes } = profile;
  const said = Object.entries({ team, purpose, role, parent, runbook, dataClasses, scopes }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as IncidentProfile;
}

/** The alerts that an incident keeps, in the order in which they happened. */
function listed(alerts: readonly Alert[], policy: OpeningPolicy): Alert[] {
  const sure = (alert: Alert): number => (isConfident(alert, policy) ? 1 : 0);
  const order = (a: Alert, b: Alert): number => sure(b) - sure(a) || rank(b.level) - rank(a.level) || byTime(a, b);
  return alerts.toSorted(order).slice(0, ALERTS_MAX).sort(byTime);
}

/** Events in order of time. */
export function byTimeAndUid(
  a: { readonly time: number; readonly uid: string },
  b: { readonly time: number; readonly uid: string },
): number {
  return a.time - b.time || (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);
}

function timelineEntry(event: Event): TimelineEntry {
  return { time: event.time, uid: event.uid, source: event.source, text: describeEvent(event) };
}

function mergeTimeline(before: readonly TimelineEntry[], now: readonly TimelineEntry[], wanted: ReadonlySet<string>): TimelineEntry[] {
  const byUid = new Map<string, TimelineEntry>();
  for (const entry of before) if (wanted.has(entry.uid)) byUid.set(entry.uid, entry);
  // The first words stay: later its event may be read back without the name that was known then.
  for (const entry of now) if (!byUid.has(entry.uid)) byUid.set(entry.uid, entry);
  return [...byUid.values()].sort(byTimeAndUid).slice(0, TIMELINE_MAX);
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort().slice(0, LIST_MAX);
}

function distinctMaps(maps: readonly Mapping[]): Mapping[] {
  const byKey = new Map(maps.map((one) => [`${one.framework} ${one.version} ${one.id}`, one]));
  return [...byKey.keys()].sort().map((key) => byKey.get(key)!);
}
