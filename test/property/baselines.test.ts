/** A restart takes what is further back from stored rows, and replays only what is not decided for good. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { runWithCrashes } from "./log.ts";
import { finals, run } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { longScene } from "./scenes.ts";

it("restarts from stored rows and a short replay leave the final alerts of one run, byte for byte", () => {
  const counts = { rows: 0, short: 0 };
  let histories = 0;
  const restarts = fc.array(fc.boolean(), { minLength: 90, maxLength: 90 });
  holdsFor("rows and a short replay are enough", fc.tuple(longScene, restarts), ([given, after]) => {
    histories++;
    const crashes = new Set([...after.keys()].filter((step) => after[step]));
    expect(finals(runWithCrashes(given, crashes, counts))).toEqual(finals(run(given)));
  });
  // The property says nothing unless rows were stored and replays were short.
  expect(counts.rows).toBeGreaterThan(histories);
  expect(counts.short).toBeGreaterThan(histories / 4);
});
