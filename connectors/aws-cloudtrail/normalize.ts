/**
 * AWS CloudTrail record -> events.
 * Format: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */
import { CLASS, SEVERITY, STATUS, type Event } from "../../src/core/event.ts";
import { looksLikeIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { asObject, numeric, recordId, recordObject, recordTime, text, type Json } from "../../src/core/record.ts";
import type { Normalize, NormalizeContext } from "../../src/ports/connector.ts";
import { actionKind, apiActivity, grantOf, isPrivileged, isReadOnly, quarantinePolicy } from "./actions.ts";
import { throwUnreadable } from "./document.ts";
import { applyIdentity, applyIssued } from "./identity.ts";
import { clusterOf, linksOf } from "./links.ts";

/** Keys of `requestParameters` that name what a call is about, most telling first. */
const NAME_KEYS = [
  "userName",
  "roleName",
  "groupName",
  "policyName",
  "functionName",
  "bucketName",
  "instanceId",
  "secretId",
  "tableName",
  "clusterName",
  "cluster",
  "service",
  "trailName",
  "keyId",
  "dBInstanceIdentifier",
  "modelId",
  "name",
  "resourceArn",
  "roleArn",
] as const;

/**
 * Normalizes CloudTrail records of the Management, Data and NetworkActivity categories; Insights give no event. `clusters`: names
 * of clusters by their issuers.
 */
export function cloudtrailNormalize(clusters: Readonly<Record<string, string>> = {}): Normalize {
  return (record, context) => eventsOf(record, context, clusters);
}

function eventsOf(record: unknown, context: NormalizeContext, clusters: Readonly<Record<string, string>>): readonly Event[] {
  const log = recordObject(record);
  throwUnreadable(log);
  // Logstash's codec moves eventTime to @timestamp.
  const time = recordTime(log["eventTime"] ?? log["@timestamp"], context.received);
  // Insights are statistics over records that are normalized by themselves.
  if (log["eventCategory"] === "Insight" || log["eventType"] === "AwsCloudTrailInsight") return [];
  const eventName = recordId(log["eventName"], "eventName");
  const eventSource = recordId(log["eventSource"], "eventSource");
  const dot = eventSource.indexOf(".");
  const service = dot === -1 ? eventSource : eventSource.slice(0, dot);
  const uid = `aws-cloudtrail:${recordId(log["eventID"], "eventID")}`;

  const kind = actionKind(service, eventName);
  const readOnly = isReadOnly(log["readOnly"], eventName);
  const event = newEvent(uid, time, kind.category, kind.classUid, kind.activityId ?? apiActivity(eventName, readOnly));
  event.source = context.source;
  event.vendor = "AWS";
  event.product = "CloudTrail";
  event.originalUid = text(log["eventID"]);
  event.eventCode = eventName;
  event.operation = eventName;
  event.service = eventSource;
  event.requestUid = text(log["requestID"]);
  event.infraAction = `aws:${service}:${eventName}`;
  event.isChange = !readOnly && kind.category === "infra_change";
  event.cloudProvider = "AWS";
  event.cloudAccount = text(log["recipientAccountId"]) ?? text(asObject(log["userIdentity"])?.["accountId"]);
  event.region = text(log["awsRegion"]);
  applyOutcome(event, log);
  applyClient(event, log);
  applyIdentity(event, asObject(log["userIdentity"]));
  const parameters = asObject(log["requestParameters"]);
  applyResource(event, log, parameters);

  if (kind.category === "authentication") applySignIn(event, log, eventName);
  else if (kind.category === "agent_api") applyModel(event, parameters);
  else applyGrant(event, service, eventName, parameters);
  event.links = linksOf(event, log);
  event.cluster = clusterOf(log, clusters);

  const policy = event.statusId === STATUS.success ? quarantinePolicy(eventName, parameters) : undefined;
  return policy === undefined ? [event] : [event, leakFinding(event, policy, parameters)];
}

function applyOutcome(event: Event, log: Json): void {
  event.statusCode = text(log["errorCode"]);
  event.statusDetail = text(log["errorMessage"]);
  const failed = event.statusCode !== undefined || event.statusDetail !== undefined;
  event.statusId = failed ? STATUS.failure : STATUS.success;
  event.errorFlag = failed ? 1 : 0;
  if (failed) event.severityId = SEVERITY.low;
}

function applyClient(event: Event, log: Json): void {
  // Calls that AWS makes in somebody's name carry the service's name, or "AWS Internal", instead of an address.
  const address = text(log["sourceIPAddress"]);
  if (address !== undefined) {
    if (looksLikeIp(address)) event.srcIp = address;
    else if (address.includes(".")) event.srcHost = address.toLowerCase();
  }
  event.userAgent = text(log["userAgent"]);
  const extra = asObject(log["additionalEventData"]);
  // S3 data events count from the service's point of view.
  event.bytesOut = numeric(extra?.["bytesTransferredIn"]);
  event.bytesIn = numeric(extra?.["bytesTransferredOut"]);
}

function applyResource(event: Event, log: Json, parameters: Json | undefined): void {
  const resources = log["resources"];
  const first = Array.isArray(resources) ? asObject(resources[0]) : undefined;
  event.resourceUid = text(first?.["ARN"]) ?? text(first?.["arn"]);
  event.resourceType = text(first?.["type"]);
  if (parameters === undefined) return;
  for (const key of NAME_KEYS) {
    const name = parameters[key];
    if (typeof name !== "string" || name === "") continue;
    event.resourceName = text(name);
    if (event.resourceUid === undefined && name.startsWith("arn:")) event.resourceUid = event.resourceName;
    return;
  }
}

function applySignIn(event: Event, log: Json, eventName: string): void {
  const response = asObject(log["responseElements"]);
  const result = text(response?.[eventName]);
  // A refused console sign-in has no errorCode: responseElements says Failure.
  if (result === "Failure") {
    event.statusId = STATUS.failure;
    event.errorFlag = 1;
    event.severityId = SEVERITY.low;
  }
  const mfa = text(asObject(log["additionalEventData"])?.["MFAUsed"]);
  if (mfa !== undefined) event.isMfa = mfa === "Yes";
  event.targetUserName = event.userName;
  applyIssued(event, eventName, response);
  event.targetUserUid ??= event.roleUid ?? event.userUid;
}

function applyModel(event: Event, parameters: Json | undefined): void {
  event.modelProvider = "aws_bedrock";
  event.model = text(parameters?.["modelId"]);
  // The agent that is called, not the one that calls.
  event.resourceName ??= text(parameters?.["agentId"]) ?? text(parameters?.["agentRuntimeArn"]);
}

function applyGrant(event: Event, service: string, eventName: string, parameters: Json | undefined): void {
  if (service !== "iam") return;
  event.grant = grantOf(eventName, parameters);
  event.targetUserName = text(parameters?.["userName"]);
  event.privileged = isPrivileged(eventName, event.grant, parameters) ? true : undefined;
}

/**
 * AWS attaches this policy to a user whose access key it found in public: the earliest word of a leak.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/security-iam-awsmanpol.html
 */
function leakFinding(change: Event, policy: string, parameters: Json | undefined): Event {
  const event = newEvent(`${change.uid}:finding`, change.time, "agent_finding", CLASS.detectionFinding, 1);
  event.source = change.source;
  event.vendor = "AWS";
  event.product = "CloudTrail";
  event.originalUid = change.originalUid;
  event.eventCode = change.eventCode;
  event.severityId = SEVERITY.critical;
  event.statusId = STATUS.success;
  event.findingThreat = "credential_leak";
  event.findingSignal = policy.slice(policy.lastIndexOf("/") + 1);
  event.findingSeverity = "critical";
  event.cloudProvider = "AWS";
  event.cloudAccount = change.cloudAccount;
  event.region = change.region;
  const userName = text(parameters?.["userName"]);
  // The policy's ARN tells the partition (aws, aws-cn, aws-us-gov); the user's own path is not in the record.
  const partition = policy.split(":", 2)[1] ?? "aws";
  if (userName !== undefined && change.cloudAccount !== undefined) {
    event.roleUid = text(`arn:${partition}:iam::${change.cloudAccount}:user/${userName}`);
    event.resourceUid = event.roleUid;
    event.resourceType = "AWS::IAM::User";
    event.resourceName = userName;
    event.targetUserName = userName;
  }
  return event;
}
