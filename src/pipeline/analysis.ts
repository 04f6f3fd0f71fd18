import type { Alert } from "../core/alert.ts";
import type { Engine, FirstSeen, Watermarks } from "../core/correlation/types.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { ObservedFact, Resolver } from "../core/identity/resolver.ts";

/** Resolution and correlation as one step, for the service and for backtests alike. */
export interface Analysis {
  /** Takes events in any order; returns alerts to emit. */
  push(events: readonly Event[]): readonly Alert[];
  /** Lets go of what waited and closes what is complete. Watermarks never move back. */
  advance(watermarks: Watermarks): readonly Alert[];
  /** The input has ended. */
  finish(): readonly Alert[];
  /** Gives an event that was read back from the log the agent and the name that it was correlated with. */
  decide(event: Event): void;
  /** What has to be stored because it reaches further back than a replay: names, and when rules had their first events. */
  changedFacts(): readonly ObservedFact[];
  /** Takes the first events of rules back from the stored facts, before a replay of the events from `since` on. */
  recall(facts: readonly ObservedFact[], since: EpochMs): void;
  readonly horizonMs: number;
  readonly stats: { readonly waiting: number; readonly forced: number; readonly entries: number };
}

/** Joins a resolver and an engine. */
export function analysis(resolver: Resolver, engine: Engine<Event>): Analysis {
  return {
    push: (events) => engine.push(resolver.push(events)),
    advance(watermarks) {
      const released = resolver.advance(least(watermarks));
      const early = released.length === 0 ? [] : engine.push(released);
      return [...early, ...engine.advance(heldBack(watermarks, resolver.oldestWaiting()))];
    },
    finish() {
      const early = engine.push(resolver.advance(Infinity));
      return [...early, ...engine.finish()];
    },
    decide: (event) => resolver.decide(event),
    changedFacts: () => [...resolver.changedFacts(), ...engine.firstSeen().map(factOf)],
    recall: (facts, since) => engine.recall(facts.flatMap(firstSeenOf), since),
    horizonMs: engine.horizonMs + resolver.horizonMs,
    get stats() {
      return { waiting: resolver.stats.waiting, forced: resolver.stats.forced, entries: engine.stats.entries };
    },
  };
}

/** Facts with this prefix before a rule's id say when it had its first event in the group that is their value. */
const FIRST = "first:";

function factOf({ rule, group, time }: FirstSeen): ObservedFact {
  return { key: FIRST + rule, value: JSON.stringify(group), first: time, last: time };
}

function firstSeenOf({ key, value, first }: ObservedFact): FirstSeen[] {
  if (!key.startsWith(FIRST)) return [];
  return [{ rule: key.slice(FIRST.length), group: JSON.parse(value) as string[], time: first }];
}

/** The smallest of all watermarks. */
function least(watermarks: Watermarks): EpochMs {
  let min = watermarks.all;
  for (const value of watermarks.byCategory?.values() ?? []) if (value < min) min = value;
  return min;
}

/** What waits has not arrived yet for the engine: egress is complete only up to the oldest waiting event. */
function heldBack(watermarks: Watermarks, oldest: EpochMs | undefined): Watermarks {
  if (oldest === undefined) return watermarks;
  const byCategory = new Map(watermarks.byCategory);
  byCategory.set("egress", Math.min(byCategory.get("egress") ?? watermarks.all, oldest - 1));
  return { all: Math.min(watermarks.all, oldest - 1), byCategory };
}
