import type { Alert } from "../alert.ts";
import type { BaselineChange, BaselineHead, BaselineRow } from "./baseline.ts";
import type { Category, EpochMs } from "../event.ts";
import type { RuleSet } from "../sigma/rules.ts";

/**
 * Up to when the input is complete: a rule reads the minimum over the categories that feed it. `all` stands for
 * categories that are not in the map and for plain events. Never moves back.
 */
export interface Watermarks {
  readonly all: EpochMs;
  readonly byCategory?: ReadonlyMap<Category, EpochMs>;
}

/** What an engine counts. */
export interface EngineStats {
  /** Events pushed that were not seen before. */
  events: number;
  /** Events whose uid was seen before. */
  duplicates: number;
  /** Events behind a watermark that had passed their windows; evaluated best-effort. */
  late: number;
  /** Events that matched a rule but lack a group field. */
  ungrouped: number;
  /** Window entries held now. */
  entries: number;
}

/** Runs a set of compiled rules over events of type E. In memory, no I/O, event time only. */
export interface Engine<E> {
  /**
   * Takes events in any order and returns the alerts that are new or changed enough to be emitted (first match,
   * severity rises, count doubles), as provisional revisions. An event whose uid was seen within the horizon changes nothing.
   */
  push(events: readonly E[]): readonly Alert[];
  /** Closes what the watermarks have passed: final alerts, and those that only emit finals. */
  advance(watermarks: Watermarks): readonly Alert[];
  /** The input has ended: the watermark passes every deadline and bucket. Returns the remaining final alerts. */
  finish(): readonly Alert[];
  /**
   * Takes other rules. Rules that are the same keep their windows, those that are gone vanish with theirs, new and
   * changed ones know nothing until the replay has told them. Between the call and the replay's end nothing else may be
   * called. Rules are compared by fingerprint, and a correlation together with all that its alerts reach or are fed by.
   */
  reload(rules: RuleSet<E>): Replay<E>;
  /**
   * Takes stored rows of the past, part by part, before any event: the head with the first part. From then to `live`,
   * events are taken to be a replay: those that the rows know already change nothing. False when no rule has these rows.
   */
  restore(head: BaselineHead, rows: readonly BaselineRow[]): boolean;
  /** The replay is over. */
  live(): void;
  /** Rows of the past that changed since the last call, to be stored with what was read; none unless they are wanted. */
  changedBaselines(): readonly BaselineChange[];
  /** How far before the watermark an event may still matter: where a replay must start, once all is restored. */
  readonly horizonMs: number;
  /**
   * A replay must start here, if that is earlier: restored rows end at some time, which is long ago when their rule was
   * away. Infinity when nothing was restored.
   */
  readonly neededFrom: EpochMs;
  readonly stats: Readonly<EngineStats>;
}

/** Tells new and changed rules what the others know already. */
export interface Replay<E> {
  /** Takes stored rows of their past, as `Engine.restore` does, before any event. */
  restore(head: BaselineHead, rows: readonly BaselineRow[]): boolean;
  /** How far before the watermark their events reach, once all is restored; 0 when no rule is new or changed. */
  readonly horizonMs: number;
  /** See `Engine.neededFrom`. */
  readonly neededFrom: EpochMs;
  /** Takes events that the engine was given before, each once; the unchanged rules do not see them again. */
  push(events: readonly E[]): readonly Alert[];
  /** The end of the replay: they catch up with the watermark of the others, and are live. */
  finish(): readonly Alert[];
}
