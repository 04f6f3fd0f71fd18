/** An event that several agents may have caused is to a rule over candidates what an event of each of them would be. */
import { expect, it } from "vitest";
import { CANDIDATES_PATH, Several } from "../../src/core/sigma/several.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { finals, naiveFinals, run } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import type { NaiveAlert } from "./naive.ts";
import { holdsFor } from "./plan.ts";
import { scene } from "./scenes.ts";

const SPREAD = "x";

/** Agents that may have caused an event; chosen by its uid, so that repetitions agree. */
function candidatesOf(event: TestEvent): unknown {
  const own = event[SPREAD];
  if (typeof own !== "string" || own === "") return own;
  const others = ["a", "b", "c"].slice(0, (event.uid.length + event.uid.charCodeAt(event.uid.length - 1)) % 4);
  return others.length === 0 ? own : new Several([...new Set([own, ...others])]);
}

const spread = (event: TestEvent): TestEvent => ({ ...event, [CANDIDATES_PATH]: candidatesOf(event) });

/** The event as it is to one agent. */
function seenBy(agent: string, event: TestEvent): TestEvent {
  const value = candidatesOf(event);
  return { ...event, [CANDIDATES_PATH]: value instanceof Several ? (value.values.includes(agent) ? agent : undefined) : value };
}

const renamed = (name: string): string => (name === SPREAD ? CANDIDATES_PATH : name);
function overCandidates(spec: CorrelationSpec): CorrelationSpec {
  const { groupBy, aliases, ...rest } = spec;
  const entries = Object.entries(aliases ?? {}).map(([name, byRule]) => [
    renamed(name),
    Object.fromEntries(Object.entries(byRule).map(([rule, field]) => [rule, renamed(field)])),
  ]);
  return { ...rest, ...(groupBy && { groupBy: groupBy.map(renamed) }), ...(aliases && { aliases: Object.fromEntries(entries) }) };
}

/** Names of a rule's group whose values are candidates. */
function spreadNames({ groupBy = [], aliases = {} }: CorrelationSpec): readonly string[] {
  return groupBy.filter((name) => name === CANDIDATES_PATH || Object.values(aliases[name] ?? {}).includes(CANDIDATES_PATH));
}

const compared = ({ ruleId, group, bucket, firstTime, lastTime, count, evidence }: NaiveAlert): string =>
  JSON.stringify([ruleId, Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1)), bucket, firstTime, lastTime, count, evidence]);

it("a rule over candidates alerts for each of them as if the event were its own, whatever sleeps", () => {
  let several = 0;
  holdsFor("candidates are groups", scene, (given) => {
    const ids = new Set(given.specs.map(({ id }) => id));
    const specs = given.specs.filter(({ rules }) => !rules.some((rule) => ids.has(rule))).map(overCandidates);
    const known = new Map(specs.map((spec) => [spec.id, spreadNames(spec)]));
    const steps = given.steps.map((step) => ("push" in step ? { push: step.push.map(spread) } : step));
    const asked: Scene = { ...given, specs, steps, events: given.events.map(spread) };

    const agents = [...new Set([...given.events.flatMap(({ x, y }) => [x, y]).map(String), "a", "b", "c"])];
    const expected = new Set<string>();
    for (const agent of agents) {
      const world = naiveFinals({ specs, events: given.events.map((event) => seenBy(agent, event)), evidenceMax: given.evidenceMax });
      for (const alert of world) {
        const names = known.get(alert.ruleId) ?? [];
        if (names.every((name) => alert.group[name] === agent)) expected.add(compared(alert));
        if (names.length > 0 && ["a", "b", "c"].includes(agent)) several++;
      }
    }
    for (const shortcuts of [true, false]) expect(finals(run(asked, { shortcuts })).map(compared).sort()).toEqual([...expected].sort());
  });
  expect(several).toBeGreaterThan(100);
});
