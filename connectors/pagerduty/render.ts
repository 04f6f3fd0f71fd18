/**
 * One incident revision as one event of PagerDuty's Events API v2. Pure. The routing key is not part of what is
 * rendered: it is a secret, and what is rendered may be printed and kept with a dead letter.
 */
import { LEVELS, type Level, type RuleInfo } from "../../src/core/alert.ts";
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { poison } from "../../src/core/errors.ts";
import type { EpochMs, Event } from "../../src/core/event.ts";
import { INCIDENT_STATUS, isClosed, type Incident } from "../../src/core/incident.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery, Rendered } from "../../src/ports/connector.ts";
import { details, shortened, STEPS_MAX, type Details } from "./details.ts";
import { iso } from "./values.ts";

/** `"routing_key":"<32 characters>",` which sending puts in front. */
export const ROUTING_KEY_BYTES = 49;
/**
 * Largest event: 512 KB are documented ("Events API v2 Overview") without saying of which kind; Alertmanager
 * counts 512,000 bytes, and this leaves some to whatever PagerDuty adds.
 */
export const ITEM_BYTES_MAX = 500_000 - ROUTING_KEY_BYTES;
/** Longer summaries are refused with 400, not cut ("Send an Alert Event"). */
export const SUMMARY_MAX = 1024;
/** Longer keys are refused ("Send an Alert Event"). */
const DEDUP_KEY_MAX = 255;
/** Longest other text, UTF-16 units; no limit is documented. */
export const TEXT_MAX = 255;
/** Runbooks that become links; all of them stand in custom_details. */
const RUNBOOK_LINKS_MAX = 5;
/** Longer addresses do not survive every browser and proxy. */
const HREF_MAX = 2_000;

/** What the operator configured that decides about pages. */
export interface PageOptions {
  readonly minLevel: Level;
  /** Milliseconds. */
  readonly maxAge: number;
  /** 0 to 100. */
  readonly minConfidence: number;
  readonly client: string;
  readonly incidentUrl?: string | undefined;
  readonly imageUrl?: string | undefined;
}

/** The event of a delivery, or why it pages nobody. @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: FindingDelivery, options: PageOptions): Rendered {
  const { key, subject } = delivery;
  const skip = (reason: string): Rendered => ({ key, body: "", bytes: 0, skip: reason });
  if (subject.kind === "alert") return skip("alerts page nobody; their incident does");
  const { incident } = subject;
  if (LEVELS.indexOf(incident.level) < LEVELS.indexOf(options.minLevel))
    return skip(`level ${incident.level} is below minLevel ${options.minLevel}`);
  // What is closed must also close there: it may have paged while it was surer.
  if (!isClosed(incident) && (incident.confidence ?? 100) < options.minConfidence)
    return skip(`confidence ${incident.confidence} is below minConfidence ${options.minConfidence}`);
  if (incident.id === "" || incident.id.length > DEDUP_KEY_MAX) throw poison("RENDER_CONTRACT", "the incident's id cannot be a dedup_key");
  const action = actionOf(incident.status);
  const meta = metaOf(action, incident.id, delivery.memory);
  if (action !== "trigger") {
    const body = JSON.stringify({ event_action: action, dedup_key: incident.id });
    return { key, body, bytes: utf8Bytes(body), meta };
  }
  if (isTooOld(delivery, incident.lastTime, options)) return skip(TOO_OLD);
  const body = fittingTrigger(incident, subject.rules, subject.evidence, options);
  return { key, body, bytes: utf8Bytes(body), meta, opens: true };
}

/** Why what is old opens no page. */
export const TOO_OLD = "older than maxAge: nobody is woken for what is long over";

/** Whether the newest event is older than maxAge when it would be sent: a row that lay for a week is as old as what it is about. */
export function isTooOld(
  { time, createdTime }: Pick<FindingDelivery, "time" | "createdTime">,
  lastTime: EpochMs,
  { maxAge }: PageOptions,
): boolean {
  return (time ?? createdTime) - lastTime > maxAge;
}

/** What sending needs; `opened` names the routing key that the alert was opened with. */
export function metaOf(action: string, dedupKey: string, opened: string | undefined): NonNullable<Rendered["meta"]> {
  return { action, dedupKey, ...(opened === undefined ? {} : { opened }) };
}

/** New incidents trigger, those that somebody works on are acknowledged, ended ones are resolved. */
function actionOf(status: number): "trigger" | "acknowledge" | "resolve" {
  if (isClosed({ status })) return "resolve";
  return status === INCIDENT_STATUS.inProgress || status === INCIDENT_STATUS.onHold ? "acknowledge" : "trigger";
}

function fittingTrigger(incident: Incident, rules: readonly RuleInfo[], evidence: readonly Event[], options: PageOptions): string {
  const all = details(incident, rules);
  for (let steps = 0; steps <= STEPS_MAX; steps++) {
    const body = JSON.stringify(trigger(incident, shortened(all, steps), evidence, options));
    if (utf8Bytes(body) <= ITEM_BYTES_MAX) return body;
  }
  throw poison("RENDER_CONTRACT", `the event stays above ${ITEM_BYTES_MAX} bytes without any list`);
}

/** PD-CEF severities; `critical` and `error` make a service with severity-based urgency call instead of mail. */
export const SEVERITIES: Readonly<Record<Level, string>> = {
  critical: "critical",
  high: "error",
  medium: "warning",
  low: "info",
  informational: "info",
};

function trigger(incident: Incident, customDetails: Details, evidence: readonly Event[], options: PageOptions): object {
  const alerts = incident.alerts.length;
  const count = alerts === 1 ? "1 alert" : `${alerts} alerts`;
  const worst = incident.alerts.find((alert) => alert.level === incident.level) ?? incident.alerts[0];
  // The count comes last and must survive a long title.
  const title = safeText(incident.title === "" ? incident.entity : incident.title, SUMMARY_MAX - 50);
  const url = addressOf(options.incidentUrl, incident);
  const image = addressOf(options.imageUrl, incident);
  const links = [...(url === undefined ? [] : [{ href: url, text: "Incident" }]), ...runbookLinks(incident)];
  return {
    event_action: "trigger",
    dedup_key: incident.id,
    client: safeText(options.client, TEXT_MAX),
    client_url: url,
    links: links.length === 0 ? undefined : links,
    images: image === undefined ? undefined : [{ src: image, href: url, alt: title }],
    payload: {
      summary: safeText(`[${incident.level}] ${title} (${count})`, SUMMARY_MAX),
      severity: SEVERITIES[incident.level],
      source: short(placeOf(evidence) ?? incident.agentName) ?? short(incident.entity) ?? "custodes",
      timestamp: iso(incident.lastTime),
      component: short(incident.agentName) ?? short(incident.agentUid),
      group: short(first(evidence, (event) => event.cloudAccount) ?? first(evidence, (event) => event.tenant)),
      class: short(worst?.ruleTitle),
      custom_details: customDetails,
    },
  };
}

/** Where the agent ran, as far as the evidence says. */
function placeOf(evidence: readonly Event[]): string | undefined {
  return first(evidence, (event) => event.host ?? event.podName ?? event.srcHost);
}

function first(evidence: readonly Event[], read: (event: Event) => string | undefined): string | undefined {
  for (const event of evidence) {
    const value = read(event);
    if (value !== undefined && value !== "") return value;
  }
  return undefined;
}

function short(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : safeText(text, TEXT_MAX);
}

function addressOf(pattern: string | undefined, incident: Incident): string | undefined {
  const id = encodeURIComponent(safeText(incident.id, DEDUP_KEY_MAX));
  return pattern === undefined ? undefined : webAddress(pattern.replaceAll("{id}", () => id));
}

function runbookLinks(incident: Incident): { readonly href: string; readonly text: string }[] {
  const hrefs = incident.runbooks.map(webAddress).filter((href) => href !== undefined);
  return [...new Set(hrefs)].slice(0, RUNBOOK_LINKS_MAX).map((href) => ({ href, text: "Runbook" }));
}

/** The text as a web address in its canonical form, where nothing invisible is left; undefined when it is none. */
function webAddress(text: string): string | undefined {
  if (text.length > HREF_MAX || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const harmless = (url.protocol === "https:" || url.protocol === "http:") && url.username === "" && url.password === "";
  return harmless && url.href.length <= HREF_MAX ? url.href : undefined;
}
