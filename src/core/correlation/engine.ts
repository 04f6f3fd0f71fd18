import type { Alert } from "../alert.ts";
import { CATEGORIES } from "../event.ts";
import type { Category, EpochMs } from "../event.ts";
import type { Reader } from "../sigma/reader.ts";
import { buildNet, linearNet } from "../sigma/net-build.ts";
import type { Net } from "../sigma/net.ts";
import { conditionOf, type Predicate } from "../sigma/predicate.ts";
import type { Detection, RuleSet } from "../sigma/rules.ts";
import type { Shared } from "./connect.ts";
import type { Mark } from "./group.ts";
import { sharedKeys } from "./keys.ts";
import type { Counters } from "./intake.ts";
import { plan } from "./plan.ts";
import type { Feed, FeedTarget, Part } from "./plan.ts";
import { seenUids } from "./seen.ts";
import type { SeenUids } from "./seen.ts";
import type { Engine, Replay, Watermarks } from "./types.ts";

export { unsupported } from "./unsupported.ts";

/** What an engine needs beside its rules. */
export interface EngineOptions<E> {
  readonly reader: Reader<E>;
  /** UUIDv5 of a name in the namespace of alerts (`semantics.md` section 8, Alerts). */
  uuid5(name: string): string;
  /** Lateness of rules that name none: how long entries are kept after their alerts are final. */
  readonly latenessMs: number;
  /**
   * The caller never pushes two events with one uid (the store's log and a backtest's own check see to it), so the
   * engine need not remember uids: about a third of its memory. Default false.
   */
  readonly distinct?: boolean;
  /**
   * Decide rules together, by an index over their conditions, and hold events once for correlations that cannot be
   * satisfied yet; default true. Without, everything is done rule by rule: slower, and the same.
   */
  readonly shortcuts?: boolean;
  /** Most events that an alert lists as evidence; default 25. */
  readonly evidenceMax?: number;
}

/** For callers that vouch for distinct events. */
const NEVER_SEEN: SeenUids = { add: () => true, prune: () => undefined, reach: () => undefined };
/** Evidence of an alert (`semantics.md` section 5). */
const EVIDENCE_MAX = 25;

/**
 * An engine over a set of rules. Final alerts are a function of the set of events alone: not of their order within
 * lateness, nor of batches, duplicates or the moments of `advance`. Rules that `unsupported` names are left out.
 * A provisional alert of a rule over other correlations waits until the alerts of those are certain.
 */
export function engine<E>(rules: RuleSet<E>, options: EngineOptions<E>): Engine<E> {
  const counters: Counters = { events: 0, duplicates: 0, late: 0, ungrouped: 0, entries: 0 };
  const shared = () => sharedBy(options, counters);
  const { reader } = options;
  const shortcuts = options.shortcuts ?? true;
  let planned = plan(rules, shared());
  const seen = options.distinct === true ? NEVER_SEEN : seenUids(planned.horizonMs);
  let take = dispatcher(planned.feeds, reader, seen, counters, shortcuts);
  let newest = Number.NEGATIVE_INFINITY;
  /** The furthest that `advance` was told. */
  let latest: Watermarks | undefined;

  function advance(watermarks: Watermarks): readonly Alert[] {
    latest = latest === undefined ? watermarks : furthest(latest, watermarks);
    const out: Alert[] = [];
    const lowest = advanceParts(planned.parts, watermarks, newest, out);
    seen.prune(lowest);
    return out;
  }

  function reload(next: RuleSet<E>): Replay<E> {
    planned = plan(next, shared(), planned.entries);
    seen.reach(planned.horizonMs);
    take = dispatcher(planned.feeds, reader, seen, counters, shortcuts);
    const { feeds, fresh, freshHorizonMs } = planned;
    const parts = planned.parts.filter((part) => fresh.has(part));
    const targeted = feeds.map(({ detection, targets }) => ({ detection, targets: targets.filter(({ part }) => fresh.has(part)) }));
    // Its events are counted and remembered already, by the engine that took them first.
    const uids = options.distinct === true ? NEVER_SEEN : seenUids(freshHorizonMs);
    const taken: Counters = { events: 0, duplicates: 0, late: 0, ungrouped: 0, entries: 0 };
    const retake = dispatcher(
      targeted.filter(({ targets }) => targets.length > 0),
      reader,
      uids,
      taken,
      shortcuts,
    );
    return {
      horizonMs: freshHorizonMs,
      push(events) {
        const out: Alert[] = [];
        for (const event of events) {
          const time = reader.time(event);
          if (Number.isFinite(time)) retake(event, time);
        }
        for (const part of parts) part.settle(out);
        return out;
      },
      finish() {
        const out: Alert[] = [];
        if (latest !== undefined) advanceParts(parts, latest, newest, out);
        return out;
      },
    };
  }

  return {
    push(events) {
      const out: Alert[] = [];
      for (const event of events) {
        const time = reader.time(event);
        // Events without a usable time are quarantined before; nothing could be said about the windows of one.
        if (!Number.isFinite(time)) continue;
        if (time > newest) newest = time;
        take(event, time);
      }
      for (const part of planned.parts) part.settle(out);
      return out;
    },
    advance,
    finish: () => advance({ all: Number.POSITIVE_INFINITY }),
    reload,
    get horizonMs() {
      return planned.horizonMs;
    },
    get stats() {
      let entries = 0;
      for (const part of planned.parts) entries += part.entries();
      return { ...counters, entries };
    },
  };
}

/** What the correlations of one plan share. */
function sharedBy<E>(options: EngineOptions<E>, counters: Counters): Shared<E> {
  return {
    uuid5: (name) => options.uuid5(name),
    latenessMs: options.latenessMs,
    evidenceMax: options.evidenceMax ?? EVIDENCE_MAX,
    counters,
    keys: sharedKeys(),
    backlogs: options.shortcuts ?? true,
  };
}

/** Of each category the later one. */
function furthest(a: Watermarks, b: Watermarks): Watermarks {
  const byCategory = new Map<Category, EpochMs>();
  for (const category of new Set([...(a.byCategory?.keys() ?? []), ...(b.byCategory?.keys() ?? [])]))
    byCategory.set(category, Math.max(a.byCategory?.get(category) ?? a.all, b.byCategory?.get(category) ?? b.all));
  return { all: Math.max(a.all, b.all), byCategory };
}

/** Moves each part to its watermark, inner ones first; the lowest of their watermarks. */
function advanceParts<E>(parts: readonly Part<E>[], watermarks: Watermarks, newest: EpochMs, out: Alert[]): EpochMs {
  let lowest = Number.POSITIVE_INFINITY;
  for (const part of parts) {
    // Alerts of the rules that it refers to have come in the meantime.
    part.settle(out);
    part.watermark = Math.max(part.watermark, part.reachOf(watermarks));
    part.advance(newest, out);
    if (part.watermark < lowest) lowest = part.watermark;
  }
  return lowest;
}

/** Finds the detections that an event matches, each condition once, and gives it to the parts that want it. */
function dispatcher<E>(
  feeds: readonly Feed<E>[],
  reader: Reader<E>,
  seen: SeenUids,
  counters: Counters,
  index: boolean,
): (event: E, time: EpochMs) => void {
  const decide = (category: Category | undefined): Deciding<E> => {
    const { predicates, targets } = conditionsOf(
      category === undefined ? feeds : feeds.filter(({ detection }) => admits(detection, category)),
    );
    return { net: index ? buildNet(predicates, category) : linearNet(predicates), targets };
  };
  const whole = decide(undefined);
  const byCategory = new Map(CATEGORIES.map((category) => [category, decide(category)]));
  /** Conditions that the current event satisfies. */
  const satisfied: number[] = [];
  /** Parts that want the current event. */
  const touched: Part<E>[] = [];

  function spread(event: E, time: EpochMs): void {
    const mark: Mark = { uid: reader.uid(event), agents: reader.agent(event) };
    const fresh = seen.add(mark.uid, time);
    let late = false;
    for (const part of touched) {
      const { rules } = part;
      part.rules = 0;
      if (!fresh) continue;
      if (time < part.watermark) late = true;
      part.take(event, time, mark, rules);
    }
    touched.length = 0;
    if (!fresh) counters.duplicates++;
    else counters.events++;
    if (late) counters.late++;
  }

  return (event, time) => {
    const category = reader.category(event);
    const { net, targets } = category === undefined ? whole : (byCategory.get(category) ?? whole);
    satisfied.length = 0;
    net.match(event, satisfied);
    for (const condition of satisfied) {
      for (const { part, bit } of targets[condition]!) {
        if (part.rules === 0) touched.push(part);
        part.rules |= bit;
      }
    }
    if (touched.length === 0) counters.events++;
    else spread(event, time);
  };
}

/** How events of one category are decided, and the parts that want what satisfies each condition. */
interface Deciding<E> {
  readonly net: Net<E>;
  readonly targets: readonly (readonly FeedTarget<E>[])[];
}

function admits<E>({ categories }: Detection<E>, category: Category): boolean {
  return categories === undefined || categories.includes(category);
}

/** The distinct conditions of detections, with everything that each feeds. */
function conditionsOf<E>(feeds: readonly Feed<E>[]): {
  readonly predicates: readonly Predicate<E>[];
  readonly targets: readonly (readonly FeedTarget<E>[])[];
} {
  const targets = new Map<Predicate<E>, FeedTarget<E>[]>();
  for (const feed of feeds) {
    const predicate = conditionOf(feed.detection);
    targets.set(predicate, [...(targets.get(predicate) ?? []), ...feed.targets]);
  }
  return { predicates: [...targets.keys()], targets: [...targets.values()] };
}
