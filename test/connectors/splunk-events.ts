/** Supporting events for tests of what Splunk gets: one of each model with all that it can say, and what every connector makes of its samples. */
import { globSync, readFileSync } from "node:fs";
import type { ModelName } from "../../connectors/splunk/models.ts";
import { ACTION, ATTRIBUTION, CLASS, STATUS, type Category, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { Delivery, EventSubject } from "../../src/ports/connector.ts";
import { STORY_TIME } from "../fixtures/subjects.ts";

/** An event on its way to Splunk, with the key that the outbox would give it. */
export function eventDelivery(event: Event, destination = "splunk/main"): Delivery<EventSubject> {
  return {
    key: `${destination}:event:${event.uid}:1`,
    destination,
    subject: { kind: "event", event },
    createdTime: STORY_TIME,
    attempts: 0,
  };
}

function event(category: Category, classUid: number, activityId: number, fields: Partial<Event>): Event {
  return Object.assign(newEvent(`acme:${category}-${classUid}-${activityId}`, STORY_TIME, category, classUid, activityId), COMMON, fields);
}

const COMMON: Partial<Event> = {
  receivedTime: STORY_TIME + 2_000,
  statusId: STATUS.success,
  source: "acme/main",
  vendor: "Acme",
  product: "Acme Gateway",
  eventCode: "acme.event",
  agentUid: "agent-invoice-bot",
  agentName: "invoice-bot",
  agentRole: "finance",
  agentState: "active",
  attributionId: ATTRIBUTION.direct,
  attributionConfidence: 90,
  sessionUid: "session-1",
  runUid: "run-1",
  credentialUid: "cred-4471",
  userUid: "u-17",
  userName: "invoice-bot@example.com",
  userTypeId: 4,
  srcIp: "198.51.100.23",
  srcPort: 40_001,
  dstHost: "files.example.com",
  dstIp: "192.0.2.77",
  dstPort: 443,
  host: "node-1",
  cloudAccount: "123456789012",
  cloudProvider: "AWS",
  region: "eu-west-1",
  userAgent: "invoice-bot/2.1",
  durationMs: 1_250,
};

/** One event of each model, with every field that the model has a place for. */
export const FULL: Readonly<Record<ModelName, Event>> = {
  authentication: event("authentication", CLASS.authentication, 1, {
    service: "customers",
    targetUserUid: "u-18",
    targetUserName: "mira@example.com",
    grantType: "client_credentials",
    statusCode: "0",
  }),
  change: event("infra_change", CLASS.apiActivity, 1, {
    infraAction: "k8s:create:clusterrolebindings",
    isChange: true,
    privileged: true,
    resourceName: "admin-binding",
    resourceUid: "rb-1",
    resourceType: "clusterrolebindings",
    namespace: "prod",
    grant: "cluster-admin",
    statusCode: "201",
    statusDetail: "created",
  }),
  traffic: event("egress", CLASS.networkActivity, 6, {
    protocol: "TCP",
    appProtocol: "tls",
    directionId: 2,
    bytesIn: 1_200,
    bytesOut: 47_900_000,
    actionId: ACTION.allowed,
    dstAllowed: false,
  }),
  dns: event("dns", CLASS.dnsActivity, 2, {
    dnsQuery: "files.example.com",
    dnsType: "AAAA",
    dnsRcodeId: 3,
    dnsAnswers: ["2001:db8::1", "2001:db8::2"],
    protocol: "udp",
  }),
  web: event("agent_api", CLASS.apiActivity, 2, {
    operation: "GET /v1/customers",
    service: "customers",
    method: "GET",
    url: "/v1/customers?page=0",
    urlPath: "/v1/customers",
    responseCode: 200,
    bytesIn: 48_211_904,
    bytesOut: 512,
    dataClasses: ["customer"],
  }),
  data_access: event("agent_api", CLASS.apiActivity, 99, {
    toolName: "shell",
    operation: "execute_tool",
    service: "assistant",
    model: "gpt-x",
    modelProvider: "Acme AI",
    tokensIn: 10,
    tokensOut: 20,
    requestUid: "call-1",
    bytesIn: 100,
    scopes: ["customers:read"],
    namespace: "prod",
  }),
  process: event("process", CLASS.processActivity, 1, { process: "/usr/bin/curl -s https://files.example.com", containerUid: "c-1" }),
  file: event("file", CLASS.fileActivity, 1, { filePath: "/srv/exports/customers.csv", bytesOut: 12_345 }),
  finding: event("agent_finding", CLASS.detectionFinding, 1, {
    findingThreat: "prompt_injection",
    findingSignal: "ignore previous instructions",
    findingSeverity: "high",
    severityId: 4,
    originalUid: "f-1",
    statusDetail: "the tool's output asked for other instructions",
  }),
};

/** Events of the same models in other shapes: accounts, credentials, reads, refusals, numbers that the CIM does not know, and next to nothing. */
export const ODD: readonly Event[] = [
  event("authentication", CLASS.authentication, 1, { statusId: STATUS.failure, statusCode: "INVALID_CREDENTIALS" }),
  event("authentication", CLASS.accountChange, 1, { targetUserUid: "u-2", targetUserName: "new@example.com" }),
  event("infra_change", CLASS.userAccess, 1, { targetUserUid: "u-2", grant: "SUPER_ADMIN" }),
  event("infra_change", CLASS.apiActivity, 2, { isChange: false, infraAction: "k8s:get:secrets", resourceType: "secrets" }),
  event("credential", CLASS.apiActivity, 1, { infraAction: "vault:create:token", statusId: STATUS.unknown }),
  event("agent_api", CLASS.apiActivity, 3, {
    method: "PATCH",
    responseCode: 599,
    urlPath: "/v1/ä?x",
    url: "/v1/ä?x",
    actionId: ACTION.denied,
  }),
  event("agent_api", CLASS.apiActivity, 2, { method: "GET", responseCode: 403, durationMs: 7_200_000 }),
  event("egress", CLASS.networkActivity, 6, { protocol: "sctp", directionId: 3, bytesIn: 0, bytesOut: 0, actionId: ACTION.denied }),
  event("egress", CLASS.httpActivity, 3, { method: "get", responseCode: 200, bytesOut: 5 }),
  event("dns", CLASS.dnsActivity, 1, { dnsQuery: "x.example", dnsType: "TYPE65280", dnsRcodeId: 0 }),
  event("dns", CLASS.dnsActivity, 1, { dnsQuery: "x.example", dnsRcodeId: 24 }),
  event("file", CLASS.fileActivity, 14, { filePath: "C:\\temp\\a.txt" }),
  event("agent_finding", CLASS.detectionFinding, 1, { findingSeverity: "Severe", severityId: 0 }),
  ...(["authentication", "agent_api", "egress", "dns", "infra_change", "credential", "process", "file", "agent_finding"] as const).map(
    (category) => newEvent(`bare:${category}`, STORY_TIME, category, CLASS.apiActivity, 0),
  ),
];

/** What every connector makes of its samples. */
export function sampleEvents(): readonly Event[] {
  return globSync("connectors/*/samples/*.golden.ndjson")
    .sort()
    .flatMap((path) => readFileSync(path, "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Partial<Event>)
    .filter((one) => one.category !== undefined)
    .map((one) => Object.assign(newEvent(one.uid!, one.time!, one.category!, one.classUid!, one.activityId!), one));
}
