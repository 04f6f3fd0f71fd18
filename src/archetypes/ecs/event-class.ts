/** What an event is in the words of ECS: `event.category` and `event.type`, by its OCSF class and activity. */
import { ACTION, CLASS, type Event } from "../../core/event.ts";

/** `event.category` with the `event.type` that ECS expects beside it. */
export interface EcsClass {
  readonly category: readonly string[];
  readonly type: readonly string[];
}

/** OCSF activities of API Activity and Entity Management: create, read, update, delete. Anything else is just told. */
const CRUD: Readonly<Record<number, string>> = { 1: "creation", 2: "access", 3: "change", 4: "deletion" };
/** OCSF File System Activity: 5 to 9 rename and set attributes, 10 to 14 encrypt, decrypt, mount, unmount, open. */
const FILE: Readonly<Record<number, string>> = { ...CRUD, 5: "change", 6: "change", 7: "change", 14: "access" };
/** OCSF Process Activity: launch, terminate, open, inject, set user id. */
const PROCESS: Readonly<Record<number, string>> = { 1: "start", 2: "end", 3: "access", 4: "change", 5: "change" };
/** OCSF Account Change: create, delete; all between changes something. */
const ACCOUNT: Readonly<Record<number, string>> = { 1: "creation", 6: "deletion" };
/** OCSF Network Activity: open, close, reset, fail, refuse, traffic. */
const NETWORK: Readonly<Record<number, readonly string[]>> = {
  1: ["connection", "start"],
  2: ["connection", "end"],
  3: ["connection", "end"],
  4: ["connection", "end"],
  5: ["connection", "denied"],
  6: ["connection"],
};
const LOGON: Readonly<Record<number, string>> = { 1: "start", 2: "end" };

/** Category and types of an event. */
export function ecsClass(event: Event): EcsClass {
  const { activityId } = event;
  switch (event.classUid) {
    case CLASS.authentication:
      return { category: ["authentication"], type: [LOGON[activityId] ?? "info"] };
    case CLASS.accountChange:
      return { category: ["iam"], type: ["user", ACCOUNT[activityId] ?? "change"] };
    case CLASS.userAccess:
      return { category: ["iam"], type: ["user", "change"] };
    case CLASS.networkActivity:
      return { category: ["network"], type: decided(NETWORK[activityId] ?? ["connection"], event) };
    case CLASS.httpActivity:
      return { category: ["network", "web"], type: decided(["access"], event) };
    case CLASS.dnsActivity:
      return { category: ["network"], type: decided(["protocol"], event) };
    case CLASS.processActivity:
      return { category: ["process"], type: [PROCESS[activityId] ?? "info"] };
    case CLASS.fileActivity:
      return { category: ["file"], type: [FILE[activityId] ?? "info"] };
    case CLASS.detectionFinding:
      return { category: ["intrusion_detection"], type: decided(["info"], event) };
    case CLASS.entityManagement:
      return { category: ["configuration"], type: [CRUD[activityId] ?? "info"] };
    default:
      return apiClass(event);
  }
}

/** A call: of an agent, or of the control plane, which then configures something. */
function apiClass(event: Event): EcsClass {
  const type = CRUD[event.activityId] ?? "info";
  if (event.category === "infra_change") return { category: ["api", "configuration"], type: [type] };
  return { category: ["api"], type: decided([type], event) };
}

/** Adds what a control decided about it. */
function decided(type: readonly string[], { actionId }: Event): readonly string[] {
  if (actionId === ACTION.allowed) return [...new Set([...type, "allowed"])];
  return actionId === ACTION.denied ? [...new Set([...type, "denied"])] : type;
}
