/**
 * The CIM fields of a supporting event, by model (Splunk's CIM add-on; names and prescribed values as in its test definitions).
 * A value that a model does not prescribe is left out, so that the model says "unknown", and is kept under `custodes`.
 */
import { ACTION, CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import type { ModelName } from "./models.ts";
import { CHANGE_ACTIONS, FILE_ACTIONS, HTTP_METHODS, HTTP_STATUSES, RECORD_TYPES, REPLY_CODES } from "./prescribed.ts";

/** CIM fields; those without a value are undefined and so left out of JSON. */
export type CimFields = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** How much of an event's texts is told. */
export interface EventCaps {
  readonly text: number;
  readonly list: number;
}

/** The value that CIM fills in where it knows nothing; fields that it requires must be there. */
export const UNKNOWN = "unknown";

const SEVERITIES = [UNKNOWN, "informational", "low", "medium", "high", "critical", "critical"];
/** OCSF `user.type_id`. */
const USER_TYPES = [undefined, "User", "Admin", "System", "Service"];
/** OCSF `direction_id`; CIM knows no third. */
const DIRECTIONS = [undefined, "inbound", "outbound"];
const TRANSPORTS: ReadonlySet<string> = new Set(["tcp", "udp", "icmp"]);

/** The fields of an event in its model. */
export function cimFields(event: Event, model: ModelName, caps: EventCaps): CimFields {
  return BUILDERS[model](event, textsOf(event, caps), caps);
}

/** Texts that several models have. */
function textsOf(event: Event, caps: EventCaps) {
  const safe = (...texts: readonly (string | undefined)[]): string | undefined => {
    const found = texts.find((one) => one !== undefined && one !== "");
    return found === undefined ? undefined : safeText(found, caps.text);
  };
  const known = (...texts: readonly (string | undefined)[]): string => safe(...texts) ?? UNKNOWN;
  const product = event.product.startsWith(event.vendor) ? event.product : `${event.vendor} ${event.product}`.trim();
  return {
    safe,
    known,
    src: known(event.srcIp, event.srcHost),
    dest: known(event.dstHost, event.dstIp, event.host, event.service, event.resourceName),
    dvc: known(event.host, event.source),
    user: known(event.userName, event.userUid, event.serviceAccount, event.roleUid, event.clientUid, event.agentName, event.agentUid),
    vendor_product: known(product),
    vendor_account: safe(event.cloudAccount, event.tenant),
    vendor_region: safe(event.region),
  };
}
type Texts = ReturnType<typeof textsOf>;
type Build = (event: Event, texts: Texts, caps: EventCaps) => CimFields;

/** `failure` also where a gateway or a control said no. */
function outcome({ statusId, actionId }: Event): "success" | "failure" | undefined {
  if (statusId === STATUS.success) return "success";
  return statusId === STATUS.failure || actionId === ACTION.denied ? "failure" : undefined;
}

const authentication: Build = (event, { safe, known, src, user, ...texts }) => ({
  action: outcome(event) ?? "error",
  app: known(event.service, event.product, event.vendor),
  src,
  dest: known(event.service, event.dstHost, event.dstIp, event.resourceName, event.product),
  user: known(event.targetUserName, event.targetUserUid, event.userName, event.userUid, event.serviceAccount, event.clientUid, user),
  user_id: safe(event.targetUserUid, event.userUid, event.clientUid),
  user_type: USER_TYPES[event.userTypeId ?? 0],
  // Who acted for whom: only where the two differ.
  src_user: event.targetUserUid === undefined || event.targetUserUid === event.userUid ? undefined : safe(event.userName, event.userUid),
  authentication_method: safe(event.grantType),
  authentication_service: safe(event.product),
  session_id: safe(event.sessionUid),
  signature: safe(event.eventCode),
  signature_id: safe(event.eventCode),
  reason_id: safe(event.statusCode),
  user_agent: safe(event.userAgent),
  duration: seconds(event),
  vendor_account: texts.vendor_account,
});

const change: Build = (event, { safe, known, src, dvc, vendor_product, vendor_account, vendor_region, user }, caps) => {
  const isAccount = event.classUid === CLASS.accountChange || event.classUid === CLASS.userAccess;
  const target = isAccount ? [event.targetUserName, event.targetUserUid] : [event.resourceName, event.resourceUid];
  const attributes = safeList([event.grant, ...(event.scopes ?? [])], caps.list, caps.text);
  return {
    action: CHANGE_ACTIONS[event.activityId] ?? "modified",
    change_type: event.category === "credential" || isAccount ? "AAA" : known(event.resourceType, event.service, event.cloudProvider),
    command: known(event.infraAction, event.operation, event.eventCode),
    dest: known(event.host, event.dstHost, event.dstIp, event.service, event.cloudAccount, event.cloudProvider, event.product),
    dvc,
    object: known(...target, event.resourceName, event.resourceUid, event.credentialUid),
    object_attrs: attributes.length === 0 ? UNKNOWN : attributes,
    object_category: isAccount ? "user" : known(event.category === "credential" ? "credential" : event.resourceType),
    object_id: known(isAccount ? event.targetUserUid : event.resourceUid, event.resourceUid, event.resourceName, event.credentialUid),
    object_path: safe(event.namespace),
    result: safe(event.statusDetail, event.statusCode),
    result_id: safe(event.statusCode),
    src,
    status: outcome(event),
    user,
    user_name: safe(event.userName),
    user_type: USER_TYPES[event.userTypeId ?? 0],
    user_agent: safe(event.userAgent),
    vendor_account,
    vendor_region,
    vendor_product,
  };
};

const traffic: Build = (event, { safe, known, src, dest, dvc, user, vendor_product, vendor_account }) => {
  const transport = event.protocol?.toLowerCase();
  return {
    action: event.actionId === ACTION.denied ? "blocked" : event.actionId === ACTION.allowed ? "allowed" : "flow",
    app: known(event.appProtocol),
    ...volumes(event),
    direction: DIRECTIONS[event.directionId ?? 0],
    dest,
    dest_ip: safe(event.dstIp),
    dest_port: event.dstPort,
    src,
    src_ip: safe(event.srcIp),
    src_port: event.srcPort,
    dvc,
    transport: transport !== undefined && TRANSPORTS.has(transport) ? transport : undefined,
    duration: seconds(event),
    user,
    vendor_account,
    vendor_product,
  };
};

const dns: Build = (event, { known, src, vendor_product }, caps) => {
  const answers = safeList(event.dnsAnswers ?? [], caps.list, caps.text);
  const record = event.dnsType?.toUpperCase();
  const [reply, replyId] = REPLY_CODES.get(event.dnsRcodeId ?? -1) ?? [];
  return {
    message_type: event.dnsRcodeId === undefined && answers.length === 0 ? "Query" : "Response",
    query: known(event.dnsQuery),
    query_count: 1,
    query_type: "Query",
    record_type: record !== undefined && RECORD_TYPES.has(record) ? record : undefined,
    reply_code: reply,
    reply_code_id: replyId,
    answer: answers.length === 0 ? UNKNOWN : answers,
    answer_count: answers.length === 0 ? undefined : answers.length,
    src,
    dest: known(event.dstIp, event.dstHost, event.host),
    transport: known(event.protocol?.toLowerCase()),
    duration: seconds(event),
    vendor_product,
  };
};

const web: Build = (event, { safe, known, src, dest, user, vendor_product }) => {
  const method = event.method?.toUpperCase();
  const agent = known(event.userAgent);
  const path = safe(event.urlPath);
  return {
    action: event.actionId === ACTION.denied || event.responseCode === 401 || event.responseCode === 403 ? "blocked" : "allowed",
    app: safe(event.service, event.appProtocol),
    category: known(event.dataClasses?.[0]),
    ...volumes(event),
    dest,
    dest_port: event.dstPort,
    http_method: method !== undefined && HTTP_METHODS.has(method) ? method : undefined,
    http_user_agent: agent,
    http_user_agent_length: agent.length,
    src,
    status: event.responseCode !== undefined && HTTP_STATUSES.has(event.responseCode) ? event.responseCode : undefined,
    // The model takes a path that starts with / and is made of plain characters.
    uri_path: path !== undefined && /^\/[/.a-zA-Z0-9 _%-]*$/.test(path) ? path : undefined,
    url: known(event.url, event.urlPath),
    url_domain: known(event.dstHost),
    duration: seconds(event),
    user,
    vendor_product,
  };
};

const dataAccess: Build = (event, { safe, known, src, dest, user, vendor_product, vendor_account, vendor_region, dvc }, caps) => {
  const attributes = safeList([...(event.dataClasses ?? []), ...(event.scopes ?? [])], caps.list, caps.text);
  return {
    action: CHANGE_ACTIONS[event.activityId] ?? (event.toolName === undefined ? "read" : "started"),
    app: known(event.service, event.modelProvider, event.product),
    dest,
    dvc,
    object: known(event.toolName, event.resourceName, event.operation, event.infraAction, event.model, event.eventCode),
    object_attrs: attributes.length === 0 ? UNKNOWN : attributes,
    object_category:
      event.toolName === undefined ? known(event.resourceType, event.model === undefined ? undefined : "ai_model") : "ai_tool",
    object_id: known(event.requestUid, event.resourceUid, event.resourceName),
    object_path: safe(event.namespace),
    object_size: event.bytesIn === undefined ? UNKNOWN : event.bytesIn,
    signature: safe(event.operation, event.infraAction),
    src,
    user,
    user_id: safe(event.userUid),
    user_name: known(event.userName, user),
    user_type: USER_TYPES[event.userTypeId ?? 0],
    user_role: safe(event.agentRole),
    user_agent: safe(event.userAgent),
    vendor_account: vendor_account ?? UNKNOWN,
    vendor_region,
    vendor_product,
  };
};

const process: Build = (event, { known, dest, user, vendor_product }) => {
  const line = known(event.process);
  const [program = UNKNOWN] = line.split(" ");
  return {
    action: event.actionId === ACTION.denied ? "blocked" : "allowed",
    dest: known(event.host, event.podName, event.containerUid, dest),
    process: line,
    process_name: program.split(/[\\/]/).findLast((part) => part !== "") ?? UNKNOWN,
    process_path: program,
    parent_process: UNKNOWN,
    parent_process_name: UNKNOWN,
    parent_process_path: UNKNOWN,
    user,
    vendor_product,
  };
};

const file: Build = (event, { known, dest, user, vendor_product }) => {
  const path = known(event.filePath, event.resourceName);
  return {
    action: FILE_ACTIONS[event.activityId],
    dest: known(event.host, event.podName, event.containerUid, dest),
    file_name: path.split(/[\\/]/).findLast((part) => part !== "") ?? UNKNOWN,
    file_path: path,
    file_size: event.bytesIn ?? event.bytesOut ?? UNKNOWN,
    user,
    vendor_product,
  };
};

/** A monitor's finding is an alert of another product. */
const finding: Build = (event, { safe, known, src, dest, user, vendor_product, vendor_account, vendor_region }) => {
  const severity = event.findingSeverity?.toLowerCase();
  const named = severity !== undefined && severity !== UNKNOWN && SEVERITIES.includes(severity) ? severity : SEVERITIES[event.severityId];
  return {
    app: vendor_product,
    id: known(event.originalUid, event.uid),
    type: "event",
    severity: named === UNKNOWN ? undefined : named,
    severity_id: event.severityId,
    signature: known(event.findingThreat, event.findingSignal, event.eventCode),
    signature_id: known(event.findingSignal, event.eventCode, event.findingThreat),
    description: known(event.statusDetail, event.findingSignal, event.findingThreat),
    src,
    dest,
    user,
    user_name: safe(event.userName),
    vendor_account,
    vendor_region,
  };
};

const BUILDERS: Readonly<Record<ModelName, Build>> = {
  authentication,
  change,
  traffic,
  dns,
  web,
  data_access: dataAccess,
  process,
  file,
  finding,
};

/** The three go together, and the models take nothing below one. */
function volumes({ bytesIn, bytesOut }: Event): CimFields {
  const [into, out] = [bytesIn ?? 0, bytesOut ?? 0];
  if (into <= 0 || out <= 0) return into > 0 ? { bytes_in: into } : out > 0 ? { bytes_out: out } : {};
  return { bytes: into + out, bytes_in: into, bytes_out: out };
}

/** CIM takes seconds, more than none and less than an hour. */
function seconds({ durationMs }: Event): number | undefined {
  return durationMs === undefined || !(durationMs > 0 && durationMs < 3_600_000) ? undefined : durationMs / 1000;
}
