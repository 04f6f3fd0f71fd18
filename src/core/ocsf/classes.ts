/** What OCSF says about the classes that events use: captions, activities, required objects. */
import { CLASS } from "../event.ts";

/** OCSF versions that can be written. 1.8.0 is what consumers understand, 1.9.0 has objects for agents. */
export type OcsfVersion = "1.8.0" | "1.9.0";

/** Class of a record whose `classUid` is none of ours. */
export const BASE_EVENT = 0;

/** Caption per class, and its activities other than 0 (Unknown) and 99 (Other). */
export const CLASS_FACTS: ReadonlyMap<number, { readonly name: string; readonly activities: number }> = new Map([
  [BASE_EVENT, { name: "Base Event", activities: 0 }],
  [CLASS.fileActivity, { name: "File System Activity", activities: 14 }],
  [CLASS.processActivity, { name: "Process Activity", activities: 5 }],
  [CLASS.detectionFinding, { name: "Detection Finding", activities: 3 }],
  [CLASS.incidentFinding, { name: "Incident Finding", activities: 3 }],
  [CLASS.accountChange, { name: "Account Change", activities: 12 }],
  [CLASS.authentication, { name: "Authentication", activities: 7 }],
  [CLASS.entityManagement, { name: "Entity Management", activities: 13 }],
  [CLASS.userAccess, { name: "User Access Management", activities: 4 }],
  [CLASS.networkActivity, { name: "Network Activity", activities: 7 }],
  [CLASS.httpActivity, { name: "HTTP Activity", activities: 40 }],
  [CLASS.dnsActivity, { name: "DNS Activity", activities: 6 }],
  [CLASS.apiActivity, { name: "API Activity", activities: 4 }],
]);

/** Captions of the User Access activities that 1.8.0 does not have yet. */
const LATER_USER_ACCESS = ["Assign Role", "Remove Role"];
/** HTTP activities of 1.8.0; 1.9.0 has the WebDAV methods too. */
const HTTP_ACTIVITIES_1_8 = 9;

/** The activity as a version allows it: `name` is set where the number had to become 99 (Other). */
export function activityOf(classUid: number, activityId: number, version: OcsfVersion): { readonly id: number; readonly name?: string } {
  if (activityId === 0) return { id: 0 };
  if (classUid === CLASS.userAccess && version === "1.8.0" && (activityId === 3 || activityId === 4)) {
    return { id: 99, name: LATER_USER_ACCESS[activityId - 3]! };
  }
  // DNS has 1, 2 and 6 only.
  const gap = classUid === CLASS.dnsActivity && activityId > 2 && activityId < 6;
  const last = classUid === CLASS.httpActivity && version === "1.8.0" ? HTTP_ACTIVITIES_1_8 : (CLASS_FACTS.get(classUid)?.activities ?? 0);
  const known = Number.isInteger(activityId) && activityId > 0 && activityId <= last;
  return known && !gap ? { id: activityId } : { id: 99, name: activityId === 99 ? "Other" : `Activity ${activityId}` };
}

/** OCSF captions of `severity_id`. */
export const SEVERITY_NAMES = ["Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal"] as const;
/** OCSF captions of an activity's `status_id`. */
export const STATUS_NAMES = ["Unknown", "Success", "Failure"] as const;

/** DNS response codes that OCSF knows; 12 to 15 are unassigned. */
export const RCODES: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 99];

/** HTTP Activity by method, in both versions (1.9.0 adds the WebDAV methods). */
const HTTP_ACTIVITIES: ReadonlyMap<string, number> = new Map([
  ["CONNECT", 1],
  ["DELETE", 2],
  ["GET", 3],
  ["HEAD", 4],
  ["OPTIONS", 5],
  ["POST", 6],
  ["PUT", 7],
  ["TRACE", 8],
  ["PATCH", 9],
]);

/** Values of `http_request.http_method` in both versions; others go to `unmapped`. */
export const HTTP_METHODS: readonly string[] = [...HTTP_ACTIVITIES.keys()];

/** The activity of a request; 99 (Other) for a method that OCSF has none for. */
export function httpActivityOf(method: string | undefined): number {
  return HTTP_ACTIVITIES.get(method ?? "") ?? 99;
}
