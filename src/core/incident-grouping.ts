/**
 * Which alerts belong together: those about one entity, until it has been quiet. The result is stored with each
 * step, so an incident keeps its id whatever arrives later; alerts are replaced by their newer revisions.
 */
import { LEVELS, type Alert, type Level, type RuleInfo } from "./alert.ts";
import type { EpochMs, Event } from "./event.ts";
import type { AgentProfile } from "./identity/profile.ts";
import { INCIDENT_STATUS, type Incident, type Mapping, type TimelineEntry } from "./incident.ts";
import { describeEvent, tellStory } from "./story.ts";

/** Alerts that one incident lists, the most severe first to stay; its level, times and story cover the rest too. */
const ALERTS_MAX = 50;
/** Lines of an incident's timeline. */
const TIMELINE_MAX = 50;
/** Values per list (hosts, addresses, users, credentials). */
const LIST_MAX = 50;
/** How rules name the agent. */
const AGENT = "ai_agent.uid";
/** Risk of an alert whose rule names none, by level. */
const RISK: Readonly<Record<Level, number>> = { informational: 5, low: 20, medium: 45, high: 70, critical: 90 };

/** What grouping needs to know beside the alerts. */
export interface GroupingContext {
  readonly rule: (id: string) => RuleInfo | undefined;
  readonly agent: (id: string) => AgentProfile | undefined;
  /** Evidence events and those behind inner alerts by uid, as far as they could be loaded. */
  readonly evidence: ReadonlyMap<string, Event>;
  readonly uuid5: (name: string) => string;
  readonly openAt: Level;
  readonly quietMs: number;
  readonly coverage: Incident["coverage"];
}

/** Ids of the incidents that these alerts would open; one of them may have been closed since, and is then amended. */
export function openedBy(alerts: readonly Alert[], context: Pick<GroupingContext, "rule" | "uuid5">): string[] {
  return alerts.flatMap((alert) => entitiesOf(alert, context.rule(alert.ruleId)).map((entity) => idOf(entity, alert, context)));
}

/**
 * Puts changed alerts into their incidents and returns the incidents that changed, each with its revision raised by
 * one. `known` holds the newest revision of every incident that is not closed, and of those of `openedBy` that are:
 * late evidence amends a closed incident under its id and leaves it closed.
 */
export function groupAlerts(known: readonly Incident[], changed: readonly Alert[], context: GroupingContext): Incident[] {
  const results = new Map<string, Incident>();
  const before = new Map(known.map((incident) => [incident.id, incident]));
  const byEntity = new Map<string, string[]>();
  const remember = (entity: string, id: string): void => {
    const ids = byEntity.get(entity);
    if (ids === undefined) byEntity.set(entity, [id]);
    else ids.push(id);
  };
  for (const incident of known) remember(incident.entity, incident.id);
  for (const alert of changed) {
    for (const entity of entitiesOf(alert, context.rule(alert.ruleId))) {
      const candidates = (byEntity.get(entity) ?? []).map((id) => results.get(id) ?? before.get(id)).filter((one) => one !== undefined);
      const id = idOf(entity, alert, context);
      const home =
        candidates.find((one) => one.alerts.some((have) => have.id === alert.id)) ??
        candidates.find((one) => isOpen(one) && near(one, alert, context.quietMs)) ??
        candidates.find((one) => one.id === id);
      if (home === undefined) {
        if (LEVELS.indexOf(alert.level) < LEVELS.indexOf(context.openAt)) continue;
        results.set(id, { ...build(openIncident(id, entity, alert, context), [alert], context), revision: 1 });
        remember(entity, id);
        continue;
      }
      const alerts = [...home.alerts.filter((have) => have.id !== alert.id), alert];
      results.set(home.id, { ...build(home, alerts, context), revision: (before.get(home.id)?.revision ?? 0) + 1 });
    }
  }
  return [...results.values()];
}

/** Incidents that have been quiet for long enough, closed with their revision raised. */
export function closeQuiet(open: readonly Incident[], watermark: EpochMs, quietMs: number): Incident[] {
  return open
    .filter((incident) => incident.final && watermark > incident.lastTime + quietMs)
    .map((incident) => ({ ...incident, status: INCIDENT_STATUS.closed, revision: incident.revision + 1 }));
}

/** The agents of the alert, else the value of the rule's entity, else its group, else the rule itself. */
function entitiesOf(alert: Alert, rule: RuleInfo | undefined): string[] {
  if (rule?.entity !== undefined && rule.entity !== AGENT) {
    const value = alert.group[rule.entity];
    if (value !== undefined) return [`${rule.entity}:${value}`];
  }
  const grouped = alert.group[AGENT];
  if (grouped !== undefined) return [`agent:${grouped}`];
  if (alert.agents.length > 0) return alert.agents.map((agent) => `agent:${agent}`);
  const keys = Object.keys(alert.group).sort();
  return keys.length > 0 ? [keys.map((key) => `${key}:${alert.group[key]}`).join(",")] : [`rule:${alert.ruleId}`];
}

function near(incident: Incident, alert: Alert, quietMs: number): boolean {
  return alert.firstTime <= incident.lastTime + quietMs && alert.lastTime >= incident.firstTime - quietMs;
}

function isOpen(incident: Incident): boolean {
  return incident.status < INCIDENT_STATUS.resolved;
}

function idOf(entity: string, alert: Alert, { uuid5 }: Pick<GroupingContext, "uuid5">): string {
  return uuid5(`incident\n${entity}\n${alert.id}`);
}

function openIncident(id: string, entity: string, alert: Alert, context: GroupingContext): Incident {
  const agentUid = entity.startsWith("agent:") ? entity.slice("agent:".length) : undefined;
  const profile = agentUid === undefined ? undefined : context.agent(agentUid);
  return {
    id,
    revision: 0,
    entity,
    agentUid,
    agentName: profile?.name,
    agentOwner: profile?.owner,
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

/** Everything that follows from the set of alerts. */
function build(base: Incident, given: readonly Alert[], context: GroupingContext): Incident {
  const alerts = listed(given);
  const rules = [...new Set(alerts.map((alert) => alert.ruleId))].map(context.rule).filter((rule) => rule !== undefined);
  const worst = [...alerts].sort((a, b) => rank(b.level) - rank(a.level) || a.firstTime - b.firstTime)[0];
  const uids = new Set(alerts.flatMap((alert) => [...alert.evidence, ...(alert.behind ?? [])]));
  const known = [...uids].map((uid) => context.evidence.get(uid)).filter((event) => event !== undefined);
  const evidence = known.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
  const entries = evidence.slice(0, TIMELINE_MAX).map(timelineEntry);
  const timeline = mergeTimeline(base.timeline, entries, uids);
  const who = base.agentName ?? base.entity;
  return {
    ...base,
    title: `${worst?.ruleTitle ?? "Alert"}: ${who}`,
    story: tellStory(who, alerts, given.length >= ALERTS_MAX),
    level: worst?.level ?? base.level,
    risk: riskOf(alerts, context),
    firstTime: Math.min(base.firstTime, ...given.map((alert) => alert.firstTime)),
    lastTime: Math.max(base.lastTime, ...given.map((alert) => alert.lastTime)),
    alerts,
    tags: distinct(rules.flatMap((rule) => rule.tags)),
    maps: distinctMaps(rules.flatMap((rule) => rule.maps)),
    timeline,
    hosts: merge(
      base.hosts,
      evidence.map((event) => event.dstHost),
    ),
    ips: merge(
      base.ips,
      evidence.flatMap((event) => [event.srcIp, event.dstIp]),
    ),
    users: merge(
      base.users,
      evidence.flatMap((event) => [event.userName ?? event.userUid, event.targetUserName]),
    ),
    credentials: merge(
      base.credentials,
      evidence.map((event) => event.credentialUid),
    ),
    runbooks: distinct(rules.map((rule) => rule.runbook).filter((one) => one !== undefined)),
    actions: distinct(rules.flatMap((rule) => rule.response?.actions ?? [])),
    final: alerts.every((alert) => alert.final),
    coverage: context.coverage,
  };
}

/** The alerts that an incident keeps, in the order in which they happened. */
function listed(alerts: readonly Alert[]): Alert[] {
  const kept = [...alerts].sort((a, b) => rank(b.level) - rank(a.level) || byTime(a, b)).slice(0, ALERTS_MAX);
  return kept.sort(byTime);
}

function byTime(a: Alert, b: Alert): number {
  return a.firstTime - b.firstTime || (a.id < b.id ? -1 : 1);
}

function rank(level: Level): number {
  return LEVELS.indexOf(level);
}

/** Each alert takes away its share of what is left to 100, so many small ones never pass one certain one at once. */
function riskOf(alerts: readonly Alert[], context: GroupingContext): number {
  let left = 1;
  for (const alert of alerts) left *= 1 - (context.rule(alert.ruleId)?.risk ?? RISK[alert.level]) / 100;
  return Math.round((1 - left) * 100);
}

function timelineEntry(event: Event): TimelineEntry {
  return { time: event.time, uid: event.uid, source: event.source, text: describeEvent(event) };
}

function mergeTimeline(before: readonly TimelineEntry[], now: readonly TimelineEntry[], wanted: ReadonlySet<string>): TimelineEntry[] {
  const byUid = new Map<string, TimelineEntry>();
  for (const entry of before) if (wanted.has(entry.uid)) byUid.set(entry.uid, entry);
  // The first words stay: later its event may be read back without the name that was known then.
  for (const entry of now) if (!byUid.has(entry.uid)) byUid.set(entry.uid, entry);
  return [...byUid.values()].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1)).slice(0, TIMELINE_MAX);
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort().slice(0, LIST_MAX);
}

function merge(before: readonly string[], now: readonly (string | undefined)[]): string[] {
  return distinct([...before, ...now.filter((value) => value !== undefined && value !== "")] as string[]);
}

function distinctMaps(maps: readonly Mapping[]): Mapping[] {
  const byKey = new Map(maps.map((one) => [`${one.framework} ${one.version} ${one.id}`, one]));
  return [...byKey.keys()].sort().map((key) => byKey.get(key)!);
}
