import type { Extra } from "./entries.ts";
import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { AlertMaker } from "./alert-maker.ts";
import type { Memory } from "./baseline.ts";
import type { ChooseEvidence } from "./evidence.ts";
import type { Mark } from "./group.ts";
import type { Key, Keys } from "./keys.ts";
import type { KeyedHash } from "./keyed-hash.ts";

/** The event that an alert is to the rules that refer to its rule. */
export interface InnerEvent {
  /** Earliest satisfied anchor. */
  readonly time: EpochMs;
  /** Uid = the alert's id; agents = those of its earliest satisfied window. */
  readonly mark: Mark;
  /** Its group, in the order of its rule's group-by. */
  readonly values: readonly string[];
}

/** What every correlation at work is made from. */
export interface CorrelatorSetup<X extends Extra> {
  readonly maker: AlertMaker;
  /** Where its groups are known by their keys, and which of their places are its own. */
  readonly keys: Pick<Keys<unknown>, "ofValues" | "hold" | "release">;
  readonly slot: number;
  readonly timespanMs: number;
  readonly suppressMs: number;
  /** How long after their alerts are final entries are still kept, for events that come too late. */
  readonly keepMs: number;
  /** How far before the watermark of all events its own may lie, and rules that refer to it ask for its alerts (see `lagsOf`). */
  readonly lagMs: number;
  /** What its rows of the past are hashed with in memory. */
  readonly hash: KeyedHash;
  /** Somebody takes the rows of the past that change. */
  readonly collects: boolean;
  /** It raises alerts of its own. */
  readonly alerts: boolean;
  readonly evidence: ChooseEvidence<X>;
  /** Hands an inner event to the rules that refer to this one; undefined when none does. */
  readonly deliver: ((inner: InnerEvent) => void) | undefined;
}

/** One correlation at work on its groups. An extra is what the kind needs of an event. */
export interface Correlator<X extends Extra> {
  /** Takes an event that belongs to the group of a key. */
  add(key: Key, time: EpochMs, mark: Mark, extra: X): void;
  /** The end of a batch: evaluates what has changed, and appends the revisions that are due. */
  settle(out: Alert[]): void;
  /**
   * Closes what `watermark` has passed. At the end of the input it is Infinity, and `newest` is the time of the
   * newest event of the input.
   */
  advance(watermark: EpochMs, newest: EpochMs, out: Alert[]): void;
  /** All its inner events before this time have been delivered. */
  reach(): EpochMs;
  /** Nothing before this time is kept or asked about any more. */
  keepFrom(): EpochMs;
  /** The group of a key may be forgotten and made again from its entries, without a change in what is emitted. */
  idle(key: Key): boolean;
  /** Forgets the group of a key, which is idle. */
  forget(key: Key): void;
  /** Entries held now. */
  entries(): number;
  /** What it knows beyond its windows, if it does. */
  readonly memory?: Memory;
}
