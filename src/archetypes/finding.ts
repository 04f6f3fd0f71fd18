/**
 * What SIEMs are told about an alert or an incident, before any vendor's names: safe texts, capped lists, and
 * the object `custodes` for what no vendor's schema has a place for. Pure.
 */
import { LEVELS, type Alert, type Level, type RuleInfo } from "../core/alert.ts";
import { attackOf, type Attack } from "../core/attack.ts";
import { poison } from "../core/errors.ts";
import type { EpochMs, Event } from "../core/event.ts";
import { safeList, safeText } from "../core/safe-text.ts";
import type { Delivery, FindingDelivery, Rendered, Subject } from "../ports/connector.ts";
import { utf8Bytes } from "./http-exchange.ts";
import { checkTime, ownObject, type Caps } from "./own-object.ts";

/**
 * The order in which a subject is shortened until it fits: timeline first (the store has it), then evidence and
 * the lower alerts, then every list, then the texts. What is left at the end always fits, whatever the texts say,
 * so that nobody can make a delivery impossible by writing more.
 */
const SHORTENING: readonly Caps[] = [
  // 1,024 units: the `ignore_above` of ECS keywords; 25: the evidence that an alert keeps.
  { timeline: 200, evidence: 25, alerts: 100, list: 50, text: 1024 },
  { timeline: 50, evidence: 25, alerts: 50, list: 50, text: 1024 },
  { timeline: 20, evidence: 10, alerts: 20, list: 20, text: 512 },
  { timeline: 5, evidence: 5, alerts: 10, list: 10, text: 256 },
  { timeline: 0, evidence: 0, alerts: 3, list: 5, text: 128 },
  { timeline: 0, evidence: 0, alerts: 0, list: 1, text: 48 },
];

/** A vendor-neutral view of one subject; every text is safe to show. */
export interface Finding {
  readonly kind: FindingDelivery["subject"]["kind"];
  readonly id: string;
  readonly revision: number;
  readonly key: string;
  readonly title: string;
  readonly description: string;
  readonly level: Level;
  /** 0 to 100: the rule's or incident's own, else by level. */
  readonly risk: number;
  readonly createdTime: EpochMs;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
  /** Set when exactly one rule is behind it. */
  readonly rule:
    | { readonly id: string; readonly name: string; readonly description: string; readonly reference: string | undefined }
    | undefined;
  readonly runbook: string | undefined;
  readonly agents: readonly string[];
  /** Set when exactly one agent is behind it. */
  readonly agent: { readonly id: string; readonly name: string | undefined } | undefined;
  readonly tags: readonly string[];
  readonly attack: Attack;
  readonly ips: readonly string[];
  readonly hosts: readonly string[];
  readonly users: readonly string[];
  /** Longest text at this size, for what a renderer takes from `events`. */
  readonly textMax: number;
  /** The events at hand, by time. Their texts are as they came: pass them through `safeText`. */
  readonly events: readonly Event[];
  /** For the vendor's document under the key `custodes`. */
  readonly own: Readonly<Record<string, unknown>>;
}

/** Risk of a level where a rule names none: the four values that Elastic's rules use, and next to nothing below. */
const RISK: Readonly<Record<Level, number>> = { informational: 1, low: 21, medium: 47, high: 73, critical: 99 };

/** The finding of a delivery, cut to `caps`. @throws {Failure} poison RENDER_CONTRACT for times that are no times */
function findingOf(delivery: FindingDelivery, caps: Caps): Finding {
  const { subject } = delivery;
  const of = subject.kind === "alert" ? subject.alert : subject.incident;
  const safe = (text: string): string => safeText(text, caps.text);
  const list = (texts: Iterable<string | undefined>): string[] => safeList(texts, caps.list, caps.text);
  const rules = subject.kind === "alert" ? [subject.rule] : subject.rules;
  const maps = subject.kind === "alert" ? subject.rule.maps : subject.incident.maps;
  const tags = subject.kind === "alert" ? subject.rule.tags : subject.incident.tags;
  const agents = list(subject.kind === "alert" ? subject.alert.agents : incidentAgents(subject));
  const events = [...subject.evidence].sort((a, b) => a.time - b.time);
  const name =
    subject.kind === "incident"
      ? subject.incident.agentName
      : events.find((event) => event.agentUid === subject.alert.agents[0])?.agentName;
  if (!LEVELS.includes(of.level)) throw poison("RENDER_CONTRACT", "the level is none of ours");
  for (const time of [of.firstTime, of.lastTime, delivery.createdTime]) checkTime(time);
  return {
    kind: subject.kind,
    id: safe(of.id),
    revision: of.revision,
    key: safe(delivery.key),
    title: safe(subject.kind === "alert" ? subject.alert.ruleTitle : subject.incident.title),
    description: safe(subject.kind === "alert" ? subject.rule.description : subject.incident.story),
    level: of.level,
    risk: clamp((subject.kind === "alert" ? subject.rule.risk : subject.incident.risk) ?? RISK[of.level]),
    createdTime: delivery.createdTime,
    firstTime: of.firstTime,
    lastTime: of.lastTime,
    rule: rules.length === 1 ? ruleOf(rules[0]!, safe) : undefined,
    runbook: list(subject.kind === "alert" ? [subject.rule.runbook] : subject.incident.runbooks)[0],
    agents,
    agent: agents.length === 1 ? { id: agents[0]!, name: name === undefined || name === "" ? undefined : safe(name) } : undefined,
    tags: list(tags),
    attack: capped(attackOf(tags, maps), caps.list),
    ips: list(subject.kind === "incident" ? subject.incident.ips : events.flatMap((event) => [event.srcIp, event.dstIp])),
    hosts: list(
      subject.kind === "incident" ? subject.incident.hosts : events.flatMap((event) => [event.srcHost, event.dstHost, event.host]),
    ),
    users: list(subject.kind === "incident" ? subject.incident.users : events.flatMap((event) => [event.userName ?? event.userUid])),
    textMax: caps.text,
    events,
    own: ownObject(delivery, events, caps),
  };
}

/** A delivery as one of an alert or incident. @throws {Failure} poison RENDER_CONTRACT for an event: only destinations that accept events get them */
export function findingDelivery(delivery: Delivery): FindingDelivery {
  const { subject } = delivery;
  if (subject.kind === "event") throw poison("RENDER_CONTRACT", "this destination takes no events");
  return { ...delivery, subject };
}

/**
 * The first form of a delivery that fits: as it is, else shortened step by step.
 * @throws {Failure} poison RENDER_CONTRACT when even the shortest is too large
 */
export function renderWithin(
  delivery: FindingDelivery,
  bytesMax: number,
  body: (finding: Finding) => string,
): Pick<Rendered, "body" | "bytes"> {
  for (const [step, caps] of SHORTENING.entries()) {
    const finding = findingOf(delivery, caps);
    const text = body(step === 0 ? finding : { ...finding, own: { ...finding.own, shortened: step } });
    const bytes = utf8Bytes(text);
    if (bytes <= bytesMax) return { body: text, bytes };
  }
  throw poison("RENDER_CONTRACT", `the ${delivery.subject.kind} does not fit into ${bytesMax} bytes even when shortened`);
}

/** The value that all events with one agree on; undefined when there is none or they differ. */
export function agreed(events: readonly Event[], read: (event: Event) => string | undefined): string | undefined {
  const values = new Set(events.map(read).filter((value) => value !== undefined && value !== ""));
  return values.size === 1 ? [...values][0] : undefined;
}

function clamp(risk: number): number {
  return Number.isFinite(risk) ? Math.min(100, Math.max(0, Math.round(risk))) : 0;
}

function ruleOf(rule: RuleInfo, safe: (text: string) => string): NonNullable<Finding["rule"]> {
  const [reference] = rule.references;
  return {
    id: safe(rule.id),
    name: safe(rule.title),
    description: safe(rule.description),
    reference: reference === undefined ? undefined : safe(reference),
  };
}

function incidentAgents({ incident }: Extract<Subject, { kind: "incident" }>): string[] {
  const agents = incident.agentUid === undefined ? [] : [incident.agentUid];
  return agents.length > 0 ? agents : [...new Set(incident.alerts.flatMap((alert: Alert) => alert.agents))];
}

function capped(attack: Attack, max: number): Attack {
  return {
    tactics: attack.tactics.slice(0, max),
    techniques: attack.techniques.slice(0, max),
    subTechniques: attack.subTechniques.slice(0, max),
    atlas: attack.atlas.slice(0, max),
  };
}
