import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { engine } from "../../src/core/correlation/engine.ts";
import type { EngineOptions } from "../../src/core/correlation/engine.ts";
import { plainReader } from "../../src/core/sigma/plain-reader.ts";
import type { PlainEvent } from "../../src/core/sigma/plain-reader.ts";
import { testReader, uuid5 } from "../core/correlation/build.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { compilePlain } from "../core/sigma/build.ts";
import { bare } from "./naive-check.ts";
import { extensionSpecs, longHistory } from "./naive-extension-histories.ts";
import { history, ruleSpecs } from "./naive-histories.ts";
import { naive, sorted } from "./naive.ts";
import type { NaiveAlert } from "./naive.ts";
import { holdsFor } from "./plan.ts";
import { meaning, ruleFile } from "./written.ts";

interface Written {
  readonly specs: readonly CorrelationSpec[];
  readonly events: readonly TestEvent[];
  /** Rules that say `generate: true`. */
  readonly loud: ReadonlySet<string>;
}

/** Durations are written in whole seconds. */
const SCALE = 1000;
const DAY = 86_400_000;

const short = fc.tuple(ruleSpecs, history).map(([specs, events]) => ({
  specs: specs.map((spec) => ({
    ...spec,
    timespanMs: spec.timespanMs * SCALE,
    ...(spec.suppressMs && { suppressMs: spec.suppressMs * SCALE }),
  })),
  events: events.map((event) => ({ ...event, time: event.time * SCALE })),
}));
const long = fc.tuple(extensionSpecs, longHistory).map(([specs, events]) => ({
  specs: specs.map((spec) => {
    const { newValue, baseline } = spec.more ?? {};
    const lookbackMs = Math.ceil((newValue?.lookbackMs ?? 0) / SCALE) * SCALE;
    // Days that hold no window reject the rule.
    const baselineDays = Math.max(baseline?.baselineDays ?? 0, spec.timespanMs / DAY);
    const more = {
      ...(newValue && { newValue: { ...newValue, lookbackMs } }),
      ...(baseline && { baseline: { ...baseline, baselineDays } }),
    };
    return { ...spec, more };
  }),
  events,
}));
const written: fc.Arbitrary<Written> = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: short }, long), fc.subarray(["one", "two", "outer", "top", "aliased"]))
  .map(([{ specs, events }, loud]) => ({
    specs,
    events: events.map((event) => {
      // Plain events have no agents.
      const { agent: _, category: __, ...rest } = event;
      return rest;
    }),
    loud: new Set(loud),
  }));

function plainEvents(events: readonly TestEvent[]): PlainEvent[] {
  return events.map((event) => ({
    uid: event.uid,
    time: event.time,
    value: JSON.parse(JSON.stringify(event)) as PlainEvent["value"],
  }));
}

function alertsOf({ specs, events, loud }: Written, options: Partial<EngineOptions<PlainEvent>> = {}): NaiveAlert[] {
  const rules = compilePlain(ruleFile(specs, loud));
  expect(rules.rejected).toEqual([]);
  const running = engine(rules, { reader: plainReader(), uuid5, latenessMs: 0, ...options });
  const out = [...running.push(plainEvents(events)), ...running.finish()];
  return sorted(out.filter(({ final }) => final).map(bare));
}

/** Everything that makes the engine or the compiler faster and can be switched off: each changes nothing. */
const SHORTCUTS: readonly Partial<EngineOptions<PlainEvent>>[] = [
  { distinct: true },
  { shortcuts: false },
  { distinct: true, shortcuts: false },
];

describe("rules as they are written", () => {
  it("mean what the text says, from the document to the alert, with all that mutes and generates", () => {
    holdsFor("written rules", written, (given) => {
      const { specs, events, loud } = given;
      expect(alertsOf(given)).toEqual(naive(meaning(specs, loud), events, testReader, uuid5, 25));
    });
  });

  it("mean the same with and without every shortcut", () => {
    holdsFor("shortcuts change nothing", written, (given) => {
      const expected = alertsOf(given);
      for (const shortcut of SHORTCUTS) expect(alertsOf(given, shortcut)).toEqual(expected);
    });
  });
});
