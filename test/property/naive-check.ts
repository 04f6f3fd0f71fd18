/** Runs the engine over a delivery, and compares its final alerts with the naive ones. */
import { expect } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { EngineOptions } from "../../src/core/correlation/engine.ts";
import type { RuleSet } from "../../src/core/sigma/rules.ts";
import { detection, ruleSet, testReader, uuid5 } from "../core/correlation/build.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { DETECTIONS } from "./naive-histories.ts";
import type { Delivery } from "./naive-histories.ts";
import { naive, sorted } from "./naive.ts";
import type { NaiveAlert } from "./naive.ts";

/** Rules, what happens, and how it reaches the engine. */
export interface Scene extends Delivery {
  readonly specs: readonly CorrelationSpec[];
  readonly events: readonly TestEvent[];
  readonly evidenceMax: number;
}

const CATEGORIES_OF = { p: ["dns"], q: ["dns", "egress"], r: undefined, s: ["egress"] } as const;

/** The rule set of specifications over the detections of random histories. */
export function rulesOf(specs: readonly CorrelationSpec[]): RuleSet<TestEvent> {
  const detections = DETECTIONS.map((id) => {
    const categories = CATEGORIES_OF[id];
    const matches = (event: TestEvent): boolean =>
      event.is.includes(id) && (categories === undefined || categories.some((one) => one === event.category));
    return detection(id, { matches, categories, alerts: id === "r", suppressMs: 12 });
  });
  return ruleSet(detections, specs);
}

/** What of an alert is a function of the events. */
export function bare(alert: Alert): NaiveAlert {
  const { id, ruleId, group, bucket, firstTime, lastTime, count, evidence, agents } = alert;
  return { id, ruleId, group: { ...group }, bucket, firstTime, lastTime, count, evidence: [...evidence], agents: [...agents] };
}

/** Everything that the engine emits over a delivery. */
export function run({ specs, steps, latenessMs, evidenceMax }: Scene, options: Partial<EngineOptions<TestEvent>> = {}): readonly Alert[] {
  const made = engine(rulesOf(specs), { reader: testReader, uuid5, latenessMs, evidenceMax, ...options });
  const out: Alert[] = [];
  for (const step of steps) out.push(...("push" in step ? made.push(step.push) : made.advance(step.advance)));
  out.push(...made.finish());
  return out;
}

export function finals(alerts: readonly Alert[]): NaiveAlert[] {
  return sorted(alerts.filter(({ final }) => final).map(bare));
}

/** The final alerts of the text. */
export function naiveFinals({ specs, events, evidenceMax }: Pick<Scene, "specs" | "events" | "evidenceMax">): NaiveAlert[] {
  return naive(rulesOf(specs), events, testReader, uuid5, evidenceMax);
}

/** The final alerts are those of the text, byte for byte; returns them. */
export function check(given: Scene): NaiveAlert[] {
  const expected = naiveFinals(given);
  expect(finals(run(given))).toEqual(expected);
  // Every fourth, or it would take twice as long.
  if (given.events.length % 4 === 0) expect(finals(run(given, { shortcuts: false }))).toEqual(expected);
  return expected;
}
