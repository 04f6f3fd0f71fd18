import type { Alert } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import { entitiesOf } from "../core/incident/entities.ts";
import { entitiesOfAll, groupAlerts, reachMs, type GroupingContext, type IncidentPolicy } from "../core/incident/group.ts";
import { closeQuiet } from "../core/incident/transitions.ts";
import type { AlertLink } from "../ports/store.ts";
import type { CorrelateDeps, CorrelateState } from "./correlate.ts";
import { finite } from "./coverage.ts";
import type { Coverage } from "./coverage.ts";
import { enrichAll, type Told } from "./reach.ts";

/** Alerts about one entity that may matter to new ones, newest first: who raises more in two days is heard by the newest. */
const ALERTS_PER_ENTITY_MAX = 500;
/** Incidents of one entity, newest first, that may go on. */
const INCIDENTS_PER_ENTITY_MAX = 20;
/** Incidents closed in one step, so that a long backlog does not close thousands in one transaction. */
const CLOSED_PER_STEP_MAX = 200;
/** What a step of correlation came to, as far as incidents need it. */
interface Step extends Told {
  readonly covered: Coverage;
  /** Every event that the coverage speaks of has been read. */
  readonly complete: boolean;
}

/** How incidents are made; the configuration's. */
export interface IncidentSettings extends IncidentPolicy {
  /** Page of a record by source, with `{id}` in the place of the vendor's id. */
  readonly recordUrls: ReadonlyMap<string, string>;
}

/** The incidents that alerts open or amend, and those that have been quiet for long enough, each as its next revision. */
export async function incidentsOf(deps: CorrelateDeps, state: CorrelateState, alerts: readonly Alert[], step: Step): Promise<Incident[]> {
  const { missing, watermarks, bySource } = step.covered;
  const coverage = {
    state: missing.length === 0 ? ("complete" as const) : ("partial" as const),
    missing,
    watermark: finite(watermarks.all),
    ...(bySource === undefined ? {} : { sources: bySource }),
  };
  const amended = alerts.length === 0 ? [] : await group(deps, alerts, { evidence: step.evidence, coverage });
  const watermark = finite(watermarks.all);
  const closed = step.complete && watermark !== undefined ? await closeDue(deps, state, amended, watermark) : [];
  return enrichAll(deps, state, { changed: [...amended, ...closed], step, watermark });
}

/** Where each alert belongs, for the alerts that come later. */
export function linksOf(alerts: readonly Alert[], rule: CorrelateDeps["rule"]): AlertLink[] {
  return alerts.flatMap(({ id, firstTime, lastTime, ...rest }) =>
    entitiesOf({ id, firstTime, lastTime, ...rest }, rule(rest.ruleId)).map((entity) => ({ entity, alertId: id, firstTime, lastTime })),
  );
}

/** Reads what is stored about the alerts' entities anew: a person or a pager may have changed it since the last step. */
async function group(
  deps: CorrelateDeps,
  alerts: readonly Alert[],
  found: Pick<GroupingContext, "evidence" | "coverage">,
): Promise<Incident[]> {
  const { store, rule, uuid5, incidents: policy } = deps;
  const registry = deps.registry();
  const context: GroupingContext = { ...found, rule, agent: (id) => registry.byId(id), uuid5, policy, now: deps.now() };
  const entities = entitiesOfAll(alerts, rule);
  const reach = reachMs(policy);
  const from = alerts.reduce((time, alert) => Math.min(time, alert.firstTime), Infinity) - reach;
  const to = alerts.reduce((time, alert) => Math.max(time, alert.lastTime), -Infinity) + reach;
  const known = {
    alerts: await store.alertsAbout(entities, { from, to, limit: ALERTS_PER_ENTITY_MAX }),
    incidents: await store.incidentsAbout(entities, INCIDENTS_PER_ENTITY_MAX),
  };
  const changed = groupAlerts(known, alerts, context);
  // An id that exists already belongs to an incident that lies further back: its alert goes on there.
  const fresh = changed.filter((incident) => incident.revision === 1).map((incident) => incident.id);
  const older = fresh.length === 0 ? [] : await store.incidents({ ids: fresh });
  return older.length === 0 ? changed : groupAlerts({ ...known, incidents: [...known.incidents, ...older] }, alerts, context);
}

/** Closes what has been quiet, as it is stored now; what others closed meanwhile is forgotten. */
async function closeDue(deps: CorrelateDeps, state: CorrelateState, amended: readonly Incident[], watermark: EpochMs): Promise<Incident[]> {
  const { quietMs } = deps.incidents;
  const changed = new Set(amended.map((incident) => incident.id));
  const due = state.open.filter((one) => !changed.has(one.id) && closeQuiet(one, watermark, quietMs) !== undefined);
  const ids = due.slice(0, CLOSED_PER_STEP_MAX).map((incident) => incident.id);
  if (ids.length === 0) return [];
  const stored = await deps.store.incidents({ ids });
  rememberOpen(state, stored);
  return stored.map((incident) => closeQuiet(incident, watermark, quietMs)).filter((incident) => incident !== undefined);
}

/** Keeps the open ones of the incidents that changed. */
export function rememberOpen(state: CorrelateState, changed: readonly Incident[]): void {
  const byId = new Map(state.open.map((incident) => [incident.id, incident]));
  for (const incident of changed) {
    if (isClosed(incident)) byId.delete(incident.id);
    else byId.set(incident.id, incident);
  }
  state.open = [...byId.values()];
}
