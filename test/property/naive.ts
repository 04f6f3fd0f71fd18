/**
 * What the alerts of a set of events are, written down from the text of the semantics alone: every window is filtered
 * from the whole list, every sequence is searched for. Slow on purpose; shares nothing with the engine.
 */
import type { Reader } from "../../src/core/sigma/reader.ts";
import type { Correlation, RuleSet } from "../../src/core/sigma/rules.ts";
import { absences, countedRule } from "./naive-boolean.ts";
import { isNew, ratioHolds } from "./naive-extensions.ts";
import { holds } from "./naive-holds.ts";
import type { Item } from "./naive-holds.ts";

/** A final alert, as far as it is a function of the events. */
export interface NaiveAlert {
  id: string;
  ruleId: string;
  group: Record<string, string>;
  bucket: number;
  firstTime: number;
  lastTime: number;
  count: number;
  evidence: string[];
  agents: string[];
}

interface Outcome {
  alert: NaiveAlert;
  /** What the alert is to the rules that refer to it. */
  inner: { time: number; agents: string[] };
}

interface World<E> {
  rules: RuleSet<E>;
  events: E[];
  newest: number;
  reader: Reader<E>;
  uuid5: (name: string) => string;
  evidenceMax: number;
}

const compare = (a: Item, b: Item): number => a.time - b.time || (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);

/** `newest`: tumbling windows are evaluated up to the one that holds it; without, the newest event's. */
export function naive<E>(
  rules: RuleSet<E>,
  input: readonly E[],
  reader: Reader<E>,
  uuid5: (name: string) => string,
  evidenceMax: number,
  newest?: number,
): NaiveAlert[] {
  const first = new Map<string, E>();
  for (const event of input) if (!first.has(reader.uid(event))) first.set(reader.uid(event), event);
  const events = [...first.values()];
  const world: World<E> = {
    rules,
    events,
    newest: newest ?? Math.max(...events.map((event) => reader.time(event))),
    reader,
    uuid5,
    evidenceMax,
  };
  const alerts: NaiveAlert[] = [];
  for (const detection of rules.detections) if (detection.alerts) alerts.push(...lone(world, detection.info.id));
  for (const correlation of rules.correlations) {
    if (correlation.alerts) alerts.push(...outcomes(world, correlation).map(({ alert }) => alert));
  }
  return sorted(alerts);
}

export function sorted(alerts: readonly NaiveAlert[]): NaiveAlert[] {
  const key = (alert: NaiveAlert): string =>
    JSON.stringify([alert.ruleId, Object.entries(alert.group).sort(([a], [b]) => (a < b ? -1 : 1)), alert.bucket]);
  return [...alerts].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** A detection rule on its own: group {}, the anchor is the event's time, its window the event. */
function lone<E>(world: World<E>, id: string): NaiveAlert[] {
  const rule = world.rules.detections.find((detection) => detection.info.id === id)!;
  const items = world.events.filter((event) => rule.matches(event)).map((event) => eventItem(world, event, [id], undefined));
  const anchors = items.map((item) => ({ anchor: item.time, first: item.time, last: item.time, window: [item] }));
  return alertsOf(world, id, {}, [], items, anchors, rule.suppressMs, (chosen) => chosen.slice(0, world.evidenceMax)).map(
    ({ alert }) => alert,
  );
}

function eventItem<E>(world: World<E>, event: E, rules: string[], value: unknown): Item {
  const agent = world.reader.agent(event);
  return { time: world.reader.time(event), uid: world.reader.uid(event), rules, agents: agent === undefined ? [] : [agent], value };
}

function canonical(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) return JSON.stringify(value);
  return undefined;
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === "string" && !/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(value)) return undefined;
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  return Number.isFinite(Number(value)) ? Number(value) : undefined;
}

/** Section 8: with gt or gte windows slide, but not those of averages and percentiles. */
function slides<E>({ type, threshold }: Correlation<E>): boolean {
  if (type === "baseline_ratio" || type === "value_avg" || type === "value_percentile" || type === "value_median") return false;
  return threshold.gt !== undefined || threshold.gte !== undefined;
}

/** The value that the type uses; undefined: the event takes no part. */
function usable<E>(correlation: Correlation<E>, read: (index: number) => unknown): unknown {
  if (correlation.type === "baseline_ratio") return metricValue(correlation, read);
  if (correlation.type === "value_count" || correlation.type === "new_value") {
    const values = correlation.fields.map((_, index) => canonical(read(index)));
    return values.includes(undefined) ? undefined : JSON.stringify(values);
  }
  if (correlation.type.startsWith("value_")) {
    const number = toNumber(read(0));
    if (number === undefined) return undefined;
    return correlation.type === "value_sum" && slides(correlation) && number < 0 ? undefined : number;
  }
  return true;
}

function fieldsOf<E>({ fields, baseline }: Correlation<E>): Correlation<E>["fields"] {
  return baseline?.metricField === undefined ? fields : [baseline.metricField];
}

/** The value that a baseline measures. */
function metricValue<E>({ baseline }: Correlation<E>, read: (index: number) => unknown): unknown {
  if (baseline!.metric === "count") return true;
  return baseline!.metric === "sum" ? toNumber(read(0)) : canonical(read(0));
}

/** The groups of a correlation, each with its items. */
function groupsOf<E>(world: World<E>, correlation: Correlation<E>): { values: string[]; items: Item[] }[] {
  const groups = new Map<string, { values: string[]; items: Item[] }>();
  const put = (values: (string | undefined)[], item: Item): void => {
    if (values.includes(undefined) || item.value === undefined) return;
    const key = JSON.stringify(values);
    const group = groups.get(key) ?? { values: values as string[], items: [] };
    groups.set(key, group);
    const same = group.items.find((other) => other.uid === item.uid);
    if (same === undefined) group.items.push(item);
    else same.rules.push(...item.rules);
  };
  for (const rule of correlation.rules) {
    const detection = world.rules.detections.find((other) => other.info.id === rule);
    for (const event of detection === undefined ? [] : world.events.filter((other) => detection.matches(other))) {
      const value = usable(correlation, (index) => fieldsOf(correlation)[index]!.read(event));
      put(
        correlation.groupBy.map((field) => canonical(field.read(rule)!(event))),
        eventItem(world, event, [rule], value),
      );
    }
    const inner = world.rules.correlations.find((other) => other.info.id === rule);
    for (const { alert, inner: event } of inner === undefined ? [] : outcomes(world, inner)) {
      const value = usable(correlation, (index) => alert.group[fieldsOf(correlation)[index]!.path]);
      const item = { time: event.time, uid: alert.id, rules: [rule], agents: event.agents, value };
      put(
        correlation.groupBy.map((field) => canonical(alert.group[field.path(rule)])),
        item,
      );
    }
  }
  for (const group of groups.values()) group.items.sort(compare);
  return [...groups.values()];
}

function outcomes<E>(world: World<E>, correlation: Correlation<E>): Outcome[] {
  const { groupBy, timespanMs: span, suppressMs, rules } = correlation;
  const counted = rules.filter((rule) => correlation.expression === undefined || countedRule(correlation.expression, rule));
  const choose = correlation.type.startsWith("temporal")
    ? (items: Item[]): Item[] => {
        const share = Math.max(1, Math.floor(world.evidenceMax / rules.length));
        const chosen = new Set(counted.flatMap((rule) => items.filter((item) => item.rules.includes(rule)).slice(0, share)));
        return items.filter((item) => chosen.has(item));
      }
    : (items: Item[]): Item[] => items.slice(0, world.evidenceMax);
  return groupsOf(world, correlation).flatMap(({ values, items }) => {
    const anchors: Satisfied[] = [];
    let fired: readonly Item[] = items;
    if (correlation.type === "new_value") {
      fired = items.filter((item) => isNew(correlation, item, items));
      for (const { time } of fired) {
        anchors.push({ anchor: time, first: time, last: time, window: fired.filter((item) => item.time === time) });
      }
    } else if (correlation.expression !== undefined) {
      anchors.push(...absences(correlation, correlation.expression, items));
    } else if (slides(correlation)) {
      for (const { time } of items) {
        const window = items.filter((item) => item.time >= time - span && item.time <= time);
        if (holds(correlation, window)) anchors.push({ anchor: time, first: window[0]!.time, last: time, window });
      }
    } else {
      for (const start of windowStarts(world, correlation, items)) {
        const window = items.filter((item) => item.time >= start && item.time < start + span);
        const held = correlation.type === "baseline_ratio" ? ratioHolds(correlation, items, start) : holds(correlation, window);
        if (!held) continue;
        anchors.push({ anchor: start, first: window[0]?.time ?? start, last: window.at(-1)?.time ?? start, window });
      }
    }
    const group = Object.fromEntries(groupBy.map(({ name }, index) => [name, values[index]!]));
    const agents = groupBy.flatMap((field, index) =>
      field.name === "ai_agent.uid" || rules.some((rule) => field.path(rule) === "ai_agent.uid") ? [values[index]!] : [],
    );
    const wanted = correlation.expression === undefined ? fired : items.filter((item) => item.rules.some((rule) => counted.includes(rule)));
    return alertsOf(world, correlation.info.id, group, agents, wanted, anchors, suppressMs, choose);
  });
}

/** Starts of the tumbling windows in which a group is evaluated. */
function windowStarts<E>(world: World<E>, { groupBy, timespanMs: span }: Correlation<E>, items: readonly Item[]): number[] {
  const starts: number[] = [];
  const of = (time: number): number => Math.floor(time / span) * span;
  for (let start = of(items[0]!.time); start <= of(world.newest); start += span) {
    const seen = items.some((item) => item.time >= start - span && item.time < start + span);
    if (groupBy.length === 0 || seen) starts.push(start);
  }
  return starts;
}

export interface Satisfied {
  anchor: number;
  first: number;
  last: number;
  window: Item[];
}

/** One alert per bucket that has a satisfied anchor. */
function alertsOf<E>(
  { uuid5 }: World<E>,
  ruleId: string,
  group: Record<string, string>,
  groupAgents: string[],
  items: readonly Item[],
  anchors: readonly Satisfied[],
  suppressMs: number,
  choose: (items: Item[]) => Item[],
): Outcome[] {
  const text = `{${Object.keys(group)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(group[name])}`)
    .join(",")}}`;
  const agentsOf = (chosen: readonly Item[]): string[] => [...new Set([...groupAgents, ...chosen.flatMap((item) => item.agents)])].sort();
  const buckets = new Set(anchors.map(({ anchor }) => Math.floor(anchor / suppressMs) * suppressMs));
  return [...buckets].map((bucket) => {
    const own = anchors.filter(({ anchor }) => anchor >= bucket && anchor < bucket + suppressMs);
    const earliest = own.reduce((a, b) => (b.anchor < a.anchor ? b : a));
    const firstTime = Math.min(...own.map(({ first }) => first));
    const lastTime = Math.max(...own.map(({ last }) => last));
    const counted = items.filter((item) => item.time >= firstTime && item.time <= lastTime).sort(compare);
    const evidence = choose(counted);
    const id = uuid5(`${ruleId}\n${text}\n${bucket}`);
    const uids = evidence.map((item) => item.uid);
    const agents = agentsOf(evidence);
    return {
      alert: {
        id,
        ruleId,
        group,
        bucket: bucket + 0,
        firstTime: firstTime + 0,
        lastTime: lastTime + 0,
        count: counted.length,
        evidence: uids,
        agents,
      },
      inner: { time: earliest.anchor, agents: agentsOf(choose([...earliest.window].sort(compare))) },
    };
  });
}
