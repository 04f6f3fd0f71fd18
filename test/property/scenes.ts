/** Random scenes: rules, what happens, and how it reaches the engine. */
import * as fc from "fast-check";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import type { Scene } from "./naive-check.ts";
import { extensionSpecs, longHistory } from "./naive-extension-histories.ts";
import { eras, sleepers } from "./naive-sleepers.ts";
import { busyHistory, delivery, history, ruleSpecs } from "./naive-histories.ts";

function sceneOf(specs: fc.Arbitrary<readonly CorrelationSpec[]>, events: fc.Arbitrary<readonly TestEvent[]>): fc.Arbitrary<Scene> {
  return fc
    .tuple(specs, events, fc.constantFrom(1, 2, 4, 25))
    .chain(([rules, items, evidenceMax]) => delivery(items).map((given) => ({ specs: rules, events: items, evidenceMax, ...given })));
}

/** Rules of every type whose windows are milliseconds, and a history around their boundaries. */
export const scene: fc.Arbitrary<Scene> = sceneOf(ruleSpecs, history);
/** The same rules, and a longer history, of which much is forgotten on the way. */
export const busyScene: fc.Arbitrary<Scene> = sceneOf(ruleSpecs, busyHistory);
/** Rules of the extension types, and a history over ten days. */
export const longScene: fc.Arbitrary<Scene> = sceneOf(extensionSpecs, longHistory);
/** Rules that sleep, and a history in which they wake and sleep again while watermarks move. */
export const sleeperScene: fc.Arbitrary<Scene> = sceneOf(sleepers, eras).filter(({ latenessMs }) => latenessMs <= 100);
/** Any of both. */
export const anyScene: fc.Arbitrary<Scene> = fc.oneof({ weight: 4, arbitrary: scene }, longScene);
