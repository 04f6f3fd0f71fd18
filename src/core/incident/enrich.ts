/** What an incident says beyond its alerts: why, how far it reached, and where each line of evidence comes from. */
import type { Alert } from "../alert.ts";
import type { Event } from "../event.ts";
import type { Incident, Proof, TimelineEntry } from "../incident.ts";
import { blastOf, type BlastRadius, type BlastScope } from "./blast.ts";
import { mergeBlast } from "./blast-merge.ts";
import { activityOf, eventsIn, mergeActivity, selectActivity } from "./activity.ts";
import { byTimeAndUid, EVIDENCE_MAX, mergeTimeline, selectEvidence, timelineEntry } from "./evidence.ts";
import type { OpeningPolicy } from "./risk.ts";
import { tellWhy, titleOf } from "./why.ts";

/** Longest address of a record's page. */
const URL_MAX = 2_000;

/** What enriching needs beside the incident. */
export interface Findings {
  /** Evidence of its alerts by uid, as far as it is still stored. */
  readonly evidence: ReadonlyMap<string, Event>;
  /** Place of each in the log. */
  readonly sequences: ReadonlyMap<string, number>;
  /** Everything that the agent did meanwhile, and when; undefined: there is no agent, or nobody looked. */
  readonly events: readonly Event[] | undefined;
  readonly scope: Omit<BlastScope, "basis">;
  /** Names under which the agent works itself. */
  readonly names?: ReadonlySet<string>;
  /** Keep what the incident says of its reach: it was read a moment ago. */
  readonly keepBlast?: boolean;
  /** Page of a record by source, with `{id}` in the place of the vendor's id. */
  readonly recordUrls: ReadonlyMap<string, string>;
  readonly policy: OpeningPolicy;
}

/**
 * The incident with its reasons, reach, timeline and proof told anew. What is no longer stored is not told away: what was
 * known of it stays.
 */
export function enrich(incident: Incident, findings: Findings): Incident {
  const { evidence, policy } = findings;
  const { alerts, proof: proven = [] } = incident;
  const who = incident.agentName ?? incident.entity;
  const wanted = new Set(alerts.flatMap((alert) => [...alert.evidence, ...(alert.behind ?? [])]));
  const before = proven.filter(({ uid }) => wanted.has(uid));
  const lost = new Set(before.map(({ uid }) => uid).filter((uid) => !evidence.has(uid)));
  const blast = reachOf(incident, findings, lost.size > 0);
  const told = tellWhy(who, alerts, { evidence, policy, blast, lost: incident.why === undefined ? new Set() : lost });
  const proof = [...before.filter(({ uid }) => lost.has(uid)), ...[...evidence.values()].map((event) => proofOf(event, findings))];
  const timeline = withActivity(
    mergeTimeline(incident.timeline, [...evidence.values()].map(timelineEntry), alerts),
    findings,
    wanted,
    blast.atLeast,
  );
  // What is lost and was not shown cannot be counted again.
  const leftOut = Math.max(0, proof.length - EVIDENCE_MAX, lost.size > 0 ? (incident.evidenceLeftOut ?? 0) : 0);
  const besides = blast.basis === "evidence" ? 0 : Math.max(0, blast.events - proof.length - eventsIn(timeline));
  const { evidenceLeftOut: _evidence, activityLeftOut: _activity, ...rest } = incident;
  return {
    ...rest,
    ...(told === undefined ? {} : { why: told.text, ...ledBy(incident, told.alert, who) }),
    blast,
    timeline,
    ...(besides === 0 ? {} : { activityLeftOut: besides }),
    proof: selectEvidence(proof, alerts),
    ...(leftOut === 0 ? {} : { evidenceLeftOut: leftOut }),
  };
}

/** The timeline with what the agent did beside, as far as that was read; else with what was told of it before. */
function withActivity(
  timeline: readonly TimelineEntry[],
  { events }: Findings,
  wanted: ReadonlySet<string>,
  atLeast: boolean,
): TimelineEntry[] {
  if (events === undefined) return [...timeline];
  const before = timeline.filter(({ activity }) => activity !== undefined);
  const distinct = new Map(events.filter(({ uid }) => !wanted.has(uid)).map((event) => [event.uid, event]));
  const beside = selectActivity(mergeActivity(before, activityOf([...distinct.values()]), !atLeast));
  return [...timeline.filter(({ activity }) => activity === undefined), ...beside].sort(byTimeAndUid);
}

/** The title says what `why` tells of, where that is what gives the incident its level. */
function ledBy({ level }: Incident, alert: Alert, who: string): Partial<Pick<Incident, "lead" | "title">> {
  return alert.level === level ? { lead: alert.id, title: titleOf(alert, who) } : {};
}

/** What the agent's events, or those of the alerts alone, come to, with what was known before. */
function reachOf(incident: Incident, findings: Findings, lost: boolean): BlastRadius {
  const { evidence, events, scope, keepBlast } = findings;
  if (keepBlast === true && incident.blast !== undefined) return incident.blast;
  const all = new Map([...(events ?? []), ...evidence.values()].map((event) => [event.uid, event]));
  const basis = events === undefined ? "evidence" : "events of the agent";
  const now = blastOf([...all.values()], { ...scope, basis }, { scopes: incident.profile?.scopes, names: findings.names ?? new Set() });
  return mergeBlast(incident.blast, now, lost);
}

function proofOf(event: Event, { sequences, recordUrls }: Findings): Proof {
  const { uid, time, source, originalUid } = event;
  const sequence = sequences.get(uid);
  const template = recordUrls.get(source);
  const url =
    template === undefined || originalUid === undefined
      ? undefined
      : template.replaceAll("{id}", () => encodeURIComponent(originalUid.toWellFormed()));
  return {
    uid,
    time,
    source,
    ...(originalUid === undefined || originalUid === "" ? {} : { originalUid }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(url === undefined || url.length > URL_MAX ? {} : { url }),
  };
}
