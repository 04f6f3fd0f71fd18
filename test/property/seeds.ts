/**
 * Seeds of histories that once broke a property, for ever. A seed means what it meant only as long as the random
 * histories are made in the same way: the shrunk history goes into engine-regressions.test.ts beside it.
 */
import type { PropertyName } from "./plan.ts";

/** A history that once broke a property. */
export interface Seed {
  readonly property: PropertyName;
  readonly seed: number;
  /** The path that fast-check prints: which of the seed's histories, and how it was shrunk. */
  readonly path: string;
  readonly why: string;
}

/** Newest last. */
export const SEEDS: readonly Seed[] = [
  {
    property: "a restart means nothing",
    seed: -1040291265,
    path: "169:11:0:0:0:1:1:1:1:1:1:1:5:4:6:5:5:5:5:5:5:5:4:4:3:4:3:3:3:3:3:3:3:3:4:4:4:4:4:4:4:4:4:19:20:1:1:1:1:1:1",
    why: "a silence longer than the horizon was forgotten by a restart: a rule without groups no longer reported its windows",
  },
  {
    property: "a restart means nothing to extensions",
    seed: -919556810,
    path: "1:0:0:0:0:0:0:1:1:0:0:25:27:27:27:25:25:25:25:25:25:25:25:25:26:26:26:0:0:0:0",
    why: "a group first seen longer ago than lookback and min_history was new again after a restart",
  },
];
