/** A rule that is taken away and comes back later goes on from its rows, and is told what it missed. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import { testReader, uuid5 } from "../core/correlation/build.ts";
import { commit, emptyStore, needed, restore } from "./log.ts";
import { finals, naiveFinals, rulesOf } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { longScene } from "./scenes.ts";

/** What a run was like. */
interface Counts {
  /** Comebacks that found rows. */
  found: number;
  /** Replays that began before the horizon, because the rows ended there, and after the start of the log. */
  gaps: number;
}

/** The last emission of every alert of a rule that is there, or not, before each step. */
function runAway({ specs, steps, latenessMs, evidenceMax }: Scene, there: readonly boolean[], counts: Counts): Alert[] {
  const stored = emptyStore();
  const known = new Set<string>();
  const told = new Map<string, Alert>();
  const tell = (alerts: readonly Alert[]): void => {
    for (const alert of alerts) told.set(alert.id, alert);
  };
  const running = engine(rulesOf([]), { reader: testReader, uuid5, latenessMs, evidenceMax, baselines: true });
  let present = false;
  const change = (to: boolean): void => {
    if (present === to) return;
    present = to;
    const replay = running.reload(rulesOf(to ? specs : []));
    if (to) {
      if (restore(replay, stored) > 0) counts.found++;
      const wanted = needed(replay, stored);
      if (replay.neededFrom < stored.watermark! - replay.horizonMs && wanted.length < stored.log.length) counts.gaps++;
      tell(replay.push(wanted));
    }
    tell(replay.finish());
    commit(running, stored);
  };
  for (const [index, step] of steps.entries()) {
    // What never decided anything is new when it comes back.
    change(stored.heads.size === 0 || (there[index] ?? true));
    if ("push" in step) {
      const fresh = step.push.filter(({ uid }) => !known.has(uid) && known.add(uid));
      stored.log.push(...fresh);
      tell(running.push(fresh));
    } else {
      tell(running.advance(step.advance));
      stored.watermark = Math.max(stored.watermark ?? Number.NEGATIVE_INFINITY, step.advance.all);
    }
    commit(running, stored);
  }
  change(true);
  tell(running.finish());
  return [...told.values()];
}

it("a rule that was away knows what came in between, and loses no alert of its own", () => {
  const counts = { found: 0, gaps: 0 };
  // Rules over or under others look back by windows alone, and miss what ended while they were away.
  const alone = longScene.map((given) => ({ ...given, specs: given.specs.filter(({ id }) => id === "one") }));
  const scenes = alone.filter(({ specs: [one] }) => one!.rules.every((rule) => rule !== "inner"));
  holdsFor(
    "a rule that was away comes back",
    fc.tuple(scenes, fc.array(fc.boolean(), { maxLength: 60, size: "max" })),
    ([given, there]) => {
      const own = ({ ruleId }: { readonly ruleId: string }): boolean => ruleId === "one";
      expect(finals(runAway(given, there, counts)).filter(own)).toEqual(naiveFinals(given).filter(own));
    },
  );
  expect(counts.found).toBeGreaterThan(100);
  expect(counts.gaps).toBeGreaterThan(20);
});
