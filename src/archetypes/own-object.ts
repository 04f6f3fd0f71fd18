/**
 * The object `custodes`: what alerts and incidents say that ECS and CIM have no field for. Its keys are fixed
 * (a mapping cannot grow with the content); names that rules and events choose appear as values only.
 */
import { LEVELS, type Alert } from "../core/alert.ts";
import { poison } from "../core/errors.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { Incident, TimelineEntry } from "../core/incident.ts";
import { incidentTexts } from "../core/incident/texts.ts";
import { safeList, safeText } from "../core/safe-text.ts";
import type { FindingDelivery, Subject } from "../ports/connector.ts";

/** How much of a subject is told. */
export interface Caps {
  readonly timeline: number;
  readonly evidence: number;
  readonly alerts: number;
  /** Items of every other list. */
  readonly list: number;
  /** UTF-16 units of one text. */
  readonly text: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Uids, sources and field names inside lists: ids of every vendor we know are shorter. */
const NAME_MAX = 256;

/** The object for one delivery; keys without a value are undefined and so left out of JSON. */
export function ownObject(delivery: FindingDelivery, events: readonly Event[], caps: Caps): Fields {
  const { subject } = delivery;
  const short = caps.text < NAME_MAX ? caps.text : NAME_MAX;
  const common = { kind: subject.kind, key: safeText(delivery.key, caps.text) };
  return subject.kind === "alert"
    ? { ...common, ...alertObject(subject, events, caps, short) }
    : { ...common, ...incidentObject(subject.incident, subject.rules, caps, short) };
}

function alertObject({ alert, rule }: Extract<Subject, { kind: "alert" }>, events: readonly Event[], caps: Caps, short: number): Fields {
  const known = new Map(events.map((event) => [event.uid, event]));
  return {
    revision: alert.revision,
    final: alert.final,
    level: alert.level,
    count: alert.count,
    bucket: isoTime(alert.bucket),
    agents: safeList(alert.agents, caps.list, short),
    // As a list: a rule chooses the names, and a name must not become a field.
    group: Object.entries(alert.group)
      .slice(0, caps.list)
      .map(([field, value]) => ({ field: safeText(field, short), value: safeText(value, caps.text) })),
    threat: optional(rule.threat, short),
    maps: mapTexts(rule.maps, caps, short),
    actions: safeList(rule.response?.actions ?? [], caps.list, short),
    credentials: safeList(
      events.map((event) => event.credentialUid),
      caps.list,
      short,
    ),
    runbooks: safeList([rule.runbook], caps.list, caps.text),
    coverage: alert.coverage?.state,
    coverage_missing: alert.coverage === undefined ? undefined : safeList(missingTexts(alert.coverage), caps.list, short),
    evidence: alert.evidence.slice(0, caps.evidence).map((uid) => evidenceEntry(uid, known.get(uid), short)),
    evidence_total: alert.evidence.length,
  };
}

function incidentObject(incident: Incident, rules: readonly { readonly threat: string | undefined }[], caps: Caps, short: number): Fields {
  const list = (texts: readonly (string | undefined)[], max = short): string[] => safeList(texts, caps.list, max);
  return {
    revision: incident.revision,
    final: incident.final,
    level: incident.level,
    status: incident.status,
    entity: safeText(incident.entity, short),
    owner: optional(incident.agentOwner, short),
    opened_time: isoTime(incident.openedTime),
    coverage: incident.coverage.state,
    coverage_missing: list(missingTexts(incident.coverage)),
    watermark: incident.coverage.watermark === undefined ? undefined : isoTime(incident.coverage.watermark),
    threats: list(rules.map((rule) => rule.threat)),
    maps: mapTexts(incident.maps, caps, short),
    actions: list(incident.actions),
    credentials: list(incident.credentials),
    runbooks: list(incident.runbooks, caps.text),
    ...textFields(incident, caps),
    alerts: gravest(incident.alerts, caps.alerts).map((alert) => alertEntry(alert, short)),
    alerts_total: incident.alerts.length,
    timeline: ends(incident.timeline, caps.timeline).map((entry) => timelineEntry(entry, short)),
    timeline_total: incident.timeline.length,
  };
}

/** Sources that were missing, and gaps as `<source>: <why> <from>/<to>`. */
export function missingTexts({ missing, gaps = [] }: Pick<Incident["coverage"], "missing" | "gaps">): string[] {
  const time = (value: number | null): string => (value === null ? "now" : isoTime(value));
  return [...missing, ...gaps.map(({ source, from, to, why }) => `${source}: ${why} ${time(from)}/${time(to)}`)];
}

/** Why it is one, and what it reached; proof counts as evidence does. */
function textFields(incident: Incident, caps: Caps): Fields {
  const entries = Object.entries(incidentTexts(incident)).map(([name, value]): [string, unknown] => {
    if (typeof value === "string") return [name, safeText(value, caps.text)];
    if (typeof value !== "object") return [name, value];
    return [name, safeList(value, name === "proof" ? caps.evidence : caps.list, caps.text)];
  });
  return Object.fromEntries(entries);
}

/** The gravest alerts, by time within a level. */
function gravest(alerts: readonly Alert[], max: number): readonly Alert[] {
  const rank = (alert: Alert): number => -LEVELS.indexOf(alert.level);
  return [...alerts].sort((a, b) => rank(a) - rank(b) || a.firstTime - b.firstTime || (a.id < b.id ? -1 : 1)).slice(0, max);
}

/** The first and the last lines: how it began and how it stands. */
function ends(timeline: readonly TimelineEntry[], max: number): readonly TimelineEntry[] {
  if (timeline.length <= max) return timeline;
  const head = Math.ceil(max / 2);
  return [...timeline.slice(0, head), ...timeline.slice(timeline.length - (max - head))];
}

function alertEntry(alert: Alert, short: number): Fields {
  return {
    id: safeText(alert.id, short),
    rule_id: safeText(alert.ruleId, short),
    rule_title: safeText(alert.ruleTitle, short),
    level: alert.level,
    count: alert.count,
    first_time: isoTime(alert.firstTime),
    last_time: isoTime(alert.lastTime),
  };
}

function timelineEntry(entry: TimelineEntry, short: number): Fields {
  return {
    time: isoTime(entry.time),
    uid: safeText(entry.uid, short),
    source: safeText(entry.source, short),
    text: safeText(entry.text, short),
  };
}

function evidenceEntry(uid: string, event: Event | undefined, short: number): Fields {
  if (event === undefined) return { uid: safeText(uid, short) };
  return {
    uid: safeText(uid, short),
    time: isoTime(event.time),
    source: safeText(event.source, short),
    action: optional(event.operation ?? event.infraAction ?? event.toolName ?? event.eventCode ?? event.dstHost, short),
  };
}

function mapTexts(
  maps: readonly { readonly framework: string; readonly version: string; readonly id: string }[],
  caps: Caps,
  short: number,
): string[] {
  return safeList(
    maps.slice(0, caps.list).map((map) => `${map.framework} ${map.version} ${map.id}`),
    caps.list,
    short,
  );
}

function optional(text: string | undefined, max: number): string | undefined {
  return text === undefined || text === "" ? undefined : safeText(text, max);
}

/** RFC 3339, UTC, milliseconds. @throws {Failure} poison RENDER_CONTRACT */
export function isoTime(time: EpochMs): string {
  checkTime(time);
  return new Date(time).toISOString();
}

/** 9999-12-31T23:59:59.999Z: later times have no four-digit year, which no destination reads. */
const TIME_MAX: EpochMs = 253_402_300_799_999;

/** @throws {Failure} poison RENDER_CONTRACT when a time cannot be written as one. */
export function checkTime(time: EpochMs): void {
  if (!Number.isSafeInteger(time) || time < 0 || time > TIME_MAX) throw poison("RENDER_CONTRACT", "a time is not a time");
}
