/** Random rules that sleep until an agent has enough events, many in one backlog, and histories in which they wake and sleep. */
import * as fc from "fast-check";
import type { BooleanCondition } from "../../src/core/sigma/rules.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { DETECTIONS, event } from "./naive-histories.ts";

const GROUPS: readonly (readonly string[])[] = [["x"], ["x"], ["ai_agent.uid"], ["x", "y"], ["ai_agent.uid", "x"]];

/** Needs events of all its rules, or at least four. */
function sleeper(id: string, rules: readonly string[], names: readonly (readonly string[])[]): fc.Arbitrary<CorrelationSpec> {
  const base = fc.record({
    id: fc.constant(id),
    rules: fc.shuffledSubarray([...rules], { minLength: 2, maxLength: Math.min(3, rules.length) }),
    groupBy: fc.constantFrom(...names),
    timespanMs: fc.constantFrom(6, 10, 12, 20),
    suppressMs: fc.constantFrom(5, 6, 12),
    more: fc.constantFrom({ latenessMs: 0 }, { latenessMs: 0 }, { latenessMs: 5 }),
  });
  const kinds = fc.constantFrom("temporal", "temporal_ordered", "and", "event_count", "event_count");
  return fc.tuple(base, kinds, fc.integer({ min: 4, max: 7 })).map(([common, kind, events]): CorrelationSpec => {
    if (kind === "event_count") return { ...common, type: "event_count", threshold: { gte: events } };
    if (kind !== "and") return { ...common, type: kind as "temporal", threshold: { gte: common.rules.length } };
    const of = common.rules.map((rule): BooleanCondition => ({ kind: "rule", rule }));
    return { ...common, type: "temporal", threshold: {}, more: { ...common.more, expression: { kind: "and", of } } };
  });
}

/** Several, perhaps with one over the alerts of two of them, and one over its. */
export const sleepers: fc.Arbitrary<readonly CorrelationSpec[]> = fc
  .tuple(
    fc.tuple(...["s1", "s2", "s3", "s4"].map((id) => sleeper(id, DETECTIONS, GROUPS))),
    sleeper("over", ["s1", "s2"], [["x"]]),
    sleeper("mixed", ["over", "p", "q"], [["x"]]),
    fc.nat(3),
  )
  .map(([plain, over, mixed, chains]) => {
    if (chains === 0) return plain;
    // An inner alert has the fields of its group alone.
    const inner = plain.map((spec, index): CorrelationSpec => (index < 2 ? { ...spec, groupBy: ["x"] } : spec));
    return chains === 1 ? [over, ...inner] : [mixed, over, ...inner];
  });

/** Eras in which different things happen, with quiet in between that lets much be forgotten. */
export const eras: fc.Arbitrary<readonly TestEvent[]> = fc
  .array(
    fc.record({
      happens: fc.subarray([...DETECTIONS], { minLength: 1 }),
      events: fc.array(event, { minLength: 1, maxLength: 18, size: "max" }),
      pace: fc.integer({ min: 0, max: 4 }),
      quiet: fc.constantFrom(0, 10, 40, 90),
    }),
    { minLength: 4, maxLength: 14, size: "max" },
  )
  .map((given) => {
    const made: TestEvent[] = [];
    let time = 0;
    for (const { happens, events, pace, quiet } of given) {
      for (const item of events) {
        time += pace;
        const is = item.is.filter((rule) => happens.some((one) => one === rule));
        made.push({ ...item, uid: `e${made.length}`, is, x: made.length % 5 === 0 ? item["x"] : "a", time });
      }
      time += quiet;
    }
    return made;
  });
