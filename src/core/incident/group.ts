/**
 * Which alerts belong together. Guards: the incidents' alerts are a function of the set of alerts and of what people
 * closed, not of the order in which the alerts came or how they were split into steps. Only ids and revisions follow the
 * order: an incident keeps the id under which it was first told, and when a late alert joins two of them, the one that was
 * opened first goes on and the other is closed as a part of it.
 */
import type { Alert, RuleInfo } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { INCIDENT_STATUS, isByPerson, isClosed, type Closure, type Incident } from "../incident.ts";
import { build, openIncident, type BuildContext } from "./build.ts";
import { entitiesOf } from "./entities.ts";
import { byTime, opensByLevel, rank, riskOpenings, type OpeningPolicy, type RiskOpening } from "./risk.ts";

/** Ends that an incident remembers after it was reopened: who closes it once more wants to know what was said before. */
const HISTORY_MAX = 10;

/** When incidents are opened, closed and reopened. */
export interface IncidentPolicy extends OpeningPolicy {
  /** Without a new alert for this long, in event time, an incident is closed. */
  readonly quietMs: number;
  /** What opens an incident this long after another one about the same entity was closed reopens that one. */
  readonly reopenMs: number;
}

/** What grouping needs to know beside the alerts. */
export interface GroupingContext extends BuildContext {
  readonly policy: IncidentPolicy;
  readonly uuid5: (name: string) => string;
  readonly now: EpochMs;
}

/** What is stored about the entities of changed alerts. */
export interface KnownSubjects {
  /** Newest revisions of their incidents, as far back as one may be reopened. */
  readonly incidents: readonly Incident[];
  /** Their alerts as stored before this step, as far as risk and quiet time reach (`reachMs`). */
  readonly alerts: readonly Alert[];
}

/** How far before and after changed alerts others may matter to them. */
export function reachMs(policy: Pick<IncidentPolicy, "riskDecayMs" | "quietMs">): number {
  return 2 * Math.max(policy.riskDecayMs, policy.quietMs);
}

/** How long an alert may still matter: to the risk and the quiet time of others, and to its incident, which may be reopened. */
export function alertsReachMs(policy: Pick<IncidentPolicy, "riskDecayMs" | "quietMs" | "reopenMs">): number {
  return Math.max(reachMs(policy), policy.quietMs + policy.reopenMs);
}

/** The entities of alerts, each once, in order. */
export function entitiesOfAll(alerts: readonly Alert[], rule: (id: string) => RuleInfo | undefined): string[] {
  return [...new Set(alerts.flatMap((alert) => entitiesOf(alert, rule(alert.ruleId))))].sort();
}

/** The incidents that change because these alerts did, each with its revision raised by one. */
export function groupAlerts(known: KnownSubjects, changed: readonly Alert[], context: GroupingContext): Incident[] {
  const before = new Map(known.alerts.map((alert) => [alert.id, alert]));
  const current = new Map(before);
  for (const alert of changed) current.set(alert.id, alert);
  const about = Map.groupBy(
    [...current.values()].flatMap((alert) => entitiesOf(alert, context.rule(alert.ruleId)).map((entity) => ({ entity, alert }))),
    ({ entity }) => entity,
  );
  const changedIds = new Set(changed.map((alert) => alert.id));
  return entitiesOfAll(changed, context.rule).flatMap((entity) => {
    const alerts = (about.get(entity) ?? []).map(({ alert }) => alert).sort(byTime);
    const incidents = known.incidents.filter((one) => one.entity === entity && one.closure?.how !== "merged");
    return amend(entity, { alerts, incidents, before, changedIds }, context);
  });
}

interface About {
  readonly alerts: readonly Alert[];
  readonly incidents: readonly Incident[];
  readonly before: ReadonlyMap<string, Alert>;
  readonly changedIds: ReadonlySet<string>;
}

/** A stretch of time about one entity with all that lies in it. */
interface Block {
  from: EpochMs;
  to: EpochMs;
  readonly alerts: Alert[];
  readonly incidents: Incident[];
  /** It is an incident, or enough to open one. */
  active: boolean;
}

function amend(entity: string, about: About, context: GroupingContext): Incident[] {
  const { policy } = context;
  const barriers = about.incidents.map(heldAt).filter((time) => time !== undefined);
  const openings = riskOpenings(about.alerts, context.rule, policy, barriers);
  const parts = [
    ...about.alerts.map((alert) => block(alert.firstTime, alert.lastTime, opensByLevel(alert, policy), { alerts: [alert] })),
    ...openings.map(({ alert, from }) => block(from[0]!.firstTime, alert.firstTime, true, {})),
    ...about.incidents.map((one) => block(one.firstTime, one.lastTime, true, { incidents: [one] })),
  ];
  const near = joinNear(joinKnown(parts, entity, context), policy.quietMs, barriers);
  const active = joinActive(
    near.filter((one) => one.active),
    policy,
  );
  for (const rest of near.filter((one) => !one.active)) {
    const around = active.find((one) => rest.from <= one.to && rest.to >= one.from && !isCut(one, rest, barriers));
    if (around !== undefined) join(around, rest);
  }
  return active
    .filter((one) => one.alerts.some((alert) => about.changedIds.has(alert.id)))
    .flatMap((one) => incidentsOf(entity, one, { ...about, openings }, context));
}

function block(from: EpochMs, to: EpochMs, active: boolean, holds: { readonly alerts?: Alert[]; readonly incidents?: Incident[] }): Block {
  return { from, to, active, alerts: holds.alerts ?? [], incidents: holds.incidents ?? [] };
}

/** When a person put an end to it; undefined while it is open or was closed because it was quiet. */
function heldAt(incident: Incident): EpochMs | undefined {
  const { closure } = incident;
  return isClosed(incident) && closure !== undefined && isByPerson(closure) ? closure.time : undefined;
}

function join(to: Block, other: Block): void {
  to.from = Math.min(to.from, other.from);
  to.to = Math.max(to.to, other.to);
  to.active ||= other.active;
  to.alerts.push(...other.alerts);
  to.incidents.push(...other.incidents);
}

/** An alert that an incident lists or was opened by stays there, wherever its times have moved. */
function joinKnown(parts: readonly Block[], entity: string, context: GroupingContext): Block[] {
  const home = new Map<string, Block>();
  const homes = parts.filter((part) => part.incidents.length > 0);
  for (const one of homes) {
    for (const incident of one.incidents) {
      home.set(incident.id, one);
      for (const alert of incident.alerts) home.set(alert.id, one);
    }
  }
  const rest: Block[] = [];
  for (const part of parts.filter((one) => one.incidents.length === 0)) {
    const [alert] = part.alerts;
    const to = alert === undefined ? undefined : (home.get(alert.id) ?? home.get(idOf(entity, alert, context)));
    if (to === undefined) rest.push(part);
    else join(to, part);
  }
  return [...homes, ...rest];
}

/** Joins what is no further apart than the quiet time, on the same side of every end that a person made. */
function joinNear(parts: readonly Block[], quietMs: number, barriers: readonly EpochMs[]): Block[] {
  return sweep(parts, (last, next) => next.from <= last.to + quietMs && !isCut(last, next, barriers));
}

function isCut(a: Block, b: Block, barriers: readonly EpochMs[]): boolean {
  const [first, second] = a.from <= b.from ? [a, b] : [b, a];
  return barriers.some((barrier) => first.from <= barrier && barrier < second.from);
}

/** Joins incidents, and what would open one, with the incident before that they reopen. */
function joinActive(parts: readonly Block[], { quietMs, reopenMs }: IncidentPolicy): Block[] {
  const held = new Map<Block, EpochMs>();
  for (const part of parts) {
    const times = part.incidents.map(heldAt);
    if (times.length > 0 && times.every((time) => time !== undefined)) held.set(part, Math.max(...times));
  }
  return sweep(parts, (last, next) => {
    const end = held.get(last);
    if (end === undefined) return next.from <= last.to + quietMs + reopenMs;
    // What was opened after a person's end is another incident for good.
    if (next.incidents.length > 0 || next.from > end + reopenMs) return false;
    if (next.from > end) held.delete(last);
    return true;
  });
}

/** Joins each part to the one before it, in order of time, where `near` says so. `last` grows. */
function sweep(parts: readonly Block[], near: (last: Block, next: Block) => boolean): Block[] {
  const joined: Block[] = [];
  for (const next of [...parts].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const last = joined.at(-1);
    if (last !== undefined && near(last, next)) join(last, next);
    else joined.push(next);
  }
  return joined;
}

/** The incident that a block is, and those that are parts of it now. */
function incidentsOf(
  entity: string,
  { alerts, incidents }: Block,
  about: About & { readonly openings: readonly RiskOpening[] },
  context: GroupingContext,
): Incident[] {
  const { policy } = context;
  const [first, ...parts] = [...incidents].sort((a, b) => a.openedTime - b.openedTime || (a.id < b.id ? -1 : 1));
  const here = new Set(alerts.map((alert) => alert.id));
  const openings = about.openings.filter(({ alert }) => here.has(alert.id));
  const openers = [...alerts.filter((alert) => opensByLevel(alert, policy)), ...openings.map(({ alert }) => alert)].sort(byTime);
  const opener = openers[0] ?? [...alerts].sort(byTime)[0]!;
  const base = first ?? openIncident(idOf(entity, opener, context), entity, opener, context);
  const listed = new Map([base, ...parts].flatMap((one) => one.alerts).map((alert) => [alert.id, alert]));
  for (const alert of alerts) listed.set(alert.id, alert);
  const openedTime = Math.min(base.openedTime, ...openers.map((alert) => alert.firstTime));
  const risk = Math.round(Math.max(base.opened?.risk ?? 0, ...openings.map((one) => one.risk)));
  const opened = { by: [...listed.values()].some((alert) => opensByLevel(alert, policy)) ? "level" : "risk", risk } as const;
  const said = parts.length === 0 ? {} : remembered([...(base.history ?? []), ...saidOf(parts)]);
  const built = build({ ...base, ...said, openedTime, opened }, [...listed.values()], context);
  const news = isClosed(base) ? newsIn(alerts, about, policy) : [];
  return [
    { ...(news.length > 0 ? reopened(built, news, context.now) : built), revision: base.revision + 1 },
    ...parts.map((part) => mergedInto(part, base.id)),
  ];
}

/** The changed alerts that are reason enough to look again at what was closed. */
function newsIn(
  alerts: readonly Alert[],
  about: About & { readonly openings: readonly RiskOpening[] },
  policy: IncidentPolicy,
): readonly Alert[] {
  const counted = new Set(about.openings.flatMap(({ from }) => from.map((alert) => alert.id)));
  return alerts.filter((alert) => {
    if (!about.changedIds.has(alert.id)) return false;
    const before = about.before.get(alert.id);
    if (!opensByLevel(alert, policy)) return before === undefined && counted.has(alert.id);
    return before === undefined || !opensByLevel(before, policy) || rank(alert.level) > rank(before.level);
  });
}

function reopened(incident: Incident, news: readonly Alert[], now: EpochMs): Incident {
  const { closure, ...rest } = incident;
  const time = Math.min(...news.map((alert) => alert.firstTime));
  const history = remembered([...(incident.history ?? []), ...(closure === undefined ? [] : [closure])]);
  return { ...rest, ...history, status: INCIDENT_STATUS.new, reopened: { count: (incident.reopened?.count ?? 0) + 1, time, at: now } };
}

/** What people said stays before what only time did. */
function remembered(ends: readonly Closure[]): Pick<Incident, "history"> {
  const distinct = [...new Map(ends.map((one) => [JSON.stringify(one), one])).values()];
  const kept = new Set(distinct.toSorted((a, b) => Number(isByPerson(b)) - Number(isByPerson(a)) || b.time - a.time).slice(0, HISTORY_MAX));
  const history = distinct.filter((one) => kept.has(one)).sort((a, b) => a.time - b.time);
  return history.length === 0 ? {} : { history };
}

/** What people said of parts of an incident. */
function saidOf(parts: readonly Incident[]): Closure[] {
  return parts.flatMap(({ closure, history = [] }) => [...history, ...(closure === undefined ? [] : [closure])]).filter(isByPerson);
}

function mergedInto(part: Incident, id: string): Incident {
  const closure = { how: "merged", by: id, reason: `a later alert joined it with ${id}`, time: part.lastTime } as const;
  const history = remembered([...(part.history ?? []), ...(part.closure === undefined ? [] : [part.closure])]);
  return { ...part, ...history, status: INCIDENT_STATUS.closed, closure, revision: part.revision + 1 };
}

function idOf(entity: string, alert: Alert, { uuid5 }: Pick<GroupingContext, "uuid5">): string {
  return uuid5(`incident\n${entity}\n${alert.id}`);
}
