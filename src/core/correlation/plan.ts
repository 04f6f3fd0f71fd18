import type { Alert } from "../alert.ts";
import type { Category, EpochMs } from "../event.ts";
import type { Correlation, Detection, RuleSet } from "../sigma/rules.ts";
import { alertMaker } from "./alert-maker.ts";
import { assemble } from "./assemble.ts";
import { backlogsOf } from "./backlogs.ts";
import type { Held } from "./backlogs.ts";
import type { Assembled, Shared } from "./connect.ts";
import { baselineKey } from "./baseline-key.ts";
import { loneSignature, signatures } from "./components.ts";
import type { InnerEvent } from "./correlator.ts";
import type { Mark } from "./group.ts";
import { lagsOf, pastMs, reachBack } from "./horizon.ts";
import { loneDetection } from "./lone.ts";
import { rememberer } from "./remember.ts";
import type { Remembering } from "./remember.ts";
import { furthestOf, reachOver } from "./reach.ts";
import type { Reach } from "./reach.ts";
import type { Watermarks } from "./types.ts";
import { unsupported } from "./unsupported.ts";

/** A correlation, or a detection that alerts on its own, in the engine. */
export interface Part<E> {
  /** Its rules that the current event matched, as bits; 0 between events. */
  rules: number;
  /** Never moves back. */
  watermark: EpochMs;
  /** Its watermark is taken from other parts, as they were before: it says nothing of its own. */
  readonly follows?: boolean;
  take(event: E, time: EpochMs, mark: Mark, rules: number): void;
  settle(out: Alert[]): void;
  /** Closes what its watermark has passed. */
  advance(newest: EpochMs, out: Alert[]): void;
  /** Up to when all that feeds it is complete. */
  reachOf(watermarks: Watermarks): EpochMs;
  entries(): number;
}

/** A part that wants the events of a detection, and which of its rules that is. */
export interface FeedTarget<E> {
  readonly part: Part<E>;
  readonly bit: number;
}

/** A detection and the parts that its events go to. */
export interface Feed<E> {
  readonly detection: Detection<E>;
  readonly targets: FeedTarget<E>[];
}

/** Everything that an engine runs, inner correlations before those that refer to them. */
export interface Plan<E> {
  readonly feeds: readonly Feed<E>[];
  readonly parts: readonly Part<E>[];
  /** Correlations that know more than their windows. */
  readonly remembering: readonly Remembering[];
  /** How far back events may still matter to any part. */
  readonly reach: Reach;
  /** Parts that were not taken over: they know no event yet. */
  readonly fresh: ReadonlySet<Part<E>>;
  /** The same for the fresh parts alone. */
  readonly freshReach: Reach;
  readonly freshRemembering: readonly Remembering[];
  /** What a later plan may take over. */
  readonly entries: Entries<E>;
}

/** A detection's own alerts, or a correlation, once planned. */
interface Entry<E> {
  readonly part: Part<E>;
  readonly reach: Reach;
  /** Set for correlations. */
  readonly planned?: Planned<E>;
}

/** Entries by what they are made from; what equals nothing is not in it. */
type Entries<E> = ReadonlyMap<string, Entry<E>>;

/** A correlation while the plan is made. */
export interface Planned<E> {
  readonly correlation: Correlation<E>;
  readonly assembled: Assembled<E>;
  readonly part: Part<E>;
  readonly reach: Reach;
  readonly memory: Remembering | undefined;
  /** The backlog that holds its events while it sleeps, and its place there. */
  held?: { readonly backlog: Held<E>; readonly member: number };
}

/**
 * Connects detections, correlations and the alerts between them. What equals an entry of `before` is taken over with
 * its state, correlations only together with all that their alerts reach or are fed by.
 */
export function plan<E>(rules: RuleSet<E>, shared: Omit<Shared<E>, "lagMs">, before: Entries<E> = new Map()): Plan<E> {
  const left = new Set(unsupported(rules).map(({ rule }) => rule));
  const feeds = new Map<string, Feed<E>>();
  for (const detection of rules.detections) feeds.set(detection.info.id, { detection, targets: [] });
  const correlations = innerFirst(rules.correlations.filter(({ info }) => !left.has(info.id)));
  const planned = new Map<string, Planned<E>>();
  /** Doors of the rules that refer to a correlation; filled when those are made, after it. */
  const doors = new Map<string, ((inner: InnerEvent) => void)[]>();
  const parts: Part<E>[] = [];
  const fresh = new Set<Part<E>>();
  const entries = new Map<string, Entry<E>>();
  const placed: Entry<E>[] = [];
  const place = (entry: Entry<E>, name: string | undefined, kept: boolean): void => {
    parts.push(entry.part);
    placed.push(entry);
    if (name !== undefined) entries.set(name, entry);
    if (!kept) fresh.add(entry.part);
  };

  for (const feed of feeds.values()) {
    const { detection } = feed;
    if (!detection.alerts) continue;
    const name = loneSignature(detection.fingerprint);
    const kept = name === undefined ? undefined : before.get(name);
    const lone = kept ?? loneEntry(detection, shared);
    feed.targets.push({ part: lone.part, bit: 1 });
    place(lone, name, kept !== undefined);
  }
  const signed = signatures(rules);
  const referred = new Set(correlations.flatMap(({ rules: names }) => names));
  const lags = lagsOf(correlations, shared.latenessMs);
  for (const correlation of correlations) {
    const { id } = correlation.info;
    const signature = signed.get(id);
    const name = signature === undefined ? undefined : `${id}\n${signature}`;
    const kept = name === undefined ? undefined : before.get(name)?.planned;
    if (kept !== undefined) {
      planned.set(id, kept);
      place({ part: kept.part, reach: kept.reach, planned: kept }, name, true);
      continue;
    }
    const open: ((inner: InnerEvent) => void)[] = [];
    doors.set(id, open);
    const deliver = (inner: InnerEvent): void => {
      for (const door of open) door(inner);
    };
    const lagMs = lags.get(id) ?? 0;
    const assembled = assemble(correlation, { ...shared, lagMs }, referred.has(id) ? deliver : undefined);
    const entry = plannedOf(correlation, assembled, planned, feeds, { shared, lagMs, rules });
    planned.set(id, entry);
    place({ part: entry.part, reach: entry.reach, planned: entry }, name, false);
  }
  const created = sleepIn(
    [...planned.values()].filter(({ part }) => fresh.has(part)),
    shared,
  );
  for (const entry of planned.values()) {
    for (const [index, rule] of entry.correlation.rules.entries()) {
      const inner = planned.get(rule)?.correlation.groupBy.map(({ name }) => name);
      if (inner === undefined) feeds.get(rule)?.targets.push(targetOf(entry, index));
      // The doors of what was kept stand open to the correlations that were kept with it.
      else if (fresh.has(entry.part)) doors.get(rule)!.push(doorOf(entry, index, inner));
    }
  }
  // First, so that what they give to correlations at the end of a batch is part of it.
  for (const one of backlogsInUse([...planned.values()])) {
    parts.unshift(one.part);
    if (created.includes(one)) fresh.add(one.part);
  }
  const used = [...feeds.values()].filter(({ targets }) => targets.length > 0);
  const freshly = placed.filter(({ part }) => fresh.has(part));
  return {
    feeds: used,
    parts,
    remembering: memoriesOf(placed),
    reach: furthestOf(placed.map(({ reach }) => reach)),
    fresh,
    freshReach: furthestOf(freshly.map(({ reach }) => reach)),
    freshRemembering: memoriesOf(freshly),
    entries,
  };
}

/** A new correlation with its part, what it remembers, and how far back it reaches. */
function plannedOf<E>(
  correlation: Correlation<E>,
  assembled: Assembled<E>,
  planned: ReadonlyMap<string, Planned<E>>,
  feeds: ReadonlyMap<string, Feed<E>>,
  { shared, lagMs, rules }: { readonly shared: Omit<Shared<E>, "lagMs">; readonly lagMs: number; readonly rules: RuleSet<E> },
): Planned<E> {
  const inners = correlation.rules.map((rule) => planned.get(rule)).filter((inner) => inner !== undefined);
  const detections = correlation.rules.map((rule) => feeds.get(rule)).filter((feed) => feed !== undefined);
  const part = correlationPart(assembled, inners, watermarkOf(detections.map(({ detection }) => detection)));
  const key = (): string => baselineKey(correlation, rules, (text) => shared.uuid5(text));
  const memory = assembled.memory && rememberer(correlation, key(), assembled.memory, lagMs);
  const reach = reachOver(
    inners.map((inner) => inner.reach),
    reachBack(correlation) + (correlation.latenessMs ?? shared.latenessMs),
    memory && { pastMs: pastMs(correlation), restoredTo: () => memory.restoredTo() },
  );
  return { correlation, assembled, part, memory, reach };
}

function memoriesOf<E>(placed: readonly Entry<E>[]): readonly Remembering[] {
  return placed.map((entry) => entry.planned?.memory).filter((memory) => memory !== undefined);
}

/** Makes backlogs for those of these correlations that can sleep. */
function sleepIn<E>(planned: readonly Planned<E>[], shared: Omit<Shared<E>, "lagMs">): readonly Held<E>[] {
  if (!shared.backlogs) return [];
  const created = backlogsOf(planned, { ...shared, lagMs: 0 });
  for (const one of created) for (const [member, entry] of one.members.entries()) entry.held = { backlog: one, member };
  return created;
}

/** Where the events of a correlation's rule go. */
function targetOf<E>({ part, held }: Planned<E>, rule: number): FeedTarget<E> {
  return held === undefined ? { part, bit: 1 << rule } : { part: held.backlog.part, bit: held.backlog.bit(held.member, rule) };
}

/** Where the alerts of a correlation's inner rule go. */
function doorOf<E>({ assembled, held }: Planned<E>, rule: number, names: readonly string[]): (inner: InnerEvent) => void {
  return held === undefined ? assembled.takeInner(rule, names) : held.backlog.takeInner(held.member, rule, names);
}

/** The backlogs in use; they no longer wait for those of their members that are gone. */
function backlogsInUse<E>(planned: readonly Planned<E>[]): ReadonlySet<Held<E>> {
  const here = new Set(planned);
  const used = new Set(planned.flatMap(({ held }) => (held === undefined ? [] : [held.backlog])));
  for (const one of used) for (const [member, entry] of one.members.entries()) if (!here.has(entry)) one.retire(member);
  return used;
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

function loneEntry<E>(detection: Detection<E>, shared: Omit<Shared<E>, "lagMs">): Entry<E> {
  return { part: lonePart(detection, shared), reach: reachOver([], detection.suppressMs + (detection.latenessMs ?? shared.latenessMs)) };
}

function lonePart<E>(detection: Detection<E>, shared: Omit<Shared<E>, "lagMs">): Part<E> {
  const maker = alertMaker(detection.info, [], [], (name) => shared.uuid5(name));
  const lone = loneDetection(maker, detection.suppressMs, detection.latenessMs ?? shared.latenessMs, shared.evidenceMax);
  const part: Part<E> = {
    rules: 0,
    watermark: Number.NEGATIVE_INFINITY,
    take: (_, time, mark) => lone.add(time, mark),
    settle: (out) => lone.settle(out),
    advance: (_, out) => lone.advance(part.watermark, out),
    reachOf: watermarkOf([detection]),
    entries: () => lone.entries(),
  };
  return part;
}
