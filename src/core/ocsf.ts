/**
 * Events, alerts and incidents as OCSF objects, for export and for destinations that speak OCSF. Nothing inside the
 * service works on these: they are built from the flat event when somebody asks for one.
 */
export { eventToOcsf } from "./ocsf/event.ts";
export type { OcsfVersion } from "./ocsf/classes.ts";
export { alertToOcsf, incidentToOcsf } from "./ocsf/finding.ts";
