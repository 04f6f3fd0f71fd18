import { describe, expect, test } from "vitest";
import { simulate, type Figures } from "./simulate.ts";

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
