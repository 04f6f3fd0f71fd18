/** What an explanation says of alerts is what the engine raises, on random rules and histories. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Input } from "../../src/backtest/stream.ts";
import { locator } from "../../src/backtest/explain-locate.ts";
import { explainTargets, type Explanation, type FoundTarget } from "../../src/backtest/explain.ts";
import { backtest, type Runner } from "../../src/backtest/run.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { ExplainedCorrelation, ExplainedMember } from "../../src/core/correlation/explain.ts";
import { correlationLines } from "../../src/core/correlation/explain-text.ts";
import { newBatch } from "../../src/core/framing.ts";
import { linesText } from "../../src/core/sigma/explain-text.ts";
import type { RuleSet } from "../../src/core/sigma/rules.ts";
import { testReader, uuid5, type CorrelationSpec, type TestEvent } from "../core/correlation/build.ts";
import { rulesOf } from "./naive-check.ts";
import { extensionSpecs, longHistory } from "./naive-extension-histories.ts";
import { history, ruleSpecs } from "./naive-histories.ts";

const RUNS = Number(process.env["CUSTODES_PROPERTY_RUNS"] ?? 2000) / 8;

function withOutlines(rules: RuleSet<TestEvent>): RuleSet<TestEvent> {
  const detections = rules.detections.map((detection) => {
    const predicate = {
      key: "",
      id: 0,
      kind: "field",
      parts: [],
      path: "is",
      exact: undefined,
      source: undefined,
      literals: undefined,
      visitTexts: undefined,
      cost: 1,
      test: (event: TestEvent) => detection.matches(event),
    } as const;
    const section = { predicate, conditions: [], identifiers: [] };
    const outline = () => ({ logsource: {}, categories: detection.categories, category: undefined, section, filters: [] });
    return { ...detection, outline };
  });
  return { ...rules, detections };
}

/** Everything about every event and every rule; events come in this order from two files. */
async function explainAll(specs: readonly CorrelationSpec[], events: readonly TestEvent[]) {
  const rules = withOutlines(rulesOf(specs));
  const input = (path: string, records: readonly TestEvent[]): Input => ({
    connector: "test",
    path,
    framing: "lines",
    categories: undefined,
    size: undefined,
    async *read() {
      const batch = newBatch(path);
      batch.records.push(...records);
      batch.lines.push(...records.map((_, index) => index + 1));
      yield batch;
    },
  });
  const runner: Runner<TestEvent> = {
    uid: (event) => event.uid,
    time: (event) => event.time,
    category: (event) => event.category,
    convert: (record) => [record as TestEvent],
    begin: (latenessMs, other) => {
      const made = engine(other?.rules ?? rules, { reader: testReader, uuid5, latenessMs, distinct: true });
      return {
        push(batch) {
          other?.tap?.(batch);
          return made.push(batch);
        },
        advance: (watermarks) => made.advance(watermarks),
        finish: () => made.finish(),
      };
    },
  };
  const inputs = [input("a", events.slice(0, events.length >> 1)), input("b", events.slice(events.length >> 1))];
  const found = locator(
    events.map(({ uid }) => uid),
    (event: TestEvent) => event.uid,
  );
  const { alerts } = await backtest(inputs, { ...runner, begin: (ms) => runner.begin(ms, found) }, 0, found.hooks);
  const targets = [...rules.correlations, ...rules.detections].flatMap(({ info }) =>
    [...found.found.values()].map((located): FoundTarget<TestEvent> => ({
      target: { rule: info.id, uid: located.uid },
      located: { ...located, event: located.event! },
    })),
  );
  const deps = { inputs, runner, rules, reader: testReader, latenessMs: 0, progress: () => undefined };
  return {
    rules,
    alerts,
    explanations: await explainTargets(deps, targets),
    alone: async (at: number) => explainTargets(deps, [targets[at]!]),
  };
}

/** Members of the rule itself, with the uid of the event or inner alert that they are. */
function membersOf({ explained }: Explanation): readonly (readonly [string, ExplainedMember])[] {
  if (explained.kind !== "correlation") return [];
  return explained.subjects.flatMap(({ uid, groups }) => groups.map((group) => [uid, group] as const));
}

async function check([specs, events]: readonly [readonly CorrelationSpec[], readonly TestEvent[]]): Promise<void> {
  const { rules, alerts, explanations, alone } = await explainAll(specs, events);
  // Asked alone, only the events near it are looked at; that changes nothing.
  const at = (events.length * 7) % explanations.length;
  expect(await alone(at)).toEqual([explanations[at]]);
  const correlations = new Map(rules.correlations.map((one) => [one.info.id, one]));
  const parts = new Map<string, Set<string>>();
  for (const explanation of explanations) {
    for (const [uid, { alerts: own, window, best, branches, history: past, buckets, usable }] of membersOf(explanation)) {
      for (const { id } of own) parts.set(id, (parts.get(id) ?? new Set()).add(uid));
      // A window that holds with the event in it has an alert, and the event is part of it.
      const ids = new Set(own.map(({ bucket }) => bucket));
      const holds = [window?.holds, best?.holds, branches.some((branch) => branch.holds), past?.fires].includes(true);
      if (holds) expect({ explanation, missing: buckets.filter((bucket) => !ids.has(bucket)) }).toEqual({ explanation, missing: [] });
      if (holds) expect(buckets.length).toBeGreaterThan(0);
      if (!usable) expect(own).toEqual([]);
    }
    const { explained, uid } = explanation;
    for (const { id } of explanation.alerts) parts.set(id, (parts.get(id) ?? new Set()).add(uid));
    const isPart = explanation.alerts.length > 0 || membersOf(explanation).some(([, member]) => member.alerts.length > 0);
    expect(explanation.alerted).toBe(isPart);
    if (explained.kind === "correlation")
      expect(linesText(correlationLines(explained, 0))).toContain(`correlation rule ${explained.rule.id}`);
  }
  // Every event that an alert counts is said to be part of it, and no other is.
  for (const { id, ruleId, count, evidence } of alerts) {
    const refersToCorrelations = correlations.get(ruleId)?.rules.some((rule) => correlations.has(rule)) === true;
    const said = parts.get(id) ?? new Set();
    if (refersToCorrelations) {
      expect(said.size).toBeLessThanOrEqual(count);
      continue;
    }
    expect({ id, ruleId, said: said.size }).toEqual({ id, ruleId, said: count });
    for (const uid of evidence) expect(said.has(uid)).toBe(true);
  }
}

it("each event is said to be part of just those alerts that count it", async () => {
  await fc.assert(fc.asyncProperty(fc.tuple(ruleSpecs, history), check), { numRuns: RUNS });
}, 120_000);

it("so it is with new values and baselines", async () => {
  await fc.assert(fc.asyncProperty(fc.tuple(extensionSpecs, longHistory), check), { numRuns: RUNS / 2 });
}, 120_000);

it("an event that only an inner alert leads to the outer rule is explained through it", async () => {
  const specs: CorrelationSpec[] = [
    { id: "outer", type: "event_count", rules: ["one"], groupBy: ["x"], timespanMs: 100, threshold: { gte: 2 } },
    { id: "one", type: "event_count", rules: ["p"], groupBy: ["x"], timespanMs: 10, suppressMs: 10, threshold: { gte: 2 }, alerts: false },
  ];
  const at = (uid: string, time: number): TestEvent => ({ uid, time, is: ["p"], x: "a", category: "dns" });
  const events = [at("e1", 100), at("e2", 105), at("e3", 150), at("e4", 151)];
  const { alerts, explanations } = await explainAll(specs, events);
  const outer = alerts.filter(({ ruleId }) => ruleId === "outer");
  expect(outer).toHaveLength(1);
  const found = explanations.find(({ uid, explained }) => uid === "e1" && explained.rule.id === "outer")!;
  const explained = found.explained as ExplainedCorrelation;
  expect(explained.subjects).toMatchObject([{ kind: "alert", time: 105, matched_rules: ["one"] }]);
  expect(outer[0]!.evidence).toContain(explained.subjects[0]!.uid);
  expect(explained.subjects[0]!.groups[0]!.alerts.map(({ id }) => id)).toEqual([outer[0]!.id]);
  expect(linesText(correlationLines(explained, 0))).toContain("through the alert");
});
