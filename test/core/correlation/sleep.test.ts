/** Rules that sleep hold nothing of their own: what sleeping is for, which no alert shows. */
import { expect, test } from "vitest";
import { engine } from "../../../src/core/correlation/engine.ts";
import type { Engine } from "../../../src/core/correlation/types.ts";
import { detection, ruleSet, testReader, uuid5, type CorrelationSpec, type TestEvent } from "./build.ts";

const detections = ["p", "q", "r"].map((id) => detection(id, { alerts: false }));
const base = { groupBy: ["x"], timespanMs: 10, suppressMs: 10, more: { latenessMs: 0 } };
const BOTH: CorrelationSpec = { ...base, id: "both", type: "temporal", rules: ["p", "q"], threshold: { gte: 2 } };
const OTHER: CorrelationSpec = { ...base, id: "other", type: "temporal", rules: ["p", "r"], threshold: { gte: 2 } };
const MANY: CorrelationSpec = { ...base, id: "many", type: "event_count", rules: ["p"], threshold: { gte: 5 } };

let uid = 0;
const happens = (is: string, times: readonly number[]): TestEvent[] =>
  times.map((time) => ({ uid: `e${uid++}`, time, is: [is], x: "a", category: "dns" }));
const running = (specs: readonly CorrelationSpec[]): Engine<TestEvent> =>
  engine(ruleSet(detections, specs), { reader: testReader, uuid5, latenessMs: 0 });

/** Watermarks one by one, so that every sweep that can be is. */
function quiet(made: Engine<TestEvent>, from: number, to: number): void {
  for (let time = from; time <= to; time += 5) made.advance({ all: time });
}

test("events are held once while rules sleep, again for each that wakes, and once when they sleep again", () => {
  const made = running([BOTH, OTHER]);
  made.push(happens("p", [100, 101, 102]));
  expect(made.stats.entries).toBe(3);
  expect(made.push(happens("q", [103])).map(({ ruleId }) => ruleId)).toEqual(["both"]);
  expect(made.stats.entries).toBe(8);
  quiet(made, 104, 300);
  expect(made.stats.entries).toBe(0);
  made.push(happens("p", [400, 401, 402]));
  expect(made.stats.entries).toBe(3);
  expect(made.push(happens("q", [403])).map(({ ruleId }) => ruleId)).toEqual(["both"]);
  expect(made.stats.entries).toBe(8);
  quiet(made, 404, 600);
  made.push(happens("q", [700]));
  made.push(happens("r", [701]));
  expect(made.stats.entries).toBe(2);
});

test("a rule that counts sleeps until enough events are near each other, and again when they are not", () => {
  const made = running([MANY]);
  made.push(happens("p", [0, 20, 40, 60, 80, 100]));
  quiet(made, 0, 100);
  const held = made.stats.entries;
  made.push(happens("p", [101, 102, 103]));
  expect(made.stats.entries).toBe(held + 3);
  expect(made.push(happens("p", [104])).map(({ ruleId }) => ruleId)).toEqual(["many"]);
  expect(made.stats.entries).toBeGreaterThan(held + 4);
  quiet(made, 105, 300);
  expect(made.stats.entries).toBe(0);
  made.push(happens("p", [400, 401]));
  expect(made.stats.entries).toBe(2);
});
