import { describe, expect, it } from "vitest";
import type { Alert } from "../../../src/core/alert.ts";
import { engine, unsupported } from "../../../src/core/correlation/engine.ts";
import type { BooleanCondition } from "../../../src/core/sigma/rules.ts";
import { correlation, detection, ruleSet, testReader, uuid5 } from "./build.ts";
import type { CorrelationSpec, TestEvent } from "./build.ts";

const SECOND = 1000;
const count: CorrelationSpec = {
  id: "many",
  type: "event_count",
  rules: ["p"],
  groupBy: ["x"],
  timespanMs: 10 * SECOND,
  suppressMs: 60 * SECOND,
  threshold: { gte: 3 },
};

function made(specs: readonly CorrelationSpec[], detections = [detection("p"), detection("q")], latenessMs = 0) {
  return engine(ruleSet(detections, specs), { reader: testReader, uuid5, latenessMs });
}

function p(second: number, more: Partial<TestEvent> = {}): TestEvent {
  const { uid = `p${second}`, ...rest } = more;
  return { uid, time: second * SECOND, is: ["p"], x: "a", ...rest };
}

const shape = (alerts: readonly Alert[]): unknown => alerts.map((one) => [one.revision, one.final, one.count, one.firstTime, one.lastTime]);

describe("provisional alerts", () => {
  it("come with the event that satisfies the rule, when the count doubles, and at the end of the bucket", () => {
    const run = made([count]);
    const emitted: unknown[] = [];
    for (let second = 0; second < 13; second++) emitted.push(...(shape(run.push([p(second)])) as unknown[]));
    expect(emitted).toEqual([
      [1, false, 3, 0, 2000],
      [2, false, 6, 0, 5000],
      [3, false, 12, 0, 11000],
    ]);
    expect(run.advance({ all: 60 * SECOND - 1 })).toEqual([]);
    expect(shape(run.advance({ all: 60 * SECOND }))).toEqual([[4, true, 13, 0, 12000]]);
    expect(run.finish()).toEqual([]);
  });

  it("come as well when the event that was missing arrives last", () => {
    const run = made([count]);
    expect(run.push([p(10), p(0)])).toEqual([]);
    expect(shape(run.push([p(5)]))).toEqual([[1, false, 3, 0, 10000]]);
  });

  it("are not repeated before the count has doubled since the last one", () => {
    const run = made([count]);
    expect(shape(run.push([0, 1, 2, 3, 4].map((second) => p(second))))).toEqual([[1, false, 5, 0, 4000]]);
    expect(run.push([p(5), p(6), p(7), p(8)])).toEqual([]);
    expect(shape(run.push([p(9)]))).toEqual([[2, false, 10, 0, 9000]]);
  });

  it("count events between their first and last that are in no satisfied window", () => {
    const run = made([{ ...count, suppressMs: 600 * SECOND }]);
    expect(run.push([1, 2, 3, 301, 302, 303].map((second) => p(second)))).toHaveLength(1);
    const between = [50, 80, 110, 140, 170, 200].map((second) => p(second));
    expect(shape(run.push(between))).toEqual([[3, false, 12, 1000, 303000]]);
  });

  it("have the same numbers however the events were split", () => {
    const events = Array.from({ length: 20 }, (_, second) => p(second));
    const finals = [1, 3, 20].map((size) => {
      const run = made([count]);
      for (let at = 0; at < events.length; at += size) run.push(events.slice(at, at + size));
      return run.finish();
    });
    expect(finals[1]).toEqual(finals[0]);
    expect(finals[2]).toEqual(finals[0]);
    expect(finals[0]![0]!.revision).toBe(4);
  });

  it("are not emitted by rules that more events could refute", () => {
    const run = made([{ ...count, threshold: { gte: 2, lt: 4 } }]);
    expect(run.push([p(0), p(1), p(2)])).toEqual([]);
    expect(shape(run.finish())).toEqual([[1, true, 3, 0, 2000]]);
  });

  it("wait, over other correlations, until the inner alert cannot move any more", () => {
    const outer: CorrelationSpec = { id: "outer", type: "event_count", rules: ["many"], timespanMs: SECOND, threshold: { gte: 1 } };
    const run = made([outer, { ...count, alerts: false }]);
    expect(run.push([p(1), p(2), p(3)])).toEqual([]);
    expect(run.advance({ all: 3 * SECOND })).toEqual([]);
    const [alert] = run.advance({ all: 3 * SECOND + 1 });
    expect(alert).toMatchObject({ ruleId: "outer", firstTime: 3000, final: false });
    expect(alert!.evidence).toEqual([uuid5('many\n{"x":"a"}\n0')]);
  });
});

describe("late events", () => {
  it("amend a final alert under its id, and are counted", () => {
    const run = made([count], undefined, 30 * SECOND);
    run.push([p(1), p(2), p(3)]);
    const [final] = run.advance({ all: 61 * SECOND });
    expect(run.push([p(2.5)])).toEqual([]);
    const [amended] = run.advance({ all: 62 * SECOND });
    expect(amended).toMatchObject({ id: final!.id, count: 4, final: true, evidence: ["p1", "p2", "p2.5", "p3"] });
    expect(amended!.revision).toBeGreaterThan(final!.revision);
    expect(run.stats.late).toBe(1);
    expect(run.finish()).toEqual([]);
  });

  it("raise an alert of their own when they complete a window", () => {
    const run = made([count], undefined, 30 * SECOND);
    run.push([p(1), p(2)]);
    run.advance({ all: 61 * SECOND });
    expect(run.push([p(3)])).toHaveLength(1);
    expect(shape(run.finish())).toEqual([[2, true, 3, 1000, 3000]]);
  });

  it("reach the rules over a correlation at once", () => {
    const outer: CorrelationSpec = { id: "outer", type: "event_count", rules: ["many"], timespanMs: SECOND, threshold: { gte: 1 } };
    const run = made([outer, { ...count, alerts: false }], undefined, 30 * SECOND);
    run.push([p(1), p(3)]);
    run.advance({ all: 20 * SECOND });
    expect(run.push([p(2)]).map((one) => one.ruleId)).toEqual(["outer"]);
  });

  it("amend an alert with an event that is in no satisfied window", () => {
    const run = made([count], undefined, 30 * SECOND);
    run.push([1, 2, 3, 41, 42, 43].map((second) => p(second)));
    run.advance({ all: 61 * SECOND });
    run.push([p(20)]);
    expect(shape(run.advance({ all: 62 * SECOND }))).toEqual([[4, true, 7, 1000, 43000]]);
  });

  it("never make the engine throw, however late", () => {
    const run = made([
      count,
      { ...count, id: "few", threshold: { lt: 2 } },
      { ...count, id: "distinct", type: "value_count", fields: ["x"] },
    ]);
    run.push(Array.from({ length: 500 }, (_, second) => p(1000 + second)));
    run.advance({ all: 5000 * SECOND });
    expect(() => run.push(Array.from({ length: 500 }, (_, second) => p(second)))).not.toThrow();
    expect(() => run.finish()).not.toThrow();
    expect(run.stats.late).toBe(500);
  });
});

describe("what the engine remembers", () => {
  it("is dropped when the watermark has passed the windows, groups included", () => {
    const run = made([count], undefined, 0);
    for (let second = 0; second < 5000; second++) {
      run.push([p(second, { x: `group ${second}` })]);
      run.advance({ all: second * SECOND });
    }
    // A bucket, a window, and the step between sweeps.
    expect(run.stats.entries).toBeLessThan(200);
    expect(run.horizonMs).toBe(130 * SECOND);
  });

  it("counts events, duplicates and events without a group, once each", () => {
    const run = made([count]);
    run.push([p(1), p(1), p(2, { x: null }), { uid: "none", time: 5, is: [] }]);
    expect(run.stats).toEqual({ events: 3, duplicates: 1, late: 0, ungrouped: 1, entries: 1 });
  });

  it("lets the first of two events with one uid win, also at another time", () => {
    const run = made([count]);
    run.push([p(1), p(2, { uid: "p1" }), p(3)]);
    expect(run.finish()).toEqual([]);
    expect(run.stats.duplicates).toBe(1);
  });

  it("holds a rule back for the categories that feed it alone", () => {
    const dns = detection("p", { categories: ["dns"] });
    const run = engine(ruleSet([dns], [count]), { reader: testReader, uuid5, latenessMs: 0 });
    run.push([p(1), p(2), p(3)].map((event) => ({ ...event, category: "dns" as const })));
    const watermark = (dnsSecond: number) => ({ all: 0, byCategory: new Map([["dns" as const, dnsSecond * SECOND]]) });
    expect(run.advance(watermark(59))).toEqual([]);
    expect(run.advance(watermark(60))).toHaveLength(1);
  });
});

describe("alerts", () => {
  it("carry the agents of their evidence and of a group that names one", () => {
    const rule: CorrelationSpec = { ...count, groupBy: ["ai_agent.uid"], threshold: { gte: 2 } };
    const run = made([rule]);
    run.push([p(1, { "ai_agent.uid": "z", agent: "b" }), p(2, { "ai_agent.uid": "z", agent: "a" })]);
    expect(run.finish()[0]!.agents).toEqual(["a", "b", "z"]);
  });

  it("print groups as canonical text, whatever the names are", () => {
    const rule: CorrelationSpec = { ...count, groupBy: ["x", "__proto__"], threshold: { gte: 2 } };
    const made2 = correlation(rule);
    const groupBy = made2.groupBy.map((field) => ({ ...field, read: () => (event: TestEvent) => (field.name === "x" ? event["x"] : 7) }));
    const rules = { ...ruleSet([detection("p")], []), correlations: [{ ...made2, groupBy }] };
    const run = engine(rules, { reader: testReader, uuid5, latenessMs: 0 });
    run.push([p(1, { x: "10" }), p(2, { x: 10.0 })]);
    const [alert] = run.finish();
    expect(JSON.stringify(alert!.group)).toBe('{"x":"10","__proto__":"7"}');
    expect(alert!.id).toBe(uuid5('many\n{"__proto__":"7","x":"10"}\n0'));
  });

  it("keep the first 25 of many events that alert on their own", () => {
    const run = made([], [detection("p", { alerts: true, suppressMs: 1000 * SECOND })]);
    run.push(Array.from({ length: 300 }, (_, index) => p(299 - index, { uid: `u${String(299 - index).padStart(3, "0")}` })));
    const [alert] = run.finish();
    expect(alert).toMatchObject({ ruleId: "p", group: {}, count: 300, firstTime: 0, lastTime: 299 * SECOND });
    expect(alert!.evidence).toEqual(Array.from({ length: 25 }, (_, index) => `u${String(index).padStart(3, "0")}`));
    expect(run.stats.entries).toBe(0);
  });

  it("tell what a baseline compared", () => {
    const hour = 3600 * SECOND;
    const baseline = { metric: "count", metricField: undefined, baselineDays: 0.25, seasonality: "none", minCount: 0 } as const;
    const rule: CorrelationSpec = { ...count, type: "baseline_ratio", timespanMs: hour, threshold: { gt: 3 }, more: { baseline } };
    const run = made([rule]);
    run.push([p(1), p(2), p(3), ...[1, 2, 3, 4, 5, 6, 7].map((index) => p(3600 + index))]);
    const alert = run.finish().at(-1);
    // Seven in the second hour; three in the first of six hours before.
    expect(alert!.baseline).toEqual({ numerator: 7, baseline: 0.5, windows: 6 });
  });
});

describe("rules that the engine does not evaluate", () => {
  const rule = (name: string): BooleanCondition => ({ kind: "rule", rule: name });
  const not = (of: BooleanCondition): BooleanCondition => ({ kind: "not", of });

  it("are named with a reason, and so are those that refer to them", () => {
    const negative: CorrelationSpec = { ...count, id: "negative", type: "temporal", rules: ["p"], more: { expression: not(rule("p")) } };
    const outer: CorrelationSpec = { ...count, id: "outer", rules: ["negative"] };
    const rejected = unsupported(ruleSet([detection("p")], [outer, negative, count]));
    expect(rejected.map((one) => one.rule)).toEqual(["outer", "negative"]);
    expect(rejected[1]!.reason).toBe("an alternative of its condition wants no rule at all");
  });

  it("are left out by the engine, not the rest", () => {
    const many = Array.from({ length: 31 }, (_, index) => `d${index}`);
    const wide: CorrelationSpec = { ...count, id: "wide", type: "temporal", rules: many };
    const detections = [detection("p"), ...many.map((id) => detection(id))];
    expect(unsupported(ruleSet(detections, [wide])).map((one) => one.reason)).toEqual(["it refers to more than 30 rules"]);
    const run = made([wide, count], detections);
    run.push([p(1), p(2), p(3)]);
    expect(run.finish().map((one) => one.ruleId)).toEqual(["many"]);
  });
});

describe("an absence", () => {
  const rule = (name: string): BooleanCondition => ({ kind: "rule", rule: name });
  const missing: CorrelationSpec = {
    ...count,
    type: "temporal",
    rules: ["p", "q"],
    more: { expression: { kind: "and", of: [rule("p"), { kind: "not", of: rule("q") }] } },
  };

  it("is reported when the watermark has passed its deadline", () => {
    const run = made([missing]);
    expect(run.push([p(5)])).toEqual([]);
    expect(run.advance({ all: 15 * SECOND })).toEqual([]);
    expect(shape(run.advance({ all: 15 * SECOND + 1 }))).toEqual([[1, false, 1, 5000, 5000]]);
    expect(shape(run.advance({ all: 70 * SECOND }))).toEqual([[2, true, 1, 5000, 5000]]);
  });

  it("is none when the other event came on either edge", () => {
    for (const second of [-5, 15]) {
      const run = made([missing]);
      run.push([p(5), { ...p(second), uid: "q", is: ["q"] }]);
      expect(run.finish()).toEqual([]);
    }
  });
});
