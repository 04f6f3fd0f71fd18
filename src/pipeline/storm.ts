/** Guards: of a storm of incidents few ask for attention, the same ones after a restart and on every replica. */
import { LEVELS } from "../core/alert.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import type { Rendered, Subject } from "../ports/connector.ts";
import type { OutboxRow } from "../ports/store.ts";
import type { DeliverDeps } from "./deliver.ts";
import type { RunningDestination } from "./route.ts";

/** Hex digits of a digest's id: enough that no two are ever alike. */
const ID_DIGITS = 32;

/** Whether a digest shows the incident instead, which settles its delivery. @throws {Failure} of the store */
export async function isFolded(
  deps: DeliverDeps,
  { destination }: RunningDestination,
  row: OutboxRow,
  subject: Subject | undefined,
  rendered: Rendered,
): Promise<boolean> {
  const { storm } = destination;
  if (storm === undefined || subject?.kind !== "incident") return false;
  const { incident } = subject;
  const closed = isClosed(incident);
  // What neither opens nor ends anything goes where its incident is.
  if (rendered.opens !== true && !closed && (row.digest ?? null) === null) return false;
  const placement = {
    row,
    level: incident.level,
    rule: gravestRule(incident),
    agent: incident.agentName ?? incident.agentUid ?? incident.entity,
    lastTime: incident.lastTime,
    closed,
    foldable: incident.level !== "critical",
    storm: { incidents: storm.incidents, withinMs: storm.withinMs },
    digestId: `digest-${deps.sha256(JSON.stringify([row.destination, row.subjectId, row.revision])).slice(0, ID_DIGITS)}`,
  };
  const digest = await deps.store.placeIncident(placement, deps.now());
  if (digest === null) return false;
  deps.meter.count("deliveries_total", { destination: row.destination, result: "folded" });
  return true;
}

function gravestRule({ alerts }: Incident): string {
  const rank = (level: Incident["level"]): number => LEVELS.indexOf(level);
  const worst = alerts.reduce((best, one) => (rank(one.level) > rank(best?.level ?? "informational") ? one : best), alerts[0]);
  return worst?.ruleTitle ?? "";
}
