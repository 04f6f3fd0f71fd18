import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BaselineHead, BaselineRow } from "../../../src/core/correlation/baseline.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import { promoted } from "../../../src/core/correlation/promote.ts";
import type { Engine } from "../../../src/core/correlation/types.ts";
import type { Correlation } from "../../../src/core/sigma/rules.ts";
import { correlation, detection, ruleSet, testReader, uuid5, type CorrelationSpec, type TestEvent } from "./build.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOVEL: CorrelationSpec = {
  id: "novel",
  type: "new_value",
  rules: ["d"],
  groupBy: ["ai_agent.uid"],
  timespanMs: 0,
  suppressMs: HOUR,
  threshold: {},
  fields: ["v"],
  more: { newValue: { lookbackMs: 10 * DAY, minHistoryMs: 3 * DAY } },
};
const busy = (seasonality: "none" | "hour_of_day" | "hour_of_week"): CorrelationSpec => ({
  id: "busy",
  type: "baseline_ratio",
  rules: ["d"],
  groupBy: ["ai_agent.uid"],
  timespanMs: HOUR,
  threshold: { gt: 1 },
  more: { baseline: { metric: "count", metricField: undefined, baselineDays: 14, seasonality, minCount: 0 } },
});

const made = (spec: CorrelationSpec): Engine<TestEvent> =>
  engine(ruleSet([detection("d")], [spec]), { reader: testReader, uuid5, latenessMs: 0, baselines: true });
let uids = 0;
const use = (agent: string, time: number, v: string): TestEvent => ({ uid: `u${uids++}`, time, is: ["d"], "ai_agent.uid": agent, v });

/** What a sandbox has learned of these events. */
function learned(spec: CorrelationSpec, events: readonly TestEvent[]): { head: BaselineHead; rows: readonly BaselineRow[] } {
  const sandbox = made(spec);
  sandbox.push(events);
  sandbox.finish();
  const [change] = sandbox.changedBaselines();
  return change!;
}

/** Agents whose alerts production has, when it begins at `at` with what was promoted. */
function produced(
  spec: CorrelationSpec,
  sandbox: readonly TestEvent[],
  at: number,
  events: readonly TestEvent[],
  agents: [string, string][],
): unknown[] {
  const { head, rows } = learned(spec, sandbox);
  const rule: Correlation<TestEvent> = correlation(spec);
  const production = made(spec);
  expect(production.restore({ ...head, depthMs: 0 }, promoted(head, rows, rule, { at, agents: new Map(agents) }))).toBe(true);
  production.live();
  production.push(events);
  return production
    .finish()
    .filter(({ final }) => final)
    .map(({ evidence, group }) => [group["ai_agent.uid"], ...(spec.type === "new_value" ? evidence : [])]);
}

describe("promotion", () => {
  it("makes everything that the sandbox did known, whenever it did it, and nothing else, from the first moment on", () => {
    const values = fc.uniqueArray(fc.string({ maxLength: 4 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        values,
        values,
        fc.integer({ min: -40, max: 400 }),
        fc.integer({ min: 1, max: 9 * DAY }),
        (done, tried, later, lengthMs) => {
          const at = 50 * DAY + later * HOUR;
          const sandbox = done.map((v, index) => use("box", 30 * DAY + Math.floor((index * lengthMs) / done.length), v));
          const events = tried.map((v, index) => use("prod", at + index, v));
          const fired = events.filter(({ v }) => !done.includes(v as string)).map(({ uid }) => uid);
          const found = produced(NOVEL, sandbox, at, events, [["box", "prod"]]);
          expect(found.flatMap((one) => (one as string[]).slice(1)).sort()).toEqual(fired.sort());
        },
      ),
      { numRuns: 200 },
    );
  });

  it("lasts for a whole lookback, and takes the named agents alone", () => {
    const at = 60 * DAY;
    const sandbox = [use("box", DAY, "a"), use("other", DAY, "a")];
    const end = use("prod", at + 10 * DAY - 1, "a");
    expect(produced(NOVEL, sandbox, at, [end], [["box", "prod"]])).toEqual([]);
    const after = use("prod", at + 10 * DAY, "a");
    expect(produced(NOVEL, sandbox, at, [after], [["box", "prod"]])).toEqual([["prod", after.uid]]);
    // Nobody knows the other one here: it has no history, so nothing of it is new yet.
    expect(produced(NOVEL, sandbox, at, [use("other", at, "b")], [["box", "prod"]])).toEqual([]);
    const known = use("other", at, "b");
    expect(produced(NOVEL, sandbox, at, [known], [])).toEqual([["other", known.uid]]);
  });

  it.each([
    ["none", 5, 26],
    ["none", 1, 1],
    ["hour_of_day", 24, 50],
    ["hour_of_week", 24 * 7, 24 * 9],
  ] as const)("repeats volumes, so that the same again is no more than usual: %s, %d hours", (seasonality, hours, tried) => {
    const spec = busy(seasonality);
    // So many in each hour of the day; without seasons always as many.
    const rate = (time: number): number => (seasonality === "none" ? 4 : 1 + ((time / HOUR) % 24));
    const calls = (agent: string, from: number, count: number, times: number): TestEvent[] =>
      Array.from({ length: count }, (_, hour) => from + hour * HOUR).flatMap((start) =>
        Array.from({ length: Math.round(rate(start) * times) }, (_, index) => use(agent, start + index, "x")),
      );
    const at = 100 * DAY + 7 * HOUR;
    // One event more ends the sandbox's last whole hour.
    const sandbox = [...calls("box", 30 * DAY + 3 * HOUR, hours, 1), use("box", 30 * DAY + (3 + hours) * HOUR, "x")];
    expect(produced(spec, sandbox, at, calls("prod", at, tried, 1), [["box", "prod"]])).toEqual([]);
    expect(produced(spec, sandbox, at, calls("prod", at, 1, 2), [["box", "prod"]])).toEqual([["prod"]]);
  });

  it("puts no window after production has begun", () => {
    const spec = busy("hour_of_week");
    const { head, rows } = learned(spec, [use("box", 5 * HOUR, "x"), use("box", 9 * HOUR, "x")]);
    for (const at of [200 * DAY, 200 * DAY + 1, 200 * DAY + 5 * HOUR]) {
      const windows = promoted(head, rows, correlation(spec), { at, agents: new Map() }).filter(({ kind }) => kind === "window");
      expect(windows).toHaveLength(2);
      expect(Math.max(...windows.map(({ time }) => time)) + HOUR).toBeLessThanOrEqual(at);
      for (const { time } of windows) expect((time - 5 * HOUR) % (7 * DAY)).toBe(0);
    }
  });
});
