/** One fleet, played and scored. */
import { asObject } from "../../src/core/record.ts";
import { fleet } from "./fleet.ts";
import { play, type Played, type Seen } from "./play.ts";
import * as score from "./score.ts";
import { world } from "./world.ts";

/** All figures of one fleet. */
export interface Figures {
  readonly records: number;
  readonly played: Played;
  readonly events: Compared;
  /** Without the events whose record names a registered agent. */
  readonly bound: Compared;
  readonly joins: readonly (Compared & { readonly name: string })[];
  readonly undecidable: score.Undecidable;
  readonly attacks: { readonly attacks: number; readonly whole: number; readonly naive: number };
}

/** By bindings, and by strings. */
export interface Compared {
  readonly graph: score.Score;
  readonly naive: score.Score;
}

/** Plays a fleet of so many agents for some hours. `twins`: in two clusters with the same addresses and names of accounts. */
export function simulate(seed: number, agents: number, hours: number, twins = false): Figures {
  const place = world(seed, hours, twins);
  const { registry } = fleet(place, agents);
  const played = play(place.told, registry);
  const seen = played.events;
  const naive = score.naive(seen, stringsOf(registry));
  const compared = (of: readonly Seen[]): Compared => ({
    graph: score.attributions(of, score.resolved),
    naive: score.attributions(of, naive),
  });
  const attacks = score.wholeAttacks(seen, score.resolved);
  return {
    records: place.told.length,
    played,
    events: compared(seen),
    bound: compared(score.indirect(seen)),
    joins: score.JOINS.map((join) => ({
      name: join.name,
      graph: score.joins(seen, join, score.resolved),
      naive: score.joins(seen, join, score.rawKeys),
    })),
    undecidable: score.undecidable(seen),
    attacks: { ...attacks, naive: score.wholeAttacks(seen, naive).whole },
  };
}

/** Every text below `identities`, to its agent. */
function stringsOf(registry: string): ReadonlyMap<string, string> {
  const { agents } = JSON.parse(registry) as { agents: { id: string; identities: unknown }[] };
  return new Map(
    agents.flatMap(({ id, identities }) =>
      Object.values(asObject(identities) ?? {})
        .flat()
        .map((text) => [String(text), id] as const),
    ),
  );
}
