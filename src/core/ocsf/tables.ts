/**
 * Where each field of an event stands in each OCSF class. A field that a class has no place for, or whose value the
 * class would refuse, goes to `unmapped` under the name that rules use (`src/core/fields.ts`), so nothing is lost.
 */
import { CLASS, type Event } from "../event.ts";
import { BASE_EVENT, CLASS_FACTS, HTTP_METHODS, RCODES, type OcsfVersion } from "./classes.ts";
import { among, has, int, ip, isOcsfIp, port, type Guard } from "./place.ts";

/** One field at one path; the guard decides whether a value may stand there. */
export type Row = readonly [field: keyof Event, path: string, guard?: Guard];
/** Rows that some classes share. */
export interface Table {
  readonly classes: readonly number[];
  readonly rows: readonly Row[];
  /** A second place of fields that have one already. */
  readonly copy?: true;
  /** The one version that has these places; default both. */
  readonly only?: OcsfVersion;
}

/** An object that must have a name or id takes its other members only together with one. */
const when =
  (claim: (event: Event) => boolean, guard?: Guard): Guard =>
  (value, event) =>
    claim(event) ? (guard === undefined ? value : guard(value, event)) : undefined;

const hasUser = (event: Event): boolean => has(event.userUid) || has(event.userName);
const hasSrc = (event: Event): boolean => isOcsfIp(event.srcIp) || has(event.srcHost);
const hasDst = (event: Event): boolean => isOcsfIp(event.dstIp) || has(event.dstHost);
const hasUrl = (event: Event): boolean => has(event.url) || has(event.urlPath);
const hasModel = (event: Event): boolean => has(event.model);
const hasAgent = (event: Event): boolean => has(event.agentUid) || has(event.agentName);
const hasResource = (event: Event): boolean => has(event.resourceUid) || has(event.resourceName);
const hasProvider = (event: Event): boolean => has(event.cloudProvider);
const hasOperation = (event: Event): boolean => has(event.operation);
const hasCode = (event: Event): boolean => Number.isSafeInteger(event.responseCode);
const hasQuery = (event: Event): boolean => has(event.dnsQuery);

const { fileActivity, processActivity, accountChange, authentication, entityManagement, userAccess } = CLASS;
const { networkActivity, httpActivity, dnsActivity, apiActivity, detectionFinding, incidentFinding } = CLASS;
const ALL = [...CLASS_FACTS.keys()];
const NETWORK = [networkActivity, httpActivity, dnsActivity];
const IAM = [accountChange, authentication, entityManagement, userAccess];
const ACTIVITY = ALL.filter((uid) => uid !== detectionFinding && uid !== incidentFinding && uid !== BASE_EVENT);
const ROLES = among([0, 1, 2, 3, 4, 5, 6, 99]);
const USER_TYPES = among([0, 1, 2, 3, 4, 99]);

/** Every class but the AI profile and the evidences of findings. */
export const TABLES: readonly Table[] = [
  {
    classes: ALL,
    rows: [
      ["receivedTime", "metadata.logged_time", int],
      ["eventCode", "metadata.event_code"],
      ["originalUid", "metadata.original_event_uid"],
      ["tenant", "metadata.tenant_uid"],
      ["source", "metadata.log_provider"],
      ["statusCode", "status_code"],
      ["statusDetail", "status_detail"],
      ["endTime", "end_time", int],
      ["durationMs", "duration", int],
    ],
  },
  {
    classes: ALL.filter((uid) => uid !== BASE_EVENT),
    rows: [
      ["cloudProvider", "cloud.provider"],
      ["cloudAccount", "cloud.account.uid", when(hasProvider)],
      ["region", "cloud.region", when(hasProvider)],
      ["actionId", "action_id", among([0, 1, 2, 3, 4, 99])],
    ],
  },
  { classes: ACTIVITY, rows: [["host", "device.hostname"]] },
  {
    classes: ACTIVITY,
    rows: [
      ["userUid", "actor.user.uid"],
      ["userName", "actor.user.name"],
      ["userTypeId", "actor.user.type_id", when(hasUser, USER_TYPES)],
    ],
  },
  { classes: ACTIVITY, only: "1.8.0", rows: [["clientUid", "actor.app_uid"]] },
  { classes: ACTIVITY, only: "1.9.0", rows: [["clientUid", "actor.application.uid"]] },
  { classes: ACTIVITY.filter((uid) => uid !== authentication), rows: [["sessionUid", "actor.session.uid"]] },
  {
    classes: [apiActivity, ...IAM, ...NETWORK],
    rows: [
      ["srcIp", "src_endpoint.ip", ip],
      ["srcHost", "src_endpoint.hostname"],
      ["srcPort", "src_endpoint.port", when(hasSrc, port)],
      ["srcCountry", "src_endpoint.location.country", when(hasSrc)],
    ],
  },
  {
    classes: [apiActivity, authentication, ...NETWORK],
    rows: [
      ["dstIp", "dst_endpoint.ip", ip],
      ["dstHost", "dst_endpoint.hostname"],
      ["dstPort", "dst_endpoint.port", when(hasDst, port)],
    ],
  },
  { classes: [httpActivity], copy: true, rows: [["dstHost", "http_request.url.hostname", when(hasUrl)]] },
  {
    classes: [apiActivity, httpActivity, ...IAM],
    rows: [
      ["method", "http_request.http_method", among(HTTP_METHODS)],
      ["url", "http_request.url.url_string"],
      ["urlPath", "http_request.url.path"],
      ["userAgent", "http_request.user_agent"],
    ],
  },
  { classes: [httpActivity, ...IAM], rows: [["responseCode", "http_response.code", int]] },
  {
    classes: [apiActivity],
    rows: [
      ["operation", "api.operation"],
      ["service", "api.service.name"],
      ["requestUid", "api.request.uid"],
      ["argsHash", "api.request.data", when((event) => has(event.requestUid))],
      ["responseCode", "api.response.code", int],
      ["credentialUid", "api.token.uid"],
      ["bytesOut", "http_request.length", int],
      ["bytesIn", "http_response.length", when(hasCode, int)],
    ],
  },
  {
    classes: [apiActivity, userAccess],
    rows: [
      ["resourceUid", "resources.0.uid"],
      ["resourceName", "resources.0.name"],
      ["resourceType", "resources.0.type", when(hasResource)],
      ["namespace", "resources.0.namespace", when(hasResource)],
    ],
  },
  {
    classes: [entityManagement],
    rows: [
      ["resourceUid", "entity.uid"],
      ["resourceName", "entity.name"],
      ["resourceType", "entity.type", when(hasResource)],
    ],
  },
  {
    classes: [accountChange, authentication, userAccess],
    rows: [
      ["targetUserUid", "user.uid"],
      ["targetUserName", "user.name"],
    ],
  },
  { classes: [userAccess], rows: [["grant", "privileges.0"]] },
  {
    classes: [authentication],
    rows: [
      ["service", "service.name"],
      ["sessionUid", "session.uid"],
      ["authProtocolId", "auth_protocol_id", among([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99])],
      ["isMfa", "is_mfa"],
    ],
  },
  {
    classes: NETWORK,
    rows: [
      ["directionId", "connection_info.direction_id", among([0, 1, 2, 3, 4, 99])],
      ["protocol", "connection_info.protocol_name"],
      ["appProtocol", "app_protocol_name"],
      ["bytesOut", "traffic.bytes_out", int],
      ["bytesIn", "traffic.bytes_in", int],
    ],
  },
  {
    classes: [dnsActivity],
    rows: [
      ["dnsQuery", "query.hostname"],
      ["dnsType", "query.type", when(hasQuery)],
      ["dnsRcodeId", "rcode_id", among(RCODES)],
      ["dnsAnswers", "answers", (value) => (value as readonly string[]).map((rdata) => ({ rdata }))],
    ],
  },
  {
    classes: [processActivity],
    rows: [
      ["process", "process.cmd_line"],
      ["containerUid", "process.container.uid"],
    ],
  },
  { classes: [fileActivity], rows: [["filePath", "file.path"]] },
  {
    classes: [apiActivity, httpActivity],
    rows: [
      ["traceUid", "trace.uid"],
      ["spanUid", "trace.span.uid", when((event) => has(event.traceUid))],
      ["parentSpanUid", "trace.span.parent_uid", when((event) => has(event.traceUid) && has(event.spanUid))],
    ],
  },
];

/** What the `ai_operation` profile adds: in 1.8.0 to two classes, in 1.9.0 to every activity. */
const AI_ROWS: readonly Row[] = [
  ["model", "ai_model.name"],
  ["modelProvider", "ai_model.ai_provider", when(hasModel)],
  ["conversationUid", "message_context.uid"],
  ["aiRoleId", "message_context.ai_role_id", ROLES],
  ["tokensIn", "message_context.prompt_tokens", int],
  ["tokensOut", "message_context.completion_tokens", int],
];
const AI_AGENT_ROWS: readonly Row[] = [
  ["agentUid", "ai_agent.uid"],
  ["agentName", "ai_agent.name"],
  ["runUid", "ai_agent.instance_uid", when(hasAgent)],
  ["agentVersion", "ai_agent.version", when(hasAgent)],
  ["onBehalfOf", "delegation.issuer_uid"],
];
/** Where the AI profile exists. */
export const AI_TABLES: readonly Table[] = [
  { classes: [apiActivity, processActivity], only: "1.8.0", rows: AI_ROWS },
  { classes: ACTIVITY, only: "1.9.0", rows: [...AI_ROWS, ...AI_AGENT_ROWS] },
];

/** What a finding's evidence can say about an event. The rest goes to the evidence's `data`. */
const EVIDENCE_ROWS: readonly Row[] = [
  ["userUid", "actor.user.uid"],
  ["userName", "actor.user.name"],
  ["userTypeId", "actor.user.type_id", when(hasUser, USER_TYPES)],
  ["sessionUid", "actor.session.uid"],
  ["operation", "api.operation"],
  ["service", "api.service.name", when(hasOperation)],
  ["requestUid", "api.request.uid", when(hasOperation)],
  ["argsHash", "api.request.data", when((event) => hasOperation(event) && has(event.requestUid))],
  ["responseCode", "api.response.code", when(hasOperation, int)],
  ["credentialUid", "api.token.uid", when(hasOperation)],
  ["srcIp", "src_endpoint.ip", ip],
  ["srcHost", "src_endpoint.hostname"],
  ["srcPort", "src_endpoint.port", when(hasSrc, port)],
  ["srcCountry", "src_endpoint.location.country", when(hasSrc)],
  ["dstIp", "dst_endpoint.ip", ip],
  ["dstHost", "dst_endpoint.hostname"],
  ["dstPort", "dst_endpoint.port", when(hasDst, port)],
  ["method", "http_request.http_method", among(HTTP_METHODS)],
  ["url", "http_request.url.url_string"],
  ["urlPath", "http_request.url.path"],
  ["userAgent", "http_request.user_agent"],
  ["resourceUid", "resources.0.uid"],
  ["resourceName", "resources.0.name"],
  ["resourceType", "resources.0.type", when(hasResource)],
  ["namespace", "resources.0.namespace", when(hasResource)],
  ["targetUserUid", "user.uid"],
  ["targetUserName", "user.name"],
  ["dnsQuery", "query.hostname"],
  ["dnsType", "query.type", when(hasQuery)],
  ["host", "device.hostname"],
  ["containerUid", "container.uid"],
  ["filePath", "file.path"],
];

/** The rows of one element of `evidences`, per version. */
export const EVIDENCE: Readonly<Record<OcsfVersion, readonly Row[]>> = {
  "1.8.0": [...EVIDENCE_ROWS, ["clientUid", "actor.app_uid"]],
  "1.9.0": [...EVIDENCE_ROWS, ["clientUid", "actor.application.uid"], ...AI_AGENT_ROWS.slice(0, 4)],
};
