import { describe, expect, it } from "vitest";
import type { Alert } from "../../../src/core/alert.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import type { BooleanCondition } from "../../../src/core/sigma/rules.ts";
import { detection, ruleSet, testReader, uuid5 } from "./build.ts";
import type { CorrelationSpec, TestEvent } from "./build.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

/** Inner rule: three of p within a minute. */
const burst: CorrelationSpec = {
  id: "burst",
  type: "event_count",
  rules: ["p"],
  groupBy: ["x"],
  timespanMs: 60 * SECOND,
  suppressMs: HOUR,
  threshold: { gte: 3 },
  alerts: false,
};
/** A burst, then q. */
const chain: CorrelationSpec = {
  id: "chain",
  type: "temporal_ordered",
  rules: ["burst", "q"],
  groupBy: ["x"],
  timespanMs: 60 * SECOND,
  suppressMs: HOUR,
  threshold: { gte: 2 },
};

function event(is: string, second: number, more: Partial<TestEvent> = {}): TestEvent {
  return { uid: `${is}${second}`, x: "a", ...more, time: second * SECOND, is: [is] };
}

/** What is emitted at the end for the rule. */
function final(specs: readonly CorrelationSpec[], events: readonly TestEvent[], rule: string): Alert {
  const run = engine(ruleSet([detection("p"), detection("q"), detection("r")], specs), { reader: testReader, uuid5, latenessMs: 0 });
  run.push(events);
  const found = run.finish().filter((alert) => alert.ruleId === rule && alert.final);
  expect(found).toHaveLength(1);
  return found[0]!;
}

const burstId = uuid5('burst\n{"x":"a"}\n0');

describe("the events behind an alert", () => {
  it("are not mentioned when its evidence is events alone", () => {
    const alert = final([{ ...burst, alerts: true }], [event("p", 1), event("p", 2), event("p", 3)], "burst");
    expect(alert.evidence).toEqual(["p1", "p2", "p3"]);
    expect(Object.keys(alert)).not.toContain("behind");
  });

  it("are those of an inner alert's earliest satisfied window, while the evidence stays as it is", () => {
    const alert = final([burst, chain], [...[1, 2, 3, 4].map((second) => event("p", second)), event("q", 5)], "chain");
    expect(alert.evidence).toEqual([burstId, "q5"]);
    expect(alert.behind).toEqual(["p1", "p2", "p3"]);
  });

  it("are found through several levels, in order of time", () => {
    const top: CorrelationSpec = { ...chain, id: "top", rules: ["chain", "r"] };
    const events = [...[1, 2, 3].map((second) => event("p", second)), event("q", 5), event("r", 6)];
    const alert = final([top, burst, { ...chain, alerts: false }], events, "top");
    expect(alert.evidence).toEqual([uuid5('chain\n{"x":"a"}\n0'), "r6"]);
    expect(alert.behind).toEqual(["p1", "p2", "p3", "q5"]);
  });

  it("of one time are in order of uid, however they came", () => {
    const events = ["c", "a", "b"].map((uid) => event("p", 1, { uid }));
    expect(final([burst, chain], [...events, event("q", 5)], "chain").behind).toEqual(["a", "b", "c"]);
  });

  it("are at most 25, the first of all inner alerts together", () => {
    const many: CorrelationSpec = { ...burst, threshold: { gte: 20 } };
    const both: CorrelationSpec = { ...chain, id: "both", type: "event_count", rules: ["burst"], groupBy: [] };
    const name = (group: string, second: number): string => `${String(second).padStart(2, "0")}${group}`;
    const seconds = Array.from({ length: 20 }, (_, second) => second);
    const events = seconds.flatMap((second) => ["a", "b"].map((x) => event("p", second, { x, uid: name(x, second) })));
    const alert = final([many, both], events, "both");
    expect(alert.evidence).toHaveLength(2);
    expect(alert.behind).toEqual(events.slice(0, 25).map(({ uid }) => uid));
  });

  it("are named once, also when several inner alerts share them", () => {
    const same: CorrelationSpec = { ...burst, id: "same" };
    const both: CorrelationSpec = { ...chain, type: "temporal", rules: ["burst", "same"] };
    const alert = final([burst, same, both], [event("p", 1), event("p", 2), event("p", 3)], "chain");
    expect(alert.evidence).toHaveLength(2);
    expect(alert.behind).toEqual(["p1", "p2", "p3"]);
  });

  const positive: BooleanCondition = { kind: "rule", rule: "p" };
  const expression: BooleanCondition = { kind: "and", of: [positive, { kind: "not", of: { kind: "rule", rule: "r" } }] };
  it.each<[string, Partial<CorrelationSpec>, readonly string[]]>([
    ["a tumbling window", { type: "value_avg", threshold: { gt: 0 }, fields: ["v"] }, ["p1", "p2", "p3"]],
    ["a boolean condition", { type: "temporal", rules: ["p", "r"], threshold: {}, more: { expression } }, ["p1", "p2", "p3"]],
    ["a new value", { type: "new_value", fields: ["v"], more: { newValue: { lookbackMs: HOUR, minHistoryMs: 0 } } }, ["p1"]],
  ])("are known of %s too", (_, changes, behind) => {
    const events = [1, 2, 3].map((second) => event("p", second, { v: second }));
    const alert = final([{ ...burst, ...changes }, chain], [...events, event("q", 30)], "chain");
    expect(alert.evidence).toEqual([burstId, "q30"]);
    expect(alert.behind).toEqual(behind);
  });

  it("are none of a window that is empty", () => {
    const silent: CorrelationSpec = { ...burst, id: "silent", type: "value_count", fields: ["v"], threshold: { lt: 1 } };
    const over: CorrelationSpec = { ...chain, type: "event_count", rules: ["silent"], threshold: { gte: 1 } };
    const events = [
      event("p", 1, { v: 1 }),
      event("p", 100, { uid: "other", x: "b", v: 1 }),
      event("p", 125, { uid: "last", x: "b", v: 1 }),
    ];
    const alert = final([silent, over], events, "chain");
    expect(alert.group).toEqual({ x: "a" });
    expect(alert.evidence).toHaveLength(1);
    expect(alert.behind).toBeUndefined();
  });
});
