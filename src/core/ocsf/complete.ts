/**
 * What OCSF demands beside what the event says. Every placeholder is the word `unknown` or an empty object, and only
 * where the schema refuses the object without it.
 */
import { CLASS, type Event } from "../event.ts";
import type { OcsfVersion } from "./classes.ts";
import { has, put, UNKNOWN, visible, type Tree } from "./place.ts";

const { fileActivity, processActivity, accountChange, authentication, entityManagement, userAccess } = CLASS;
const { networkActivity, httpActivity, dnsActivity, apiActivity } = CLASS;

/** Classes whose actor and device belong to them; elsewhere these come with the `host` profile. */
const OWN_ACTOR: ReadonlySet<number> = new Set([
  apiActivity,
  accountChange,
  authentication,
  entityManagement,
  userAccess,
  fileActivity,
  processActivity,
]);
const OWN_DEVICE: ReadonlySet<number> = new Set([fileActivity, processActivity]);

/** Adds what the class requires. */
export function complete(classUid: number, event: Event, target: Tree, version: OcsfVersion): void {
  if (classUid === apiActivity) completeApi(event, target);
  if (OWN_ACTOR.has(classUid)) completeActor(event, target, version, requiresActor(classUid));
  if (classUid === fileActivity || classUid === processActivity) completeHost(classUid, event, target);
  if (classUid === accountChange || classUid === authentication || classUid === userAccess) completeUser(event, target);
  if (classUid === authentication && target["service"] === undefined && target["dst_endpoint"] === undefined) {
    target["service"] = { name: visible(has(event.product) ? event.product : UNKNOWN) };
  }
  if (classUid === userAccess && version === "1.8.0") target["privileges"] ??= [UNKNOWN];
  if (classUid === entityManagement) target["entity"] ??= { name: visible(firstOf(event.targetUserName, event.targetUserUid)) };
  if (classUid === networkActivity || classUid === dnsActivity) completeEndpoints(target);
  if (classUid === httpActivity && target["http_response"] === undefined) target["http_request"] ??= {};
  completeMembers(event, target);
}

function requiresActor(classUid: number): boolean {
  return classUid === apiActivity || classUid === fileActivity || classUid === processActivity;
}

function firstOf(...texts: readonly (string | undefined)[]): string {
  return texts.find(has) ?? UNKNOWN;
}

function completeApi(event: Event, target: Tree): void {
  const api = (target["api"] ??= {}) as Tree;
  api["operation"] ??= visible(firstOf(event.toolName, event.eventCode));
  target["src_endpoint"] ??= { name: UNKNOWN };
  const response = target["http_response"] as Tree | undefined;
  if (response !== undefined) response["code"] = event.responseCode;
  // No OCSF object for tools before 1.10: a tool is a resource of its own type.
  if (has(event.toolName)) ((target["resources"] ??= []) as Tree[]).push({ name: visible(event.toolName), type: "ai_tool" });
}

/** In 1.8.0 there is no agent object: the agent is the acting application, and stands in full under `unmapped`. */
function completeActor(event: Event, target: Tree, version: OcsfVersion, required: boolean): void {
  let actor = target["actor"] as Tree | undefined;
  if (version === "1.8.0" && (has(event.agentUid) || has(event.agentName))) {
    actor ??= target["actor"] = {};
    if (has(event.agentUid)) actor["app_uid"] ??= visible(event.agentUid);
    if (has(event.agentName)) actor["app_name"] = visible(event.agentName);
  }
  if (actor === undefined && required) target["actor"] = version === "1.8.0" ? { app_name: UNKNOWN } : { application: { name: UNKNOWN } };
}

function completeHost(classUid: number, event: Event, target: Tree): void {
  target["device"] ??= { name: UNKNOWN };
  if (classUid === processActivity) {
    const process = (target["process"] ??= {}) as Tree;
    process["uid"] = UNKNOWN;
    return;
  }
  const file = (target["file"] ??= {}) as Tree;
  const path = has(event.filePath) ? event.filePath : "";
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  file["name"] = visible(has(name) ? name : UNKNOWN);
  file["type_id"] = 0;
}

function completeUser(event: Event, target: Tree): void {
  if (target["user"] !== undefined) return;
  const user: Tree = {};
  if (has(event.userUid)) user["uid"] = visible(event.userUid);
  if (has(event.userName) || !has(event.userUid)) user["name"] = visible(firstOf(event.userName));
  target["user"] = user;
}

function completeEndpoints(target: Tree): void {
  if (target["dst_endpoint"] === undefined) target["src_endpoint"] ??= { name: UNKNOWN };
}

/** Members that an object needs beside the one that the event gave it. */
function completeMembers(event: Event, target: Tree): void {
  const device = target["device"] as Tree | undefined;
  if (device !== undefined) device["type_id"] = 0;
  const connection = target["connection_info"] as Tree | undefined;
  if (connection !== undefined) connection["direction_id"] ??= 0;
  const model = target["ai_model"] as Tree | undefined;
  if (model !== undefined) model["ai_provider"] ??= UNKNOWN;
  const delegation = target["delegation"] as Tree | undefined;
  if (delegation !== undefined) delegation["uid"] = UNKNOWN;
  const messages = target["message_context"] as Tree | undefined;
  if (messages !== undefined) {
    messages["service"] = { name: visible(firstOf(event.service, event.product)) };
    const [read, written] = [messages["prompt_tokens"], messages["completion_tokens"]];
    if (typeof read === "number" && typeof written === "number") messages["total_tokens"] = read + written;
  }
  const span = (target["trace"] as Tree | undefined)?.["span"] as Tree | undefined;
  if (span !== undefined) {
    span["start_time"] = Math.trunc(event.time);
    const length = event.durationMs !== undefined && Number.isFinite(event.durationMs) ? event.durationMs : 0;
    span["end_time"] = Math.trunc(event.endTime ?? event.time + length);
  }
  if (target["end_time"] !== undefined) target["start_time"] = Math.trunc(event.time);
}

/** Members that the objects of an evidence need, and the agent that it is about. */
export function completeEvidence(event: Event, evidence: Tree, version: OcsfVersion): void {
  const device = evidence["device"] as Tree | undefined;
  if (device !== undefined) device["type_id"] = 0;
  if (evidence["file"] !== undefined) {
    const holder: Tree = { file: evidence["file"], device: {} };
    completeHost(fileActivity, event, holder);
  }
  completeActor(event, evidence, version, false);
  // An agent alone is not enough for an evidence, so it names the event that it comes from.
  evidence["data"] ??= { uid: visible(event.uid) };
}

/** OCSF `disposition_id` for each `action_id` (allowed, denied, observed). */
const DISPOSITIONS: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 15 };

/** Says what became of a controlled activity in both of OCSF's words for it. */
export function disposition(target: Tree): void {
  const decided = DISPOSITIONS[target["action_id"] as number];
  if (decided !== undefined) target["disposition_id"] = decided;
  if (target["action_id"] === 99) put(target, ["action"], "Other");
}

/** The profiles whose attributes the object uses. */
export function profilesOf(classUid: number, target: Tree): readonly string[] {
  const profiles: string[] = [];
  if (["ai_model", "message_context", "ai_agent", "delegation"].some((key) => target[key] !== undefined)) profiles.push("ai_operation");
  if (target["cloud"] !== undefined) profiles.push("cloud");
  if ((target["process"] as Tree | undefined)?.["container"] !== undefined) profiles.push("container");
  const borrowed =
    (target["actor"] !== undefined && !OWN_ACTOR.has(classUid)) || (target["device"] !== undefined && !OWN_DEVICE.has(classUid));
  if (borrowed) profiles.push("host");
  if (target["action_id"] !== undefined) profiles.push("security_control");
  if (target["trace"] !== undefined) profiles.push("trace");
  return profiles;
}
