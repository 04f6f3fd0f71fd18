/**
 * Why events do or do not make rules raise alerts. The backtest itself finds the events; a second reading gives the
 * alerts of all rules involved, those that only other rules get too; a third one the events of the groups in question.
 */
import type { Alert } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import { conditionOf } from "../core/correlation/explain-text.ts";
import { alertSubject, eventSubject, membersOf, type InnerAlert, type Member, type Subject } from "../core/correlation/explain-members.ts";
import { explainedCorrelation, explainSubject, type ExplainedAlert, type ExplainedCorrelation } from "../core/correlation/explain.ts";
import { windowWay } from "../core/correlation/explain-windows.ts";
import { explainDetection, type ExplainedDetection } from "../core/sigma/explain.ts";
import type { Reader } from "../core/sigma/reader.ts";
import type { Correlation, RuleSet } from "../core/sigma/rules.ts";
import type { EventPlace, Located } from "./explain-locate.ts";
import { closureOf, probedId, probedRules, type Closure } from "./explain-rules.ts";
import type { Target } from "./explain-targets.ts";
import { backtest, type Hooks, type OtherRun, type Runner } from "./run.ts";
import type { Input } from "./stream.ts";

/** Inner alerts with one event that are explained, each. */
const INNER_MAX = 5;
const NO_RULES = { detections: [], correlations: [], rejected: [], warnings: [] };

/** One rule and one event. */
export interface Explanation {
  readonly uid: string;
  readonly time: EpochMs;
  readonly places: readonly EventPlace[];
  /** The event is part of an alert of the rule. */
  readonly alerted: boolean;
  readonly explained: ExplainedDetection | ExplainedCorrelation;
  /** Of a detection rule: its own alerts with the event; a correlation's stand with its groups. */
  readonly alerts: readonly ExplainedAlert[];
  /** Of a detection rule that raises no alerts of its own: the correlations that refer to it. */
  readonly referred_by: readonly string[];
}

/** What explaining needs. */
export interface ExplainDeps<E> {
  readonly inputs: readonly Input[];
  readonly runner: Runner<E>;
  /** Compiled with `outlines`. */
  readonly rules: RuleSet<E>;
  readonly reader: Reader<E>;
  readonly latenessMs: number;
  readonly progress: NonNullable<Hooks<E>["progress"]>;
}

/** A target whose event was found. */
export interface FoundTarget<E> {
  readonly target: Target;
  readonly located: Located<E> & { readonly event: E };
}

interface World<E> {
  readonly deps: ExplainDeps<E>;
  readonly closure: Closure<E>;
  /** Final alerts by rule. */
  readonly alerts: ReadonlyMap<string, readonly Alert[]>;
  /** Events that alerts of inner correlations are, by the alert's id. */
  readonly inner: ReadonlyMap<string, InnerAlert>;
  readonly groups: Map<string, GroupJob<E>>;
  newest: EpochMs;
}

/** A group of a correlation whose events are wanted. */
interface GroupJob<E> {
  readonly correlation: Correlation<E>;
  readonly key: string;
  from: EpochMs;
  to: EpochMs;
  readonly members: Member[];
}

/** Explains each target, in order. */
export async function explainTargets<E>(deps: ExplainDeps<E>, found: readonly FoundTarget<E>[]): Promise<readonly Explanation[]> {
  const closure = closureOf(deps.rules, new Set(found.map(({ target }) => target.rule)));
  const alerts = await pass(deps, { rules: probedRules(closure) }, 2);
  const world: World<E> = {
    deps,
    closure,
    alerts: Map.groupBy(alerts, ({ ruleId }) => ruleId),
    inner: innerAlerts(alerts),
    groups: new Map(),
    newest: Number.NEGATIVE_INFINITY,
  };
  for (const { target, located } of found) plan(world, target.rule, located.event);
  if (world.groups.size > 0) await collect(world);
  return found.map(({ target, located }) => explainOne(world, target, located));
}

/**
 * Of targets without an event, those whose uid is an alert that rules of theirs refer to (evidence names such alerts): by
 * uid, the rule that raised it and the events that prove it.
 */
export async function innerAlertsAmong<E>(
  deps: ExplainDeps<E>,
  targets: readonly Target[],
): Promise<ReadonlyMap<string, { readonly rule: string; readonly events: readonly string[] }>> {
  const found = new Map<string, { readonly rule: string; readonly events: readonly string[] }>();
  const closure = closureOf(deps.rules, new Set(targets.map(({ rule }) => rule)));
  if (![...closure.correlations.values()].some(({ rules }) => rules.some((rule) => closure.correlations.has(rule)))) return found;
  const wanted = new Set(targets.map(({ uid }) => uid));
  for (const { id, ruleId, evidence, behind } of await pass(deps, { rules: probedRules(closure) }, 2))
    if (wanted.has(id) && probedId(ruleId) === undefined) found.set(id, { rule: ruleId, events: behind ?? evidence });
  return found;
}

/** Reads everything once more. `before`: passes that were, or can have been, before. */
async function pass<E>(
  { inputs, runner, latenessMs, progress }: ExplainDeps<E>,
  other: OtherRun<E>,
  before: number,
  started: () => void = () => undefined,
): Promise<readonly Alert[]> {
  const changed: Runner<E> = {
    ...runner,
    begin(lateness) {
      started();
      return runner.begin(lateness, other);
    },
  };
  const hooks: Hooks<E> = { progress: (state) => progress({ ...state, pass: before + state.pass }) };
  return (await backtest(inputs, changed, latenessMs, hooks)).alerts;
}

function innerAlerts(alerts: readonly Alert[]): ReadonlyMap<string, InnerAlert> {
  const inner = new Map<string, InnerAlert>();
  for (const { ruleId, bucket, group, evidence } of alerts) {
    const rule = probedId(ruleId);
    // A probe's suppression window starts where its only window lies.
    if (rule !== undefined) for (const uid of evidence) inner.set(uid, { rule, uid, time: bucket, group });
  }
  return inner;
}

/** Notes the groups that the event, and the inner alerts that it can be part of, have in the rule. */
function plan<E>(world: World<E>, rule: string, event: E): readonly InnerAlert[] {
  const correlation = world.closure.correlations.get(rule);
  if (correlation === undefined) return [];
  const { reader } = world.deps;
  const through = correlation.rules.flatMap((inner) => plan(world, inner, event));
  const subjects = [
    eventSubject(correlation, world.closure.detections, event, reader),
    ...through.map((alert) => alertSubject(correlation, alert)),
  ];
  const own: InnerAlert[] = [];
  for (const subject of subjects) {
    for (const member of membersOf(correlation, subject)) {
      want(world, correlation, member);
      for (const alert of groupAlerts(world, correlation, member)) {
        const inner = world.inner.get(alert.id);
        if (inner !== undefined && subject.time >= alert.firstTime && subject.time <= alert.lastTime) own.push(inner);
      }
    }
  }
  return own;
}

function want<E>({ groups }: World<E>, correlation: Correlation<E>, { key, time }: Member): void {
  const { timespanMs, suppressMs } = correlation;
  const way = windowWay(correlation);
  const far = 2 * timespanMs + suppressMs;
  const before = way === "history" || correlation.baseline !== undefined ? Number.POSITIVE_INFINITY : far;
  const name = `${correlation.info.id}\n${key}`;
  const job = groups.get(name) ?? { correlation, key, from: time, to: time, members: [] };
  job.from = Math.min(job.from, time - before);
  job.to = Math.max(job.to, time + far);
  groups.set(name, job);
}

/** Fills the groups: events as rules see them, and alerts of inner correlations. */
async function collect<E>(world: World<E>): Promise<void> {
  const { deps, closure, groups } = world;
  const correlations = [...new Set([...groups.values()].map(({ correlation }) => correlation))];
  const put = (correlation: Correlation<E>, subject: Subject): void => {
    if (subject.rules.length === 0) return;
    for (const member of membersOf(correlation, subject)) {
      const job = groups.get(`${correlation.info.id}\n${member.key}`);
      if (job !== undefined && member.time >= job.from && member.time <= job.to) job.members.push(member);
    }
  };
  const tap = (events: readonly E[]): void => {
    for (const event of events) {
      world.newest = Math.max(world.newest, deps.reader.time(event));
      for (const correlation of correlations) put(correlation, eventSubject(correlation, closure.detections, event, deps.reader));
    }
  };
  // Unordered files are read once more, from the start.
  const started = (): void => {
    for (const { members } of groups.values()) members.length = 0;
  };
  await pass(deps, { rules: NO_RULES, tap }, 4, started);
  for (const alert of world.inner.values()) for (const correlation of correlations) put(correlation, alertSubject(correlation, alert));
  for (const { members } of groups.values()) members.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
}

function groupAlerts<E>({ alerts }: World<E>, { info, groupBy }: Correlation<E>, { values }: Member): readonly Alert[] {
  return (alerts.get(info.id) ?? []).filter(({ group }) => groupBy.every(({ name }, at) => group[name] === values[at]));
}

function explainOne<E>(world: World<E>, { rule, uid }: Target, { event, places }: FoundTarget<E>["located"]): Explanation {
  const time = world.deps.reader.time(event);
  const explained = explainRule(world, rule, event);
  const detection = world.closure.detections.get(rule);
  const isAlone = detection?.alerts === true && explained.matched;
  const own = isAlone ? (world.alerts.get(rule) ?? []).filter(({ firstTime, lastTime }) => time >= firstTime && time <= lastTime) : [];
  const referring =
    detection === undefined || detection.alerts ? [] : world.deps.rules.correlations.filter(({ rules }) => rules.includes(rule));
  return {
    uid,
    time,
    places,
    alerted: detection === undefined ? explained.matched : own.length > 0,
    explained,
    alerts: own.map(({ id, bucket, firstTime, lastTime, count }) => ({ id, bucket, first_time: firstTime, last_time: lastTime, count })),
    referred_by: referring.map(({ info }) => info.id),
  };
}

function explainRule<E>(world: World<E>, rule: string, event: E): ExplainedDetection | ExplainedCorrelation {
  const { deps, closure } = world;
  const detection = closure.detections.get(rule);
  const correlation = closure.correlations.get(rule);
  const explained = detection === undefined ? undefined : explainDetection(detection, event, deps.reader);
  if (explained !== undefined) return explained;
  if (correlation === undefined) throw new Error(`the rule ${rule} was compiled without its outline`);
  const rules = correlation.rules.map((one) => explainRule(world, one, event));
  const inner = rules
    .flatMap((one) => (one.kind === "correlation" ? one.subjects : []))
    .flatMap(({ groups }) => groups.flatMap(({ alerts }) => alerts.map(({ id }) => world.inner.get(id))))
    .filter((alert) => alert !== undefined);
  const worldOf = (member: Member) => ({
    members: world.groups.get(`${correlation.info.id}\n${member.key}`)?.members ?? [],
    alerts: groupAlerts(world, correlation, member),
    newest: world.newest,
  });
  const itself = eventSubject(correlation, closure.detections, event, deps.reader);
  const subjects = [
    ...(itself.rules.length > 0 ? [explainSubject(correlation, itself, "event", worldOf)] : []),
    ...[...new Set(inner)]
      .slice(0, INNER_MAX)
      .map((alert) => explainSubject(correlation, alertSubject(correlation, alert), "alert", worldOf)),
  ];
  const infos = new Map([...closure.detections.values(), ...closure.correlations.values()].map(({ info }) => [info.id, info]));
  const nameOf = (id: string): string => infos.get(id)?.name ?? infos.get(id)?.title ?? id;
  return explainedCorrelation(correlation, conditionOf(correlation, nameOf), rules, subjects);
}
