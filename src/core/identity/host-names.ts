import type { EpochMs, Event } from "../event.ts";
import { applyAgreed, applyPolicy } from "./attribute.ts";
import type { Directory } from "./directory.ts";
import { facts, type ObservedFact } from "./facts.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS } from "./reach.ts";

/** A DNS answer is believed this long: connection pools outlive the record's TTL by far. */
export const DNS_MS = 86_400_000;
/** Names kept; those first seen longest ago go first when more are observed (about 400 bytes each). */
const NAMES_MAX = 200_000;
/** Names that no waiting event can need any more are kept this long for events that come late. */
const LATE_MS = 3_600_000;

/** Which name an address had, from DNS answers. */
export interface HostNames {
  learn(event: Event): void;
  /** Sets the host that a connection was made to, and judges it, when exactly one name is known. */
  name(event: Event): void;
  advance(watermark: EpochMs): void;
  /** Facts to be stored since the last call. */
  changed(): readonly ObservedFact[];
  /** Takes a stored fact back; false when it is none of a name. */
  restore(fact: ObservedFact): boolean;
  readonly size: number;
  readonly evicted: number;
}

/** No names yet. `stores`: somebody asks for what changed. */
export function hostNames(registry: Directory, stores: boolean): HostNames {
  const names = facts({ kind: "dns", beforeMs: CLOCK_TOLERANCE_MS, afterMs: DNS_MS, max: NAMES_MAX, stored: stores });
  return {
    learn(event) {
      if (event.category !== "dns" || event.dnsQuery === undefined || event.dnsQuery === "") return;
      for (const answer of event.dnsAnswers ?? []) names.observe(answer, event.dnsQuery, event.time);
    },
    name(event) {
      if (event.category !== "egress" || event.dstHost !== undefined || event.dstIp === undefined) return;
      const [name, ...others] = names.at(event.dstIp, event.time);
      // Several names on one address (a content network) leave the host unknown: it is never guessed.
      if (name === undefined || others.length > 0) return;
      event.dstHost = name;
      const ids = event.agentUid === undefined ? (event.agents ?? []) : [event.agentUid];
      const agents = ids.map((id) => registry.byId(id)).filter((agent) => agent !== undefined);
      if (agents[0] === undefined || agents.length < ids.length) return;
      if (agents.length === 1) applyPolicy(event, agents[0]);
      else applyAgreed(event, agents);
    },
    advance: (watermark) => names.prune(watermark - OBSERVED_MS - LATE_MS),
    changed: () => names.changed(),
    restore: (fact) => names.restore(fact),
    get size() {
      return names.size;
    },
    get evicted() {
      return names.evicted;
    },
  };
}
