import type { Alert, Level } from "./alert.ts";
import type { GapNote } from "./completeness/partial.ts";
import type { EpochMs } from "./event.ts";

/** State of an incident, OCSF 2005 `status_id`: 1 new, 2 in progress, 4 resolved, 5 closed. */
export const INCIDENT_STATUS = { new: 1, inProgress: 2, onHold: 3, resolved: 4, closed: 5 } as const;

/** One line of an incident's timeline: what happened, in words, with the event behind it. */
export interface TimelineEntry {
  readonly time: EpochMs;
  readonly uid: string;
  readonly source: string;
  /** Plain text of at most 200 characters, escaped for any terminal. */
  readonly text: string;
}

/** A mapping of a rule to a taxonomy, always with its version. */
export interface Mapping {
  readonly framework: string;
  readonly version: string;
  readonly id: string;
}

/** The alerts about one agent (or the rule's entity) that belong together, with context. */
export interface Incident {
  /** UUIDv5 over the entity and the alert that opened it; stored at opening and never changed. */
  readonly id: string;
  /** 1 at opening; every amendment raises it. */
  readonly revision: number;
  /** `agent:<uid>`, else `<group field>:<value>`, else `rule:<id>`. */
  readonly entity: string;
  readonly agentUid: string | undefined;
  readonly agentName: string | undefined;
  readonly agentOwner: string | undefined;
  readonly title: string;
  /** What happened, in one sentence. */
  readonly story: string;
  readonly level: Level;
  /** 0 to 100. */
  readonly risk: number;
  readonly status: number;
  readonly openedTime: EpochMs;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
  readonly alerts: readonly Alert[];
  /** Distinct tags of its rules. */
  readonly tags: readonly string[];
  readonly maps: readonly Mapping[];
  readonly timeline: readonly TimelineEntry[];
  readonly hosts: readonly string[];
  readonly ips: readonly string[];
  readonly users: readonly string[];
  readonly credentials: readonly string[];
  readonly runbooks: readonly string[];
  readonly actions: readonly string[];
  /** All its alerts are final. */
  readonly final: boolean;
  /** `complete`, or `partial` with the sources that were missing. */
  readonly coverage: {
    readonly state: "complete" | "partial";
    readonly missing: readonly string[];
    readonly watermark: EpochMs | undefined;
    /** Stretches of its time of which records of a source are missing. */
    readonly gaps?: readonly GapNote[];
  };
}
