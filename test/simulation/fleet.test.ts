import { describe, expect, test } from "vitest";
import { fleet } from "./fleet.ts";
import { play } from "./play.ts";
import * as score from "./score.ts";
import { simulate, type Figures } from "./simulate.ts";
import { world } from "./world.ts";

/** What events and joins must come to, and by how much strings must fall behind. */
const PRECISION = 0.99;
const RECALL = 0.98;
const VISIBLY = 0.2;

// The first seeds that there are: none was picked.
describe.each([1, 2, 3])("a simulated fleet, seed %i", (seed) => {
  let figures: Figures | undefined;
  const played = (): Figures => (figures ??= simulate(seed, 60, 2));

  test("has every trouble that it is for", () => {
    const { played: story, undecidable, attacks, records } = played();
    expect(records).toBeGreaterThan(10_000);
    expect(story.events.length).toBe(records);
    expect(undecidable.events).toBeGreaterThan(50);
    expect(attacks.attacks).toBeGreaterThan(0);
    expect(new Set(story.events.map(({ source }) => source)).size).toBe(9);
    const late = story.events.filter(({ event }) => event.attributionId === 3).length;
    expect(late / story.events.length).toBeGreaterThan(0.1);
  });
  test("events find their agents", () => {
    const { events, bound } = played();
    expect(events.graph.precision).toBeGreaterThanOrEqual(PRECISION);
    expect(events.graph.recall).toBeGreaterThanOrEqual(RECALL);
    expect(bound.graph.precision).toBeGreaterThanOrEqual(PRECISION);
    expect(bound.graph.recall).toBeGreaterThanOrEqual(RECALL);
    expect(bound.naive.precision).toBeLessThan(bound.graph.precision - VISIBLY);
  });
  test("events of one agent find each other", () => {
    for (const { graph, naive } of played().joins) {
      expect(graph.precision).toBeGreaterThanOrEqual(PRECISION);
      expect(graph.recall).toBeGreaterThanOrEqual(RECALL);
      expect(naive.recall).toBeLessThan(graph.recall - VISIBLY);
    }
    expect(played().joins[0]!.naive.precision).toBeLessThan(played().joins[0]!.graph.precision - VISIBLY);
  });
  test("an attack stays one story over the rotation of its keys", () => {
    const { attacks, whole, naive } = played().attacks;
    expect(whole / attacks).toBeGreaterThanOrEqual(0.8);
    expect(naive).toBeLessThan(whole);
  });
  test("what nobody can decide is given to several, the true one among them", () => {
    const { events, wrong, among } = played().undecidable;
    expect(wrong / events).toBeLessThan(0.02);
    expect(among / events).toBeGreaterThan(0.9);
  });
});

// Half of the agents have a twin of the same namespace and account in the other cluster, whose pods have the same addresses.
describe.each([1, 2])("a fleet in two clusters that look alike, seed %i", (seed) => {
  test("events and joins find their own cluster's agents", () => {
    const { events, bound, joins } = simulate(seed, 60, 2, true);
    for (const { graph } of [events, bound, ...joins]) {
      expect(graph.precision).toBeGreaterThanOrEqual(PRECISION);
      expect(graph.recall).toBeGreaterThanOrEqual(RECALL);
    }
  });
  test("what does not say which cluster it is of is given to several, or to nobody", () => {
    const place = world(seed, 2, true);
    const { registry } = fleet(place, 60);
    const seen = score.indirect(play(place.told, registry, false).events);
    const { precision, recall } = score.attributions(seen, score.resolved);
    expect(recall).toBeLessThan(0.8);
    expect(precision).toBeLessThan(PRECISION);
  });
});
