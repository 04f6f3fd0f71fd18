/** Groups of columns that several ASIM schemas share, from one event. Values are safe, short, and left out when nothing is known. */
import type { Event } from "../../src/core/event.ts";
import { safeList } from "../../src/core/safe-text.ts";
import { hostParts, userType } from "./entities.ts";
import type { TableName } from "./tables.ts";
import { iso, LIST_MAX, short, TITLE_MAX } from "./values.ts";

/** Columns by name; one without a value is left out of the row. */
export type EventRow = Readonly<Record<string, string | number | boolean | object | undefined>>;

/** ASIM knows no Critical: OCSF 0 to 6. */
const SEVERITIES = ["Informational", "Informational", "Low", "Medium", "High", "High", "High"];
const RESULTS = ["NA", "Success", "Failure"];
const ACTIONS: readonly (string | undefined)[] = [undefined, "Allow", "Deny"];

/** What happened and who says so: the columns of every schema but AgentEvent's. */
export function eventParts(event: Event, type: string): EventRow {
  return {
    ...whenAndWho(event),
    EventType: type,
    EventResult: RESULTS[event.statusId] ?? "NA",
    EventSeverity: SEVERITIES[event.severityId] ?? "Informational",
    EventOriginalResultDetails: short(
      [event.statusCode, event.statusDetail].filter((text) => text !== undefined && text !== "").join(": "),
    ),
    // A schema asks for the device; of a cloud service that is the product itself (common fields of ASIM).
    Dvc: short(event.host) ?? short(event.product) ?? "Unknown",
    ...hostParts("Dvc", event.host),
    DvcAction: event.actionId === undefined ? undefined : ACTIONS[event.actionId],
  };
}

/** Columns that AgentEvent shares with the others. */
export function whenAndWho(event: Event): EventRow {
  return {
    EventCount: 1,
    EventStartTime: iso(event.time),
    EventEndTime: iso(event.endTime ?? event.time),
    EventVendor: short(event.vendor) ?? "Unknown",
    EventProduct: short(event.product) ?? "Unknown",
    EventUid: short(event.uid),
    EventOriginalUid: short(event.originalUid),
    EventOriginalType: short(event.eventCode),
  };
}

/** Address, port and name of where it came from. */
export function sourceParts(event: Event): EventRow {
  return { SrcIpAddr: short(event.srcIp), SrcPortNumber: port(event.srcPort), ...hostParts("Src", event.srcHost) };
}

/** Address, port and name of where it went. */
export function destinationParts(event: Event): EventRow {
  return { DstIpAddr: short(event.dstIp), DstPortNumber: port(event.dstPort), ...hostParts("Dst", event.dstHost) };
}

/** A user under a prefix such as `Actor` or `Target`, with the types that belong to id and name. */
export function userParts(prefix: string, event: Event, id: string | undefined, name: string | undefined): EventRow {
  const [uid, known] = [short(id), short(name)];
  return {
    [`${prefix}UserId`]: uid,
    [`${prefix}UserIdType`]: uid === undefined ? undefined : idType(event),
    [`${prefix}Username`]: known,
    [`${prefix}UsernameType`]: known === undefined ? undefined : known.includes("@") ? "UPN" : "Simple",
  };
}

/** The user who acted, with kind and session. */
export function actorParts(event: Event): EventRow {
  return {
    ...userParts("Actor", event, event.userUid, event.userName),
    ActorUserType: userType(event.userTypeId),
    ActorSessionId: short(event.sessionUid),
  };
}

/** The agent as the application that acted. */
export function agentParts(prefix: "ActingApp" | "SrcApp", event: Event): EventRow {
  if (short(event.agentUid) === undefined) return {};
  return { [`${prefix}Id`]: short(event.agentUid), [`${prefix}Name`]: short(event.agentName), [`${prefix}Type`]: "Service" };
}

/** Whose ids they are, as ASIM names the few that it knows. */
function idType(event: Event): string {
  const connector = event.source.split("/")[0];
  if (connector === "okta") return "OktaId";
  if (connector === "entra") return "AADID";
  return connector?.startsWith("aws-") === true ? "AWSId" : "Other";
}

/** A TCP or UDP port. */
function port(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= 65_535 ? value : undefined;
}

/** `int` of a data collection rule has 32 bits. */
const INT_MAX = 2_147_483_647;

/** A count that fits `int`. */
export function int(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) && value >= 0 ? Math.min(Math.round(value), INT_MAX) : undefined;
}

/** A count that fits `long` and a JSON number. */
export function long(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 && Number.isSafeInteger(Math.round(value)) ? Math.round(value) : undefined;
}

/**
 * What no column of a class table holds: our key, the agent as it was attributed, and the identity keys. The uid stands here
 * because most tables store none.
 */
export function additionalParts(key: string, table: TableName, event: Event): EventRow {
  const list = (texts: readonly string[] | undefined): readonly string[] | undefined =>
    texts === undefined || texts.length === 0 ? undefined : safeList(texts, LIST_MAX, TITLE_MAX);
  return {
    DedupKey: short(key),
    Kind: "event",
    Uid: short(event.uid),
    Source: short(event.source),
    Category: event.category,
    AgentId: short(event.agentUid),
    AgentName: short(event.agentName),
    AgentState: short(event.agentState),
    Agents: list(event.agents),
    AttributionConfidence: event.attributionConfidence,
    Credential: short(event.credentialUid),
    Client: short(event.clientUid),
    Role: short(event.roleUid),
    ServiceAccount: short(event.serviceAccount),
    Pod: short(event.podName),
    Namespace: short(event.namespace),
    Run: short(event.runUid),
    OnBehalfOf: short(event.onBehalfOf),
    Purpose: short(event.purpose),
    Tools: list(event.toolNames),
    DataClasses: list(event.dataClasses),
    Scopes: list(event.scopes),
    Grant: short(event.grant),
    CloudAccount: short(event.cloudAccount),
    Region: short(event.region),
    DstAllowed: event.dstAllowed,
    TraceId: short(event.traceUid),
    ...(table === "agent"
      ? {
          Service: short(event.service),
          Method: short(event.method),
          Path: short(event.urlPath),
          ResponseCode: event.responseCode,
          BytesIn: long(event.bytesIn),
          BytesOut: long(event.bytesOut),
          DstHost: short(event.dstHost),
          CostUsd: event.costUsd,
        }
      : {}),
  };
}
