/** What the alerts do not depend on: when it happens, and what things are called. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BooleanCondition } from "../../src/core/sigma/rules.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { uuid5 } from "../core/correlation/build.ts";
import { finals, run } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import type { NaiveAlert } from "./naive.ts";
import { holdsFor } from "./plan.ts";
import { longScene, scene } from "./scenes.ts";

/** Everything at once. */
function finalsOf({ specs, events, evidenceMax }: Pick<Scene, "specs" | "events" | "evidenceMax">): NaiveAlert[] {
  return finals(run({ specs, events, evidenceMax, latenessMs: 0, steps: [{ push: events }] }));
}

/** Rules over alerts: the uids of those are hashes of names and buckets, and decide which of one time are evidence. */
function overAlerts(specs: readonly CorrelationSpec[]): ReadonlySet<string> {
  const ids = new Set(specs.map(({ id }) => id));
  return new Set(specs.filter(({ rules }) => rules.some((rule) => ids.has(rule))).map(({ id }) => id));
}

function text(specs: readonly CorrelationSpec[], alerts: readonly NaiveAlert[], change: (alert: NaiveAlert) => NaiveAlert): string[] {
  const over = overAlerts(specs);
  const shape = (alert: NaiveAlert): unknown =>
    over.has(alert.ruleId) ? { ...alert, evidence: alert.evidence.length, agents: [] } : alert;
  return alerts.map((alert) => JSON.stringify(shape(change(alert)))).sort();
}

function idOf({ ruleId, group, bucket }: NaiveAlert): string {
  const sorted = Object.fromEntries(Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1)));
  return uuid5(`${ruleId}\n${JSON.stringify(sorted)}\n${bucket}`);
}

describe("the alerts", () => {
  const DAY = 86_400_000;
  // Multiples of every timespan, suppression window and season of the random rules; backwards too.
  const short = fc.tuple(scene, fc.constantFrom(60, -60, 60_000, 60 * 1_000_000_007));
  const long = fc.tuple(longScene, fc.constantFrom(35 * DAY, -70 * DAY));

  it("are as much later as all events are, by a multiple of windows and buckets", () => {
    holdsFor("later is the same", fc.oneof({ weight: 4, arbitrary: short }, long), ([given, later]) => {
      const moved = given.events.map((event) => ({ ...event, time: event.time + later }));
      const expected = text(given.specs, finalsOf(given), (alert) => {
        const there = { ...alert, bucket: alert.bucket + later, firstTime: alert.firstTime + later, lastTime: alert.lastTime + later };
        return { ...there, id: idOf(there) };
      });
      expect(text(given.specs, finalsOf({ ...given, events: moved }), (alert) => alert)).toEqual(expected);
    });
  });

  it("carry the names that rules and groups have, and nothing else depends on these", () => {
    holdsFor("other names are the same", fc.tuple(scene, fc.constantFrom("z", "a", "é", "__proto__.", "x\n")), ([given, prefix]) => {
      const renamed = (name: string): string => (name === "x" || name === "who" ? `${prefix}${name}` : name);
      const specs = given.specs.map((spec) => renameGroups(spec, renamed));
      const events = given.events.map((event): TestEvent => ({ ...event, [renamed("x")]: event["x"] }));
      const expected = text(given.specs, finalsOf(given), (alert) => {
        const group = Object.fromEntries(Object.entries(alert.group).map(([name, value]) => [renamed(name), value]));
        return { ...alert, group, id: idOf({ ...alert, group }) };
      });
      expect(text(given.specs, finalsOf({ ...given, specs, events }), (alert) => alert)).toEqual(expected);

      const named = (id: string): string => (["one", "two", "aliased"].includes(id) ? `${prefix}${id}` : id);
      const specsToo = given.specs.map((spec) => renameRules(spec, named));
      const expectedToo = text(specsToo, finalsOf(given), (alert) => {
        const ruleId = named(alert.ruleId);
        return { ...alert, ruleId, id: idOf({ ...alert, ruleId }) };
      });
      expect(text(specsToo, finalsOf({ ...given, specs: specsToo }), (alert) => alert)).toEqual(expectedToo);
    });
  });
});

function renameGroups(spec: CorrelationSpec, renamed: (name: string) => string): CorrelationSpec {
  const { groupBy, aliases } = spec;
  return {
    ...spec,
    ...(groupBy === undefined ? {} : { groupBy: groupBy.map(renamed) }),
    ...(aliases === undefined
      ? {}
      : { aliases: Object.fromEntries(Object.entries(aliases).map(([name, fields]) => [renamed(name), fields])) }),
  };
}

function renameRules(spec: CorrelationSpec, named: (id: string) => string): CorrelationSpec {
  const expression = spec.more?.expression;
  return {
    ...spec,
    id: named(spec.id),
    rules: spec.rules.map(named),
    ...(expression === undefined ? {} : { more: { ...spec.more, expression: renameIn(expression, named) } }),
  };
}

function renameIn(condition: BooleanCondition, named: (id: string) => string): BooleanCondition {
  if (condition.kind === "rule") return { kind: "rule", rule: named(condition.rule) };
  if (condition.kind === "not") return { kind: "not", of: renameIn(condition.of, named) };
  return { kind: condition.kind, of: condition.of.map((part) => renameIn(part, named)) };
}
