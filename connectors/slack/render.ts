/**
 * One alert or incident revision as one message of blocks. Pure. What events chose appears as plain_text alone, where nothing
 * is a link, a mention or markup; the text for notifications has it escaped.
 */
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { renderWithin, type Finding } from "../../src/archetypes/finding.ts";
import { isClosed } from "../../src/core/incident.ts";
import { incidentTexts } from "../../src/core/incident/texts.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery, Rendered } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";

/** Block Kit reference: a header's text. */
const HEADER_MAX = 150;
/** A section's text may have 3,000 characters; all blocks together about 13,200, beyond which a message is refused. */
const SECTION_MAX = 2_500;
/** A section has 10 fields of 2,000 characters at most. */
const FIELDS_MAX = 10;
const FIELD_MAX = 250;
/** Entries of a list. */
const LIST_MAX = 8;
/** Recommended for `text`; from 40,000 on it is cut. */
const TEXT_MAX = 3_000;
/** A button's text, and how many of them stand below a message. */
const BUTTON_MAX = 75;
const BUTTONS_MAX = 5;
/** A button's address may have 3,000 characters; all of them count against the whole. */
const URL_MAX = 500;
/** Larger than any message that keeps to the limits above. */
export const ITEM_BYTES_MAX = 64_000;

/** Where a message that can be changed stands. */
export interface Posted {
  readonly channel: string;
  readonly ts: string;
}

/** The message of a delivery. @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: FindingDelivery, options: Pick<Config, "channel" | "updates" | "incidentUrl">): Rendered {
  const { key } = delivery;
  const posted = options.channel === undefined ? undefined : postedOf(delivery.memory);
  const isEdit = posted !== undefined && options.updates === "edit";
  const { body } = renderWithin(delivery, ITEM_BYTES_MAX, (finding) => {
    const message = { text: notification(finding, delivery), blocks: blocks(finding, delivery, options) };
    if (options.channel === undefined) return JSON.stringify({ ...message, unfurl_links: false, unfurl_media: false });
    const { id, revision, kind } = finding;
    return JSON.stringify({
      channel: posted?.channel ?? options.channel,
      ...(posted === undefined ? {} : isEdit ? { ts: posted.ts } : { thread_ts: posted.ts }),
      ...message,
      // Neither does chat.update show previews, nor does it know the key.
      ...(isEdit ? {} : { unfurl_links: false, unfurl_media: false }),
      metadata: { event_type: `custodes_${kind}`, event_payload: { id, revision, key: finding.key } },
    });
  });
  const first = posted === undefined ? {} : { channel: posted.channel, ts: posted.ts };
  return { key, body, bytes: utf8Bytes(body), meta: { method: isEdit ? "chat.update" : "chat.postMessage", ...first } };
}

function postedOf(memory: string | undefined): Posted | undefined {
  const match = /^([CGD][A-Z0-9]{2,30}):(\d{1,20}\.\d{1,10})$/.exec(memory ?? "");
  return match === null ? undefined : { channel: match[1]!, ts: match[2]! };
}

/** mrkdwn ("Formatting text"): these three characters are all that can begin a link, a mention or an entity. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function notification(finding: Finding, delivery: FindingDelivery): string {
  // Escaping makes a character up to five.
  const text = [headline(finding, delivery), finding.description].filter((one) => one !== "").join(". ");
  return escaped(safeText(text, TEXT_MAX / 5));
}

function headline({ level, title }: Finding, { subject }: FindingDelivery): string {
  const state = subject.kind === "incident" && isClosed(subject.incident) ? "closed, was " : "";
  return `[${state}${level}] ${title === "" ? "untitled" : title}`;
}

type Block = Readonly<Record<string, unknown>>;

function plain(text: string, max: number): { readonly type: "plain_text"; readonly text: string; readonly emoji: false } {
  return { type: "plain_text", text: safeText(text, max), emoji: false };
}

function blocks(finding: Finding, delivery: FindingDelivery, { incidentUrl }: Pick<Config, "incidentUrl">): readonly Block[] {
  const { subject } = delivery;
  const list: Block[] = [{ type: "header", text: plain(headline(finding, delivery), HEADER_MAX) }];
  if (finding.description !== "") list.push({ type: "section", text: plain(finding.description, SECTION_MAX) });
  list.push({ type: "section", fields: fieldsOf(finding, delivery).slice(0, FIELDS_MAX) });
  const why = subject.kind === "incident" ? incidentTexts(subject.incident).why : undefined;
  if (typeof why === "string" && why !== "") list.push({ type: "section", text: plain(`Why: ${why}`, SECTION_MAX) });
  const steps = subject.kind === "incident" ? (subject.incident.recommended ?? []).slice(0, LIST_MAX).map(({ action }) => action) : [];
  if (steps.length > 0) list.push({ type: "section", text: plain(`Recommended: ${steps.join("; ")}`, SECTION_MAX / 2) });
  const buttons = buttonsOf(finding, delivery, incidentUrl);
  if (buttons.length > 0) list.push({ type: "actions", elements: buttons });
  list.push({
    type: "context",
    elements: [plain(`Custodes, ${finding.kind} ${finding.id}, revision ${finding.revision}`, FIELD_MAX)],
  });
  return list;
}

function fieldsOf(finding: Finding, { subject }: FindingDelivery): readonly Block[] {
  const group = subject.kind === "alert" ? Object.entries(subject.alert.group).map(([name, value]) => `${name}=${value}`) : [];
  const users = subject.kind === "incident" ? subject.incident.users : finding.users;
  const entries: readonly (readonly [string, string | undefined])[] = [
    ["Agent", finding.agent?.name ?? finding.agents.join(", ")],
    ["Owner", subject.kind === "incident" ? subject.incident.agentOwner : undefined],
    ["Risk", String(finding.risk)],
    ["First seen", new Date(finding.firstTime).toISOString()],
    ["Last seen", new Date(finding.lastTime).toISOString()],
    ["Events", subject.kind === "alert" ? String(subject.alert.count) : undefined],
    ["Alerts", subject.kind === "incident" ? String(subject.incident.alerts.length) : undefined],
    ["Group", group.slice(0, LIST_MAX).join(", ")],
    ["Users", users.slice(0, LIST_MAX).join(", ")],
    ["Hosts", finding.hosts.slice(0, LIST_MAX).join(", ")],
    ["Technique", [...finding.attack.techniques, ...finding.attack.atlas].slice(0, LIST_MAX).join(", ")],
  ];
  return entries.filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => plain(`${name}: ${value}`, FIELD_MAX));
}

/** Links as buttons: their addresses are the configuration's and the rules', never an event's. */
function buttonsOf(finding: Finding, { subject }: FindingDelivery, incidentUrl: string | undefined): readonly Block[] {
  const id = encodeURIComponent(finding.id);
  const runbooks = subject.kind === "incident" ? subject.incident.runbooks : [subject.rule.runbook];
  const links = [
    ...(incidentUrl === undefined || subject.kind === "alert" ? [] : [["Incident", incidentUrl.replaceAll("{id}", () => id)]]),
    ...[...new Set(runbooks)].map((url) => ["Runbook", url]),
  ];
  const buttons = links.flatMap(([text = "", url]) => {
    const address = webAddress(url);
    return address === undefined ? [] : [{ type: "button", text: plain(text, BUTTON_MAX), url: address }];
  });
  // Slack wants one id each.
  return buttons.slice(0, BUTTONS_MAX).map((button, index) => ({ ...button, action_id: `link-${index}` }));
}

function webAddress(text: string | undefined): string | undefined {
  if (text === undefined || text.length > URL_MAX || !URL.canParse(text)) return undefined;
  const { protocol, username, password, href } = new URL(text);
  const harmless = (protocol === "https:" || protocol === "http:") && username === "" && password === "";
  return harmless && href.length <= URL_MAX ? href : undefined;
}
