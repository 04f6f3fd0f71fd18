/**
 * Kubernetes audit event (audit.k8s.io/v1) -> event.
 * Format: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
 */
import { ACTION, CLASS, SEVERITY, STATUS, type Event } from "../../src/core/event.ts";
import { poison } from "../../src/core/errors.ts";
import { looksLikeIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import {
  ID_MAX,
  asObject,
  numeric,
  parseTime,
  recordId,
  recordObject,
  recordTime,
  redactUrl,
  text,
  urlPath,
  type Json,
} from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { linksOf } from "./links.ts";
import { grantOf, isInteractive, isPrivileged } from "./privilege.ts";

/** Normalizes audit events; `cluster` becomes the tenant. Stages before the answer give no event. */
export function kubernetesNormalize(cluster?: string): Normalize {
  return (record, context) => {
    const log = recordObject(record);
    const received = log["requestReceivedTimestamp"] ?? log["stageTimestamp"];
    const time = recordTime(received, context.received);
    const auditId = required(log["auditID"], "auditID");
    const verb = named(required(log["verb"], "verb"));
    const object = asObject(log["objectRef"]);
    const resource = named(text(object?.["resource"]));
    const subresource = named(text(object?.["subresource"]));
    const interactive = isInteractive(subresource);
    if (!isAnswered(text(log["stage"]), interactive)) return [];

    const event = newEvent(uidOf(auditId, received, context.sha256), time, "infra_change", CLASS.apiActivity, activity(verb));
    event.source = context.source;
    event.vendor = "Kubernetes";
    event.product = "Kubernetes Audit";
    event.originalUid = auditId;
    event.requestUid = auditId;
    event.tenant = cluster;
    event.eventCode = verb;
    event.service = text(object?.["apiGroup"]) ?? "core";
    applyObject(event, log, object);
    event.infraAction = `k8s:${verb}:${resource ?? "nonresource"}`;
    event.operation = text(subresource === undefined ? `${verb}:${resource ?? event.urlPath ?? ""}` : `${verb}:${resource}/${subresource}`);
    event.isChange = isChange(verb, resource, interactive, log["requestURI"]);
    applyOutcome(event, log);
    applyUser(event, log);
    const body = asObject(log["requestObject"]);
    event.grant = grantOf(resource, body);
    event.privileged = isPrivileged({ verb, resource, subresource, body, grant: event.grant }) ? true : undefined;
    // Of an interactive session both stages are taken, whichever comes; its end would make them differ.
    if (!interactive) applyEnd(event, log["stageTimestamp"]);
    event.links = linksOf(event, log, { verb, resource, subresource });
    return [event];
  };
}

function required(value: unknown, name: string): string {
  const given = text(value);
  if (given === undefined) throw poison("RECORD_FIELD_MISSING", `${name} is missing`);
  return given;
}

/** Verbs and resources come from the request line of a client, who may write anything: cut, so that it stays an event. */
function named<T extends string | undefined>(given: T): T {
  return given !== undefined && given.length > ID_MAX ? (given.slice(0, ID_MAX) as T) : given;
}

/**
 * A client may choose the audit id by the header `Audit-ID`, of any length, which would let it hide requests behind
 * one id; the server's own time of the request, in microseconds and equal at all stages, cannot be chosen.
 * https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/filters/audit_init.go
 */
function uidOf(auditId: string, received: unknown, sha256: (text: string) => string): string {
  const id = auditId.length > ID_MAX ? `sha256:${sha256(auditId)}` : auditId;
  return `kubernetes:${id}:${recordId(received, "requestReceivedTimestamp")}`;
}

/**
 * One request is reported at several stages. It counts once its answer is known; exec, attach and port-forward are
 * answered when they start and complete hours later, so their start counts too (the same uid makes them one).
 */
function isAnswered(stage: string | undefined, interactive: boolean): boolean {
  return stage === "ResponseComplete" || stage === "Panic" || (interactive && stage === "ResponseStarted");
}

/** OCSF API Activity: 1 Create 2 Read 3 Update 4 Delete. */
function activity(verb: string): number {
  switch (verb) {
    case "create":
      return 1;
    case "get":
    case "list":
    case "watch":
      return 2;
    case "update":
    case "patch":
      return 3;
    case "delete":
    case "deletecollection":
      return 4;
    default:
      return 99;
  }
}

/** Questions that are asked by creating an object. */
const REVIEWS: ReadonlySet<string> = new Set([
  "tokenreviews",
  "subjectaccessreviews",
  "localsubjectaccessreviews",
  "selfsubjectaccessreviews",
  "selfsubjectrulesreviews",
  "selfsubjectreviews",
]);

function isChange(verb: string, resource: string | undefined, interactive: boolean, uri: unknown): boolean {
  // kubectl from 1.31 on opens exec by WebSocket, which the API server logs as `get`.
  if (interactive) return true;
  if (activity(verb) === 2 || activity(verb) === 99 || (resource !== undefined && REVIEWS.has(resource))) return false;
  return typeof uri !== "string" || !/[?&]dryRun=All(&|$)/.test(uri);
}

function applyObject(event: Event, log: Json, object: Json | undefined): void {
  event.resourceType = text(object?.["resource"]);
  event.namespace = text(object?.["namespace"]);
  const created = asObject(asObject(log["responseObject"])?.["metadata"]);
  event.resourceName = text(object?.["name"]) ?? text(created?.["name"]);
  event.resourceUid = text(object?.["uid"]) ?? text(created?.["uid"]);
  event.url = redactUrl(log["requestURI"]);
  event.urlPath = urlPath(event.url);
  event.userAgent = text(log["userAgent"]);
  const sources = log["sourceIPs"];
  // The ones before it are what the client claims in X-Forwarded-For and X-Real-Ip: the API server appends its own peer.
  const peer = Array.isArray(sources) ? text(sources.at(-1)) : undefined;
  if (peer !== undefined && looksLikeIp(peer)) event.srcIp = peer;
}

function applyOutcome(event: Event, log: Json): void {
  const status = asObject(log["responseStatus"]);
  const code = numeric(status?.["code"]);
  event.responseCode = code;
  event.statusDetail = text(status?.["reason"]);
  if (code !== undefined) {
    // 101 is an answer too: the connection became a stream.
    const failed = code >= 400;
    event.statusId = failed ? STATUS.failure : STATUS.success;
    event.errorFlag = failed ? 1 : 0;
    event.statusCode = String(code);
    if (failed) event.severityId = SEVERITY.low;
  }
  const decision = text(asObject(log["annotations"])?.["authorization.k8s.io/decision"]);
  if (decision === "forbid") event.actionId = ACTION.denied;
  else if (decision === "allow") event.actionId = ACTION.allowed;
}

const EXTRA = "authentication.kubernetes.io/";

function applyUser(event: Event, log: Json): void {
  const user = asObject(log["user"]);
  if (user === undefined) return;
  const name = text(user["username"]);
  event.userName = name;
  event.userUid = text(user["uid"]);
  const isServiceAccount = name?.startsWith("system:serviceaccount:") === true;
  if (isServiceAccount) event.serviceAccount = name;
  event.userTypeId = isServiceAccount ? 4 : name?.startsWith("system:") === true ? 3 : 1;
  event.onBehalfOf = text(asObject(log["impersonatedUser"])?.["username"]);
  const extra = asObject(user["extra"]);
  if (extra === undefined) return;
  event.podName = first(extra[`${EXTRA}pod-name`]);
  event.podUid = first(extra[`${EXTRA}pod-uid`]);
  event.host = first(extra[`${EXTRA}node-name`]);
  const credential = first(extra[`${EXTRA}credential-id`]);
  event.credentialUid = credential?.startsWith("JTI=") === true ? credential.slice(4) : credential;
  // EKS says which AWS identity a user came from: https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
  event.roleUid = first(extra["arn"]);
  event.credentialUid ??= first(extra["accessKeyId"]);
}

function first(value: unknown): string | undefined {
  return Array.isArray(value) ? text(value[0]) : undefined;
}

function applyEnd(event: Event, stageTimestamp: unknown): void {
  const end = parseTime(stageTimestamp);
  if (end === undefined || end < event.time) return;
  event.endTime = end;
  event.durationMs = end - event.time;
}
