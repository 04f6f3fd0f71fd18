/**
 * Guards: nobody mistakes silence for safety. Looks at sources, gaps, destinations and agents that beat, and keeps what is
 * wrong with them as conditions in the store; an alert follows from each.
 */
import { silentSince, type Carrier } from "../core/completeness/agent-silence.ts";
import type { Condition } from "../core/completeness/condition.ts";
import { changeGaps, type SourceGap } from "../core/completeness/gap.ts";
import { beginning, conditionAlert, type HealthRuleId } from "../core/completeness/health-rules.ts";
import type { Alert } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Meter } from "../ports/meter.ts";
import type { SourceState, Store } from "../ports/store.ts";
import { stallOf } from "./coverage.ts";
import type { Deliverer } from "./deliver.ts";
import type { RunningSource } from "./ingest.ts";
import type { RunningDestination } from "./route.ts";
import { unheard, type Unheard } from "./unheard.ts";

/** A gap that nothing healed in this time stays lost: nobody waits for it any longer. */
const GIVE_UP_MS = 7 * 86_400_000;
/** After this long without another batch of garbage it is over. */
const QUARANTINE_OVER_MS = 3_600_000;
/** Conditions that ended this long ago have been told: a service that was down for a day still tells. */
const TOLD_MS = 86_400_000;
/** Gaps that a detail names. */
const NAMED_MAX = 3;

/** What watching needs. */
export interface WatchDeps {
  readonly store: Store;
  readonly now: () => EpochMs;
  /** When this process began to listen. */
  readonly startTime: EpochMs;
  readonly meter: Meter;
  readonly sources: readonly RunningSource[];
  readonly destinations: readonly RunningDestination[];
  readonly deliverer: Pick<Deliverer, "hold">;
  readonly registry: () => Directory;
  readonly uuid5: (name: string) => string;
  readonly sha256: (text: string) => string;
  readonly options: WatchOptions;
}

/** What is told; the configuration's. */
interface WatchOptions {
  /** All rules, none, or these. */
  readonly alerts: boolean | readonly HealthRuleId[];
  /** An open gap is told after this long, milliseconds: most are healed by the next read. */
  readonly gapAfter: number;
  /** A destination that is left alone is told after this long, milliseconds. */
  readonly heldAfter: number;
}

/** Watches over the service. */
export interface Watcher {
  /** Compares what is with what is stored, and stores what began or ended. @throws {Failure} of the store */
  look(): Promise<void>;
  /** The alerts of all conditions that last or ended a short while ago; the same ones give the same alerts. */
  alerts(): Promise<readonly Alert[]>;
}

interface Known {
  readonly now: EpochMs;
  readonly states: ReadonlyMap<string, SourceState>;
  readonly gaps: readonly SourceGap[];
  readonly open: readonly Condition[];
}
/** One thing that is wrong now, with the time since when unless it is known from before. */
interface Wrong {
  readonly rule: HealthRuleId;
  readonly entity: string;
  readonly since: EpochMs;
  readonly detail: string;
}

/** What earlier looks of this process saw. */
interface Before {
  readonly unheard: Unheard;
  /** Agents that declare a heartbeat, and since when it counts. */
  beats: ReadonlyMap<string, EpochMs> | undefined;
}

/** A watcher; `look` is called on a schedule. */
export function watcher(deps: WatchDeps): Watcher {
  const before: Before = { unheard: unheard(deps.startTime), beats: undefined };
  return {
    async look() {
      const now = deps.now();
      const states = new Map((await deps.store.sources()).map((state) => [state.source, state]));
      const gaps = await keepOutages(deps, states, await deps.store.gaps(), now);
      const open = (await deps.store.conditions(now)).filter(({ ended }) => ended === null);
      const known: Known = { now, states, gaps, open };
      for (const source of deps.sources) before.unheard.note(source, states.get(source.id));
      const agents = await silentAgents(deps, before, known);
      const wrong = [...deps.sources.flatMap((source) => ofSource(deps, source, known)), ...ofDestinations(deps, now), ...agents];
      const { alerts } = deps.options;
      const told = wrong.filter(({ rule }) => (typeof alerts === "boolean" ? alerts : alerts.includes(rule)));
      const changed = compare(open, told, now);
      if (changed.length > 0) await deps.store.transaction((tx) => tx.saveConditions(changed));
      for (const source of deps.sources) {
        const mine = gaps.filter((gap) => gap.source === source.id && gap.state === "open");
        deps.meter.gauge("source_gaps_open", { source: source.id }, mine.length);
        const silent = wrong.some(({ rule, entity }) => rule === "custodes-source-silent" && entity === source.id);
        deps.meter.gauge("source_silent", { source: source.id }, silent ? 1 : 0);
      }
    },
    async alerts() {
      const conditions = await deps.store.conditions(deps.now() - TOLD_MS);
      return conditions.flatMap((condition) => conditionAlert(condition, deps.uuid5) ?? []);
    },
  };
}

/** Conditions that begin and those that are over. */
function compare(open: readonly Condition[], wrong: readonly Wrong[], now: EpochMs): Condition[] {
  const over = open.filter((one) => !wrong.some(({ rule, entity }) => rule === one.rule && entity === one.entity));
  const fresh = wrong.filter(({ rule, entity }) => !open.some((one) => one.rule === rule && one.entity === entity));
  return [
    ...over.map((one) => ({ ...one, ended: Math.max(now, one.since) })),
    ...fresh.map(({ rule, entity, since, detail }) => beginning(rule, entity, since, detail)),
  ];
}

/** Opens a gap for each source that stalls, and gives up those that are open for too long. */
async function keepOutages(
  deps: WatchDeps,
  states: ReadonlyMap<string, SourceState>,
  known: readonly SourceGap[],
  now: EpochMs,
): Promise<readonly SourceGap[]> {
  const changed = new Map<string, SourceGap>();
  for (const source of deps.sources) {
    const state = states.get(source.id);
    const why = source.source === undefined ? "silent" : "unreachable";
    const stall = stallOf(source, state, now, deps.startTime, known);
    const lasts = known.some((gap) => gap.source === source.id && gap.why === why && gap.to === null);
    if (stall === undefined || lasts) continue;
    const last = stall === "stuck" ? state?.progressTime : state?.lastSuccessTime;
    const from = state?.watermark ?? last ?? deps.startTime - source.latenessMs;
    const detail = stallText(source, state, stall);
    const idOf = (text: string): string => deps.sha256(text).slice(0, 32);
    const news = { found: [{ from, to: null, why, detail } as const], covered: [], reached: undefined, now };
    const made = await deps.store.transaction(async (tx) => {
      const open = await tx.openGaps(source.id);
      const changes = changeGaps(source.id, open, news, idOf);
      await tx.saveGaps(changes.changed);
      return changes;
    });
    if (made.proven > 0) deps.meter.count("source_gaps_total", { source: source.id, result: "proven" }, made.proven);
    for (const gap of made.changed) changed.set(gap.id, gap);
  }
  const old = known.filter((gap) => gap.to !== null && gap.foundTime < now - GIVE_UP_MS);
  const lost = old.map((gap): SourceGap => ({ ...gap, state: "lost", endTime: now }));
  if (lost.length > 0) {
    await deps.store.transaction((tx) => tx.saveGaps(lost));
    for (const gap of lost) {
      deps.meter.count("source_gaps_total", { source: gap.source, result: "lost" });
      changed.set(gap.id, gap);
    }
  }
  return [...known.filter((gap) => !changed.has(gap.id)), ...changed.values()];
}

function stallText(source: RunningSource, state: SourceState | undefined, stall: "silent" | "stuck"): string {
  if (stall === "stuck") return "it answers, but comes no further: its file is gone, or its paging never ends";
  return state?.pausedReason ?? state?.lastError ?? (source.source === undefined ? "nobody pushed for it" : "it was not pulled");
}

function ofSource(deps: WatchDeps, source: RunningSource, { now, states, gaps, open }: Known): Wrong[] {
  const state = states.get(source.id);
  const wrong: Wrong[] = [];
  const entity = source.id;
  const lasts = (rule: HealthRuleId): Condition | undefined => open.find((one) => one.rule === rule && one.entity === entity);
  const heard = state?.lastSuccessTime ?? null;
  const before = lasts("custodes-source-silent");
  // A restart is no sign of life: what was silent before is silent until it is heard of.
  const still = before !== undefined && (heard === null || heard <= before.since);
  const stall = stallOf(source, state, now, deps.startTime, gaps) ?? (still ? "silent" : undefined);
  if (stall !== undefined) {
    const last = stall === "stuck" ? (state?.progressTime ?? heard) : heard;
    wrong.push({ rule: "custodes-source-silent", entity, since: last ?? deps.startTime, detail: stallText(source, state, stall) });
  }
  const reason = state?.pausedReason ?? null;
  if (reason !== null) wrong.push({ rule: "custodes-source-refused", entity, since: heard ?? now, detail: reason });
  const mine = gaps.filter((gap) => gap.source === entity && gap.state === "open");
  const garbage = mine.filter((gap) => gap.why === "quarantine" && Math.max(gap.foundTime, gap.to ?? 0) > now - QUARANTINE_OVER_MS);
  const [first] = garbage;
  if (first !== undefined) wrong.push({ rule: "custodes-source-quarantine", entity, since: first.foundTime, detail: first.detail });
  const missing = mine.filter((gap) => gap.to !== null && gap.why !== "quarantine").toSorted((a, b) => a.foundTime - b.foundTime);
  const [oldest] = missing;
  if (oldest !== undefined && now - oldest.foundTime > deps.options.gapAfter) {
    const named = missing.slice(0, NAMED_MAX).map(gapText).join("; ");
    wrong.push({ rule: "custodes-source-gap", entity, since: oldest.foundTime, detail: named });
  }
  return wrong;
}

/** A gap in words. */
function gapText(gap: SourceGap): string {
  const to = gap.to === null ? "now" : new Date(gap.to).toISOString();
  return `${gap.why} from ${new Date(gap.from).toISOString()} to ${to}: ${gap.detail}`;
}

function ofDestinations(deps: WatchDeps, now: EpochMs): Wrong[] {
  return deps.destinations.flatMap(({ id }): Wrong[] => {
    const hold = deps.deliverer.hold(id);
    if (hold === undefined) return [];
    const { since, reason: detail } = hold;
    const fails = hold.paused || now - since > deps.options.heldAfter;
    return [
      ...(fails ? [{ rule: "custodes-destination-held" as const, entity: id, since, detail }] : []),
      ...(hold.disabled ? [{ rule: "custodes-destination-disabled" as const, entity: id, since, detail }] : []),
    ];
  });
}

/** Agents that declare a heartbeat and were not heard of, while everything that carries them was. */
async function silentAgents(deps: WatchDeps, before: Before, { now, states, gaps, open }: Known): Promise<Wrong[]> {
  const agents = deps
    .registry()
    .agents.flatMap((agent) => (agent.heartbeatMs === undefined ? [] : [{ ...agent, beat: agent.heartbeatMs }]));
  // A heartbeat that is declared while we run counts from then: nobody noted signs of life before.
  const beats = new Map(agents.map(({ id }) => [id, before.beats === undefined ? 0 : (before.beats.get(id) ?? now)]));
  before.beats = beats;
  if (agents.length === 0) return [];
  const seen = Map.groupBy(await deps.store.agentsSeen(), ({ agent }) => agent);
  const carrier = (source: RunningSource, heartbeatMs: number): Carrier => {
    const watermark = states.get(source.id)?.watermark ?? undefined;
    const missing = gaps.filter((gap) => gap.source === source.id && gap.state !== "healed");
    return { watermark, unheard: [...missing, ...before.unheard.of(source.id, heartbeatMs)] };
  };
  const wrong: Wrong[] = [];
  for (const agent of agents) {
    if ((agent.retiredTime ?? Infinity) <= now || (agent.createdTime ?? -Infinity) > now) continue;
    const signs = seen.get(agent.id) ?? [];
    // Without any sign it counts from when somebody could have listened, and every source could carry it.
    const last = signs.reduce(
      (latest, sign) => Math.max(latest, sign.last),
      Math.max(agent.createdTime ?? 0, beats.get(agent.id) ?? 0, signs.length > 0 ? 0 : deps.startTime),
    );
    const carriers = deps.sources.filter((source) => signs.length === 0 || signs.some((sign) => sign.source === source.id));
    const told = open.find((one) => one.rule === "custodes-agent-silent" && one.entity === agent.id);
    // Told once: that a source is missing now takes nothing back. Only a sign of life does.
    const still = told !== undefined && last <= told.since;
    const heardBy = carriers.map((source) => carrier(source, agent.beat));
    const since = still ? told.since : silentSince({ heartbeatMs: agent.beat, hours: agent.activeHours }, last, heardBy);
    if (since === undefined) continue;
    const detail = `no sign of it since ${new Date(since).toISOString()}`;
    wrong.push({ rule: "custodes-agent-silent", entity: agent.id, since, detail });
  }
  return wrong;
}
