/** Which properties of the engine there are, how many histories each tries, and how one is run. */
import * as fc from "fast-check";
import { vi } from "vitest";
import { SEEDS } from "./seeds.ts";

// How long histories take says nothing about them: a busy machine must fail no property.
vi.setConfig({ testTimeout: 600_000 });

/** Histories per property in `npm test`. A thousand of them cost about a second of CPU. */
export const HISTORIES = {
  "final alerts": 5000,
  "final alerts of extensions": 2000,
  "final alerts of busy groups": 400,
  "provisional alerts": 1500,
  "arrival means nothing": 1500,
  "a restart means nothing": 1500,
  "a horizon is enough": 2000,
  "a restart means nothing to extensions": 500,
  "rows and a short replay are enough": 1500,
  "a rule that was away comes back": 1000,
  "later is the same": 1000,
  "other names are the same": 1500,
  "too late is an amendment": 1500,
  "what is kept is amended": 1000,
  "written rules": 1500,
  "shortcuts change nothing": 1000,
  "candidates are groups": 500,
  "sleeping changes nothing": 600,
  "sleeping outlives restarts": 150,
  "events behind alerts": 1000,
  "the store keeps everything": 120,
} as const;

/** The same for properties of single rules and events. */
const DOCUMENTS = { "detections say what the text says": 3000 } as const;

const RUNS = { ...HISTORIES, ...DOCUMENTS };

/** The name of a property. */
export type PropertyName = keyof typeof RUNS;

/** CUSTODES_PROPERTY_RUNS is how many histories the smallest shares of a thousand stand for: 10000 is ten times as many. */
const FACTOR = Number(process.env["CUSTODES_PROPERTY_RUNS"] ?? 1000) / 1000;

/** As `holdsFor`, for a check that waits for a store. */
export async function holdsInStoreFor<T>(
  name: PropertyName,
  histories: fc.Arbitrary<T>,
  check: (history: T) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(histories, check);
  for (const { seed, path } of SEEDS.filter((one) => one.property === name)) await fc.assert(property, { seed, path, endOnFailure: true });
  await fc.assert(property, { numRuns: Math.ceil(RUNS[name] * FACTOR) });
}

/**
 * Replays every seed that anyone ever met, then tries fresh histories.
 * @throws with the seed, the path and the shrunk history; put the seed into seeds.ts
 */
export function holdsFor<T>(name: PropertyName, histories: fc.Arbitrary<T>, check: (history: T) => void): void {
  const property = fc.property(histories, check);
  for (const { seed, path } of SEEDS.filter((one) => one.property === name)) fc.assert(property, { seed, path, endOnFailure: true });
  fc.assert(property, { numRuns: Math.ceil(RUNS[name] * FACTOR) });
}
