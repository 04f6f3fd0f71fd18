/**
 * An incident of the SecurityInsights API (2024-03-01) from the row of an incident revision, and what is changed of one that
 * is there already. A PUT replaces the whole resource, so that everything which belongs to the analysts is carried over.
 */
import { asObject, type Json } from "../../src/core/record.ts";
import { safeText } from "../../src/core/safe-text.ts";
import { TITLE_MAX } from "./values.ts";

/** "Service limits for Microsoft Sentinel". */
const DESCRIPTION_MAX = 5_000;
const COMMENT_MAX = 30_000;
/** An incident takes 100 comments; the last ones are left to people and to the revision that closes it. */
const COMMENTED_REVISIONS_MAX = 80;
const LABEL_MAX = 100;
const OWN = "custodes";
/** How our closing is told from an analyst's. */
const CLOSED_BY_US = "Custodes: ";

/** What we say about an incident. */
export interface OurIncident {
  /** Name of the resource: the incident's own id, so that a repeated PUT meets the same incident. */
  readonly id: string;
  readonly revision: number;
  readonly title: string;
  readonly description: string;
  readonly severity: string;
  readonly status: "New" | "Active" | "Closed";
  readonly closing: string;
  readonly firstTime: string;
  readonly lastTime: string;
  readonly labels: readonly string[];
  /** Undefined: this revision gets no comment. */
  readonly comment: { readonly id: string; readonly message: string } | undefined;
}

/** Reads a rendered row back; undefined for a body that is no incident's row with a GUID for its id. */
export function incidentOfRow(body: string): OurIncident | undefined {
  const row = asObject(JSON.parse(body));
  const fields = asObject(row?.["AdditionalFields"]) ?? {};
  const text = (name: string): string => (typeof row?.[name] === "string" ? row[name] : "");
  const [id, revision] = [text("EventUid"), Number(fields["Revision"])];
  if (!/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(id) || !Number.isSafeInteger(revision)) return undefined;
  const status = text("AlertStatus") === "Closed" ? "Closed" : text("AlertOriginalStatus") === "new" ? "New" : "Active";
  const isLast = status === "Closed" || fields["Final"] === true;
  const agent = fields["AgentName"] ?? fields["AgentId"];
  return {
    id,
    revision,
    title: text("AlertName"),
    description: safeText(text("EventMessage"), DESCRIPTION_MAX),
    severity: text("EventSeverity"),
    status,
    closing: closingOf(fields),
    firstTime: text("EventStartTime"),
    lastTime: text("EventEndTime"),
    labels: [
      OWN,
      `${OWN}:revision:${revision}`,
      `${OWN}:level:${text("EventOriginalSeverity")}`,
      ...(typeof agent === "string" ? [`${OWN}:agent:${agent}`] : []),
    ].map((label) => safeText(label, LABEL_MAX)),
    comment:
      revision <= COMMENTED_REVISIONS_MAX || isLast
        ? { id: `${id.slice(0, 24)}${revision.toString(16).padStart(12, "0")}`, message: commentOf(revision, text, fields) }
        : undefined,
  };
}

function closingOf(fields: Json): string {
  const said = [fields["ClosedHow"], fields["ClosedBy"], fields["ClosedReason"]].filter((part) => typeof part === "string");
  return safeText(`${CLOSED_BY_US}closed${said.length === 0 ? "" : ` (${said.join(", ")})`}`, TITLE_MAX);
}

/** Comments show Markdown and HTML: what an agent wrote must be neither. */
function plain(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return text.replace(/[&<>]/g, (char) => entities[char] ?? "").replace(/[\\`*_{}[\]()#+!|~]/g, String.raw`\$&`);
}

function commentOf(revision: number, text: (name: string) => string, fields: Json): string {
  const value = (name: string): string => {
    const given = fields[name];
    return typeof given === "string" || typeof given === "number"
      ? String(given)
      : Array.isArray(given)
        ? given.filter(isText).join("; ")
        : "";
  };
  const lines: readonly (readonly [string, string])[] = [
    ["", `Revision ${revision}, ${text("AlertOriginalStatus")}, ${text("EventOriginalSeverity")}: ${text("AlertName")}`],
    ["", text("EventMessage")],
    ["Why", value("Why")],
    ["Agent", value("AgentName") || value("AgentId")],
    ["Alerts", value("AlertCount")],
    ["Users", value("Users")],
    ["Hosts", value("Hosts")],
    ["Addresses", value("IpAddresses")],
    ["Sent out", value("SentOut")],
    ["Cannot be undone", value("CannotBeUndone")],
    ["Recommended", value("Recommended")],
    ["Missing sources", value("CoverageMissing")],
  ];
  const written = lines.filter(([, said]) => said !== "").map(([label, said]) => plain(label === "" ? said : `${label}: ${said}`));
  // The page is ours, given by the operator: it may stay a link.
  const page = text("EventReportUrl");
  return cut([...written, ...(page === "" ? [] : [page])].join("\n\n"), COMMENT_MAX);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

/** Revision that the incident there was last written for; 0 for one that is not ours. */
export function revisionOf(existing: Json): number {
  const numbers = labelsOf(existing).map((label) => /^custodes:revision:(\d{1,15})$/.exec(label)?.[1] ?? "0");
  return Math.max(0, ...numbers.map(Number));
}

function labelsOf(existing: Json): string[] {
  const labels = asObject(existing["properties"])?.["labels"];
  const names: unknown[] = Array.isArray(labels) ? labels.map((label) => asObject(label)?.["labelName"]) : [];
  return names.filter(isText);
}

/**
 * The resource to PUT. Title, description, severity, times and our labels are ours; owner, other labels and an analyst's
 * status or classification stay as they are. An incident that an analyst closed stays closed, one that we closed is reopened.
 */
export function incidentResource(ours: OurIncident, existing: Json | undefined, owner: string | undefined): Json {
  const there = asObject(existing?.["properties"]);
  const kept = existing === undefined ? [] : labelsOf(existing).filter((label) => label !== OWN && !label.startsWith(`${OWN}:`));
  return {
    ...(existing?.["etag"] === undefined ? {} : { etag: existing["etag"] }),
    properties: {
      title: ours.title,
      description: ours.description,
      severity: ours.severity,
      ...statusOf(ours, there),
      firstActivityTimeUtc: ours.firstTime,
      lastActivityTimeUtc: ours.lastTime,
      labels: [...kept, ...ours.labels].map((labelName) => ({ labelName })),
      ...(there === undefined ? (owner === undefined ? {} : { owner: { userPrincipalName: owner } }) : ownerOf(there)),
    },
  };
}

function ownerOf(there: Json): Json {
  return there["owner"] === undefined ? {} : { owner: there["owner"] };
}

function statusOf(ours: OurIncident, there: Json | undefined): Json {
  const theirs = there?.["status"];
  const comment = there?.["classificationComment"];
  const closedByUs = typeof comment === "string" && comment.startsWith(CLOSED_BY_US);
  if (theirs === "Closed" && !closedByUs) {
    const names = ["classification", "classificationReason", "classificationComment"];
    return {
      status: "Closed",
      ...Object.fromEntries(names.filter((name) => there?.[name] !== undefined).map((name) => [name, there?.[name]])),
    };
  }
  // Nobody has said whether it was right, so nothing else than Undetermined would be true.
  if (ours.status === "Closed") return { status: "Closed", classification: "Undetermined", classificationComment: ours.closing };
  return { status: theirs === "Active" || theirs === "Closed" ? "Active" : ours.status };
}
