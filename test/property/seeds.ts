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
    seed: 649231658,
    path: "796:309:13:0:0:0:0:0:2:3:2:3:4:4:4:4:4:4:4:4:7:6:6:6:6:6:6:8:8:8:8:8:8:8:8:8:26:25:25:25:25:25:26:28:27:27:27:28:9:8:8:8:8:8:9:9:9:9:9:9:9:9:9:11:11:11:11:12:13:13:13:13:13:13:13:13:0:0:0:0:0:0:0:0:1:3:0:1:0:0",
    why: "a silence longer than the horizon was forgotten by a restart: a rule without groups no longer reported its windows",
  },
  {
    property: "rows and a short replay are enough",
    seed: 2047777386,
    path: "1082",
    why: "what a rule remembers was stored one watermark late where a rule that sleeps refers to it, so a restart in between forgot it",
  },
];
