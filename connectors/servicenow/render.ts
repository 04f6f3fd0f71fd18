/** One alert or incident revision as an event of Event Management, or as a record of a table. Pure. */
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { renderWithin, type Finding } from "../../src/archetypes/finding.ts";
import type { Level } from "../../src/core/alert.ts";
import { poison } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { isClosed } from "../../src/core/incident.ts";
import { incidentTexts } from "../../src/core/incident/texts.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery, Rendered } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";

/** Larger than anything below can become. */
export const ITEM_BYTES_MAX = 64_000;
/** Usual lengths of the fields; an instance may have others, and cuts what is longer. */
const DESCRIPTION_MAX = 3_900;
const INFO_MAX = 3_900;
const SHORT_MAX = 160;
/** Of `node`, `resource`, `type` and `metric_name`, and of a message key. */
const NAME_MAX = 100;
const VALUE_MAX = 500;
const LIST_MAX = 20;

/** em_event: 1 Critical, 2 Major, 3 Minor, 4 Warning, 5 Info, 0 Clear. */
const SEVERITIES: Readonly<Record<Level, string>> = { critical: "1", high: "2", medium: "3", low: "4", informational: "5" };
const CLEAR = "0";
/** Impact and urgency, 1 the highest; the instance makes its priority of both. */
const PRIORITIES: Readonly<Record<Level, readonly [impact: string, urgency: string]>> = {
  critical: ["1", "1"],
  high: ["1", "2"],
  medium: ["2", "2"],
  low: ["2", "3"],
  informational: ["3", "3"],
};

/** What of the configuration decides about bytes. */
export type RenderOptions = Pick<Config, "api" | "source" | "category" | "closeState" | "closeCode">;

/** The event or record of a delivery. @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: FindingDelivery, options: RenderOptions): Rendered {
  const { key, subject } = delivery;
  const { id } = subject.kind === "alert" ? subject.alert : subject.incident;
  // It stands in a query, where ^ begins another condition.
  if (!/^[A-Za-z0-9._:-]{1,80}$/.test(id)) throw poison("RENDER_CONTRACT", "the id cannot be part of a message key");
  const messageKey = `${options.source}:${subject.kind}:${id}`;
  const known = options.api === "incidents" ? recordOf(delivery.memory) : undefined;
  const { body } = renderWithin(delivery, ITEM_BYTES_MAX, (finding) =>
    JSON.stringify(
      options.api === "events"
        ? eventOf(finding, delivery, options, messageKey)
        : fieldsOf(finding, delivery, options, messageKey, known?.level),
    ),
  );
  const { level } = subject.kind === "alert" ? subject.alert : subject.incident;
  return { key, body, bytes: utf8Bytes(body), meta: { messageKey, level, ...(known === undefined ? {} : { sysId: known.sysId }) } };
}

/** The record that an earlier revision made, and its level then. */
function recordOf(memory: string | undefined): { readonly sysId: string; readonly level: string } | undefined {
  const match = /^([0-9a-f]{32}):([a-z]+)$/.exec(memory ?? "");
  return match === null ? undefined : { sysId: match[1]!, level: match[2]! };
}

function isOver({ subject }: FindingDelivery): boolean {
  return subject.kind === "incident" && isClosed(subject.incident);
}

function eventOf(finding: Finding, delivery: FindingDelivery, { source }: RenderOptions, messageKey: string): object {
  const over = isOver(delivery);
  const [host] = finding.hosts;
  return {
    source,
    event_class: source,
    node: short(finding.agent?.name ?? finding.agents[0] ?? host ?? source),
    resource: short(host ?? ""),
    type: short(finding.rule?.name ?? finding.title),
    metric_name: short(finding.attack.techniques[0] ?? finding.kind),
    message_key: messageKey,
    severity: over ? CLEAR : SEVERITIES[finding.level],
    time_of_event: gmt(finding.lastTime),
    resolution_state: over ? "Closing" : "New",
    description: description(finding, delivery),
    additional_info: additionalInfo(factsOf(finding, delivery)),
  };
}

function fieldsOf(
  finding: Finding,
  delivery: FindingDelivery,
  { source, category, closeState, closeCode }: RenderOptions,
  correlationId: string,
  levelBefore: string | undefined,
): object {
  const over = isOver(delivery);
  const [impact, urgency] = PRIORITIES[finding.level];
  const state = over && closeState !== undefined ? { state: closeState, close_code: closeCode, close_notes: closing(delivery) } : {};
  const note = `Custodes, ${finding.kind} ${finding.id}, revision ${finding.revision}, level ${finding.level}${over ? `: ${closing(delivery)}` : ""}`;
  const notes = { work_notes: safeText(note, VALUE_MAX) };
  // What people have changed since stays theirs: later revisions add a note, and raise or lower what they did before.
  if (levelBefore !== undefined)
    return {
      work_notes: safeText(`${note}. ${finding.description}`, DESCRIPTION_MAX),
      ...(levelBefore === finding.level ? {} : { impact, urgency }),
      ...state,
    };
  return {
    short_description: safeText(`[${finding.level}] ${finding.title === "" ? "untitled" : finding.title}`, SHORT_MAX),
    description: safeText(
      [description(finding, delivery), ...factsOf(finding, delivery).map(([name, value]) => `${name}: ${value}`)].join(" | "),
      DESCRIPTION_MAX,
    ),
    impact,
    urgency,
    category,
    correlation_id: correlationId,
    correlation_display: source,
    ...notes,
    ...state,
  };
}

function closing({ subject }: FindingDelivery): string {
  const closure = subject.kind === "incident" ? subject.incident.closure : undefined;
  return safeText(["closed", closure?.how, closure?.by, closure?.reason].filter((one) => one !== undefined).join(", "), VALUE_MAX);
}

function description(finding: Finding, { subject }: FindingDelivery): string {
  const why = subject.kind === "incident" ? incidentTexts(subject.incident).why : undefined;
  const text = [finding.title, finding.description, typeof why === "string" ? `Why: ${why}` : ""].filter((one) => one !== "").join(". ");
  return safeText(text, DESCRIPTION_MAX);
}

/** What is known beside the texts, the most useful first. */
function factsOf(finding: Finding, { subject, key }: FindingDelivery): readonly (readonly [string, string])[] {
  const incident = subject.kind === "incident" ? subject.incident : undefined;
  const alert = subject.kind === "alert" ? subject.alert : undefined;
  const facts: readonly (readonly [string, string | number | undefined])[] = [
    [`${finding.kind}_id`, finding.id],
    ["revision", finding.revision],
    ["level", finding.level],
    ["risk", finding.risk],
    ["agents", joined(finding.agents)],
    ["owner", incident?.agentOwner],
    ["group", alert === undefined ? undefined : joined(Object.entries(alert.group).map(([name, value]) => `${name}=${value}`))],
    ["events", alert?.count],
    ["alerts", incident?.alerts.length],
    ["first_seen", gmt(finding.firstTime)],
    ["last_seen", gmt(finding.lastTime)],
    ["techniques", joined([...finding.attack.techniques, ...finding.attack.subTechniques, ...finding.attack.atlas])],
    ["users", joined(finding.users)],
    ["hosts", joined(finding.hosts)],
    ["ips", joined(finding.ips)],
    ["credentials", incident === undefined ? undefined : joined(incident.credentials)],
    ["runbook", finding.runbook],
    ["actions", incident === undefined ? undefined : joined(incident.actions)],
    ["delivery", key],
  ];
  return facts.flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, safeText(String(value), VALUE_MAX)] as const],
  );
}

/** A JSON object as text: as many of the facts as have room. */
function additionalInfo(facts: readonly (readonly [string, string])[]): string {
  let text = "{}";
  let kept: Readonly<Record<string, string>> = {};
  for (const [name, value] of facts) {
    const more = { ...kept, [name]: value };
    const longer = JSON.stringify(more);
    if (longer.length > INFO_MAX) continue;
    [kept, text] = [more, longer];
  }
  return text;
}

function joined(texts: readonly string[]): string {
  return texts.slice(0, LIST_MAX).join(", ");
}

function short(text: string): string {
  return safeText(text, NAME_MAX);
}

/** `yyyy-MM-dd HH:mm:ss` in GMT, as em_event wants it. */
function gmt(time: EpochMs): string {
  return new Date(time).toISOString().slice(0, 19).replace("T", " ");
}
