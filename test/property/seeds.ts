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
export const SEEDS: readonly Seed[] = [];
