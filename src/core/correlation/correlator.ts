import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { AlertMaker } from "./alert-maker.ts";
import type { ChooseEvidence } from "./evidence.ts";
import type { Group, Mark } from "./group.ts";

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
export interface CorrelatorSetup<X> {
  readonly maker: AlertMaker;
  readonly timespanMs: number;
  readonly suppressMs: number;
  /** How long after their alerts are final entries are still kept, for events that come too late. */
  readonly keepMs: number;
  /** It raises alerts of its own. */
  readonly alerts: boolean;
  readonly evidence: ChooseEvidence<X>;
  /** Hands an inner event to the rules that refer to this one; undefined when none does. */
  readonly deliver: ((inner: InnerEvent) => void) | undefined;
}

/** One correlation at work on its groups. An extra is what the kind needs of an event. */
export interface Correlator<X> {
  /** The group of a key; undefined when it has to be opened. */
  group(key: string): Group<X> | undefined;
  open(key: string, values: readonly string[]): Group<X>;
  add(group: Group<X>, time: EpochMs, mark: Mark, extra: X): void;
  /** The end of a batch: evaluates what has changed, and appends the revisions that are due. */
  settle(out: Alert[]): void;
  /**
   * Closes what `watermark` has passed. At the end of the input it is Infinity, and `newest` is the time of the
   * newest event of the input.
   */
  advance(watermark: EpochMs, newest: EpochMs, out: Alert[]): void;
  /** All its inner events before this time have been delivered. */
  reach(): EpochMs;
  /** Groups whose first time is new or earlier since the last call, where a kind depends on it however long ago it was. */
  firsts?(): readonly { readonly values: readonly string[]; readonly time: EpochMs }[];
  /** Takes the first time of a group back, before a replay of what came from `since` on. */
  recall?(key: string, values: readonly string[], time: EpochMs, since: EpochMs): void;
  /** Entries held now. */
  entries(): number;
}
