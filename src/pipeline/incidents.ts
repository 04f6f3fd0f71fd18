import type { Alert } from "../core/alert.ts";
import type { EpochMs, Event } from "../core/event.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import { enrich } from "../core/incident/enrich.ts";
import { entitiesOf } from "../core/incident/entities.ts";
import { entitiesOfAll, groupAlerts, reachMs, type GroupingContext, type IncidentPolicy } from "../core/incident/group.ts";
import { closeQuiet } from "../core/incident/transitions.ts";
import type { Attribution } from "../core/identity/attribution.ts";
import type { AlertLink, Logged } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";
import type { CorrelateDeps, CorrelateState } from "./correlate.ts";
import { finite } from "./coverage.ts";
import type { Coverage } from "./coverage.ts";
import { evidenceOf, readBack } from "./evidence.ts";

/** Alerts about one entity that may matter to new ones, newest first: who raises more in two days is heard by the newest. */
const ALERTS_PER_ENTITY_MAX = 500;
/** Incidents of one entity, newest first, that may go on. */
const INCIDENTS_PER_ENTITY_MAX = 20;
/** Incidents closed in one step, so that a long backlog does not close thousands in one transaction. */
const CLOSED_PER_STEP_MAX = 200;
/** How long before and after its alerts an agent's events count to an incident: what it did just before explains it. */
const MARGIN_MS = 10 * 60_000;
/** Events of an agent that one incident sums up; of more it says "at least". */
const EVENTS_MAX = 5_000;
/** An incident that is amended all the time reads its agent's events no more often than this. */
const READ_EVERY_MS = 15_000;
/** Agents whose events one step reads: the rest are told by their evidence alone until their next revision. */
const READS_PER_STEP_MAX = 50;

/** Incidents whose evidence is read together: at most 25,000 events. */
const TOLD_AT_ONCE = 20;

/** What a step of correlation came to, as far as incidents need it. */
interface Step {
  readonly covered: Coverage;
  /** Every event that the coverage speaks of has been read. */
  readonly complete: boolean;
  /** Of the alerts, by uid. */
  readonly evidence: ReadonlyMap<string, Event>;
  /** Who the events belong to that this step has let go. */
  readonly attributions: readonly Attribution[];
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
  return enrichAll(deps, state.analysis, [...amended, ...closed], step);
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

/** Tells why, how far and whence anew; what was merged into another one is told there. */
async function enrichAll(
  deps: CorrelateDeps,
  analysis: Analysis,
  incidents: readonly Incident[],
  { evidence: recent, attributions }: Step,
): Promise<Incident[]> {
  const enriched: Incident[] = [];
  const now = deps.now();
  let reads = 0;
  for (let start = 0; start < incidents.length; start += TOLD_AT_ONCE) {
    const some = incidents.slice(start, start + TOLD_AT_ONCE);
    const logged = await readBack(deps, analysis, evidenceOf(some.flatMap((incident) => incident.alerts)), attributions);
    const known = new Map(logged.map((one) => [one.event.uid, { ...one, event: recent.get(one.event.uid) ?? one.event }]));
    for (const incident of some) {
      const look = isDue(incident, now) && reads < READS_PER_STEP_MAX;
      if (look) reads++;
      enriched.push(incident.closure?.how === "merged" ? incident : await enrichOne(deps, incident, { known, now, look }));
    }
  }
  return enriched;
}

/** Whether what its agent did is to be read: for the first time, at its end, and in between not too often. */
function isDue({ agentUid, blast, status }: Incident, now: EpochMs): boolean {
  if (agentUid === undefined) return false;
  return blast?.basis !== "events of the agent" || now - blast.readTime >= READ_EVERY_MS || isClosed({ status });
}

async function enrichOne(
  { store, incidents: policy }: CorrelateDeps,
  incident: Incident,
  { known, now, look }: { readonly known: ReadonlyMap<string, Logged>; readonly now: EpochMs; readonly look: boolean },
): Promise<Incident> {
  const from = incident.firstTime - MARGIN_MS;
  const to = incident.lastTime + MARGIN_MS;
  const { agentUid } = incident;
  const events = look && agentUid !== undefined ? await store.eventsOfAgent(agentUid, from, to, EVENTS_MAX + 1) : undefined;
  const logged = evidenceOf(incident.alerts).flatMap((uid) => known.get(uid) ?? []);
  return enrich(incident, {
    evidence: new Map(logged.map(({ event }) => [event.uid, event])),
    sequences: new Map(logged.map(({ sequence, event }) => [event.uid, sequence])),
    events: events?.slice(0, EVENTS_MAX),
    scope: { from, to, atLeast: (events?.length ?? 0) > EVENTS_MAX, readTime: now },
    keepBlast: !look && agentUid !== undefined,
    recordUrls: policy.recordUrls,
    policy,
  });
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
