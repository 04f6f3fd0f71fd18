/**
 * Resolves what only the log itself can say: which name an address had (from DNS answers), and which agent was seen
 * at an address (from calls that name both). Such an answer could be taken back by a fact that is still on its way,
 * so an event that needs one waits until the watermark has passed its time; the result does not depend on arrival order.
 */
import { ATTRIBUTION, type EpochMs, type Event } from "../event.ts";
import { isPrivateIp } from "../ip.ts";
import { applyPolicy, attributeObserved } from "./attribute.ts";
import { CLOCK_TOLERANCE_MS, type Directory } from "./directory.ts";
import { facts, type Facts, type ObservedFact } from "./facts.ts";

export type { ObservedFact } from "./facts.ts";

/** An agent seen at an address is taken to hold it this long before and after. */
export const OBSERVED_MS = 300_000;
/** A DNS answer is believed this long: connection pools outlive the record's TTL by far. */
export const DNS_MS = 86_400_000;
/** Facts kept of each kind; those first seen longest ago go first when more are observed (about 400 bytes each). */
const FACTS_MAX = 200_000;
/** Facts that no waiting event can need any more are kept this long for events that come late. */
const LATE_MS = 3_600_000;
/** Events that may wait (about 1 KB each); beyond, the oldest go on unresolved and are counted in `forced`. */
export const WAITING_MAX = 200_000;

/** What the resolver counts. */
export interface ResolverStats {
  readonly waiting: number;
  /** Events that had to go on unresolved because too many waited. */
  readonly forced: number;
  readonly facts: number;
  readonly evicted: number;
}

/** Holds events back that need an observation, and lets them go resolved or as they are. */
export interface Resolver {
  /** Events that need nothing more, in order. Remembers what the events show. */
  push(events: readonly Event[]): Event[];
  /** Events whose waiting is over, by (time, uid). `watermark`: everything up to here has arrived. */
  advance(watermark: EpochMs): Event[];
  /** Decides an event again that was let go before and was read back from the log, as far as its facts are still known. */
  decide(event: Event): void;
  /** Time of the oldest event that still waits. */
  oldestWaiting(): EpochMs | undefined;
  /** Uids of all events that wait. */
  waiting(): ReadonlySet<string>;
  /** How far before the watermark a replay must start, so that every event that waits is decided as it would have been. */
  readonly horizonMs: number;
  /** Names that changed since the last call, to be stored: they reach further back than a replay. */
  changedFacts(): ObservedFact[];
  /** Takes stored facts back after a restart. */
  load(facts: readonly ObservedFact[]): void;
  readonly stats: ResolverStats;
}

/** A resolver over a registry. */
export function resolver(registry: Directory): Resolver {
  const holders = facts({ kind: "ip", beforeMs: OBSERVED_MS, afterMs: OBSERVED_MS, max: FACTS_MAX });
  const names = facts({ kind: "dns", beforeMs: CLOCK_TOLERANCE_MS, afterMs: DNS_MS, max: FACTS_MAX });
  const changed = new Set<ObservedFact>();
  const known: Known = { holders, names, changed };
  let waiting: Event[] = [];
  let forced = 0;

  return {
    push(events) {
      const ready: Event[] = [];
      for (const event of events) {
        learn(event, known);
        if (needsObservation(event)) waiting.push(event);
        else ready.push(event);
      }
      if (waiting.length > WAITING_MAX) {
        const excess = waiting.length - WAITING_MAX;
        forced += excess;
        for (const event of waiting.splice(0, excess)) ready.push(event);
      }
      return ready;
    },
    advance(watermark) {
      const ready: Event[] = [];
      const still: Event[] = [];
      for (const event of waiting) (event.time + OBSERVED_MS <= watermark || settled(event, watermark) ? ready : still).push(event);
      waiting = still;
      for (const event of ready) decide(event, known, registry);
      holders.prune(watermark - OBSERVED_MS - LATE_MS);
      names.prune(watermark - OBSERVED_MS - LATE_MS);
      return ready.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
    },
    decide(event) {
      if (needsObservation(event)) decide(event, known, registry);
    },
    oldestWaiting() {
      let oldest: EpochMs | undefined;
      for (const event of waiting) if (oldest === undefined || event.time < oldest) oldest = event.time;
      return oldest;
    },
    waiting: () => new Set(waiting.map(({ uid }) => uid)),
    // What waits is at most OBSERVED_MS behind the watermark, and what shows its agent as much again.
    horizonMs: 2 * OBSERVED_MS,
    changedFacts() {
      const list = [...changed].map((fact) => ({ ...fact }));
      changed.clear();
      return list;
    },
    load(stored) {
      for (const fact of [...stored].sort((a, b) => a.last - b.last)) names.restore(fact);
    },
    get stats() {
      return { waiting: waiting.length, forced, facts: holders.size + names.size, evicted: holders.evicted + names.evicted };
    },
  };
}

/** What was observed so far. */
interface Known {
  readonly holders: Facts;
  readonly names: Facts;
  readonly changed: Set<ObservedFact>;
}

function learn(event: Event, { holders, names, changed }: Known): void {
  if (event.category === "dns") {
    if (event.dnsQuery === undefined || event.dnsQuery === "") return;
    for (const answer of event.dnsAnswers ?? []) {
      const fact = names.observe(answer, event.dnsQuery, event.time);
      if (fact !== undefined) changed.add(fact);
    }
  } else if (
    event.attributionId === ATTRIBUTION.direct &&
    event.srcIp !== undefined &&
    event.agentUid !== undefined &&
    isPrivateIp(event.srcIp)
  ) {
    holders.observe(event.srcIp, event.agentUid, event.time);
  }
}

function decide(event: Event, { holders, names }: Known, registry: Directory): void {
  if (event.attributionId === ATTRIBUTION.none && event.srcIp !== undefined) {
    const agents = holders
      .at(event.srcIp, event.time)
      .map((id) => registry.byId(id))
      .filter((agent) => agent !== undefined);
    attributeObserved(event, agents);
  }
  if (event.dstHost !== undefined || event.dstIp === undefined) return;
  const found = names.at(event.dstIp, event.time);
  const [name] = found;
  // Several names on one address (a content network) leave the host unknown: it is never guessed.
  if (name === undefined || found.length > 1) return;
  event.dstHost = name;
  const agent = event.agentUid === undefined ? undefined : registry.byId(event.agentUid);
  if (agent !== undefined) applyPolicy(event, agent);
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
