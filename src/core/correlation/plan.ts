import type { Alert } from "../alert.ts";
import type { Category, EpochMs } from "../event.ts";
import type { Correlation, Detection, RuleSet } from "../sigma/rules.ts";
import { alertMaker } from "./alert-maker.ts";
import { assemble } from "./assemble.ts";
import type { Assembled, Shared } from "./connect.ts";
import { baselineWindows } from "./baseline-ratio.ts";
import type { InnerEvent } from "./correlator.ts";
import type { Mark } from "./group.ts";
import { loneDetection } from "./lone.ts";
import { slides } from "./threshold.ts";
import type { Watermarks } from "./types.ts";
import { unsupported } from "./unsupported.ts";

/** A correlation, or a detection that alerts on its own, in the engine. */
export interface Part<E> {
  /** Its rules that the current event matched, as bits; 0 between events. */
  rules: number;
  /** Never moves back. */
  watermark: EpochMs;
  take(event: E, time: EpochMs, mark: Mark, rules: number): void;
  settle(out: Alert[]): void;
  /** Closes what its watermark has passed. */
  advance(newest: EpochMs, out: Alert[]): void;
  /** See Engine.firstSeen and Engine.recall; undefined for what needs no memory. */
  readonly memory: Pick<Assembled<E>, "firstSeen" | "recall"> | undefined;
  /** Up to when all that feeds it is complete. */
  reachOf(watermarks: Watermarks): EpochMs;
  entries(): number;
}

/** A detection and the parts that its events go to. */
export interface Feed<E> {
  readonly detection: Detection<E>;
  readonly targets: { readonly part: Part<E>; readonly bit: number }[];
}

/** Everything that an engine runs, inner correlations before those that refer to them. */
export interface Plan<E> {
  readonly feeds: readonly Feed<E>[];
  readonly parts: readonly Part<E>[];
  /** Parts of correlations, by the rule's id. */
  readonly byRule: ReadonlyMap<string, Part<E>>;
  /** How far before its watermark an event may still matter to any part. */
  readonly horizonMs: number;
}

/** A correlation while the plan is made. */
interface Planned<E> {
  readonly correlation: Correlation<E>;
  readonly assembled: Assembled<E>;
  readonly part: Part<E>;
  readonly horizonMs: number;
}

/** Connects detections, correlations and the alerts between them. */
export function plan<E>(rules: RuleSet<E>, shared: Shared<E>): Plan<E> {
  const left = new Set(unsupported(rules).map(({ rule }) => rule));
  const feeds = new Map<string, Feed<E>>();
  for (const detection of rules.detections) feeds.set(detection.info.id, { detection, targets: [] });
  const correlations = innerFirst(rules.correlations.filter(({ info }) => !left.has(info.id)));
  const planned = new Map<string, Planned<E>>();
  /** Doors of the rules that refer to a correlation; filled when those are made, after it. */
  const doors = new Map<string, ((inner: InnerEvent) => void)[]>();
  const parts: Part<E>[] = [];
  let horizonMs = 0;

  for (const feed of feeds.values()) {
    if (!feed.detection.alerts) continue;
    const part = lonePart(feed.detection, shared);
    feed.targets.push({ part, bit: 1 });
    parts.push(part);
    horizonMs = Math.max(horizonMs, feed.detection.suppressMs + (feed.detection.latenessMs ?? shared.latenessMs));
  }
  const referred = new Set(correlations.flatMap(({ rules: names }) => names));
  for (const correlation of correlations) {
    const { id } = correlation.info;
    const open: ((inner: InnerEvent) => void)[] = [];
    doors.set(id, open);
    const deliver = (inner: InnerEvent): void => {
      for (const door of open) door(inner);
    };
    const assembled = assemble(correlation, shared, referred.has(id) ? deliver : undefined);
    const inners = correlation.rules.map((rule) => planned.get(rule)).filter((inner) => inner !== undefined);
    const detections = correlation.rules.map((rule) => feeds.get(rule)).filter((feed) => feed !== undefined);
    const part = correlationPart(assembled, inners, watermarkOf(detections.map(({ detection }) => detection)));
    for (const [index, rule] of correlation.rules.entries()) {
      const inner = planned.get(rule);
      if (inner !== undefined)
        doors.get(rule)!.push(
          assembled.takeInner(
            index,
            inner.correlation.groupBy.map(({ name }) => name),
          ),
        );
      else feeds.get(rule)?.targets.push({ part, bit: 1 << index });
    }
    const own = reachBack(correlation) + (correlation.latenessMs ?? shared.latenessMs);
    const entry = { correlation, assembled, part, horizonMs: own + Math.max(0, ...inners.map((inner) => inner.horizonMs)) };
    planned.set(id, entry);
    parts.push(part);
    horizonMs = Math.max(horizonMs, entry.horizonMs);
  }
  const byRule = new Map([...planned].map(([id, { part }]) => [id, part]));
  return { feeds: [...feeds.values()].filter(({ targets }) => targets.length > 0), parts, byRule, horizonMs };
}

/** A correlation after all that it refers to. The compiler has rejected cycles; one that slipped in does no harm. */
function innerFirst<E>(correlations: readonly Correlation<E>[]): readonly Correlation<E>[] {
  const byId = new Map(correlations.map((correlation) => [correlation.info.id, correlation]));
  const placed = new Set<Correlation<E>>();
  const visit = (correlation: Correlation<E>, path: ReadonlySet<Correlation<E>>): void => {
    if (placed.has(correlation) || path.has(correlation)) return;
    const here = new Set(path).add(correlation);
    for (const rule of correlation.rules) {
      const inner = byId.get(rule);
      if (inner !== undefined) visit(inner, here);
    }
    placed.add(correlation);
  };
  for (const correlation of correlations) visit(correlation, new Set());
  return [...placed];
}

/** The watermark of rules that read these detections: the lowest of their categories'. */
function watermarkOf<E>(detections: readonly Detection<E>[]): (watermarks: Watermarks) => EpochMs {
  const categories = new Set<Category>();
  let every = false;
  for (const detection of detections) {
    if (detection.categories === undefined) every = true;
    else for (const category of detection.categories) categories.add(category);
  }
  return ({ all, byCategory }) => {
    let lowest = every ? all : Number.POSITIVE_INFINITY;
    for (const category of categories) lowest = Math.min(lowest, byCategory?.get(category) ?? all);
    return lowest;
  };
}

function correlationPart<E>(assembled: Assembled<E>, inners: readonly Planned<E>[], own: (watermarks: Watermarks) => EpochMs): Part<E> {
  const part: Part<E> = {
    rules: 0,
    watermark: Number.NEGATIVE_INFINITY,
    memory: assembled,
    take: assembled.take,
    settle: (out) => assembled.settle(out),
    advance: (newest, out) => assembled.advance(part.watermark, newest, out),
    reachOf(watermarks) {
      let lowest = own(watermarks);
      for (const inner of inners) lowest = Math.min(lowest, inner.assembled.reach());
      return lowest;
    },
    entries: () => assembled.entries(),
  };
  return part;
}

function lonePart<E>(detection: Detection<E>, shared: Shared<E>): Part<E> {
  const maker = alertMaker(detection.info, [], [], (name) => shared.uuid5(name));
  const lone = loneDetection(maker, detection.suppressMs, detection.latenessMs ?? shared.latenessMs, shared.evidenceMax);
  const part: Part<E> = {
    rules: 0,
    watermark: Number.NEGATIVE_INFINITY,
    memory: undefined,
    take: (_, time, mark) => lone.add(time, mark),
    settle: (out) => lone.settle(out),
    advance: (_, out) => lone.advance(part.watermark, out),
    reachOf: watermarkOf([detection]),
    entries: () => lone.entries(),
  };
  return part;
}

/** How far before a correlation's own watermark its windows, and the buckets that are not final, reach. */
function reachBack<E>({ type, threshold, expression, timespanMs, suppressMs, newValue, baseline }: Correlation<E>): number {
  if (newValue !== undefined) return newValue.lookbackMs + newValue.minHistoryMs + suppressMs;
  const before = baseline === undefined ? 0 : baselineWindows({ ...baseline, timespanMs }) * timespanMs;
  if (expression !== undefined) return 3 * timespanMs + 2 * suppressMs;
  const tumbles =
    baseline !== undefined || !slides(threshold) || type === "value_avg" || type === "value_percentile" || type === "value_median";
  return tumbles ? before + 3 * timespanMs + suppressMs : timespanMs + 2 * suppressMs;
}
