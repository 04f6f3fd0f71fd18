import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import { detection, ruleSet, testReader, uuid5 } from "../core/correlation/build.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { delivery, DETECTIONS, history, ruleSpecs } from "./naive-histories.ts";
import type { Step } from "./naive-histories.ts";
import { naive, sorted } from "./naive.ts";
import type { NaiveAlert } from "./naive.ts";

/** Histories per property; more with the environment variable. */
const RUNS = Number(process.env["CUSTODES_PROPERTY_RUNS"] ?? 1500);

function rulesOf(specs: readonly CorrelationSpec[], alerts = true) {
  const detections = DETECTIONS.map((id) => detection(id, { alerts: alerts && id === "r", suppressMs: 12 }));
  return ruleSet(detections, specs);
}

function bare(alert: Alert): NaiveAlert {
  const { id, ruleId, group, bucket, firstTime, lastTime, count, evidence, agents } = alert;
  return { id, ruleId, group: { ...group }, bucket, firstTime, lastTime, count, evidence: [...evidence], agents: [...agents] };
}

/** Everything that the engine emits over a delivery. */
function run(specs: readonly CorrelationSpec[], steps: readonly Step[], latenessMs: number): readonly Alert[] {
  const made = engine(rulesOf(specs), { reader: testReader, uuid5, latenessMs });
  const out: Alert[] = [];
  for (const step of steps) out.push(...("push" in step ? made.push(step.push) : made.advance({ all: step.advance })));
  out.push(...made.finish());
  return out;
}

function finals(alerts: readonly Alert[]): NaiveAlert[] {
  return sorted(alerts.filter(({ final }) => final).map(bare));
}

const scene = fc
  .tuple(ruleSpecs, history)
  .chain(([specs, events]) => delivery(events).map(({ steps, latenessMs }) => ({ specs, events, steps, latenessMs })));

function check({
  specs,
  events,
  steps,
  latenessMs,
}: {
  specs: readonly CorrelationSpec[];
  events: readonly TestEvent[];
  steps: readonly Step[];
  latenessMs: number;
}): void {
  const emitted = run(specs, steps, latenessMs);
  expect(finals(emitted)).toEqual(naive(rulesOf(specs), events, testReader, uuid5));
}

describe("the engine", () => {
  it("gives the final alerts of the text of the semantics, for any order, split, repetition and watermark", () => {
    fc.assert(fc.property(scene, check), { numRuns: RUNS });
  });

  it("emits provisionally only what becomes final, with growing revisions", () => {
    fc.assert(
      fc.property(scene, ({ specs, steps, latenessMs }) => {
        const last = new Map<string, Alert>();
        for (const alert of run(specs, steps, latenessMs)) {
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
      { numRuns: RUNS },
    );
  });
});
