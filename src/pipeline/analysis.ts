import type { Alert } from "../core/alert.ts";
import type { BaselineChange } from "../core/correlation/baseline.ts";
import type { Engine, Replay, Watermarks } from "../core/correlation/types.ts";
import type { Category, EpochMs, Event } from "../core/event.ts";
import type { Attribution } from "../core/identity/attribution.ts";
import type { ObservedFact, Resolver, ResolverStats } from "../core/identity/resolver.ts";
import type { RuleSet } from "../core/sigma/rules.ts";

/** Resolution and correlation as one step, for the service and for backtests alike. */
export interface Analysis {
  /** Takes events in any order; returns alerts to emit. */
  push(events: readonly Event[]): readonly Alert[];
  /** Lets go of what waited and closes what is complete. Watermarks never move back. */
  advance(watermarks: Watermarks): readonly Alert[];
  /** The input has ended. */
  finish(): readonly Alert[];
  /** Gives an event that was read back from the log, and has its agent, the name that it was correlated with. */
  decide(event: Event): void;
  changedFacts(): readonly ObservedFact[];
  /** Who the events belong to that were let go since the last call, as far as the log does not say it. */
  decided(): readonly Attribution[];
  /**
   * Takes other rules: see `Engine.reload`. `names` resolves what is replayed, and that alone: an empty resolver over
   * the stored facts, because the one at work has let go of most of what it saw. What still waits in that one is left
   * out of the replay: the new rules will get it from there.
   */
  reload(rules: RuleSet<Event>, names: Resolver): Replay<Event>;
  /** See Engine. */
  readonly restore: Engine<Event>["restore"];
  live(): void;
  changedBaselines(): readonly BaselineChange[];
  readonly horizonMs: number;
  readonly neededFrom: EpochMs;
  readonly stats: ResolverStats & { readonly entries: number };
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
    changedFacts: () => resolver.changedFacts(),
    decided: () => resolver.decided(),
    reload(rules, names) {
      const replay = engine.reload(rules);
      const waiting = resolver.waiting();
      const tell = (events: readonly Event[]): readonly Alert[] => replay.push(events.filter(({ uid }) => !waiting.has(uid)));
      return {
        restore: (head, rows) => replay.restore(head, rows),
        get horizonMs() {
          return replay.horizonMs === 0 ? 0 : replay.horizonMs + resolver.horizonMs;
        },
        get neededFrom() {
          return replay.neededFrom - resolver.horizonMs;
        },
        push: (events) => tell(names.push(events)),
        finish: () => [...tell(names.advance(Infinity)), ...replay.finish()],
      };
    },
    restore: (head, rows) => engine.restore(head, rows),
    live: () => engine.live(),
    changedBaselines: () => engine.changedBaselines(),
    get horizonMs() {
      return engine.horizonMs + resolver.horizonMs;
    },
    get neededFrom() {
      return engine.neededFrom - resolver.horizonMs;
    },
    get stats() {
      return { ...resolver.stats, entries: engine.stats.entries };
    },
  };
}

/** The smallest of all watermarks. */
function least(watermarks: Watermarks): EpochMs {
  let min = watermarks.all;
  for (const value of watermarks.byCategory?.values() ?? []) if (value < min) min = value;
  return min;
}

/** What waits has not arrived yet for the engine: each category is complete only up to its oldest waiting event. */
function heldBack(watermarks: Watermarks, oldest: ReadonlyMap<Category, EpochMs>): Watermarks {
  if (oldest.size === 0) return watermarks;
  const byCategory = new Map(watermarks.byCategory);
  let { all } = watermarks;
  for (const [category, time] of oldest) {
    byCategory.set(category, Math.min(byCategory.get(category) ?? watermarks.all, time - 1));
    all = Math.min(all, time - 1);
  }
  return { all, byCategory };
}
