import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { check, finals, run } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import { extensionSpecs, longHistory } from "./naive-extension-histories.ts";
import { delivery, history, ruleSpecs } from "./naive-histories.ts";
import type { NaiveAlert } from "./naive.ts";

/** Histories per property; more with the environment variable. */
const RUNS = Number(process.env["CUSTODES_PROPERTY_RUNS"] ?? 2000);

function sceneOf(specs: fc.Arbitrary<readonly CorrelationSpec[]>, events: fc.Arbitrary<readonly TestEvent[]>): fc.Arbitrary<Scene> {
  return fc
    .tuple(specs, events, fc.constantFrom(1, 2, 4, 25))
    .chain(([rules, items, evidenceMax]) => delivery(items).map((given) => ({ specs: rules, events: items, evidenceMax, ...given })));
}

const scene = sceneOf(ruleSpecs, history);
const longScene = sceneOf(extensionSpecs, longHistory);

describe("the engine", () => {
  it("gives the final alerts of the text of the semantics, for any order, split, repetition and watermark", () => {
    fc.assert(fc.property(scene, check), { numRuns: RUNS });
  });

  it("gives the final alerts of the text for new values and baselines too", () => {
    fc.assert(fc.property(longScene, check), { numRuns: Math.ceil(RUNS / 3) });
  });

  it("emits provisionally only what becomes final, with growing revisions", () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 5, arbitrary: scene }, longScene), (given) => {
        const last = new Map<string, Alert>();
        for (const alert of run(given)) {
          const before = last.get(alert.id);
          if (before !== undefined) {
            expect(before.final).toBe(false);
            expect(alert.revision).toBeGreaterThan(before.revision);
            expect(alert.count).toBeGreaterThanOrEqual(before.count);
            expect(alert.firstTime).toBeLessThanOrEqual(before.firstTime);
            expect(alert.lastTime).toBeGreaterThanOrEqual(before.lastTime);
          }
          last.set(alert.id, alert);
        }
        for (const alert of last.values()) expect(alert.final).toBe(true);
      }),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it("gives the same alerts, as much later as all events are, by a multiple of windows and buckets", () => {
    // A multiple of every timespan and suppression window of the random rules.
    const later = 60 * 1000;
    fc.assert(
      fc.property(scene, ({ specs, events, evidenceMax }) => {
        const all = { specs, evidenceMax, latenessMs: 0 };
        const here = finals(run({ ...all, events, steps: [{ push: events }] }));
        const moved = events.map((event) => ({ ...event, time: event.time + later }));
        const there = finals(run({ ...all, events: moved, steps: [{ push: moved }] }));
        const shape = (alert: NaiveAlert, by: number): unknown => ({
          ...alert,
          id: "",
          // Ids of inner alerts contain their bucket, and decide which of those of one time are evidence.
          ...(alert.ruleId === "outer" ? { evidence: alert.evidence.length, agents: [] } : undefined),
          bucket: alert.bucket + by,
          firstTime: alert.firstTime + by,
          lastTime: alert.lastTime + by,
        });
        const text = (alerts: readonly NaiveAlert[], by: number): string[] =>
          alerts.map((alert) => JSON.stringify(shape(alert, by))).sort();
        expect(text(there, 0)).toEqual(text(here, later));
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });
});
