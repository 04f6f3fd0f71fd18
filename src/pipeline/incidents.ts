import type { Alert } from "../core/alert.ts";
import type { Event } from "../core/event.ts";
import { closeQuiet, groupAlerts, openedBy } from "../core/incident-grouping.ts";
import type { Incident } from "../core/incident.ts";
import type { CorrelateDeps, CorrelateState } from "./correlate.ts";
import { finite } from "./coverage.ts";
import type { Coverage } from "./coverage.ts";

/** What a step of correlation came to, as far as incidents need it. */
interface Step {
  readonly covered: Coverage;
  /** Every event that the coverage speaks of has been read. */
  readonly complete: boolean;
  /** Of the alerts, by uid. */
  readonly evidence: ReadonlyMap<string, Event>;
}

/** The incidents that alerts open or amend, and those that have been quiet for long enough. */
export async function incidentsOf(deps: CorrelateDeps, state: CorrelateState, alerts: readonly Alert[], step: Step): Promise<Incident[]> {
  const { missing, watermarks } = step.covered;
  const coverage = {
    state: missing.length === 0 ? ("complete" as const) : ("partial" as const),
    missing,
    watermark: finite(watermarks.all),
  };
  let incidents: Incident[] = [];
  if (alerts.length > 0) {
    const registry = deps.registry();
    const openIds = new Set(state.open.map((incident) => incident.id));
    const perhapsClosed = openedBy(alerts, deps).filter((id) => !openIds.has(id));
    const closed = perhapsClosed.length === 0 ? [] : await deps.store.incidents({ ids: perhapsClosed });
    incidents = groupAlerts([...state.open, ...closed], alerts, {
      rule: deps.rule,
      agent: (id) => registry.byId(id),
      evidence: step.evidence,
      uuid5: deps.uuid5,
      openAt: deps.openAt,
      quietMs: deps.quietMs,
      coverage,
    });
  }
  const changedIds = new Set(incidents.map((incident) => incident.id));
  const rest = state.open.filter((incident) => !changedIds.has(incident.id));
  const all = finite(watermarks.all);
  return step.complete && all !== undefined ? [...incidents, ...closeQuiet(rest, all, deps.quietMs)] : incidents;
}

/** Keeps the open ones of the incidents that changed. */
export function rememberOpen(state: CorrelateState, changed: readonly Incident[]): void {
  const byId = new Map(state.open.map((incident) => [incident.id, incident]));
  for (const incident of changed) {
    if (incident.status >= 4) byId.delete(incident.id);
    else byId.set(incident.id, incident);
  }
  state.open = [...byId.values()];
}
