/** Events of every class for tests of Sentinel's tables, and those that the connectors' own samples make. */
import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { renderEvent } from "../../connectors/sentinel/event-render.ts";
import { ITEM_BYTES_MAX } from "../../connectors/sentinel/render.ts";
import type { TableName } from "../../connectors/sentinel/tables.ts";
import type { Category, Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { Delivery, EventSubject } from "../../src/ports/connector.ts";
import { storyEvents, STORY_TIME } from "../fixtures/subjects.ts";
import type { Row } from "./sentinel-asim.ts";

/** Instance whose deliveries these are. */
export const NAME = "sentinel/soc";

/** An event on its way. */
export function eventDelivery(event: Event, createdTime = STORY_TIME + 130_000): Delivery<EventSubject> {
  return { key: `${NAME}:event:${event.uid}:1`, destination: NAME, subject: { kind: "event", event }, createdTime, attempts: 0 };
}

/** The row of an event, and its table. */
export function rendered(event: Event): { readonly row: Row; readonly table: TableName } {
  const one = renderEvent(eventDelivery(event), ITEM_BYTES_MAX);
  return { row: JSON.parse(one.body) as Row, table: one.meta!["table"] as TableName };
}

/** An event of a category with what the changes say, as the agent's. */
export function event(category: Category, classUid: number, activityId: number, changes: Partial<Event>): Event {
  const one = newEvent(`test:${category}:${classUid}:${activityId}`, STORY_TIME, category, classUid, activityId);
  return Object.assign(one, {
    source: "zeek/main",
    vendor: "Zeek",
    product: "Zeek",
    agentUid: "agent-invoice-bot",
    agentName: "invoice-bot",
    ...changes,
  });
}

const [login, read, upload] = storyEvents() as [Event, Event, Event];
/** One event per table, with as many fields as its class has. */
export const FULL: Readonly<Record<TableName, Event>> = {
  alert: event("agent_finding", 2004, 1, {
    findingThreat: "prompt_injection",
    findingSeverity: "high",
    severityId: 4,
    statusDetail: "an instruction in a document",
  }),
  agent: Object.assign(structuredClone(read), {
    model: "claude-x",
    modelProvider: "anthropic",
    toolName: "crm.search",
    tokensIn: 1200,
    tokensOut: 80,
    finishReason: "tool_use",
    statusId: 2,
    statusDetail: "denied by policy",
    statusCode: "403",
    conversationUid: "conv-1",
    requestUid: "req-1",
    clientUid: "client-1",
    argsHash: "sha256:00",
    onBehalfOf: "ann@example.com",
    dataClasses: ["customer"],
    scopes: ["crm.read"],
    costUsd: 0.012,
  }),
  authentication: Object.assign(structuredClone(login), {
    statusId: 2,
    statusDetail: "invalid_client",
    userTypeId: 4,
    authProtocolId: 6,
    isMfa: true,
    service: "Okta",
    userAgent: "x/1",
    sessionUid: "s-1",
  }),
  network: Object.assign(structuredClone(upload), {
    protocol: "tcp",
    appProtocol: "tls",
    directionId: 2,
    bytesIn: 4100,
    durationMs: 312,
    srcPort: 40111,
    srcHost: "node-7.prod.example",
    actionId: 1,
    srcCountry: "NL",
  }),
  web: Object.assign(structuredClone(upload), {
    classUid: 4002,
    method: "put",
    url: "/up?name=x",
    responseCode: 201,
    userAgent: "curl/8",
    host: "gw-1.prod.example",
  }),
  dns: event("dns", 4003, 2, {
    srcIp: "10.4.7.19",
    dstIp: "10.0.0.2",
    dstPort: 53,
    dnsQuery: "x9.exfil.example",
    dnsType: "TXT",
    dnsRcodeId: 3,
    dnsAnswers: ["192.0.2.1"],
    protocol: "udp",
    durationMs: 3,
  }),
  audit: event("infra_change", 6003, 1, {
    source: "aws-cloudtrail/main",
    vendor: "AWS",
    product: "CloudTrail",
    infraAction: "aws:iam:CreateAccessKey",
    resourceName: "ci-user",
    resourceUid: "arn:aws:iam::1:user/ci",
    resourceType: "AWS::IAM::User",
    service: "iam",
    userUid: "AIDA1",
    userName: "ci",
    grant: "AdministratorAccess",
    srcIp: "203.0.113.4",
    userAgent: "aws-cli",
    cloudAccount: "1",
  }),
  process: event("process", 1007, 1, { process: "/usr/bin/nc", userName: "root", userUid: "0", host: "node-7" }),
  file: event("file", 1001, 4, { filePath: "/etc/shadow", userName: "root", srcIp: "10.0.0.4" }),
};

/** Every event that the connectors' own samples make, as their golden files have it. */
export function sampleEvents(): Event[] {
  const files = globSync(resolve(import.meta.dirname, "../../connectors/*/samples/*.golden.ndjson")).sort();
  return files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Partial<Event>)
      .filter((given) => given.uid !== undefined && given.category !== undefined)
      .map((given) => Object.assign(newEvent(given.uid!, given.time!, given.category!, given.classUid!, given.activityId!), given)),
  );
}
