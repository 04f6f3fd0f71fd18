import type { Category, EpochMs } from "../event.ts";
import type { RejectedRule, RuleInfo } from "../alert.ts";
import type { DetectionOutline } from "./outline.ts";
import type { Predicate } from "./predicate.ts";

/** A detection rule that was understood in full. */
export interface Detection<E> {
  readonly info: RuleInfo;
  /** The rule's effective condition, filters included. Pure; must not throw on any event. */
  matches(event: E): boolean;
  /** What `matches` tests, as a tree of shared parts with canonical keys: for an index over many rules. */
  readonly predicate?: Predicate<E>;
  /** What it is made of, as it is written, when it was compiled with `outlines`. */
  readonly outline?: () => DetectionOutline<E>;
  /** Categories whose events can match; undefined = every event (plain backtests, or `product: agent` alone). */
  readonly categories: readonly Category[] | undefined;
  /** It raises alerts of its own: no correlation refers to it, or one that does says `generate: true`. */
  readonly alerts: boolean;
  /**
   * Equal for two compilations only when the rule itself would raise the same alerts from the same matches; what it refers to
   * has fingerprints of its own. Absent: never equal.
   */
  readonly fingerprint?: string;
  readonly suppressMs: number;
  readonly latenessMs: number | undefined;
}

/** Comparison operators of a correlation's condition, ANDed. */
export interface Threshold {
  readonly gt?: number;
  readonly gte?: number;
  readonly lt?: number;
  readonly lte?: number;
  readonly eq?: number;
  readonly neq?: number;
}

/** SEP-198 boolean condition over referenced rules, as a tree. */
export type BooleanCondition =
  | { readonly kind: "rule"; readonly rule: string }
  | { readonly kind: "not"; readonly of: BooleanCondition }
  | { readonly kind: "and" | "or"; readonly of: readonly BooleanCondition[] };

/** Correlation types (`semantics.md` section 4). */
export const CORRELATION_TYPES = [
  "event_count",
  "value_count",
  "temporal",
  "temporal_ordered",
  "value_sum",
  "value_avg",
  "value_percentile",
  "value_median",
  "new_value",
  "baseline_ratio",
] as const;
/** Type of a correlation. */
export type CorrelationType = (typeof CORRELATION_TYPES)[number];

/** One group-by name, and how to read it from an event of each referenced rule (by rule key, see `rules`). */
export interface GroupField<E> {
  readonly name: string;
  /** Reader for an event that matched the referenced detection `rule`; aliases are applied. For a referenced correlation: null, read `path` of its group. */
  read(rule: string): ((event: E) => unknown) | null;
  /** Field path for the referenced rule, after aliases. */
  path(rule: string): string;
}

/** A correlation that was understood in full. */
export interface Correlation<E> {
  readonly info: RuleInfo;
  /** As of a detection; the rules that it refers to are named in it, not described. */
  readonly fingerprint?: string;
  readonly type: CorrelationType;
  /** Keys (RuleInfo.id) of the referenced detections and correlations, in order, without repeats. */
  readonly rules: readonly string[];
  readonly groupBy: readonly GroupField<E>[];
  /** 0 for a `new_value` without one. */
  readonly timespanMs: number;
  /** Default for temporal types: { gte: number of rules }; empty with an `expression` and for `new_value`. */
  readonly threshold: Threshold;
  readonly expression: BooleanCondition | undefined;
  /** `condition.field`, one reader per field (a tuple for value_count); an alert of an inner correlation has `path` in its group. */
  readonly fields: readonly { readonly path: string; readonly read: (event: E) => unknown }[];
  readonly percentile: number | undefined;
  readonly newValue: { readonly lookbackMs: number; readonly minHistoryMs: number } | undefined;
  readonly baseline:
    | {
        readonly metric: "count" | "sum" | "distinct";
        readonly metricField: { readonly path: string; readonly read: (event: E) => unknown } | undefined;
        readonly baselineDays: number;
        readonly seasonality: "none" | "hour_of_day" | "hour_of_week";
        readonly minCount: number;
      }
    | undefined;
  readonly suppressMs: number;
  readonly latenessMs: number | undefined;
  /** It raises alerts of its own: no other correlation refers to it, or one that does says `generate: true`. */
  readonly alerts: boolean;
}

/** A pack of rules, compiled. Detections and correlations are in order of (path, line); correlations need no order of their own. */
export interface RuleSet<E> {
  readonly detections: readonly Detection<E>[];
  readonly correlations: readonly Correlation<E>[];
  readonly rejected: readonly RejectedRule[];
  readonly warnings: readonly {
    readonly rule: string | undefined;
    readonly file: string;
    readonly line: number;
    readonly message: string;
  }[];
}

/** Milliseconds of a duration text such as `15m`; see `semantics.md` section 3 for the units. */
export type DurationMs = EpochMs;
