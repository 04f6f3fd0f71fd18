import type { Missing } from "./completeness/partial.ts";
import type { EpochMs } from "./event.ts";

/** Levels of a rule, of an alert and of an incident, lowest first. */
export const LEVELS = ["informational", "low", "medium", "high", "critical"] as const;
/** Severity of a rule, alert or incident, as Sigma's `level`. */
export type Level = (typeof LEVELS)[number];

/** What a `baseline_ratio` alert compares: of the latest window in its bucket that fired. */
export interface AlertBaseline {
  /** What was measured in the window. */
  readonly numerator: number;
  /** Mean per window before; 1 / windows when that is 0. */
  readonly baseline: number;
  /** Windows that the baseline is the mean of. */
  readonly windows: number;
}

/** One rule, one group, one suppression window (`semantics.md` section 5). */
export interface Alert {
  /** UUIDv5 over rule id, canonical group and bucket; the same for every revision. */
  readonly id: string;
  readonly ruleId: string;
  readonly ruleTitle: string;
  readonly level: Level;
  /** Group-by values as strings; `{}` without group-by. */
  readonly group: Readonly<Record<string, string>>;
  /** Start of the suppression window. */
  readonly bucket: EpochMs;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
  readonly count: number;
  /** Uids of at most 25 events, by (time, uid); an inner alert is an event, and its uid is its id. */
  readonly evidence: readonly string[];
  /** Uids of events behind inner alerts among the evidence, at most 25 by (time, uid); absent when there are none. */
  readonly behind?: readonly string[];
  /** Distinct agents of the group and of the evidence, sorted. */
  readonly agents: readonly string[];
  /**
   * Grows with the emissions of one alert; 1 at first emission, unless the count has already doubled then. It depends
   * on the count alone, so that a replay after a restart numbers alike.
   */
  readonly revision: number;
  /** The watermark has passed the bucket's end: it will not change any more. */
  readonly final: boolean;
  /**
   * 0 to 100: how sure it is that its events belong to one agent, as sure as the weakest kind of its evidence. Absent while
   * nobody has looked, and for alerts that are not about an agent.
   */
  readonly confidence?: number;
  /** What was missing when it was decided; absent: nothing that is known of. */
  readonly coverage?: { readonly state: "partial" } & Missing;
  /** Set for `baseline_ratio` alone. */
  readonly baseline?: AlertBaseline;
}

/** Where a rule and its mappings come from; what alerts and incidents say about their rule. */
export interface RuleInfo {
  readonly id: string;
  /** The document's `name`, by which other rules and tests may refer to it. */
  readonly name?: string | undefined;
  readonly title: string;
  readonly description: string;
  readonly path: string;
  readonly line: number;
  readonly level: Level;
  readonly tags: readonly string[];
  readonly status: string;
  readonly schedule: string | undefined;
  /** IANA time zone of a cron schedule; absent: the configuration's. */
  readonly timezone?: string;
  /** Name of the group-by or field that names the incident's entity; default the agent. */
  readonly entity: string | undefined;
  readonly threat: string | undefined;
  readonly risk: number | undefined;
  readonly runbook: string | undefined;
  readonly response: { readonly level: number; readonly actions: readonly string[] } | undefined;
  readonly destinations: readonly string[] | undefined;
  readonly maps: readonly { readonly framework: string; readonly version: string; readonly id: string }[];
  readonly falsePositives: readonly string[];
  readonly references: readonly string[];
}

/** Stands for a rule that is no longer loaded: its alerts still name it. */
export function unknownRule(id: string, title: string, level: Level): RuleInfo {
  return {
    id,
    title,
    level,
    description: "",
    path: "",
    line: 0,
    tags: [],
    status: "removed",
    schedule: undefined,
    entity: undefined,
    threat: undefined,
    risk: undefined,
    runbook: undefined,
    response: undefined,
    destinations: undefined,
    maps: [],
    falsePositives: [],
    references: [],
  };
}

/** A document that was not understood in full; the rest of its pack is loaded. */
export interface RejectedRule {
  /** Id, name or title as far as it could be read. */
  readonly rule: string | undefined;
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}
