/**
 * ArcSight Common Event Format 0 (OpenText, "CEF Implementation Standard"): keys, lengths and escapes. Only keys of the
 * predefined dictionary are used, so that every reader knows them.
 */
import { agreed, type Finding } from "../../src/archetypes/finding.ts";
import type { Level } from "../../src/core/alert.ts";
import { STATUS, type Event } from "../../src/core/event.ts";
import { safeText } from "../../src/core/safe-text.ts";

/** Version of this mapping, which is what readers match on: it changes when the mapping does. */
const MAPPING_VERSION = "1.0";
/** Longest header fields. */
const CLASS_MAX = 1_023;
const NAME_MAX = 512;

/** CEF severity 0 to 10 of a level: 0-3 low, 4-6 medium, 7-8 high, 9-10 very high. */
const SEVERITY: Readonly<Record<Level, number>> = { informational: 1, low: 3, medium: 6, high: 8, critical: 10 };
/** The same of OCSF `severity_id`, 0 (unknown) to 6 (fatal). */
const EVENT_SEVERITY = [1, 1, 3, 6, 8, 10, 10] as const;

/** Longest text of each key that is used; numbers, addresses and times have none. */
export const CEF_LENGTHS = {
  act: 63,
  app: 31,
  cat: 1_023,
  cs1: 4_000,
  cs2: 4_000,
  cs3: 4_000,
  cs4: 4_000,
  cs5: 4_000,
  cs6: 4_000,
  cs1Label: 1_023,
  cs2Label: 1_023,
  cs3Label: 1_023,
  cs4Label: 1_023,
  cs5Label: 1_023,
  cs6Label: 1_023,
  cn1Label: 1_023,
  cn2Label: 1_023,
  cn3Label: 1_023,
  c6a1Label: 1_023,
  c6a3Label: 1_023,
  dhost: 1_023,
  duser: 1_023,
  externalId: 40,
  msg: 1_023,
  outcome: 63,
  proto: 31,
  request: 1_023,
  requestMethod: 1_023,
  shost: 1_023,
  suid: 1_023,
  suser: 1_023,
} as const;
/** Keys whose values are numbers, addresses or times. */
export const CEF_PLAIN = [
  "c6a1",
  "c6a3",
  "cn1",
  "cn2",
  "cn3",
  "cnt",
  "dpt",
  "dst",
  "end",
  "in",
  "out",
  "rt",
  "spt",
  "src",
  "start",
] as const;
type TextKey = keyof typeof CEF_LENGTHS;
type PlainKey = (typeof CEF_PLAIN)[number];
type Values = Partial<Record<TextKey | PlainKey, string | number | undefined>>;

/** CEF integers are 32 bits wide. */
const INTEGER_MAX = 2_147_483_647;

/** What CEF tells of a finding beyond what all destinations do. */
export interface CefFacts {
  /** `incident.closed` and the like. */
  readonly change: string;
  readonly confidence: number | undefined;
  /** Events of an alert. */
  readonly count: number | undefined;
}

/** An alert or incident. */
export function findingCef(finding: Finding, { change, confidence, count }: CefFacts): string {
  const one = (read: (event: Event) => string | undefined): string | undefined => agreed(finding.events, read);
  const techniques = [...finding.attack.techniques, ...finding.attack.subTechniques, ...finding.attack.atlas];
  return cef(finding.rule?.id ?? finding.kind, finding.title, SEVERITY[finding.level], finding.textMax, {
    rt: finding.createdTime,
    start: finding.firstTime,
    end: finding.lastTime,
    cat: finding.kind,
    externalId: finding.id,
    msg: finding.description,
    cnt: count,
    act: change,
    // Only what its events agree on: of several nobody could say which.
    ...addressOf(
      "src",
      one((event) => event.srcIp),
    ),
    ...addressOf(
      "dst",
      one((event) => event.dstIp),
    ),
    shost: one((event) => event.srcHost),
    dhost: one((event) => event.dstHost),
    suser: finding.users.length === 1 ? finding.users[0] : undefined,
    ...custom("cs1", "agent", finding.agents.join(", ")),
    ...custom("cs2", "deliveryKey", finding.key),
    ...custom("cs3", "techniques", techniques.join(", ")),
    ...custom("cs4", "runbook", finding.runbook),
    ...custom("cs5", "addresses", finding.ips.join(", ")),
    ...custom("cs6", "hosts", finding.hosts.join(", ")),
    ...custom("cn1", "revision", finding.revision),
    ...custom("cn2", "risk", finding.risk),
    ...custom("cn3", "confidence", confidence),
  });
}

/** A supporting event. `textMax`: longest text of any kind. */
export function eventCef(event: Event, key: string, textMax: number): string {
  const name = event.operation ?? event.infraAction ?? event.eventCode ?? event.toolName ?? event.category;
  return cef(`${event.category}:${event.classUid}`, name === "" ? event.category : name, EVENT_SEVERITY[event.severityId] ?? 1, textMax, {
    rt: event.receivedTime,
    start: event.time,
    end: event.endTime,
    cat: event.category,
    externalId: event.uid.length <= CEF_LENGTHS.externalId ? event.uid : undefined,
    act: name,
    outcome: event.statusId === STATUS.success ? "success" : event.statusId === STATUS.failure ? "failure" : undefined,
    ...addressOf("src", event.srcIp),
    ...addressOf("dst", event.dstIp),
    spt: event.srcPort,
    dpt: event.dstPort,
    shost: event.srcHost,
    dhost: event.dstHost,
    suser: event.userName,
    suid: event.userUid,
    duser: event.targetUserName ?? event.targetUserUid,
    request: event.url ?? event.urlPath,
    requestMethod: event.method,
    app: event.appProtocol,
    proto: event.protocol,
    out: integer(event.bytesOut),
    in: integer(event.bytesIn),
    msg: event.statusDetail,
    ...custom("cs1", "agent", event.agentUid),
    ...custom("cs2", "deliveryKey", key),
    ...custom("cs3", "source", event.source),
    ...custom("cs4", "credential", event.credentialUid),
    ...custom("cs5", "resource", event.resourceUid ?? event.resourceName),
    ...custom("cs6", "tool", event.toolName),
    ...custom("cn1", "classUid", event.classUid),
  });
}

function cef(classId: string, name: string, severity: number, textMax: number, values: Values): string {
  const head = [MAPPING_VERSION, safeText(classId, Math.min(CLASS_MAX, textMax)), safeText(name, Math.min(NAME_MAX, textMax))];
  const pairs: string[] = [];
  for (const [key, value] of Object.entries(values)) {
    const text = typeof value === "number" ? (Number.isFinite(value) ? String(value) : "") : extensionText(key, value, textMax);
    if (text !== "") pairs.push(`${key}=${text}`);
  }
  return `CEF:0|Custodes|Custodes|${head.map(escapeHeader).join("|")}|${severity}|${pairs.join(" ")}`;
}

/** Header fields end at a pipe. No text here has line breaks: `safeText` has made blanks of them. */
function escapeHeader(text: string): string {
  return text.replaceAll(/[\\|]/g, (char) => `\\${char}`);
}

/** A value ends where a blank, a key and an equals sign follow: no equals sign may stand unescaped. Blanks at the ends would be lost. */
function extensionText(key: string, value: string | undefined, textMax: number): string {
  const max = Math.min(textMax, CEF_LENGTHS[key as TextKey] ?? textMax);
  return safeText(value ?? "", max)
    .trim()
    .replaceAll(/[\\=]/g, (char) => `\\${char}`);
}

/** A custom field with its label; nothing without a value. */
function custom(key: TextKey & PlainLabelled, label: string, value: string | undefined): Values;
function custom(key: PlainKey & PlainLabelled, label: string, value: number | undefined): Values;
function custom(key: PlainLabelled, label: string, value: string | number | undefined): Values {
  return value === undefined || value === "" ? {} : { [key]: value, [`${key}Label`]: label };
}
type PlainLabelled = "cs1" | "cs2" | "cs3" | "cs4" | "cs5" | "cs6" | "cn1" | "cn2" | "cn3";

/** `src` and `dst` take IPv4 alone. */
function addressOf(key: "src" | "dst", ip: string | undefined): Values {
  if (ip === undefined || ip === "") return {};
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(ip)) return { [key]: ip };
  if (!/^[0-9a-f:.]{2,45}$/i.test(ip) || !ip.includes(":")) return {};
  return key === "src" ? { c6a1: ip, c6a1Label: "source IPv6 address" } : { c6a3: ip, c6a3Label: "destination IPv6 address" };
}

function integer(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= INTEGER_MAX ? value : undefined;
}
