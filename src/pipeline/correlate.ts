/**
 * Guards: the engine is memory and derived. Whenever a step fails it is thrown away and rebuilt by replaying the log, so
 * nothing is emitted twice or lost.
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
import { commit } from "./commit.ts";
import type { PartHealth } from "./health.ts";
import type { IncidentSettings } from "./incidents.ts";
import { limitWatch } from "./limits.ts";
import type { Waiting } from "./partial.ts";
import { rebuild, takeOver } from "./replay.ts";
import type { RunningDestination } from "./route.ts";

/** The job that runs all rules without a schedule of their own. */
export const CONTINUOUS_JOB = "continuous";
/** Events of one step: small enough that a step takes well under a second, large enough for the store. */
export const STEP_MAX = 2000;
/** Coverages that are kept until reading has come to them; of more, the newest is replaced. */
const AHEAD_MAX = 1000;
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
  /** Destinations that something new waits for. */
  readonly destinations: ReadonlySet<string>;
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
  /** Open incidents that say too little of what their agents did, by id, and when that is to be read; after a start all of them. */
  stale?: Map<string, EpochMs>;
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
  /** Whether who did what was told in full: see LimitWatch. */
  health(): PartHealth;
}

/** Watermarks are stored beside the offset, as milliseconds, under this name. */
export const WATERMARK_JOB = `${CONTINUOUS_JOB}/watermark`;

/** A correlator over the log. */
export function correlator(deps: CorrelateDeps): Correlator {
  let state: CorrelateState | undefined;
  let asked: (() => RuleSet<Event>) | undefined;
  const acts: (() => void)[] = [];
  const limits = limitWatch();
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
    health: () => limits.health(deps.now()),
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
        if (known !== undefined) limits.note(known.analysis.stats, deps.now());
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

const NOTHING = { events: 0, alerts: 0, incidents: 0, destinations: new Set<string>() };

/** Undefined when other rules were asked for and could not be taken before the stop. */
async function catchUp(
  deps: CorrelateDeps,
  state: CorrelateState,
  signal: AbortSignal,
  takeRules: () => Promise<boolean>,
): Promise<CorrelateResult | undefined> {
  const end = deps.now() + SLICE_MS;
  const total = { ...NOTHING, destinations: new Set<string>() };
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
    for (const one of result.destinations) total.destinations.add(one);
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
