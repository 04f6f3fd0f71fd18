import type { Event } from "../event.ts";
import { FIELD_PATHS } from "../fields.ts";
import { EVENT_FIELDS } from "./event-fields.ts";
import type { Reader } from "./reader.ts";
import { CANDIDATES_PATH, Several } from "./several.ts";

/** Reads normalized events: rules name fields by OCSF path (`FIELD_PATHS`), any other path is unknown. */
export const eventReader: Reader<Event> = {
  uid: (event) => event.uid,
  time: (event) => event.time,
  category: (event) => event.category,
  agent: (event) => event.agentUid,
  field: (path) => (Object.hasOwn(FIELD_PATHS, path) ? EVENT_FIELDS[FIELD_PATHS[path]!] : undefined),
  groupField: (path) => (path === CANDIDATES_PATH ? candidatesOf : undefined),
  paths: Object.keys(FIELD_PATHS),
  strings: (event, visit) => {
    for (const read of SEARCHED) {
      const value = read(event);
      if (typeof value === "string") visit(value);
      else if (Array.isArray(value)) for (const item of value as readonly string[]) visit(item);
    }
  },
};

/** An event that surely belongs to one agent has that one candidate. */
function candidatesOf({ agents, agentUid }: Event): unknown {
  return agents === undefined ? agentUid : new Several(agents);
}

/** What keywords search: every field that rules can name, once. */
const SEARCHED: readonly ((event: Event) => unknown)[] = [...new Set(Object.values(FIELD_PATHS))].map((field) => EVENT_FIELDS[field]);
