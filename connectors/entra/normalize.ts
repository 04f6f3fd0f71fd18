/**
 * Sign-in of Microsoft Entra ID -> event. Fields of `properties`:
 * https://learn.microsoft.com/en-us/graph/api/resources/signin?view=graph-rest-beta
 */
import { linkTexts, proven, type Identity } from "../../src/archetypes/links.ts";
import { CLASS, SEVERITY, STATUS, type Event } from "../../src/core/event.ts";
import { looksLikeIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { asObject, contentUid, recordId, recordObject, recordTime, text, type Json } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";

/** Who signs in, by the log's category; records of other categories give no event. */
const CATEGORIES: ReadonlyMap<string, "user" | "workload"> = new Map([
  ["SignInLogs", "user"],
  ["NonInteractiveUserSignInLogs", "user"],
  ["ServicePrincipalSignInLogs", "workload"],
  ["ManagedIdentitySignInLogs", "workload"],
]);
/** OCSF Authentication: 1 Logon, 3 Authentication Ticket (a token, without anybody at the keyboard). */
const LOGON = 1;
const TICKET = 3;

/** Normalizes sign-ins. */
export const entraNormalize: Normalize = (record, context) => {
  const log = recordObject(record);
  const category = text(log["category"]) ?? "";
  const who = CATEGORIES.get(category);
  if (who === undefined) return [];
  const properties = asObject(log["properties"]) ?? {};
  const time = recordTime(properties["createdDateTime"] ?? log["time"], context.received);
  const status = asObject(properties["status"]);
  const code = text(status?.["errorCode"]) ?? text(log["resultType"]);
  const uid = uidOf(log, properties, code, context.sha256);
  const event = newEvent(uid, time, "authentication", CLASS.authentication, category === "SignInLogs" ? LOGON : TICKET);
  event.source = context.source;
  event.vendor = "Microsoft";
  event.product = "Entra ID";
  event.eventCode = category;
  event.operation = category;
  event.originalUid = text(properties["id"]);
  event.tenant = text(log["tenantId"]);
  event.requestUid = text(log["correlationId"]) ?? text(properties["correlationId"]);
  applyOutcome(event, code, status, log);
  applyClient(event, log, properties);
  applyToken(event, properties);
  if (who === "workload") applyWorkload(event, properties);
  else applyUser(event, properties);
  event.targetUserUid = event.userUid;
  event.targetUserName = event.userName;
  event.links = linksOf(event, properties);
  return [event];
};

/** A sign-in of several steps is exported again under its id when its outcome changes: each outcome is an event. */
function uidOf(log: Json, properties: Json, code: string | undefined, sha256: (text: string) => string): string {
  if (properties["id"] === undefined) return contentUid("entra", log, sha256);
  return `entra:${recordId(properties["id"], "properties.id")}:${recordId(code ?? "none", "errorCode")}`;
}

/**
 * Steps at which a user is asked for more (to stay signed in, for a second factor, for a known device): neither did the
 * sign-in succeed nor was it refused. https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
 */
const INTERRUPTED: ReadonlySet<string> = new Set(["50072", "50074", "50076", "50079", "50097", "50140"]);

function applyOutcome(event: Event, code: string | undefined, status: Json | undefined, log: Json): void {
  event.statusCode = code;
  if (code === undefined) return;
  if (code === "0") {
    event.statusId = STATUS.success;
    event.errorFlag = 0;
    return;
  }
  event.statusDetail = text(status?.["failureReason"]) ?? text(log["resultDescription"]);
  if (INTERRUPTED.has(code)) return;
  event.statusId = STATUS.failure;
  event.errorFlag = 1;
  event.severityId = SEVERITY.low;
}

function applyClient(event: Event, log: Json, properties: Json): void {
  const address = text(properties["ipAddress"]) ?? text(log["callerIpAddress"]);
  if (address !== undefined && looksLikeIp(address)) event.srcIp = address;
  event.srcCountry = text(asObject(properties["location"])?.["countryOrRegion"]);
  event.userAgent = text(properties["userAgent"]);
  event.clientUid = text(properties["appId"]);
  event.service = text(properties["resourceDisplayName"]);
  event.resourceName = event.service;
  event.resourceUid = text(properties["resourceIdentity"]) ?? text(properties["resourceId"]);
}

/** OCSF `auth_protocol_id` of what Entra names: 5 SAML, 6 OAuth 2.0. */
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["saml20", 5],
  ["oAuth2", 6],
  ["ropc", 6],
  ["deviceCode", 6],
]);

function applyToken(event: Event, properties: Json): void {
  // The claim `uti` of the token that was issued, by which Graph and Exchange name it in their logs.
  event.credentialUid = text(properties["uniqueTokenIdentifier"]);
  event.sessionUid = text(properties["sessionId"]);
  const protocol = text(properties["authenticationProtocol"]);
  if (protocol === undefined || protocol === "none") return;
  event.grantType = protocol;
  event.authProtocolId = PROTOCOLS.get(protocol);
}

function applyWorkload(event: Event, properties: Json): void {
  event.userUid = text(properties["servicePrincipalId"]);
  event.userName = text(properties["servicePrincipalName"]);
  event.userTypeId = 4;
}

function applyUser(event: Event, properties: Json): void {
  event.userUid = text(properties["userId"]);
  event.userName = text(properties["userPrincipalName"]);
  event.userTypeId = isAgentic(properties) ? 4 : 1;
  const required = text(properties["authenticationRequirement"]);
  if (required !== undefined && event.statusId === STATUS.success) event.isMfa = required === "multiFactorAuthentication";
  if (properties["riskLevelDuringSignIn"] === "high") event.severityId = SEVERITY.high;
}

/** https://learn.microsoft.com/en-us/graph/api/resources/agentic-agentsignin?view=graph-rest-beta */
function isAgentic(properties: Json): boolean {
  const type = text(asObject(properties["agent"])?.["agentType"]);
  return type !== undefined && type !== "notAgentic";
}

/**
 * A token, and the key that it was asked for with, are the application's; a managed identity is its resource's; an agent
 * identity its blueprint's. Of people nothing is told: they are no agents, and sign in by the million.
 */
function linksOf(event: Event, properties: Json): readonly string[] | undefined {
  if (event.statusId !== STATUS.success || event.userTypeId !== 4) return undefined;
  const app: Identity = ["client", event.clientUid];
  // The registry may name the application or its service principal; other kinds of one key narrow each other.
  const principal: Identity = ["user", text(properties["servicePrincipalId"])];
  const agent = asObject(properties["agent"]);
  return linkTexts([
    ...[event.credentialUid, text(properties["servicePrincipalCredentialKeyId"])].flatMap((credential) => [
      proven(["cred", credential], app),
      proven(["cred", credential], principal),
    ]),
    proven(["client", principal[1]], app),
    proven(app, ["client", resourceOf(properties)]),
    isAgentic(properties) ? proven(app, ["client", text(agent?.["parentAppId"]) ?? text(agent?.["parentAppID"])]) : undefined,
  ]);
}

/** The Azure resource that a managed identity belongs to; paths of resources are compared in lower case. */
function resourceOf(properties: Json): string | undefined {
  return text(asObject(properties["managedServiceIdentity"])?.["associatedResourceId"])?.toLowerCase();
}
