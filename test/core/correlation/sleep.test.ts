/** Rules that sleep hold nothing of their own: what sleeping is for, which no alert shows. */
import { expect, test } from "vitest";
import { Backlog, type Sleeper } from "../../../src/core/correlation/backlog.ts";
import { Cells } from "../../../src/core/correlation/cells.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import { keysOf, type Key } from "../../../src/core/correlation/keys.ts";
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

test("groups that are over are not remembered for a rule that never sleeps", () => {
  const asked: Key[] = [];
  let keepFrom = Number.NEGATIVE_INFINITY;
  let groups = 0;
  const sleeper: Sleeper = {
    rules: 1,
    needs: { events: 2, withinMs: 10 },
    fields: [-1],
    // Each event is in a group of its own, which is over at once.
    take: () => ({ text: `${groups++}`, width: 1, first: undefined, rest: undefined, used: 0 }),
    keepFrom: () => keepFrom,
    idle(key) {
      asked.push(key);
      return true;
    },
    forget() {},
  };
  const counters = { events: 0, duplicates: 0, late: 0, ungrouped: 0, entries: 0 };
  const held = new Backlog<TestEvent>([sleeper], keysOf<TestEvent>([(event) => event["x"]]), new Cells(), counters, 1);
  const mark = { uid: "u", agents: undefined, cells: undefined };
  for (let time = 0; time < 1000; time++) {
    held.take({ uid: `b${time}`, time, is: ["p"], x: "a" }, time, { ...mark }, 1);
    keepFrom = time - 20;
    held.sweep();
  }
  expect(groups).toBe(1000);
  expect(asked).toEqual([]);
  keepFrom = 5000;
  held.sweep();
  expect(asked.length).toBeLessThan(5);
  expect(held.entries()).toBe(0);
});
