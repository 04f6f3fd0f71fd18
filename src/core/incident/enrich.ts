/** What an incident says beyond its alerts: why, how far it reached, and where each line of evidence comes from. */
import type { Event } from "../event.ts";
import type { Incident, Proof } from "../incident.ts";
import { blastOf, type BlastRadius, type BlastScope } from "./blast.ts";
import { mergeBlast } from "./blast-merge.ts";
import { EVIDENCE_MAX, mergeTimeline, selectEvidence, timelineEntry } from "./evidence.ts";
import type { OpeningPolicy } from "./risk.ts";
import { tellWhy } from "./why.ts";

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
  const why = tellWhy(who, alerts, { evidence, policy, blast, lost: incident.why === undefined ? new Set() : lost }) ?? incident.why;
  const proof = [...before.filter(({ uid }) => lost.has(uid)), ...[...evidence.values()].map((event) => proofOf(event, findings))];
  const timeline = mergeTimeline(incident.timeline, [...evidence.values()].map(timelineEntry), alerts);
  // What is lost and was not shown cannot be counted again.
  const leftOut = Math.max(0, proof.length - EVIDENCE_MAX, lost.size > 0 ? (incident.evidenceLeftOut ?? 0) : 0);
  const { evidenceLeftOut: _before, ...rest } = incident;
  return {
    ...rest,
    ...(why === undefined ? {} : { why }),
    blast,
    timeline,
    proof: selectEvidence(proof, alerts),
    ...(leftOut === 0 ? {} : { evidenceLeftOut: leftOut }),
  };
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
