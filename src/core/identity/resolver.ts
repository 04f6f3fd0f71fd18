/**
 * Resolves what only the log itself can say: which name an address had (from DNS answers), and which agent the bindings
 * of its keys lead to. Such an answer could be taken back by a fact that is still on its way, so an event that needs one
 * waits until the watermark has passed its time; the result does not depend on arrival order.
 */
import { ATTRIBUTION, type Category, type EpochMs, type Event } from "../event.ts";
import { isPrivateIp } from "../ip.ts";
import { attributeFound } from "./attribute.ts";
import { attributionsOf, type Attribution } from "./attribution.ts";
import type { Directory } from "./directory.ts";
import type { ObservedFact } from "./facts.ts";
import { graph } from "./graph.ts";
import { hostNames } from "./host-names.ts";
import { decidableAt, keysOf } from "./keys.ts";
import type { KeyText } from "./links.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS } from "./reach.ts";
import { resolveEvent } from "./sessions.ts";

export type { ObservedFact } from "./facts.ts";

/** Events that may wait (about 1 KB each); beyond, those that came first go on with what is certain already, counted in `forced`. */
export const WAITING_MAX = 200_000;

/** What the resolver counts. */
export interface ResolverStats {
  readonly waiting: number;
  /** Events that had to go on before all was known of them because too many waited. */
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
  /** Gives an event that was let go before, and was read back from the log, its name again, as far as that is still known. */
  decide(event: Event): void;
  /** Time of the oldest event of each category that still waits. */
  oldestWaiting(): ReadonlyMap<Category, EpochMs>;
  /** Uids of all events that wait. */
  waiting(): ReadonlySet<string>;
  /** How far before the watermark a replay must start, so that every event that waits is decided as it would have been. */
  readonly horizonMs: number;
  /** Facts that changed since the last call, to be stored: they reach further back than a replay. */
  changedFacts(): ObservedFact[];
  /** What was found out since the last call about events whose agent the log does not say. */
  decided(): Attribution[];
  /** Takes stored facts back after a restart. */
  load(facts: readonly ObservedFact[]): void;
  readonly stats: ResolverStats;
}

/** An event that waits, and what for. */
interface Waiting {
  readonly event: Event;
  /** Its keys, when it has no agent. */
  readonly keys: readonly KeyText[];
  /** The watermark that ends its waiting. */
  readonly end: EpochMs;
}

const NO_KEYS: readonly KeyText[] = [];

/** A resolver over a registry. `stores` false: nobody asks for what is to be stored, and none of it is kept. */
export function resolver(registry: Directory, stores: boolean = true): Resolver {
  const known = graph(registry, stores);
  const names = hostNames(registry, stores);
  let waiting: Waiting[] = [];
  let attributions: Attribution[] = [];
  let forced = 0;

  const decide = ({ event, keys }: Waiting): void => {
    if (keys.length > 0) {
      const found = resolveEvent(event, keys, registry, known.at);
      attributeFound(event, found);
      if (stores) for (const row of attributionsOf(event, found)) attributions.push(row);
    }
    names.name(event);
  };
  const decideEarly = (one: Waiting): void => {
    const found = resolveEvent(one.event, one.keys, registry, known.at);
    // What was only seen together may be taken back by what is still on its way.
    const isCertain = found.every(({ path }) => path.every(({ by }) => by !== "observed"));
    decide(isCertain ? one : { ...one, keys: NO_KEYS });
  };

  return {
    push(events) {
      const ready: Event[] = [];
      for (const event of events) {
        known.learn(event);
        names.learn(event);
        const one = waitFor(event, registry);
        if (one === undefined) ready.push(event);
        else waiting.push(one);
      }
      if (waiting.length > WAITING_MAX) {
        const excess = waiting.length - WAITING_MAX;
        forced += excess;
        for (const one of waiting.splice(0, excess)) {
          decideEarly(one);
          ready.push(one.event);
        }
      }
      return ready;
    },
    advance(watermark) {
      const ready: Event[] = [];
      const still: Waiting[] = [];
      for (const one of waiting) {
        if (one.end > watermark) still.push(one);
        else {
          decide(one);
          ready.push(one.event);
        }
      }
      waiting = still;
      known.advance(watermark);
      names.advance(watermark);
      return ready.sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
    },
    decide: (event) => names.name(event),
    oldestWaiting() {
      const oldest = new Map<Category, EpochMs>();
      for (const { event } of waiting) {
        const before = oldest.get(event.category);
        if (before === undefined || event.time < before) oldest.set(event.category, event.time);
      }
      return oldest;
    },
    waiting: () => new Set(waiting.map(({ event }) => event.uid)),
    // What waits is at most OBSERVED_MS behind the watermark, and what shows its agent as much again.
    horizonMs: 2 * OBSERVED_MS,
    changedFacts: () => [...known.changed(), ...names.changed()],
    decided() {
      const list = attributions;
      attributions = [];
      return list;
    },
    load(stored) {
      for (const fact of [...stored].sort((a, b) => a.last - b.last)) if (!names.restore(fact)) known.restore(fact);
    },
    get stats() {
      return { waiting: waiting.length, forced, facts: known.size + names.size, evicted: known.evicted + names.evicted };
    },
  };
}

/** What an event waits for; undefined: nothing that is on its way can say more of it. */
function waitFor(event: Event, registry: Directory): Waiting | undefined {
  // Nothing leads to an agent where there is none.
  const keys = event.attributionId === ATTRIBUTION.none && registry.agents.length > 0 ? keysOf(event) : NO_KEYS;
  const isNamed = event.category !== "egress" || event.dstHost !== undefined || event.dstIp === undefined || isPrivateIp(event.dstIp);
  if (keys.length > 0) return { event, keys, end: decidableAt(keys, event.time) };
  // A name was asked for before the connection.
  return isNamed ? undefined : { event, keys, end: event.time + CLOCK_TOLERANCE_MS };
}
