import type { Alert, Level } from "./alert.ts";
import type { GapNote } from "./completeness/partial.ts";
import type { EpochMs } from "./event.ts";
import type { BlastRadius } from "./incident/blast.ts";

/** State of an incident, OCSF 2005 `status_id`: 1 new, 2 in progress, 4 resolved, 5 closed. */
export const INCIDENT_STATUS = { new: 1, inProgress: 2, onHold: 3, resolved: 4, closed: 5 } as const;

/** One line of an incident's timeline: what happened, in words, with the event behind it. */
export interface TimelineEntry {
  readonly time: EpochMs;
  readonly uid: string;
  readonly source: string;
  /** Plain text of at most 200 characters, escaped for any terminal. */
  readonly text: string;
  /** Set when no alert rests on it: what the agent did beside. Absent: evidence of an alert. */
  readonly activity?: Activity;
}

/** Events of one agent that are alike and follow one another without a long pause. */
export interface Activity {
  /** What was done, from where and how it ended. Escaped. */
  readonly kind: string;
  readonly count: number;
  readonly lastTime: EpochMs;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The larger the graver. */
  readonly weight: number;
}

/** A mapping of a rule to a taxonomy, always with its version. */
export interface Mapping {
  readonly framework: string;
  readonly version: string;
  readonly id: string;
}

/** What the registry said of the agent when the incident was last amended. */
export interface IncidentProfile {
  readonly team?: string;
  readonly purpose?: string;
  readonly role?: string;
  /** The agent that started it, by id. */
  readonly parent?: string;
  readonly runbook?: string;
  readonly dataClasses?: readonly string[];
  readonly scopes?: readonly string[];
}

/** What a person or a program is asked to do, and where it says how. */
export interface Recommendation {
  readonly action: string;
  readonly ruleId: string;
  readonly runbook?: string;
}

/** The way back from a line of evidence to the record that it was made of. */
export interface Proof {
  readonly uid: string;
  readonly time: EpochMs;
  readonly source: string;
  /** The vendor's own id of the record. */
  readonly originalUid?: string;
  /** Its place in our log. */
  readonly sequence?: number;
  /** Page of the record at the vendor, where the configuration says how to make it. */
  readonly url?: string;
}

/** How an incident ended. */
export interface Closure {
  /**
   * `quiet`: nothing new for long enough. `person`: on the command line. `pager`: where it had paged. `merged`: it is part of another one.
   * `ended`: it was about the service itself, and what was wrong is over.
   */
  readonly how: "quiet" | "person" | "pager" | "merged" | "ended";
  /** Name of the person, as given; for `merged` the id of the other incident. */
  readonly by?: string;
  readonly reason?: string;
  /** For `quiet` the event time at which it was over; else the clock's, but not before its last event. */
  readonly time: EpochMs;
}

/** Whether a person said that it was over, rather than time or another incident. */
export function isByPerson({ how }: Closure): boolean {
  return how === "person" || how === "pager";
}

/** How far a source was complete when an incident was last amended. */
export interface SourceCoverage {
  readonly source: string;
  /** Undefined: it has never proven anything. */
  readonly watermark: EpochMs | undefined;
}

/**
 * The alerts about one agent (or the rule's entity) that belong together, with context. Optional members are those that
 * incidents of earlier versions do not have, or about which there is nothing to say.
 */
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
  readonly profile?: IncidentProfile;
  readonly title: string;
  /** What happened, in one sentence. */
  readonly story: string;
  /** The events that made it suspicious, joined in words: what, when, and by which keys they are the same agent's. */
  readonly why?: string;
  /** The alert that `why` tells of, by id; the title is its rule's. */
  readonly lead?: string;
  /** That of its worst alert whose confidence is high enough to open an incident. */
  readonly level: Level;
  /** 0 to 100. */
  readonly risk: number;
  /** 0 to 100: how sure it is that this is the entity's doing; the most confident of the alerts that give it its level. */
  readonly confidence?: number;
  /** What opened it: an alert's level, or the risk of many below it, which came to at most `risk` at once. */
  readonly opened?: { readonly by: "level" | "risk"; readonly risk: number };
  readonly status: number;
  /** First event of the alerts that opened it. */
  readonly openedTime: EpochMs;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
  /** Set while it is closed. */
  readonly closure?: Closure;
  /** How often it was reopened; `time` is that of the first event of the newest reopening, `at` when that was decided. */
  readonly reopened?: { readonly count: number; readonly time: EpochMs; readonly at: EpochMs };
  /** How it, or what is now part of it, was closed before, the newest last; at most 10, those by people before all others. */
  readonly history?: readonly Closure[];
  /** At most 50: the gravest, and of those that are alike the first and the last. */
  readonly alerts: readonly Alert[];
  /** Set when there are more than are listed: this many, or more. */
  readonly alertsAtLeast?: number;
  /** Distinct tags of its rules. */
  readonly tags: readonly string[];
  readonly maps: readonly Mapping[];
  /**
   * What its alerts rest on (at most 50: the first, the last, and something of every grave alert; `proof` leads back to the
   * same), and what the agent did beside (at most 40 lines: the first, the last and the gravest), in order of time.
   */
  readonly timeline: readonly TimelineEntry[];
  /** Known events of the agent in its time that no line of the timeline stands for, and that no alert rests on. */
  readonly activityLeftOut?: number;
  readonly blast?: BlastRadius;
  readonly hosts: readonly string[];
  readonly ips: readonly string[];
  readonly users: readonly string[];
  readonly credentials: readonly string[];
  readonly runbooks: readonly string[];
  readonly actions: readonly string[];
  /** 1 soft, 2 hard, 3 emergency; of its alerts the highest. */
  readonly response?: 1 | 2 | 3;
  readonly recommended?: readonly Recommendation[];
  readonly proof?: readonly Proof[];
  /** Known events that its alerts rest on, beyond those in timeline and proof; alerts themselves name 25 of theirs. */
  readonly evidenceLeftOut?: number;
  /** All its alerts are final. */
  readonly final: boolean;
  /** `complete`, or `partial` with the sources that were missing. */
  readonly coverage: {
    readonly state: "complete" | "partial";
    readonly missing: readonly string[];
    readonly watermark: EpochMs | undefined;
    /** Stretches of its time of which records of a source are missing. */
    readonly gaps?: readonly GapNote[];
    readonly sources?: readonly SourceCoverage[];
  };
}

/** Whether nobody works on it any more. */
export function isClosed(incident: Pick<Incident, "status">): boolean {
  return incident.status === INCIDENT_STATUS.resolved || incident.status === INCIDENT_STATUS.closed;
}
