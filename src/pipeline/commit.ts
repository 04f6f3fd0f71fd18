/** Guards: offset, alerts, incidents, deliveries, attributions and facts move in one transaction. */
import type { Alert } from "../core/alert.ts";
import { Failure } from "../core/errors.ts";
import type { Event } from "../core/event.ts";
import type { Incident } from "../core/incident.ts";
import type { Sequence, Store } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";
import { CONTINUOUS_JOB, WATERMARK_JOB, type CorrelateDeps, type CorrelateState } from "./correlate.ts";
import { finite, type Coverage } from "./coverage.ts";
import { loadEvidence, withConfidence } from "./evidence.ts";
import { grow, isNews } from "./grow.ts";
import { incidentsEntry } from "./incident-audit.ts";
import { incidentsOf, linksOf, rememberOpen } from "./incidents.ts";
import { completed, loadWaiting, rememberWaiting, tellCoverage, withCoverage } from "./partial.ts";
import { shownOf } from "./close.ts";
import { route } from "./route.ts";

/** How often a step looks again at incidents that somebody else changed while it wrote them. */
const MOVED_MAX = 5;

/** What a step of correlation came to. */
export interface Step {
  readonly emitted: readonly Alert[];
  readonly covered: Coverage;
  /** Every event that the coverage speaks of has been read. */
  readonly complete: boolean;
  readonly events: readonly Event[];
  readonly last: Sequence | undefined;
}

/** Stores what a step came to, all or nothing. @throws {Failure} of the store, OFFSET_MOVED */
export async function commit(deps: CorrelateDeps, state: CorrelateState, step: Step): Promise<Committed> {
  const waiting = (state.waiting ??= await loadWaiting(deps.store));
  const reconciled = (await reconcile(deps.store, step.emitted)).map((alert) => withCoverage(alert, step.covered));
  const changed = [...reconciled, ...(step.complete ? completed(waiting, step.covered, reconciled) : [])];
  const attributions = state.analysis.decided();
  const evidence = await loadEvidence(deps, state.analysis, changed, { events: step.events, attributions });
  const changes: Changes = {
    alerts: withConfidence(changed, evidence),
    facts: state.analysis.changedFacts(),
    attributions,
    baselines: state.analysis.changedBaselines(),
  };
  for (let attempt = 1; ; attempt++) {
    const found = await incidentsOf(deps, state, changes.alerts, { ...step, evidence, attributions });
    try {
      const result = await save(deps, state, step, { ...changes, evidence, incidents: tellCoverage(found, step.covered) });
      rememberWaiting(waiting, changes.alerts);
      return result;
    } catch (error) {
      // A person or a pager closed one of them in between: nothing was stored, and what is stored now decides.
      if (!(error instanceof Failure && error.code === "INCIDENT_MOVED") || attempt >= MOVED_MAX) throw error;
    }
  }
}

/** How much a step stored, and for which destinations. */
interface Committed {
  readonly alerts: number;
  readonly incidents: number;
  readonly destinations: ReadonlySet<string>;
}

/** What one step adds to the store, beside incidents. */
interface Changes {
  readonly alerts: readonly Alert[];
  readonly facts: ReturnType<Analysis["changedFacts"]>;
  readonly attributions: ReturnType<Analysis["decided"]>;
  readonly baselines: ReturnType<Analysis["changedBaselines"]>;
}

async function save(
  deps: CorrelateDeps,
  state: CorrelateState,
  step: Step,
  {
    alerts,
    facts,
    attributions,
    baselines,
    incidents,
    evidence,
  }: Changes & { readonly incidents: readonly Incident[]; readonly evidence: ReadonlyMap<string, Event> },
): Promise<Committed> {
  const watermark = step.complete ? finite(step.covered.watermarks.all) : undefined;
  const now = deps.now();
  const offset = step.last ?? state.offset;
  const moved = offset !== state.offset && offset !== null;
  const newWatermark = watermark === undefined ? state.watermark : Math.max(state.watermark ?? watermark, watermark);
  if (
    !moved &&
    alerts.length === 0 &&
    incidents.length === 0 &&
    facts.length === 0 &&
    attributions.length === 0 &&
    baselines.length === 0 &&
    newWatermark === state.watermark
  )
    return { alerts: 0, incidents: 0, destinations: new Set() };
  const destinations = new Set<string>();
  const shown = await shownOf(deps.store, deps.destinations, incidents);
  await deps.store.transaction(async (tx) => {
    // Also when it stays: rows belong to the offset up to which they were made.
    if (offset !== null && (moved || baselines.length > 0)) await tx.moveOffset(CONTINUOUS_JOB, state.offset, offset);
    if (newWatermark !== null && newWatermark !== state.watermark) await tx.moveOffset(WATERMARK_JOB, state.watermark, newWatermark);
    if (alerts.length > 0) await tx.saveAlerts(alerts);
    if (alerts.length > 0) await tx.linkAlerts(linksOf(alerts, deps.rule));
    if (incidents.length > 0) await tx.saveIncidents(incidents);
    const look = { rule: deps.rule, agent: (id: string) => deps.registry().byId(id) };
    const rows = route(deps.destinations, { alerts, incidents, events: evidence, shown }, look, now);
    if (rows.length > 0) await tx.addDeliveries(rows);
    for (const row of rows) destinations.add(row.destination);
    if (facts.length > 0) await tx.saveFacts(facts);
    if (attributions.length > 0) await tx.saveAttributions(attributions);
    if (baselines.length > 0) await tx.saveBaselines(baselines);
    const entry = incidentsEntry(incidents, state.open, now);
    if (entry !== undefined) await tx.appendAudit(entry);
  });
  state.offset = offset;
  state.watermark = newWatermark;
  rememberOpen(state, incidents);
  report(deps, state, alerts, incidents);
  return { alerts: alerts.length, incidents: incidents.length, destinations };
}

/** Numbers the revisions by what is stored, not by what a rebuilt engine remembers, and leaves out what adds nothing. */
async function reconcile(store: Store, emitted: readonly Alert[]): Promise<Alert[]> {
  const newest = new Map<string, Alert>();
  for (const alert of emitted) newest.set(alert.id, alert);
  if (newest.size === 0) return [];
  const stored = new Map((await store.alerts({ ids: [...newest.keys()] })).map((alert) => [alert.id, alert]));
  const changed: Alert[] = [];
  for (const alert of newest.values()) {
    const before = stored.get(alert.id);
    const grown = before === undefined ? alert : grow(before, alert);
    if (before === undefined || isNews(before, grown)) changed.push({ ...grown, revision: (before?.revision ?? 0) + 1 });
  }
  return changed;
}

function report(deps: CorrelateDeps, state: CorrelateState, alerts: readonly Alert[], incidents: readonly Incident[]): void {
  for (const alert of alerts)
    deps.meter.count("alerts_total", { rule: alert.ruleId, level: alert.level, revision: alert.revision === 1 ? "first" : "later" });
  for (const incident of incidents)
    deps.meter.count("incidents_total", { level: incident.level, revision: incident.revision === 1 ? "opened" : "amended" });
  const { waiting, forced, entries, facts, evicted } = state.analysis.stats;
  deps.meter.gauge("engine_window_entries", {}, entries);
  deps.meter.gauge("resolver_waiting_events", {}, waiting);
  deps.meter.gauge("resolver_forced_events", {}, forced);
  deps.meter.gauge("resolver_facts", {}, facts);
  deps.meter.gauge("resolver_evicted_facts", {}, evicted);
  if (state.offset !== null) deps.meter.gauge("correlate_offset", {}, state.offset);
  if (state.watermark !== null) deps.meter.gauge("correlate_watermark_seconds", {}, state.watermark / 1000);
}
