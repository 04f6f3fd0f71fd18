/** Which CIM model a supporting event belongs to. Its source type is `<prefix>:event:<model>`, and the add-on tags each. */
import { CLASS, type Event } from "../../src/core/event.ts";

/** Our name of a model (part of the source type), and the tags that make its constraint in the Common Information Model. */
export const MODELS = {
  authentication: ["authentication"],
  change: ["change"],
  traffic: ["network", "communicate"],
  dns: ["network", "resolution", "dns"],
  web: ["web"],
  data_access: ["data", "access"],
  process: ["process", "report"],
  file: ["endpoint", "filesystem"],
  finding: ["alert"],
} as const;
/** One of them. */
export type ModelName = keyof typeof MODELS;

/** Classes of changes to accounts, which some sources report among authentications. */
const ACCOUNT_CLASSES: ReadonlySet<number> = new Set([CLASS.accountChange, CLASS.userAccess, CLASS.entityManagement]);

/** The model of an event: by its category, and by what it did where a category has several kinds. */
export function modelOf(event: Event): ModelName {
  switch (event.category) {
    case "authentication":
      return ACCOUNT_CLASSES.has(event.classUid) ? "change" : "authentication";
    // A call over HTTP is known to the web model, with all that web searches ask for; a tool call or a turn is not.
    case "agent_api":
      return event.method === undefined ? "data_access" : "web";
    case "egress":
      return event.method === undefined ? "traffic" : "web";
    case "infra_change":
    case "credential":
      return event.isChange === false ? "data_access" : "change";
    case "agent_finding":
      return "finding";
    case "dns":
    case "process":
    case "file":
      return event.category;
  }
}
