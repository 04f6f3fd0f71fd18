import type { Alert } from "../alert.ts";
import type { Category, EpochMs } from "../event.ts";
import type { Reader } from "../sigma/reader.ts";
import type { RuleSet } from "../sigma/rules.ts";
import { Cells } from "./cells.ts";
import type { Shared } from "./connect.ts";
import { dispatcher } from "./dispatch.ts";
import { sharedKeys } from "./keys.ts";
import type { Counters } from "./intake.ts";
import { keyedHash } from "./keyed-hash.ts";
import type { Digest } from "./keyed-hash.ts";
import { plan } from "./plan.ts";
import type { Part, Plan } from "./plan.ts";
import type { Remembering } from "./remember.ts";
import { seenUids } from "./seen.ts";
import type { SeenUids } from "./seen.ts";
import type { BaselineHead, BaselineRow } from "./baseline.ts";
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
  /** The caller takes `changedBaselines`. Without it no rows are kept for anybody. Default false. */
  readonly baselines?: boolean;
  /**
   * A digest with a secret key. Without one, that of `uuid5` serves: whoever can try 2^32 values can then make two that
   * `new_value` takes for one, which is good enough for backtests alone.
   */
  readonly digest?: Digest;
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
  const cells = new Cells<E>();
  const shared = () => sharedBy(options, counters, cells);
  const { reader } = options;
  const shortcuts = options.shortcuts ?? true;
  let planned = plan(rules, shared());
  const seen = options.distinct === true ? NEVER_SEEN : seenUids(planned.reach.wholeMs);
  let take = dispatcher(planned.feeds, reader, seen, counters, shortcuts);
  let newest = Number.NEGATIVE_INFINITY;
  /** The furthest that `advance` was told. */
  let latest: Watermarks | undefined;

  function advance(watermarks: Watermarks): readonly Alert[] {
    latest = latest === undefined ? watermarks : furthest(latest, watermarks);
    const out: Alert[] = [];
    const lowest = advanceParts(planned.parts, watermarks, newest, out);
    seen.prune(lowest);
    seal(planned.remembering, lowest, watermarks, newest);
    return out;
  }

  function reload(next: RuleSet<E>): Replay<E> {
    planned = plan(next, shared(), planned.entries);
    seen.reach(planned.reach.wholeMs);
    take = dispatcher(planned.feeds, reader, seen, counters, shortcuts);
    return replayOver(planned, options, () => ({ latest, newest }));
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
    restore: (head, rows) => restoreInto(planned.remembering, head, rows),
    live() {
      for (const { memory } of planned.remembering) memory.live();
    },
    changedBaselines: () => planned.remembering.flatMap((one) => one.changed() ?? []),
    get horizonMs() {
      return planned.reach.replayMs();
    },
    get neededFrom() {
      return planned.reach.neededFrom();
    },
    get stats() {
      let entries = 0;
      for (const part of planned.parts) entries += part.entries();
      return { ...counters, entries };
    },
  };
}

/** Tells the fresh parts of a plan what the others know. `known`: the furthest that `advance` was told, and the newest event. */
function replayOver<E>(
  { feeds, parts, fresh, freshReach, freshRemembering }: Plan<E>,
  { reader, distinct, shortcuts }: EngineOptions<E>,
  known: () => { readonly latest: Watermarks | undefined; readonly newest: EpochMs },
): Replay<E> {
  const told = parts.filter((part) => fresh.has(part));
  const targeted = feeds.map(({ detection, targets }) => ({ detection, targets: targets.filter(({ part }) => fresh.has(part)) }));
  const wanted = targeted.filter(({ targets }) => targets.length > 0);
  // Its events are counted and remembered already, by the engine that took them first.
  const uids = distinct === true ? NEVER_SEEN : seenUids(freshReach.wholeMs);
  const taken: Counters = { events: 0, duplicates: 0, late: 0, ungrouped: 0, entries: 0 };
  const take = dispatcher(wanted, reader, uids, taken, shortcuts ?? true);
  return {
    restore: (head, rows) => restoreInto(freshRemembering, head, rows),
    get horizonMs() {
      return freshReach.replayMs();
    },
    get neededFrom() {
      return freshReach.neededFrom();
    },
    push(events) {
      const out: Alert[] = [];
      for (const event of events) {
        const time = reader.time(event);
        if (Number.isFinite(time)) take(event, time);
      }
      for (const part of told) part.settle(out);
      return out;
    },
    finish() {
      const out: Alert[] = [];
      const { latest, newest } = known();
      if (latest !== undefined) advanceParts(told, latest, newest, out);
      for (const { memory } of freshRemembering) memory.live();
      return out;
    },
  };
}

/** Moves what was decided for good into rows: no further than the caller's own watermark, which is where a restart goes on. */
function seal(remembering: readonly Remembering[], lowest: EpochMs, watermarks: Watermarks, newest: EpochMs): void {
  if (remembering.length === 0) return;
  const complete = Math.min(lowest, watermarks.all, ...(watermarks.byCategory?.values() ?? []));
  for (const { memory } of remembering) memory.seal(complete, newest);
}

function restoreInto(remembering: readonly Remembering[], head: BaselineHead, rows: readonly BaselineRow[]): boolean {
  const found = remembering.find((one) => one.rule === head.rule && one.key === head.key);
  found?.restore(head, rows);
  return found !== undefined;
}

/** What the correlations of one plan share. */
function sharedBy<E>(options: EngineOptions<E>, counters: Counters, cells: Cells<E>): Omit<Shared<E>, "lagMs"> {
  return {
    uuid5: (name) => options.uuid5(name),
    latenessMs: options.latenessMs,
    evidenceMax: options.evidenceMax ?? EVIDENCE_MAX,
    counters,
    hash: keyedHash(options.digest ?? ((text) => options.uuid5(text).replaceAll("-", ""))),
    collects: options.baselines ?? false,
    keys: sharedKeys(),
    backlogs: options.shortcuts ?? true,
    cells,
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
    if (part.follows !== true && part.watermark < lowest) lowest = part.watermark;
  }
  return lowest;
}
