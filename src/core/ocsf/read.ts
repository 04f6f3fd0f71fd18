/** OCSF objects as events again: what `normalize` printed, and what other producers write in the same classes. */
import { poison } from "../errors.ts";
import { CATEGORIES, CLASS, type Category, type EpochMs, type Event } from "../event.ts";
import { setField } from "../event-codec.ts";
import { newEvent } from "../new-event.ts";
import { asObject, contentUid, recordObject, recordTime, text, type Json } from "../record.ts";
import { LINKS_FIELD, linksFrom } from "./links.ts";
import { PLANS } from "./plan.ts";
import { UNKNOWN, type Path } from "./place.ts";

/** Categories of classes whose producer names none. Network activity is egress only when it says that it is outbound. */
const CATEGORY_OF: ReadonlyMap<number, Category> = new Map([
  [CLASS.fileActivity, "file"],
  [CLASS.processActivity, "process"],
  [CLASS.detectionFinding, "agent_finding"],
  [CLASS.accountChange, "infra_change"],
  [CLASS.authentication, "authentication"],
  [CLASS.entityManagement, "infra_change"],
  [CLASS.userAccess, "infra_change"],
  [CLASS.dnsActivity, "dns"],
  [CLASS.apiActivity, "agent_api"],
]);
/** Set by attribution, which is done anew: what somebody else decided is not believed. */
const DECIDED: ReadonlySet<keyof Event> = new Set<keyof Event>([
  "agentUid",
  "agentName",
  "agentRole",
  "agentState",
  "agents",
  "attributionId",
  "attributionConfidence",
  "agentPerMinuteMax",
  "agentBulkMbMax",
  "srcRegistered",
  "dstAllowed",
  "regionDeclared",
  "actionDeclared",
  "dataClassAllowed",
]);
const OUTBOUND = 2;

/**
 * One OCSF object (1.8.0 or 1.9.0) as an event; `[]` for network activity that is not outbound.
 * @throws {Failure} poison RECORD_NOT_OBJECT, RECORD_NO_TIME, RECORD_TIME_FUTURE, RECORD_FIELD_MISSING (class_uid)
 */
export function eventFromOcsf(record: unknown, context: { readonly received: EpochMs; sha256(text: string): string }): readonly Event[] {
  const object = recordObject(record);
  const rest = asObject(object["unmapped"]) ?? {};
  const classUid = object["class_uid"] === 0 ? rest["class_uid"] : object["class_uid"];
  if (typeof classUid !== "number") throw poison("RECORD_FIELD_MISSING", "the object has no class_uid");
  const metadata = asObject(object["metadata"]) ?? {};
  const category = categoryOf(classUid, object, rest);
  if (category === undefined) return [];
  const uid = text(metadata["uid"]) ?? contentUid("ocsf", record, (value) => context.sha256(value));
  const activity = object["activity_id"];
  const event = newEvent(
    uid,
    recordTime(object["time"], context.received),
    category,
    classUid,
    typeof activity === "number" ? activity : 0,
  );
  const product = asObject(metadata["product"]) ?? {};
  event.vendor = text(product["vendor_name"]) ?? "";
  event.product = text(product["name"]) ?? "";
  setField(event, "severityId", object["severity_id"]);
  // Of a finding it is the state of its handling, not whether something succeeded.
  if (classUid !== CLASS.detectionFinding) setField(event, "statusId", object["status_id"]);
  const plan = PLANS[metadata["version"] === "1.9.0" ? "1.9.0" : "1.8.0"].get(classUid) ?? [];
  for (const { field, path, fallback } of plan) {
    if (DECIDED.has(field)) continue;
    const value = at(rest, fallback) ?? said(at(object, path));
    if (value !== undefined && value !== null) setField(event, field, value);
  }
  event.links = linksFrom(rest[LINKS_FIELD]);
  return [event];
}

function categoryOf(classUid: number, object: Json, rest: Json): Category | undefined {
  const named = rest["category"];
  const own = CATEGORIES.find((category) => category === named);
  if (own !== undefined) return own;
  if (classUid !== CLASS.networkActivity && classUid !== CLASS.httpActivity) return CATEGORY_OF.get(classUid) ?? "agent_api";
  return asObject(object["connection_info"])?.["direction_id"] === OUTBOUND ? "egress" : undefined;
}

/** Where OCSF demands a value and there was none, `unknown` stands: that is no value. */
function said(value: unknown): unknown {
  return value === UNKNOWN ? undefined : value;
}

/** What stands at a path; own properties only. */
function at(tree: unknown, path: Path | undefined): unknown {
  if (path === undefined) return undefined;
  let node: unknown = tree;
  for (const step of path) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, step)) return undefined;
    node = (node as Record<string | number, unknown>)[step];
  }
  return node;
}
