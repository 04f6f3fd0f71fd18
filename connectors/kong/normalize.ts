/**
 * Kong's log serializer (https://developer.konghq.com/gateway/pdk/reference/kong.log/#kong-log-serialize), one object per
 * request. Seven of ten records of a fleet come through here: nothing is copied that is not kept.
 */
import { poison } from "../../src/core/errors.ts";
import { ACTION, CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { asObject, contentUid, numeric, recordObject, recordTime, redactUrl, text, urlPath, type Json } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { addAi } from "./ai.ts";
import { callerOf, claimLinks, claimNames, claimsOf, delegatorOf, header } from "./claims.ts";

/** How headers that carry claims start when the configuration does not say otherwise. */
export const CLAIM_PREFIX = "x-jwt-claim-";
/** Lists of scopes that are remembered: fleets use dozens. */
const SCOPES_MAX = 1000;
/** Scopes of one token that are kept. */
const SCOPES_EACH_MAX = 64;

const EMPTY: Json = Object.freeze({});

/**
 * Normalizer of access log records; one event each. `linkTokens`: tell whose each token is, by its id. `trustClaims`: the
 * gateway itself wrote every claim, from a token that it had checked.
 */
export function kongNormalize(claimPrefix = CLAIM_PREFIX, linkTokens = false, trustClaims = false): Normalize {
  const names = claimNames(claimPrefix);
  const scopesOf = scopeLists();
  return (record, context) => {
    const entry = recordObject(record);
    const request = asObject(entry["request"]);
    const response = asObject(entry["response"]);
    if (request === undefined || response === undefined) throw poison("RECORD_FIELD_MISSING", "the record has no request or no response");
    const time = recordTime(entry["started_at"], context.received);
    const headers = asObject(request["headers"]) ?? EMPTY;
    const id = idOf(request["id"]) ?? idOf(asObject(response["headers"])?.["x-kong-request-id"]);
    const uid = id === undefined ? contentUid("kong", entry, context.sha256) : `kong:${id}`;
    const method = text(request["method"]);
    const event = newEvent(uid, time, "agent_api", CLASS.apiActivity, activityOf(method));
    event.source = context.source;
    event.receivedTime = context.received;
    event.vendor = "Kong";
    event.product = "Kong Gateway";
    event.originalUid = id;
    event.requestUid = id;
    event.method = method;
    event.srcIp = text(entry["client_ip"]);
    event.userAgent = header(headers, "user-agent");
    event.url = redactUrl(request["uri"]);
    event.urlPath = urlPath(event.url);
    event.bytesOut = count(request["size"]);
    event.bytesIn = count(response["size"]);
    event.durationMs = count(asObject(entry["latencies"])?.["request"]);
    addOutcome(event, count(response["status"]), entry["source"]);
    addCaller(event, entry);
    if (isKnown(entry, headers)) {
      const claims = claimsOf(headers, names);
      event.purpose = claims.purpose;
      event.scopes = scopesOf(claims.scope);
      if (isAccepted(event)) event.userUid = claims.subject;
      // Most calls are made for nobody else: there is nothing to compare the caller with.
      if (isAccepted(event) && (claims.actors.length > 0 || linkTokens)) {
        const caller = callerOf(entry);
        event.onBehalfOf = delegatorOf(claims, caller);
        event.links = claimLinks(event, claims, { headers, names, linkTokens, trustClaims, caller });
      }
    }
    addTarget(event, entry);
    addTrace(event, headers["traceparent"]);
    if (entry["ai"] !== undefined) addAi(event, asObject(entry["ai"]));
    return [event];
  };
}

/** Kong's ids have 32 characters; a much longer one is not cut, because two could become one. */
function idOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 256 ? value : undefined;
}

function activityOf(method: string | undefined): number {
  switch (method) {
    case "GET":
    case "HEAD":
    case "OPTIONS":
      return 2;
    case "POST":
      return 1;
    case "PUT":
    case "PATCH":
      return 3;
    case "DELETE":
      return 4;
    default:
      return method === undefined ? 0 : 99;
  }
}

/** A size, status or duration; Kong logs -1 for what did not happen. */
function count(value: unknown): number | undefined {
  const number = typeof value === "number" ? value : numeric(value);
  return number === undefined || !(number >= 0) || number > Number.MAX_SAFE_INTEGER ? undefined : number;
}

function addOutcome(event: Event, status: number | undefined, answeredBy: unknown): void {
  event.responseCode = status;
  if (status === undefined) return;
  const failed = status >= 400;
  event.statusId = failed ? STATUS.failure : STATUS.success;
  event.errorFlag = failed ? 1 : 0;
  // An error that Kong itself answered with (no credential, over a limit) never reached the service.
  event.actionId = failed && answeredBy === "kong" ? ACTION.denied : ACTION.allowed;
}

/** Only Kong's own objects say who called: headers of any name can come from the caller, also those that Kong sets. */
function addCaller(event: Event, entry: Json): void {
  const consumer = asObject(entry["consumer"]);
  const entity = asObject(entry["authenticated_entity"]);
  event.agentNative = text(consumer?.["custom_id"]) ?? text(consumer?.["username"]);
  event.clientUid = text(consumer?.["id"]) ?? text(entity?.["consumer_id"]);
  event.credentialUid = text(entity?.["id"]);
  const workspace = entry["workspace_name"];
  if (workspace !== "default") event.tenant = text(workspace);
}

function addTarget(event: Event, entry: Json): void {
  const route = asObject(entry["route"]);
  const service = asObject(entry["service"]);
  event.routeName = text(route?.["name"]);
  event.operation = event.routeName ?? event.method;
  event.service = text(service?.["name"]) ?? text(service?.["host"]);
  event.dataClasses = tagged(route?.["tags"], "data:");
  event.region = tagged(service?.["tags"], "region:")?.[0];
}

/** What follows the prefix in the tags that start with it. */
function tagged(tags: unknown, prefix: string): string[] | undefined {
  if (!Array.isArray(tags)) return undefined;
  let found: string[] | undefined;
  for (const tag of tags as readonly unknown[]) {
    if (typeof tag !== "string" || !tag.startsWith(prefix) || tag.length === prefix.length || tag.length > 256) continue;
    if (found === undefined) found = [tag.slice(prefix.length)];
    else if (found.length < 64) found.push(tag.slice(prefix.length));
  }
  return found;
}

/**
 * What a token says counts only when Kong knew who brought it and let it pass: anybody can send any text as a token, or
 * as a header of that name.
 */
function isKnown(entry: Json, headers: Json): boolean {
  const { consumer, authenticated_entity: entity } = entry;
  if ((entity ?? undefined) !== undefined) return true;
  // A plugin's consumer for callers without a credential: https://developer.konghq.com/gateway/authentication/#anonymous-access
  return (consumer ?? undefined) !== undefined && header(headers, "x-anonymous-consumer") !== "true";
}

function isAccepted(event: Event): boolean {
  return event.actionId === ACTION.allowed && event.responseCode !== 401;
}

/** Texts of scopes are few and repeated: each list is made once and shared by all events. */
function scopeLists(): (value: unknown) => readonly string[] | undefined {
  const lists = new Map<string, readonly string[] | undefined>();
  return (value) => {
    if (typeof value !== "string" || value.length > 4096) return undefined;
    let list = lists.get(value);
    if (list !== undefined || value === "") return list;
    list = value.split(/[\s,]+/, SCOPES_EACH_MAX).filter((scope) => scope !== "" && scope.length <= 256);
    if (lists.size >= SCOPES_MAX) lists.clear();
    lists.set(value, list);
    return list;
  };
}

/** W3C trace context: `00-<32 hex>-<16 hex>-<flags>`. */
function addTrace(event: Event, value: unknown): void {
  if (typeof value !== "string" || value.length < 55 || value.charCodeAt(2) !== 45 || value.charCodeAt(35) !== 45) return;
  event.traceUid = value.slice(3, 35);
  event.parentSpanUid = value.slice(36, 52);
}
