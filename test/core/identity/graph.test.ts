import fc from "fast-check";
import { expect, test } from "vitest";
import { compare, stories } from "./graph-stories.ts";

test("any order, repetition, schedule of watermarks and restart decide every event as the set of records says", () => {
  let shared = 0;
  let single = 0;
  fc.assert(
    fc.property(stories, fc.infiniteStream(fc.nat(10_000)), (story, chance) => {
      for (const candidates of compare(story, () => chance.next().value as number)) {
        if (candidates > 1) shared++;
        else if (candidates === 1) single++;
      }
    }),
    { numRuns: Number(process.env["GRAPH_RUNS"] ?? 500) },
  );
  // The stories are about something.
  expect(shared).toBeGreaterThan(100);
  expect(single).toBeGreaterThan(500);
});
