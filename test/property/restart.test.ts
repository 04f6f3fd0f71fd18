import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runWithCrashes } from "./log.ts";
import { finals, naiveFinals } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { longScene, scene } from "./scenes.ts";

/** A scene, and after which of its steps the process ends. */
function crashing(scenes: fc.Arbitrary<Scene>): fc.Arbitrary<readonly [Scene, ReadonlySet<number>]> {
  return fc
    .tuple(scenes, fc.oneof(fc.constant(Array.from({ length: 60 }, (_, index) => index)), fc.array(fc.nat(12), { minLength: 1 })))
    .map(([given, crashes]) => [given, new Set(crashes)] as const);
}

function same([given, crashes]: readonly [Scene, ReadonlySet<number>]): void {
  expect(finals(runWithCrashes(given, crashes))).toEqual(naiveFinals(given));
}

describe("a process that ends after any commit, and replays the horizon of its log", () => {
  it("gives the final alerts of one that never ended", () => {
    holdsFor("a restart means nothing", crashing(scene), same);
  });

  it("gives the final alerts of one that never ended, for new values and baselines", () => {
    holdsFor("a restart means nothing to extensions", crashing(longScene), same);
  });
});
