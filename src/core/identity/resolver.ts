/**
 * Resolves what only the log itself can say: which name an address had (from DNS answers), and which agent was seen
 * at an address (from calls that name both). Such an answer could be taken back by a fact that is still on its way,
 * so an event that needs one waits until the watermark has passed its time; the result does not depend on arrival order.
 */
import { ATTRIBUTION, type EpochMs, type Event } from "../event.ts";
import { isPrivateIp } from "../ip.ts";
import { applyPolicy, attributeObserved } from "./attribute.ts";
import { CLOCK_TOLERANCE_MS, type Directory } from "./directory.ts";

/** "`key` meant `value` from first to last", as observed. */
export interface ObservedFact {
  readonly key: string;
  readonly value: string;
  first: EpochMs;
  last: EpochMs;
}

/** An agent seen at an address is taken to hold it this long before and after. */
export const OBSERVED_MS = 300_000;
/** A DNS answer is believed this long: connection pools outlive the record's TTL by far. */
export const DNS_MS = 86_400_000;
/** Keys of facts kept; those first seen longest ago go first when more are observed (about 200 bytes each). */
export const FACTS_MAX = 200_000;
/** Events that may wait (about 1 KB each); beyond, the oldest go on unresolved and are counted in `forced`. */
export const WAITING_MAX = 200_000;

/** What the resolver counts. */
export interface ResolverStats {
  waiting: number;
  /** Events that had to go on unresolved because too many waited. */
  forced: number;
  facts: number;
  evicted: number;
}

/** Holds events back that need an observation, and lets them go resolved or as they are. */
export interface Resolver {
  /** Events that need nothing more, in order. Remembers what the events show. */
  push(events: readonly Event[]): Event[];
  /** Events whose waiting is over, by (time, uid). `watermark`: everything up to here has arrived. */
  advance(watermark: EpochMs): Event[];
  /** Time of the oldest event that still waits. */
  oldestWaiting(): EpochMs | undefined;
  /** An event may wait this long after the watermark has reached its time. */
  readonly horizonMs: number;
  /** Facts that changed since the last call, to be stored. */
  changedFacts(): ObservedFact[];
  /** Takes stored facts back after a restart. */
  load(facts: readonly ObservedFact[]): void;
  readonly stats: Readonly<ResolverStats>;
}

/** A resolver over a registry. */
export function resolver(registry: Directory): Resolver {
  const facts = new Map<string, ObservedFact[]>();
  const changed = new Set<ObservedFact>();
  const stats: ResolverStats = { waiting: 0, forced: 0, facts: 0, evicted: 0 };
  let waiting: Event[] = [];

  const observe = (key: string, value: string, time: EpochMs): void => {
    let list = facts.get(key);
    if (list === undefined) {
      facts.set(key, (list = []));
      if (facts.size > FACTS_MAX) evict();
    }
    let fact = list.find((one) => one.value === value);
    if (fact === undefined) {
      fact = { key, value, first: time, last: time };
      list.push(fact);
      stats.facts++;
    } else if (time >= fact.first && time <= fact.last) {
      return;
    } else {
      fact.first = Math.min(fact.first, time);
      fact.last = Math.max(fact.last, time);
    }
    changed.add(fact);
  };
  const evict = (): void => {
    for (const [key, list] of facts) {
      facts.delete(key);
      stats.facts -= list.length;
      stats.evicted += list.length;
      return;
    }
  };
  const learn = (event: Event): void => {
    if (event.category === "dns") {
      for (const answer of event.dnsAnswers ?? []) if (event.dnsQuery !== undefined) observe(`dns:${answer}`, event.dnsQuery, event.time);
    } else if (
      event.attributionId === ATTRIBUTION.direct &&
      event.srcIp !== undefined &&
      event.agentUid !== undefined &&
      isPrivateIp(event.srcIp)
    ) {
      observe(`ip:${event.srcIp}`, event.agentUid, event.time);
    }
  };
  const around = (key: string, time: EpochMs, before: number, after: number): readonly string[] => {
    const found: string[] = [];
    for (const fact of facts.get(key) ?? []) if (time >= fact.first - before && time <= fact.last + after) found.push(fact.value);
    return found;
  };
  const resolve = (event: Event): void => {
    if (event.attributionId === ATTRIBUTION.none && event.srcIp !== undefined) {
      const agents = around(`ip:${event.srcIp}`, event.time, OBSERVED_MS, OBSERVED_MS)
        .map((id) => registry.byId(id))
        .filter((agent) => agent !== undefined);
      attributeObserved(event, agents);
    }
    if (event.dstHost !== undefined || event.dstIp === undefined) return;
    const names = around(`dns:${event.dstIp}`, event.time, CLOCK_TOLERANCE_MS, DNS_MS);
    const [name] = names;
    // Several names on one address (a content network) leave the host unknown: it is never guessed.
    if (name === undefined || names.length > 1) return;
    event.dstHost = name;
    const agent = event.agentUid === undefined ? undefined : registry.byId(event.agentUid);
    if (agent !== undefined) applyPolicy(event, agent);
  };

  return {
    push(events) {
      const ready: Event[] = [];
      for (const event of events) {
        learn(event);
        if (needsObservation(event)) waiting.push(event);
        else ready.push(event);
      }
      if (waiting.length > WAITING_MAX) {
        const excess = waiting.length - WAITING_MAX;
        stats.forced += excess;
        for (const event of waiting.splice(0, excess)) ready.push(event);
      }
      stats.waiting = waiting.length;
      return ready;
    },
    advance(watermark) {
      const ready: Event[] = [];
      const still: Event[] = [];
      for (const event of waiting) (event.time + OBSERVED_MS <= watermark || settled(event, watermark) ? ready : still).push(event);
      if (ready.length === 0) return ready;
      waiting = still;
      stats.waiting = waiting.length;
      for (const event of ready) resolve(event);
      return ready.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
    },
    oldestWaiting() {
      let oldest: EpochMs | undefined;
      for (const event of waiting) if (oldest === undefined || event.time < oldest) oldest = event.time;
      return oldest;
    },
    horizonMs: OBSERVED_MS,
    changedFacts() {
      const list = [...changed].map((fact) => ({ ...fact }));
      changed.clear();
      return list;
    },
    load(stored) {
      for (const fact of stored) {
        observe(fact.key, fact.value, fact.first);
        observe(fact.key, fact.value, fact.last);
      }
      changed.clear();
    },
    stats,
  };
}

function needsObservation(event: Event): boolean {
  if (event.category !== "egress") return false;
  const unnamed = event.dstHost === undefined && event.dstIp !== undefined && !isPrivateIp(event.dstIp);
  const unattributed = event.attributionId === ATTRIBUTION.none && event.srcIp !== undefined && isPrivateIp(event.srcIp);
  return unnamed || unattributed;
}

/** An attributed event only waits for its name, and a name was asked for before the connection. */
function settled(event: Event, watermark: EpochMs): boolean {
  return event.attributionId !== ATTRIBUTION.none && event.time + CLOCK_TOLERANCE_MS <= watermark;
}
