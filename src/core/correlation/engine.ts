import type { Alert } from "../alert.ts";
import { CATEGORIES } from "../event.ts";
import type { Category, EpochMs } from "../event.ts";
import type { Reader } from "../sigma/reader.ts";
import type { Detection, RuleSet } from "../sigma/rules.ts";
import type { Mark } from "./group.ts";
import { sharedKeys } from "./intake.ts";
import type { Counters } from "./intake.ts";
import { plan } from "./plan.ts";
import type { Feed, Part } from "./plan.ts";
import { seenUids } from "./seen.ts";
import type { SeenUids } from "./seen.ts";
import type { Engine, Watermarks } from "./types.ts";

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
  /** Most events that an alert lists as evidence; default 25. */
  readonly evidenceMax?: number;
}

/** For callers that vouch for distinct events. */
const NEVER_SEEN: SeenUids = { add: () => true, prune: () => undefined };
/** Evidence of an alert (`semantics.md` section 5). */
const EVIDENCE_MAX = 25;

/**
 * An engine over a set of rules. Final alerts are a function of the set of events alone: not of their order within
 * lateness, nor of batches, duplicates or the moments of `advance`. Rules that `unsupported` names are left out.
 * A provisional alert of a rule over other correlations waits until the alerts of those are certain.
 */
export function engine<E>(rules: RuleSet<E>, options: EngineOptions<E>): Engine<E> {
  const counters: Counters = { events: 0, duplicates: 0, late: 0, ungrouped: 0, entries: 0 };
  const { feeds, parts, byRule, horizonMs } = plan(rules, {
    uuid5: (name) => options.uuid5(name),
    latenessMs: options.latenessMs,
    evidenceMax: options.evidenceMax ?? EVIDENCE_MAX,
    counters,
    keys: sharedKeys<E>(),
  });
  const { reader } = options;
  const seen = options.distinct === true ? NEVER_SEEN : seenUids(horizonMs);
  const take = dispatcher(feeds, reader, seen, counters);
  let newest = Number.NEGATIVE_INFINITY;

  function advance(watermarks: Watermarks): readonly Alert[] {
    const out: Alert[] = [];
    let lowest = Number.POSITIVE_INFINITY;
    for (const part of parts) {
      // Alerts of the rules that it refers to have come in the meantime.
      part.settle(out);
      part.watermark = Math.max(part.watermark, part.reachOf(watermarks));
      part.advance(newest, out);
      if (part.watermark < lowest) lowest = part.watermark;
    }
    seen.prune(lowest);
    return out;
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
      for (const part of parts) part.settle(out);
      return out;
    },
    advance,
    finish: () => advance({ all: Number.POSITIVE_INFINITY }),
    horizonMs,
    firstSeen: () => parts.flatMap((part) => part.memory?.firstSeen() ?? []),
    recall(stored, since) {
      for (const one of stored) byRule.get(one.rule)?.memory?.recall(one, since);
    },
    get stats() {
      let entries = 0;
      for (const part of parts) entries += part.entries();
      return { ...counters, entries };
    },
  };
}

/** Tests an event against the detections that its category admits, each once, and gives it to the parts that want it. */
function dispatcher<E>(
  feeds: readonly Feed<E>[],
  reader: Reader<E>,
  seen: SeenUids,
  counters: Counters,
): (event: E, time: EpochMs) => void {
  const byCategory = new Map<Category, readonly Feed<E>[]>();
  for (const category of CATEGORIES)
    byCategory.set(
      category,
      feeds.filter(({ detection }) => admits(detection, category)),
    );
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
    const candidates = category === undefined ? feeds : (byCategory.get(category) ?? feeds);
    for (const feed of candidates) {
      if (!feed.detection.matches(event)) continue;
      for (const { part, bit } of feed.targets) {
        if (part.rules === 0) touched.push(part);
        part.rules |= bit;
      }
    }
    if (touched.length === 0) counters.events++;
    else spread(event, time);
  };
}

function admits<E>({ categories }: Detection<E>, category: Category): boolean {
  return categories === undefined || categories.includes(category);
}
