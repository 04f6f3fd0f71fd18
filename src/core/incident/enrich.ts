/** What an incident says beyond its alerts: why, how far it reached, and where each line of evidence comes from. */
import type { Event } from "../event.ts";
import type { Incident, Proof } from "../incident.ts";
import { blastOf, type BlastScope } from "./blast.ts";
import { byTimeAndUid } from "./build.ts";
import type { OpeningPolicy } from "./risk.ts";
import { tellWhy } from "./why.ts";

/** Records that an incident leads back to: as many as its timeline has lines. */
const PROOF_MAX = 50;
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
  /** Keep what the incident says of its reach: it was read a moment ago. */
  readonly keepBlast?: boolean;
  /** Page of a record by source, with `{id}` in the place of the vendor's id. */
  readonly recordUrls: ReadonlyMap<string, string>;
  readonly policy: OpeningPolicy;
}

/** The incident with its reasons and proof told anew, and its reach unless that is to be kept. */
export function enrich(incident: Incident, findings: Findings): Incident {
  const { evidence, events, scope, policy } = findings;
  const who = incident.agentName ?? incident.entity;
  const why = tellWhy(who, incident.alerts, evidence, policy) ?? incident.why;
  const all = new Map([...evidence.values(), ...(events ?? [])].map((event) => [event.uid, event]));
  const kept = findings.keepBlast === true ? incident.blast : undefined;
  const basis = events === undefined ? "evidence" : "events of the agent";
  return {
    ...incident,
    ...(why === undefined ? {} : { why }),
    blast: kept ?? blastOf([...all.values()], { ...scope, basis }, incident.profile?.scopes),
    proof: [...evidence.values()]
      .sort(byTimeAndUid)
      .slice(0, PROOF_MAX)
      .map((event) => proofOf(event, findings)),
  };
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
