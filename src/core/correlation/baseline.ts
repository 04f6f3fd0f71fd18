/** What a rule remembers of the past beyond its windows, as rows that outlive the process. */
import type { EpochMs } from "../event.ts";

/** One thing known of a group; its values are in the order of the rule's group-by. */
export type BaselineRow =
  /** Time of the group's first event ever. For rules whose windows tumble only without group-by: start of the first window. */
  | { readonly kind: "first"; readonly group: readonly string[]; readonly time: EpochMs }
  /** `new_value`: the latest time at which the group had the value (canonical text). */
  | { readonly kind: "value"; readonly group: readonly string[]; readonly value: string; readonly time: EpochMs }
  /** `baseline_ratio`: what was measured in the window that starts at `time`: whole + units * 2^-1074, exactly. */
  | { readonly kind: "window"; readonly group: readonly string[]; readonly time: EpochMs; readonly whole: number; readonly units: bigint };

/** Whose rows they are, and how far they reach. */
export interface BaselineHead {
  readonly rule: string;
  /** Fingerprint of what makes history comparable: rows under another key are of another definition of the rule. */
  readonly key: string;
  /** `silence`: any other rule without group-by that reports windows without events, after its first event. */
  readonly type: "new_value" | "baseline_ratio" | "silence";
  /** Field paths behind the group, and behind the counted value or the metric; for people and for renaming. */
  readonly groupBy: readonly string[];
  readonly fields: readonly string[];
  /** Length of a window; 0 for `new_value`. */
  readonly timespanMs: number;
  /** The rows hold all that was decided before this time. */
  readonly until: EpochMs;
  /**
   * How far back from `until` the rows are all that the log ever said. 0: they were given (imported, promoted, built
   * from files), and the log may say more.
   */
  readonly depthMs: number;
  /** A row of kind `value` or `window` is of no use this long after its time. */
  readonly keepMs: number;
}

/** Rows of one rule that are new or changed. */
export interface BaselineChange {
  readonly head: BaselineHead;
  readonly rows: readonly BaselineRow[];
  /** Rows of kind `value` and `window` with an earlier time are forgotten. */
  readonly forgetBefore: EpochMs | undefined;
}

/** The memory of one correlation at work. */
export interface Memory {
  /** How far back it must know: less than this stored, and the log must be replayed as far. */
  readonly depthMs: number;
  readonly timespanMs: number;
  /** Takes stored rows, in any order, before any event. */
  restore(rows: readonly BaselineRow[]): void;
  /** From here to `live` events are replayed; those before `until` are in the rows and change nothing. */
  resume(until: EpochMs): void;
  live(): void;
  /**
   * Moves what was decided before the seal into rows. `watermark`: all rules are complete up to here; Infinity at the
   * end of the input, whose newest event is at `newest`.
   */
  seal(watermark: EpochMs, newest: EpochMs): void;
  /** What changed since the last call; undefined when nothing did. */
  changed(): MemoryChange | undefined;
}

/** What a memory has to say. */
export type MemoryChange = Pick<BaselineHead, "until"> & Pick<BaselineChange, "rows" | "forgetBefore">;
