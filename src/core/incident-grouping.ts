/**
 * Which alerts belong together: those about one entity, until it has been quiet. The result is stored with each
 * step, so an incident keeps its id whatever arrives later; alerts are replaced by their newer revisions.
 */
import { LEVELS, type Alert, type Level, type RuleInfo } from "./alert.ts";
import type { EpochMs, Event } from "./event.ts";
import type { AgentProfile } from "./identity/profile.ts";
import { INCIDENT_STATUS, type Incident, type Mapping, type TimelineEntry } from "./incident.ts";
import { describeEvent, tellStory } from "./story.ts";

/** Alerts that one incident lists; the rest are counted in its story. */
const ALERTS_MAX = 50;
/** Lines of an incident's timeline. */
const TIMELINE_MAX = 50;
/** Values per list (hosts, addresses, users, credentials). */
const LIST_MAX = 50;
/** Risk of an alert whose rule names none, by level. */
const RISK: Readonly<Record<Level, number>> = { informational: 5, low: 20, medium: 45, high: 70, critical: 90 };

/** What grouping needs to know beside the alerts. */
export interface GroupingContext {
  readonly rule: (id: string) => RuleInfo | undefined;
  readonly agent: (id: string) => AgentProfile | undefined;
  /** Evidence events by uid, as far as they could be loaded. */
  readonly evidence: ReadonlyMap<string, Event>;
  readonly uuid5: (name: string) => string;
  readonly openAt: Level;
  readonly quietMs: number;
  readonly coverage: Incident["coverage"];
}

/**
 * Puts changed alerts into the open incidents and returns the incidents that changed, each with its revision raised
 * by one. `open` holds the newest revision of every incident that is not closed.
 */
export function groupAlerts(open: readonly Incident[], changed: readonly Alert[], context: GroupingContext): Incident[] {
  const results = new Map<string, Incident>();
  const current = (id: string) => results.get(id) ?? open.find((incident) => incident.id === id);
  const byEntity = new Map<string, string[]>();
  for (const incident of open) byEntity.set(incident.entity, [...(byEntity.get(incident.entity) ?? []), incident.id]);
  const before = new Map(open.map((incident) => [incident.id, incident.revision]));
  for (const alert of changed) {
    const rule = context.rule(alert.ruleId);
    for (const entity of entitiesOf(alert, rule)) {
      const candidates = (byEntity.get(entity) ?? []).map(current).filter((one) => one !== undefined);
      const home =
        candidates.find((one) => one.alerts.some((have) => have.id === alert.id)) ??
        candidates.find((one) => near(one, alert, context.quietMs));
      if (home === undefined) {
        if (LEVELS.indexOf(alert.level) < LEVELS.indexOf(context.openAt)) continue;
        const opened = build(openIncident(entity, alert, context), [alert], context);
        results.set(opened.id, { ...opened, revision: 1 });
        byEntity.set(entity, [...(byEntity.get(entity) ?? []), opened.id]);
        continue;
      }
      const alerts = [...home.alerts.filter((have) => have.id !== alert.id), alert];
      results.set(home.id, { ...build(home, alerts, context), revision: (before.get(home.id) ?? 0) + 1 });
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
  if (rule?.entity !== undefined) {
    const value = alert.group[rule.entity];
    if (value !== undefined) return [`${rule.entity}:${value}`];
  }
  const grouped = alert.group["ai_agent.uid"];
  if (grouped !== undefined) return [`agent:${grouped}`];
  if (alert.agents.length > 0) return alert.agents.map((agent) => `agent:${agent}`);
  const keys = Object.keys(alert.group).sort();
  return keys.length > 0 ? [keys.map((key) => `${key}:${alert.group[key]}`).join(",")] : [`rule:${alert.ruleId}`];
}

function near(incident: Incident, alert: Alert, quietMs: number): boolean {
  return alert.firstTime <= incident.lastTime + quietMs && alert.lastTime >= incident.firstTime - quietMs;
}

function openIncident(entity: string, alert: Alert, context: GroupingContext): Incident {
  const agentUid = entity.startsWith("agent:") ? entity.slice("agent:".length) : undefined;
  const profile = agentUid === undefined ? undefined : context.agent(agentUid);
  return {
    id: context.uuid5(`incident\n${entity}\n${alert.id}`),
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
  const alerts = [...given].sort((a, b) => a.firstTime - b.firstTime || (a.id < b.id ? -1 : 1)).slice(0, ALERTS_MAX);
  const rules = [...new Set(alerts.map((alert) => alert.ruleId))].map(context.rule).filter((rule) => rule !== undefined);
  const level = alerts.reduce<Level>((top, one) => (LEVELS.indexOf(one.level) > LEVELS.indexOf(top) ? one.level : top), "informational");
  const uids = new Set(alerts.flatMap((alert) => alert.evidence));
  const known = [...uids].map((uid) => context.evidence.get(uid)).filter((event) => event !== undefined);
  const evidence = known.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
  const entries = evidence.slice(0, TIMELINE_MAX).map(timelineEntry);
  const timeline = mergeTimeline(base.timeline, entries, uids);
  const worst = [...alerts].sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level) || a.firstTime - b.firstTime)[0];
  const who = base.agentName ?? base.entity;
  return {
    ...base,
    title: `${worst?.ruleTitle ?? "Alert"}: ${who}`,
    story: tellStory(who, alerts),
    level,
    risk: riskOf(alerts, context),
    firstTime: Math.min(...alerts.map((alert) => alert.firstTime)),
    lastTime: Math.max(...alerts.map((alert) => alert.lastTime)),
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
  for (const entry of now) byUid.set(entry.uid, entry);
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
