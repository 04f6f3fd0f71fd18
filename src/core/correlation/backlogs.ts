import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import { Backlog, BACKLOG_RULES_MAX } from "./backlog.ts";
import type { Sleeper } from "./backlog.ts";
import { branchesOf } from "./boolean.ts";
import { isSpread, sameFields } from "./connect.ts";
import type { Shared } from "./connect.ts";
import type { InnerEvent } from "./correlator.ts";
import type { Mark } from "./group.ts";
import type { Read } from "./intake.ts";
import type { Key } from "./keys.ts";
import type { Part, Planned } from "./plan.ts";
import { leastCount, onlyGrows } from "./threshold.ts";

/** Events that are held for several correlations at once, as a part of the engine. */
export interface Held<E> {
  readonly part: Part<E>;
  readonly members: readonly Planned<E>[];
  bit(member: number, rule: number): number;
  takeInner(member: number, rule: number, names: readonly string[]): (inner: InnerEvent) => void;
  /** A member is no longer there. */
  retire(member: number): void;
}

/** Correlations in one backlog look back by lengths of time that differ by no more than this factor: all is held as long as the longest needs. */
const HORIZON_FACTOR = 4;
/** A rule that fewer events satisfy would hardly ever sleep. */
const EVENTS_MIN = 4;
/** What has expired is looked for this often, in parts of the horizon. */
const SWEEPS_PER_HORIZON = 8;

/** The backlogs of correlations that can sleep, by a field that they group by and by how far they look back. */
export function backlogsOf<E>(planned: readonly Planned<E>[], shared: Shared<E>): readonly Held<E>[] {
  const able = planned.filter(({ correlation }) => needsOf(correlation) !== undefined);
  const uses = new Map<string, number>();
  for (const path of able.flatMap((entry) => pathsOf(entry.correlation))) uses.set(path, (uses.get(path) ?? 0) + 1);
  const sets = new Map<string, { readonly path: string; readonly members: Planned<E>[]; rules: number }>();
  const full: { readonly path: string; readonly members: Planned<E>[] }[] = [];
  for (const entry of able) {
    const [path] = pathsOf(entry.correlation).toSorted((a, b) => uses.get(b)! - uses.get(a)!);
    const key = `${Math.floor(Math.log(entry.reach.wholeMs) / Math.log(HORIZON_FACTOR))} ${path!}`;
    let set = sets.get(key);
    if (set !== undefined && set.rules + entry.correlation.rules.length > BACKLOG_RULES_MAX) {
      full.push(set);
      set = undefined;
    }
    if (set === undefined) sets.set(key, (set = { path: path!, members: [], rules: 0 }));
    set.members.push(entry);
    set.rules += entry.correlation.rules.length;
  }
  return [...full, ...sets.values()].map(({ path, members }) => heldBy(path, members, shared));
}

/** What a correlation needs at least in one of its groups; undefined for one that cannot sleep. */
function needsOf<E>(correlation: Correlation<E>): Sleeper["needs"] | undefined {
  const { type, rules, threshold, expression, groupBy, timespanMs } = correlation;
  // A backlog holds an event for one value of its field.
  if (rules.length > BACKLOG_RULES_MAX || groupBy.length === 0 || isSpread(correlation)) return undefined;
  const detections = detectionsOf(correlation);
  if (detections.length === 0 || !sameFields(correlation, detections)) return undefined;
  if (type === "event_count") {
    const events = leastCount(threshold);
    return onlyGrows(threshold) && events >= EVENTS_MIN ? { events, withinMs: timespanMs } : undefined;
  }
  if (!type.startsWith("temporal") || rules.length < 2) return undefined;
  if (expression !== undefined) {
    const branches = branchesOf(expression, rules) ?? [];
    return branches.length === 1 && branches[0]!.positives.length === rules.length ? "each" : undefined;
  }
  return type === "temporal_ordered" || (onlyGrows(threshold) && leastCount(threshold) >= rules.length) ? "each" : undefined;
}

/** Positions of the rules that are detections. */
function detectionsOf<E>({ rules, groupBy }: Correlation<E>): readonly number[] {
  return [...rules.keys()].filter((index) => groupBy.every((field) => field.read(rules[index]!) !== null));
}

/** Where events have the group fields. */
function pathsOf<E>(correlation: Correlation<E>): readonly string[] {
  const some = correlation.rules[detectionsOf(correlation)[0]!]!;
  return correlation.groupBy.map((field) => field.path(some));
}

function readersOf<E>(correlation: Correlation<E>): ReadonlyMap<string, Read<E>> {
  const some = correlation.rules[detectionsOf(correlation)[0]!]!;
  return new Map(correlation.groupBy.map((field) => [field.path(some), field.read(some)!]));
}

function heldBy<E>(path: string, members: readonly Planned<E>[], shared: Shared<E>): Held<E> {
  const readers = new Map(members.flatMap(({ correlation }) => [...readersOf(correlation)]));
  const reader = (one: string): Read<E> => readers.get(one)!;
  const sleepers = members.map(({ correlation, assembled }) => ({
    rules: correlation.rules.length,
    needs: needsOf(correlation)!,
    fields: pathsOf(correlation).map((one) => (one === path ? -1 : shared.cells.position(one, reader(one)))),
    take: (values: readonly string[], time: EpochMs, mark: Mark, set: number) => assembled.takeValues(values, time, mark, set),
    keepFrom: () => assembled.correlator.keepFrom(),
    idle: (key: Key) => assembled.correlator.idle(key),
    forget: (key: Key) => assembled.correlator.forget(key),
  }));
  const longest = Math.max(...members.map(({ reach }) => reach.wholeMs));
  const made = new Backlog(sleepers, shared.keys([path], [reader(path)]), shared.cells, shared.counters, longest / SWEEPS_PER_HORIZON);
  const part: Part<E> = {
    rules: 0,
    watermark: Number.NEGATIVE_INFINITY,
    follows: true,
    take: (event, time, mark, rules) => made.take(event, time, mark, rules),
    settle: () => made.settle(),
    advance: () => made.sweep(),
    reachOf: (watermarks) => Math.max(...members.map((member) => member.part.reachOf(watermarks))),
    entries: () => made.entries(),
  };
  return {
    part,
    members,
    bit: (member, rule) => made.bit(member, rule),
    retire: (member) => made.retire(member),
    takeInner(member, rule, names) {
      const { groupBy, rules } = members[member]!.correlation;
      const at = groupBy.map((field) => names.indexOf(field.path(rules[rule]!)));
      return (inner) => made.takeInner(member, rule, inner, at.includes(-1) ? undefined : at.map((index) => inner.values[index]!));
    },
  };
}
