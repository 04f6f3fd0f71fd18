/** One event as a row of the ASIM schema that its category belongs to; columns that every row has are added by the caller. */
import { CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import { userType } from "./entities.ts";
import {
  actorParts,
  agentParts,
  destinationParts,
  eventParts,
  int,
  long,
  sourceParts,
  userParts,
  whenAndWho,
  type EventRow,
} from "./event-parts.ts";
import type { TableName } from "./tables.ts";
import { iso, LIST_MAX, short, TITLE_MAX } from "./values.ts";

/** The table that an event belongs into. */
export function tableOf(event: Event): TableName {
  switch (event.category) {
    case "agent_api":
      return "agent";
    case "agent_finding":
      return "alert";
    case "authentication":
      return "authentication";
    case "egress":
      return event.classUid === CLASS.httpActivity && webUrl(event) !== undefined ? "web" : "network";
    case "dns":
      return "dns";
    case "process":
      return "process";
    case "file":
      return "file";
    case "infra_change":
    case "credential":
      return event.classUid === CLASS.authentication ? "authentication" : "audit";
  }
}

/** The class's own columns. */
export const CLASS_ROWS: Readonly<Record<TableName, (event: Event) => EventRow>> = {
  alert,
  agent,
  authentication,
  network,
  web,
  dns,
  audit,
  process,
  file,
};

/** What another monitor found: ASIM's AgentEvent has no severity, so findings are alerts, told from ours by EventProduct and Kind. */
function alert(event: Event): EventRow {
  const title = short(event.findingThreat) ?? short(event.findingSignal) ?? short(event.eventCode) ?? "agent finding";
  const { EventSeverity } = eventParts(event, "Alert");
  return {
    ...whenAndWho(event),
    EventOriginalUid: undefined,
    EventType: "Alert",
    EventSubType: "Suspicious Activity",
    EventSeverity,
    EventOriginalSeverity: short(event.findingSeverity),
    EventOriginalType: "agent finding",
    EventMessage: short(event.statusDetail),
    AlertName: safeText(title, TITLE_MAX),
    AlertStatus: "Active",
    DetectionMethod: "Other",
    ThreatId: short(event.findingThreat),
  };
}

function agent(event: Event): EventRow {
  const failed = event.statusId === STATUS.failure;
  return {
    ...whenAndWho(event),
    EventType: event.toolName !== undefined ? "ToolCall" : event.model !== undefined ? "ModelCall" : "ApiCall",
    EventOriginalType: short(event.operation) ?? short(event.eventCode),
    EventOriginalRequestDetails: short(event.argsHash),
    EventOriginalResultDetails: short(event.statusCode),
    EventErrorDetails: failed ? short(event.statusDetail) : undefined,
    EventOriginalErrorType: failed ? (short(event.statusCode) ?? short(event.responseCode?.toString())) : undefined,
    EventFinishReasons: short(event.finishReason) === undefined ? undefined : [short(event.finishReason)],
    EventRequestId: short(event.requestUid),
    EventSessionId: short(event.conversationUid) ?? short(event.runUid) ?? short(event.sessionUid),
    SrcAgentId: short(event.agentUid) ?? short(event.agentNative),
    SrcAgentName: short(event.agentName),
    SrcIpAddr: sourceParts(event)["SrcIpAddr"],
    SrcPortNumber: sourceParts(event)["SrcPortNumber"],
    SrcFQDN: short(event.srcHost),
    ...(short(event.clientUid) === undefined ? {} : { ActingAppId: short(event.clientUid), ActingAppType: "Service" }),
    ...userParts("Actor", event, event.userUid, event.userName),
    ModelName: short(event.model),
    ModelProviderName: short(event.modelProvider),
    ToolName: short(event.toolName),
    InputTokensUsed: long(event.tokensIn),
    OutputTokensUsed: long(event.tokensOut),
  };
}

/** OCSF `auth_protocol_id` 1 to 10. */
const PROTOCOLS = ["NTLM", "Kerberos", "Digest", "OpenID", "SAML", "OAuth 2.0", "PAP", "CHAP", "EAP", "RADIUS"];

/** OCSF 3002: 2 log off, 7 account switch (assuming a role); tickets and tokens count as logging on. */
function authentication(event: Event): EventRow {
  const failed = event.statusId === STATUS.failure;
  const elevates = event.activityId === 7;
  const someone = short(event.targetUserUid) !== undefined || short(event.targetUserName) !== undefined;
  const target = someone ? [event.targetUserUid, event.targetUserName] : [event.userUid, event.userName];
  const app = short(event.service);
  return {
    ...eventParts(event, elevates ? "Elevate" : event.activityId === 2 ? "Logoff" : "Logon"),
    EventSubType: elevates ? "AssumeRole" : event.userTypeId === 4 ? "Service" : undefined,
    EventResultDetails: failed ? "Other" : undefined,
    ...sourceParts(event),
    SrcGeoCountry: short(event.srcCountry),
    ...(someone ? actorParts(event) : {}),
    ...agentParts("ActingApp", event),
    ...userParts("Target", event, target[0], target[1]),
    TargetUserType: someone ? undefined : userType(event.userTypeId),
    TargetSessionId: someone ? undefined : short(event.sessionUid),
    TargetAppName: app,
    TargetAppType: app === undefined ? undefined : "Service",
    LogonMethod: event.isMfa === true ? "Multi factor authentication" : undefined,
    LogonProtocol: event.authProtocolId === undefined ? undefined : PROTOCOLS[event.authProtocolId - 1],
    HttpUserAgent: short(event.userAgent),
  };
}

const DIRECTIONS: readonly (string | undefined)[] = [undefined, "Inbound", "Outbound", "Local"];

function session(event: Event, type: string): EventRow {
  const [sent, received] = [long(event.bytesOut), long(event.bytesIn)];
  return {
    ...eventParts(event, type),
    ...sourceParts(event),
    SrcGeoCountry: short(event.srcCountry),
    ...destinationParts(event),
    ...agentParts("SrcApp", event),
    ...userParts("Src", event, event.userUid, event.userName),
    SrcUserType: userType(event.userTypeId),
    NetworkProtocol: short(event.protocol)?.toUpperCase(),
    NetworkApplicationProtocol: short(event.appProtocol),
    NetworkDirection: event.directionId === undefined ? undefined : DIRECTIONS[event.directionId],
    NetworkDuration: int(event.durationMs),
    SrcBytes: sent,
    DstBytes: received,
    NetworkBytes: sent === undefined || received === undefined ? undefined : long(sent + received),
  };
}

function network(event: Event): EventRow {
  return session(event, "NetworkSession");
}

function web(event: Event): EventRow {
  return {
    ...session(event, "HTTPsession"),
    EventResultDetails: event.responseCode === undefined ? undefined : String(event.responseCode),
    Url: webUrl(event),
    HttpHost: short(event.dstHost),
    HttpRequestMethod: short(event.method)?.toUpperCase(),
    HttpUserAgent: short(event.userAgent),
  };
}

/** The whole address, which the schema demands; the scheme is that of the port. Undefined without a host. */
function webUrl(event: Event): string | undefined {
  const host = short(event.dstHost) ?? short(event.dstIp);
  if (host === undefined) return undefined;
  const scheme = event.dstPort === 80 || (event.dstPort === undefined && event.appProtocol === "http") ? "http" : "https";
  const name = host.includes(":") ? `[${host}]` : host;
  const where = event.dstPort === undefined || event.dstPort === 80 || event.dstPort === 443 ? "" : `:${event.dstPort}`;
  const path = event.url?.startsWith("/") === true ? event.url : "/";
  const url = `${scheme}://${name}${where}${path}`;
  return URL.canParse(url) ? short(url) : undefined;
}

/** IANA's names of DNS response codes 0 to 10. */
const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"];
/** Codes that IANA has assigned; OCSF's 99 is none. */
const RCODE_MAX = 23;

function dns(event: Event): EventRow {
  const code = event.dnsRcodeId;
  return {
    ...eventParts(event, "Query"),
    EventSubType: code === undefined ? "request" : "response",
    EventResultDetails: (code === undefined ? undefined : RCODES[code]) ?? "NA",
    ...sourceParts(event),
    DstIpAddr: short(event.dstIp),
    DstPortNumber: destinationParts(event)["DstPortNumber"],
    ...userParts("Src", event, event.userUid, event.userName),
    SrcUserType: userType(event.userTypeId),
    NetworkProtocol: short(event.protocol)?.toUpperCase(),
    DnsQuery: short(event.dnsQuery) ?? "",
    DnsQueryTypeName: short(event.dnsType),
    DnsResponseCode: code !== undefined && code <= RCODE_MAX ? code : undefined,
    DnsResponseName: short(safeList(event.dnsAnswers ?? [], LIST_MAX, TITLE_MAX).join(", ")),
    DnsNetworkDuration: int(event.durationMs),
  };
}

/** OCSF 6003 and 3004: 1 create, 2 read, 3 update, 4 delete. */
const AUDIT_TYPES = ["Other", "Create", "Read", "Set", "Delete"];

function audit(event: Event): EventRow {
  const operation = short(event.infraAction) ?? short(event.operation) ?? short(event.eventCode) ?? event.category;
  const object = short(event.resourceName) ?? short(event.resourceUid) ?? short(event.service) ?? operation;
  const app = short(event.service);
  const grant = short(event.grant);
  return {
    ...eventParts(event, AUDIT_TYPES[event.activityId] ?? "Other"),
    ...sourceParts(event),
    ...actorParts(event),
    ...agentParts("ActingApp", event),
    Operation: operation,
    Object: object,
    ObjectId: short(event.resourceUid),
    ObjectType: event.category === "credential" ? "Other" : "Cloud Resource",
    OriginalObjectType: short(event.resourceType),
    NewValue: grant,
    ValueType: grant === undefined ? undefined : "Other",
    TargetAppName: app,
    TargetAppType: app === undefined ? undefined : "Service",
    HttpUserAgent: short(event.userAgent),
  };
}

/** Process ids and arguments are in no event of ours: the schema demands the columns, so they are empty texts. */
function process(event: Event): EventRow {
  const user = userParts("Target", event, event.userUid, event.userName);
  return {
    ...eventParts(event, event.activityId === 2 ? "ProcessTerminated" : "ProcessCreated"),
    ...actorParts(event),
    ActorUsername: short(event.userName) ?? "",
    ActingProcessId: "",
    ...user,
    TargetUsername: user["TargetUsername"] ?? "",
    TargetProcessId: "",
    TargetProcessName: short(event.process) ?? "",
    TargetProcessCommandLine: "",
  };
}

/** OCSF 1001: 1 create, 3 update, 4 delete, 5 rename, 6 and 7 set attributes; everything else reads. */
const FILE_TYPES: Readonly<Record<number, string>> = {
  1: "FileCreated",
  3: "FileModified",
  4: "FileDeleted",
  5: "FileRenamed",
  6: "FileModified",
  7: "FileModified",
};

function file(event: Event): EventRow {
  const path = short(event.filePath) ?? short(event.resourceName) ?? "";
  const name = path.split(/[\\/]/).at(-1);
  const { SrcIpAddr } = sourceParts(event);
  return {
    ...eventParts(event, FILE_TYPES[event.activityId] ?? "FileAccessed"),
    ...actorParts(event),
    ActorUsername: short(event.userName) ?? "",
    SrcIpAddr,
    TargetFilePath: path,
    TargetFilePathType: /^[a-z]+:\/\//i.test(path)
      ? "URL"
      : /^[A-Za-z]:\\/.test(path)
        ? "Windows Local"
        : path.startsWith("\\\\")
          ? "Windows Share"
          : "Unix",
    TargetFileName: short(name),
  };
}

/** When a row of an event counts as generated: its own time, unless the service would replace it by that of arrival. */
export function generatedTime(event: Event, createdTime: number): string {
  const age = createdTime - event.time;
  return iso(age > PAST_MAX_MS || age < -FUTURE_MAX_MS ? createdTime : event.time);
}

/** Older than two days or a day ahead is replaced ("Azure Monitor service limits"); six hours are left for waiting in the outbox. */
const PAST_MAX_MS = 42 * 3_600_000;
const FUTURE_MAX_MS = 18 * 3_600_000;
