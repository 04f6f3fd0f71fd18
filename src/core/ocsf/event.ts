import { LINKS_FIELD, linkTrees } from "./links.ts";
import { CLASS, type Event } from "../event.ts";
import { activityOf, BASE_EVENT, CLASS_FACTS, SEVERITY_NAMES, STATUS_NAMES, type OcsfVersion } from "./classes.ts";
import { complete, completeEvidence, disposition, profilesOf } from "./complete.ts";
import { EVIDENCE_PLANS, fill, PLANS } from "./plan.ts";
import { has, put, UNKNOWN, visible, type Tree } from "./place.ts";

/** Choices of a rendering. */
export interface OcsfOptions {
  readonly version: OcsfVersion;
  /** Who is responsible for an incident whose agent names no owner; OCSF requires somebody. Default `unassigned`. */
  readonly assigneeGroup?: string;
}

/** The metadata that every OCSF object needs. */
export function metadata(uid: string, vendor: string, product: string, version: OcsfVersion): Tree {
  const name = has(product) ? product : has(vendor) ? vendor : UNKNOWN;
  const named: Tree = { name: visible(name) };
  if (has(vendor)) named["vendor_name"] = visible(vendor);
  return { version, uid: visible(uid), product: named };
}

/** `class_uid` and what follows from it. */
export function classify(target: Tree, classUid: number, activityId: number, version: OcsfVersion): void {
  const activity = activityOf(classUid, activityId, version);
  target["class_uid"] = classUid;
  target["class_name"] = CLASS_FACTS.get(classUid)?.name ?? UNKNOWN;
  target["category_uid"] = Math.floor(classUid / 1000);
  target["activity_id"] = activity.id;
  if (activity.name !== undefined) target["activity_name"] = activity.name;
  target["type_uid"] = classUid * 100 + activity.id;
}

/** One event as an OCSF object of its class. Pure; the result shares nothing with the event but its texts. */
export function eventToOcsf(event: Event, options: OcsfOptions): object {
  const { version } = options;
  const known = PLANS[version].has(event.classUid);
  const classUid = known ? event.classUid : BASE_EVENT;
  const target: Tree = { metadata: metadata(event.uid, event.vendor, event.product, version), time: Math.trunc(event.time) };
  const rest: Tree = {};
  classify(target, classUid, event.activityId, version);
  severity(target, event.severityId);
  fill(PLANS[version].get(classUid) ?? [], event, target, rest);
  rest["category"] = event.category;
  if (!known) rest["class_uid"] = event.classUid;
  if (classUid === CLASS.detectionFinding || classUid === CLASS.incidentFinding) finding(event, target, rest, options);
  else status(target, event);
  complete(classUid, event, target, version);
  disposition(target);
  const profiles = profilesOf(classUid, target);
  if (profiles.length > 0) put(target, ["metadata", "profiles"], profiles);
  const links = linkTrees(event.links);
  if (links !== undefined) rest[LINKS_FIELD] = links;
  target["unmapped"] = rest;
  return target;
}

/** One element of a finding's `evidences`: what the event says, and under `data` what has no place there. */
export function evidenceOf(event: Event, version: OcsfVersion): Tree {
  const evidence: Tree = { uid: visible(event.uid) };
  const data: Tree = { time: event.time, class_uid: event.classUid, activity_id: event.activityId, category: event.category };
  if (event.statusId !== 0) data["status_id"] = event.statusId;
  if (has(event.product)) put(data, ["metadata", "product", "name"], visible(event.product));
  fill(EVIDENCE_PLANS[version], event, evidence, data);
  evidence["data"] = data;
  completeEvidence(event, evidence, version);
  return evidence;
}

function severity(target: Tree, severityId: number): void {
  const name = SEVERITY_NAMES[severityId];
  target["severity_id"] = name === undefined ? 0 : severityId;
  target["severity"] = name ?? SEVERITY_NAMES[0];
}

function status(target: Tree, event: Event): void {
  const name = STATUS_NAMES[event.statusId];
  target["status_id"] = name === undefined ? 99 : event.statusId;
  // OCSF wants the source's own word beside 99 (Other).
  target["status"] = name ?? `Status ${event.statusId}`;
  if (target["status_detail"] === undefined && event.classUid === CLASS.apiActivity && has(event.finishReason)) {
    target["status_detail"] = visible(event.finishReason);
  }
}

/** An agent finding: what a monitor says about an agent. Its state there is "new", whatever the call's outcome was. */
function finding(event: Event, target: Tree, rest: Tree, options: OcsfOptions): void {
  target["status_id"] = 1;
  target["status"] = "New";
  if (event.statusId !== 0) rest["status_id"] = event.statusId;
  const title = [event.findingThreat, event.findingSignal].filter(has).join(": ");
  const info: Tree = { uid: visible(event.uid), title: visible(has(title) ? title : (event.eventCode ?? UNKNOWN)) };
  if (has(event.findingThreat)) info["types"] = [visible(event.findingThreat)];
  if (has(event.findingSignal)) info["analytic"] = { name: visible(event.findingSignal), type_id: 0 };
  if (has(event.source)) info["data_sources"] = [visible(event.source)];
  if (event.classUid === CLASS.incidentFinding) {
    target["finding_info_list"] = [info];
    target["assignee_group"] = { name: visible(options.assigneeGroup ?? "unassigned") };
    return;
  }
  target["finding_info"] = info;
  target["is_alert"] = true;
  const [evidence] = (target["evidences"] ??= [{}]) as Tree[];
  completeEvidence(event, evidence!, options.version);
}
