/**
 * Okta System Log LogEvent -> event.
 * Format: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/
 * Event types: https://developer.okta.com/docs/reference/api/event-types/
 */
import { linkTexts, proven } from "../../src/archetypes/links.ts";
import { CLASS, SEVERITY, STATUS, type EpochMs, type Event } from "../../src/core/event.ts";
import { looksLikeIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { asObject, parseTime, recordId, recordObject, recordTime, text, type Json } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { eventKind } from "./event-types.ts";

/** Scopes kept of one token; a token with more is cut (Okta allows about 100 per authorization server by default). */
const SCOPES_MAX = 64;
/** `target` entries looked at; group and import events list every member. */
const TARGETS_MAX = 64;

/** Normalizes LogEvents; `tenant` is the host of the organization, when the configuration names one. */
export function oktaNormalize(tenant?: string): Normalize {
  return (record, context) => {
    const log = recordObject(record);
    const time = recordTime(log["published"], context.received);
    const uuid = recordId(log["uuid"], "uuid");
    const eventType = recordId(log["eventType"], "eventType");
    const kind = eventKind(eventType);
    if (kind.isIgnored) return [];

    const event = newEvent(`okta:${uuid}`, time, kind.category, kind.classUid, kind.activityId);
    event.source = context.source;
    event.vendor = "Okta";
    event.product = "Okta System Log";
    event.originalUid = uuid;
    event.eventCode = eventType;
    event.tenant = tenant;
    event.operation = eventType;
    event.severityId = severityOf(log["severity"]);
    applyOutcome(event, asObject(log["outcome"]), eventType);
    applyActor(event, asObject(log["actor"]));
    applyClient(event, asObject(log["client"]));
    applySession(event, log);
    const debug = asObject(asObject(log["debugContext"])?.["debugData"]);
    if (debug !== undefined) applyDebug(event, debug);
    applyTargets(event, log["target"]);
    if (event.category === "infra_change") applyChange(event, eventType, kind.isChange);
    else if (event.category === "authentication") applySignIn(event, eventType);
    else applyFinding(event, kind.threat, log);
    event.links = linksOf(event, log);
    return [event];
  };
}

/** Okta writes these for "none" into text fields. */
function real(value: unknown): string | undefined {
  const result = text(value);
  return result === undefined || result === "unknown" || result === "null" || result === "-" ? undefined : result;
}

function severityOf(value: unknown): number {
  if (value === "ERROR") return SEVERITY.high;
  if (value === "WARN") return SEVERITY.medium;
  return SEVERITY.informational;
}

function applyOutcome(event: Event, outcome: Json | undefined, eventType: string): void {
  const result = text(outcome?.["result"]);
  event.statusCode = result;
  event.statusDetail = real(outcome?.["reason"]);
  if (result === "FAILURE" || result === "DENY" || result === "RATE_LIMIT") event.statusId = STATUS.failure;
  // A policy that allows or challenges is a step of a sign-in that is reported by an event of its own.
  else if (result === "SUCCESS" || (result === "ALLOW" && eventType !== "policy.evaluate_sign_on")) event.statusId = STATUS.success;
}

function applyActor(event: Event, actor: Json | undefined): void {
  if (actor === undefined) return;
  const id = real(actor["id"]);
  const type = text(actor["type"]);
  const login = real(actor["alternateId"]) ?? real(actor["displayName"]);
  if (type === "User" || type === "AppUser") {
    event.userUid = id;
    event.userName = login;
    event.userTypeId = 1;
  } else if (type === "SystemPrincipal") {
    event.userName = login;
    event.userTypeId = 3;
  } else {
    event.clientUid = id;
    event.userName = real(actor["displayName"]) ?? login;
    event.userTypeId = 4;
  }
}

function applyClient(event: Event, client: Json | undefined): void {
  if (client === undefined) return;
  const ip = real(client["ipAddress"]);
  if (ip !== undefined && looksLikeIp(ip)) event.srcIp = ip;
  event.srcCountry = real(asObject(client["geographicalContext"])?.["country"]);
  event.userAgent = real(asObject(client["userAgent"])?.["rawUserAgent"]);
  // The OAuth client of an authorization request, where the actor is the person.
  event.clientUid ??= real(client["id"]);
}

function applySession(event: Event, log: Json): void {
  const authentication = asObject(log["authenticationContext"]);
  event.sessionUid = real(authentication?.["externalSessionId"]) ?? real(authentication?.["rootSessionId"]);
  const transaction = asObject(log["transaction"]);
  event.requestUid = real(transaction?.["id"]);
  // The id of the SSWS API token that made the call: https://developer.okta.com/docs/reference/api/system-log/#transaction-object
  event.credentialUid = real(asObject(transaction?.["detail"])?.["requestApiTokenId"]);
}

function applyDebug(event: Event, debug: Json): void {
  event.grantType = real(debug["grantType"]);
  event.scopes = scopeList(debug["grantedScopes"]) ?? scopeList(debug["requestedScopes"]);
  event.urlPath = real(debug["requestUri"]);
  event.url = event.urlPath;
  event.statusDetail ??= real(debug["loginResult"]);
  event.grant = real(debug["privilegeGranted"]);
}

/** Scopes come as one text, `a, b` or `a b`. */
function scopeList(value: unknown): string[] | undefined {
  const all = real(value);
  if (all === undefined) return undefined;
  const scopes: string[] = [];
  for (const scope of all.split(/[\s,]+/)) if (scope !== "" && scopes.length < SCOPES_MAX) scopes.push(scope);
  return scopes.length > 0 ? scopes : undefined;
}

function applyTargets(event: Event, targets: unknown): void {
  if (!Array.isArray(targets)) return;
  for (const [index, item] of targets.entries()) {
    if (index >= TARGETS_MAX) return;
    const target = asObject(item);
    if (target === undefined) continue;
    const id = real(target["id"]);
    const type = text(target["type"]);
    if (type === "User" || type === "AppUser") {
      event.targetUserUid ??= id;
      event.targetUserName ??= real(target["alternateId"]) ?? real(target["displayName"]);
    } else if (type === "access_token" && event.category === "authentication") {
      // The token that this event hands out: later records name it as their credential (JWT claim `jti`).
      event.credentialUid ??= id;
    } else if (type === "AppInstance" || type === "AuthorizationServer") {
      event.service ??= real(target["displayName"]);
    } else if (type === "ROLE" || type === "Role") {
      event.grant ??= real(target["displayName"]);
    }
    if (event.resourceUid === undefined && event.category === "infra_change") {
      event.resourceUid = id;
      event.resourceName = real(target["displayName"]) ?? real(target["alternateId"]);
      event.resourceType = type;
    }
  }
}

function applySignIn(event: Event, eventType: string): void {
  if (eventType.startsWith("app.oauth2.") || event.grantType !== undefined) {
    event.authProtocolId = 6; // OAuth 2.0
    // A token that a client got in a person's name.
    if (event.clientUid !== undefined && event.userUid === undefined) event.onBehalfOf = event.targetUserUid;
  }
  if (eventType === "user.authentication.auth_via_mfa" && event.statusId === STATUS.success) event.isMfa = true;
  // A sign-in is about the account that signs in, also when no other is named.
  event.targetUserUid ??= event.userUid;
  event.targetUserName ??= event.userUid === undefined ? undefined : event.userName;
}

/**
 * A token belongs to the client that got it, until it expires or is revoked; an API token (SSWS) to who made it.
 * Which agent stands behind a client, or which person granted it, is not in the log.
 */
function linksOf(event: Event, log: Json): readonly string[] | undefined {
  const { credentialUid, clientUid, userUid, eventCode } = event;
  if (credentialUid === undefined || event.statusId !== STATUS.success) return undefined;
  if (event.category !== "authentication") return linkTexts([proven(["cred", credentialUid], ["user", userUid])]);
  if (eventCode?.includes(".token.revoke") === true)
    return linkTexts([proven(["cred", credentialUid], ["client", clientUid], { ends: true })]);
  return linkTexts([proven(["cred", credentialUid], ["client", clientUid], { until: tokenEnd(log["target"]) })]);
}

/** `detailEntry.expires` of the access token that was handed out. */
function tokenEnd(targets: unknown): EpochMs | undefined {
  for (const item of Array.isArray(targets) ? targets.slice(0, TARGETS_MAX) : []) {
    const target = asObject(item);
    if (target?.["type"] === "access_token") return parseTime(asObject(target["detailEntry"])?.["expires"]);
  }
  return undefined;
}

function applyChange(event: Event, eventType: string, isChange: boolean): void {
  event.infraAction = `okta:${eventType}`;
  event.isChange = isChange;
  if (event.classUid === CLASS.userAccess) {
    event.privileged = true;
  }
  if (eventType === "system.api_token.create") event.privileged = true;
}

function applyFinding(event: Event, threat: string | undefined, log: Json): void {
  event.findingThreat = threat;
  event.findingSignal = event.eventCode;
  event.findingSeverity = event.severityId >= SEVERITY.high ? "high" : "medium";
  event.statusDetail ??= real(log["displayMessage"]);
}
