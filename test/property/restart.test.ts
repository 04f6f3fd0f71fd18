import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runWithCrashes } from "./log.ts";
import { finals, naiveFinals } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { longScene, scene } from "./scenes.ts";

/** A scene, and after which of its steps the process ends. */
function crashing(scenes: fc.Arbitrary<Scene>): fc.Arbitrary<readonly [Scene, ReadonlySet<number>]> {
  const everywhere = fc.constant(Array.from({ length: 60 }, (_, index) => index));
  const somewhere = fc.array(fc.nat(12), { minLength: 1, maxLength: 4 });
  return fc
    .tuple(scenes, fc.oneof(everywhere, { weight: 3, arbitrary: somewhere }))
    .map(([given, crashes]) => [given, new Set(crashes)] as const);
}

/** Nothing is kept for late events, and perhaps one rule is alone: then the horizon is the rules' own, and it has to do. */
function tight([given, alone]: readonly [Scene, boolean]): Scene {
  const specs = (alone ? given.specs.slice(-1) : given.specs).map((spec) => ({ ...spec, more: { ...spec.more, latenessMs: 0 } }));
  return { ...given, specs, latenessMs: 0 };
}

function same([given, crashes]: readonly [Scene, ReadonlySet<number>]): void {
  expect(finals(runWithCrashes(given, crashes))).toEqual(naiveFinals(given));
}

describe("a process that ends after any commit, and replays the horizon of its log", () => {
  it("gives the final alerts of one that never ended", () => {
    holdsFor("a restart means nothing", crashing(scene), same);
  });

  it("needs no more of the log than the horizon of its rules", () => {
    holdsFor("a horizon is enough", crashing(fc.tuple(scene, fc.boolean()).map(tight)), same);
  });

  it("gives the final alerts of one that never ended, for new values and baselines", () => {
    holdsFor("a restart means nothing to extensions", crashing(longScene), same);
  });
});
