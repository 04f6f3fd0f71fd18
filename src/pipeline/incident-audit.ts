import type { EpochMs } from "../core/event.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import type { AuditEntry } from "../ports/audit.ts";

/** Ids that one entry names of each kind: 40 of 36 characters, five times, fit into the 8 KB of details. The counts are whole. */
const IDS_MAX = 40;

/**
 * One entry of the audit log for what a step of correlation did to incidents by itself; undefined when it only amended some.
 * `open` are those that were open before it, as far as correlation knows.
 */
export function incidentsEntry(incidents: readonly Incident[], open: readonly Incident[], time: EpochMs): AuditEntry | undefined {
  const before = new Map(open.map((incident) => [incident.id, incident]));
  const by = Map.groupBy(incidents, (incident) => changeOf(incident, before.get(incident.id)));
  by.delete("amended");
  if (by.size === 0) return undefined;
  const details: Record<string, string | number> = {};
  for (const [change, some] of by) {
    details[change] = some.length;
    const ids = some.slice(0, IDS_MAX).map(({ id }) => id);
    details[`${change}_ids`] = ids.join(" ") + (some.length > IDS_MAX ? " and more" : "");
  }
  const changed = [...by.values()].flat();
  return { time, actor: "custodes", action: "incidents.changed", subject: changed.length === 1 ? changed[0]!.id : "", details };
}

function changeOf(incident: Incident, before: Incident | undefined): "opened" | "reopened" | "merged" | "quiet" | "ended" | "amended" {
  const how = isClosed(incident) ? incident.closure?.how : undefined;
  // A part of another one is never amended again, so that it is told of once.
  if (how === "merged") return "merged";
  if (incident.revision === 1) return "opened";
  if ((how === "quiet" || how === "ended") && before !== undefined) return how;
  // A person may have closed it since, of which only the store knows: the reopenings count, not what was open.
  return how === undefined && (incident.reopened?.count ?? 0) > (before?.reopened?.count ?? 0) ? "reopened" : "amended";
}
