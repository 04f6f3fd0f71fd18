/**
 * Guards: offset, alerts, incidents, deliveries, attributions and facts move in one transaction. The engine is memory and derived:
 * whenever a step fails it is thrown away and rebuilt by replaying the log, so nothing is emitted twice or lost.
 */
import type { Alert, RuleInfo } from "../core/alert.ts";
import { Failure } from "../core/errors.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Resolver } from "../core/identity/resolver.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import type { Fact } from "../ports/store.ts";
import type { Incident } from "../core/incident.ts";
import type { Log } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { Sequence, Store } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";
import type { Coverage } from "./coverage.ts";
import { finite } from "./coverage.ts";
import { loadEvidence, withConfidence } from "./evidence.ts";
import { grow, isNews } from "./grow.ts";
import { completed, loadWaiting, rememberWaiting, tellCoverage, withCoverage, type Waiting } from "./partial.ts";
import { incidentsOf, linksOf, rememberOpen, type IncidentSettings } from "./incidents.ts";
import { rebuild, takeOver } from "./replay.ts";
import { route, type RunningDestination } from "./route.ts";

/** The job that runs all rules without a schedule of their own. */
export const CONTINUOUS_JOB = "continuous";
/** Events of one step: small enough that a step takes well under a second, large enough for the store. */
export const STEP_MAX = 2000;
/** Coverages that are kept until reading has come to them; of more, the newest is replaced. */
const AHEAD_MAX = 1000;
/** How often a step looks again at incidents that somebody else changed while it wrote them. */
const MOVED_MAX = 5;
/** One job runs no longer than this, so that shutdown and other jobs wait little. */
const SLICE_MS = 20_000;

/** What correlating needs. */
export interface CorrelateDeps {
  readonly store: Store;
  readonly now: () => EpochMs;
  readonly meter: Meter;
  readonly log: Log;
  /** Makes a fresh, empty analysis; the facts are those that the store kept. */
  readonly analysis: (facts: readonly Fact[]) => Analysis;
  /** Makes an empty resolver over stored facts, for a replay. */
  readonly names: (facts: readonly Fact[]) => Resolver;
  readonly coverage: () => Promise<Coverage>;
  /** Alerts about the service itself; the same condition gives the same alert. */
  readonly ownAlerts?: () => Promise<readonly Alert[]>;
  readonly rule: (id: string) => RuleInfo | undefined;
  readonly registry: () => Directory;
  readonly destinations: readonly RunningDestination[];
  readonly uuid5: (name: string) => string;
  readonly incidents: IncidentSettings;
}

/** What one run of the job did. */
export interface CorrelateResult {
  readonly events: number;
  readonly alerts: number;
  readonly incidents: number;
  /** There is more in the log. */
  readonly again: boolean;
}

/** What correlating knows between two steps; owned and changed by the correlator. */
export interface CorrelateState {
  readonly analysis: Analysis;
  offset: Sequence | null;
  watermark: EpochMs | null;
  open: Incident[];
  /** Alerts that a replay came to and that are to be told with the next step. */
  untold: readonly Alert[];
  /** Alerts that were told while something was missing; read from the store when it is needed first. */
  waiting?: Waiting;
  /** What was covered when the log ended at a sequence that has not been read yet, in order. */
  ahead?: CoveredTo[];
}

/** Every event that a coverage speaks of has a sequence up to `head`. */
interface CoveredTo {
  readonly head: Sequence;
  readonly covered: Coverage;
}

/** The continuous correlation job. */
export interface Correlator {
  run(signal: AbortSignal): Promise<CorrelateResult>;
  /** Event time from which on the log may be read again, by what is at work here; undefined before the first run. */
  neededFrom(): EpochMs | undefined;
  /** Forgets the engine; the next run replays all of it. For registry changes. */
  reset(): void;
  /**
   * Asks for other rules: `take` makes them current for everything at the next boundary of steps, and gives them. Those
   * that are the same keep their windows; the others learn theirs from the log. A later ask replaces one that waits.
   */
  reload(take: () => RuleSet<Event>): void;
  /** Has something done at the next boundary of steps, such as another registry taken; each in its turn. */
  between(act: () => void): void;
}

/** Watermarks are stored beside the offset, as milliseconds, under this name. */
export const WATERMARK_JOB = `${CONTINUOUS_JOB}/watermark`;

/** A correlator over the log. */
export function correlator(deps: CorrelateDeps): Correlator {
  let state: CorrelateState | undefined;
  let asked: (() => RuleSet<Event>) | undefined;
  const acts: (() => void)[] = [];
  /** False when it was stopped in the middle. */
  const takeRules = async (to: CorrelateState, signal: AbortSignal): Promise<boolean> => {
    for (const act of acts.splice(0)) act();
    const rules = asked?.();
    asked = undefined;
    return rules === undefined || (await takeOver(deps, to, rules, signal));
  };
  return {
    neededFrom() {
      if (state === undefined || state.watermark === null) return undefined;
      return Math.min(state.watermark - state.analysis.horizonMs, state.analysis.neededFrom);
    },
    reset: () => {
      state = undefined;
    },
    reload: (take) => {
      asked = take;
    },
    between: (act) => {
      acts.push(act);
    },
    async run(signal) {
      try {
        if (state === undefined) {
          for (const act of acts.splice(0)) act();
          // What is made from nothing needs no comparison with what was there before.
          asked?.();
          asked = undefined;
          state = await rebuild(deps, signal);
        }
        const known = state;
        const result = known === undefined ? undefined : await catchUp(deps, known, signal, () => takeRules(known, signal));
        if (result !== undefined) return result;
        // Half of a replay is worth nothing.
        state = undefined;
        return { ...NOTHING, again: true };
      } catch (error) {
        state = undefined;
        // Another worker did the same work and won; its commit is ours.
        if (error instanceof Failure && error.code === "OFFSET_MOVED") return { ...NOTHING, again: true };
        throw error;
      }
    },
  };
}

const NOTHING = { events: 0, alerts: 0, incidents: 0 };

/** Undefined when other rules were asked for and could not be taken before the stop. */
async function catchUp(
  deps: CorrelateDeps,
  state: CorrelateState,
  signal: AbortSignal,
  takeRules: () => Promise<boolean>,
): Promise<CorrelateResult | undefined> {
  const end = deps.now() + SLICE_MS;
  const total = { ...NOTHING };
  for (;;) {
    if (!(await takeRules())) return undefined;
    // Read before the log: every event up to these watermarks is in what we read after.
    const covered = await deps.coverage();
    const head = await deps.store.lastSequence();
    const rows = await deps.store.readLog(state.offset ?? 0, STEP_MAX);
    const caughtUp = rows.length < STEP_MAX;
    const started = deps.now();
    const own = (await deps.ownAlerts?.()) ?? [];
    const emitted = [...own, ...state.untold, ...state.analysis.push(rows.map((row) => row.event))];
    state.untold = [];
    const reached = caughtUp ? covered : reachedBy(state, { head, covered }, rows.at(-1)?.sequence ?? 0);
    if (caughtUp) state.ahead = [];
    if (reached !== undefined) emitted.push(...state.analysis.advance(reached.watermarks));
    const result = await commit(deps, state, {
      emitted,
      covered: reached ?? covered,
      complete: reached !== undefined,
      events: rows.map((row) => row.event),
      last: rows.at(-1)?.sequence,
    });
    total.events += rows.length;
    total.alerts += result.alerts;
    total.incidents += result.incidents;
    deps.meter.observe("correlate_batch_seconds", {}, (deps.now() - started) / 1000);
    if (caughtUp) return { ...total, again: false };
    if (deps.now() >= end || signal.aborted) return { ...total, again: true };
  }
}

/**
 * The last coverage whose events have all been read. While there is more in the log than one step, what is covered now
 * is kept until reading has come as far as the log went: windows then close in a long backlog, too.
 */
function reachedBy(state: CorrelateState, now: CoveredTo, offset: Sequence): Coverage | undefined {
  const ahead = (state.ahead ??= []);
  if (ahead.length >= AHEAD_MAX) ahead.pop();
  ahead.push(now);
  let reached: Coverage | undefined;
  while (ahead[0] !== undefined && ahead[0].head <= offset) reached = ahead.shift()!.covered;
  return reached;
}

interface Step {
  readonly emitted: readonly Alert[];
  readonly covered: Coverage;
  /** Every event that the coverage speaks of has been read. */
  readonly complete: boolean;
  readonly events: readonly Event[];
  readonly last: Sequence | undefined;
}

async function commit(deps: CorrelateDeps, state: CorrelateState, step: Step): Promise<{ alerts: number; incidents: number }> {
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
      const result = await save(deps, state, step, { ...changes, incidents: tellCoverage(found, step.covered) });
      rememberWaiting(waiting, changes.alerts);
      return result;
    } catch (error) {
      // A person or a pager closed one of them in between: nothing was stored, and what is stored now decides.
      if (!(error instanceof Failure && error.code === "INCIDENT_MOVED") || attempt >= MOVED_MAX) throw error;
    }
  }
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
  { alerts, facts, attributions, baselines, incidents }: Changes & { readonly incidents: readonly Incident[] },
): Promise<{ alerts: number; incidents: number }> {
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
    return { alerts: 0, incidents: 0 };
  await deps.store.transaction(async (tx) => {
    // Also when it stays: rows belong to the offset up to which they were made.
    if (offset !== null && (moved || baselines.length > 0)) await tx.moveOffset(CONTINUOUS_JOB, state.offset, offset);
    if (newWatermark !== null && newWatermark !== state.watermark) await tx.moveOffset(WATERMARK_JOB, state.watermark, newWatermark);
    if (alerts.length > 0) await tx.saveAlerts(alerts);
    if (alerts.length > 0) await tx.linkAlerts(linksOf(alerts, deps.rule));
    if (incidents.length > 0) await tx.saveIncidents(incidents);
    const rows = route(deps.destinations, alerts, incidents, deps.rule, now);
    if (rows.length > 0) await tx.addDeliveries(rows);
    if (facts.length > 0) await tx.saveFacts(facts);
    if (attributions.length > 0) await tx.saveAttributions(attributions);
    if (baselines.length > 0) await tx.saveBaselines(baselines);
  });
  state.offset = offset;
  state.watermark = newWatermark;
  rememberOpen(state, incidents);
  report(deps, state, alerts, incidents);
  return { alerts: alerts.length, incidents: incidents.length };
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
