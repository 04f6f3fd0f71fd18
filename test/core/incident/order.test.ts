/** The incidents are a function of the set of alerts: not of their order, nor of how they came in steps. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { uuid5 } from "../../../src/adapters/system/system.ts";
import type { Alert, Level } from "../../../src/core/alert.ts";
import { groupAlerts, type GroupingContext, type IncidentPolicy } from "../../../src/core/incident/group.ts";
import { answer, closeQuiet } from "../../../src/core/incident/transitions.ts";
import type { Incident } from "../../../src/core/incident.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { ruleInfo } from "../../fixtures/subjects.ts";

const T = Date.UTC(2026, 2, 31, 12);
const MINUTE = 60_000;

interface Given {
  readonly minute: number;
  readonly length: number;
  readonly level: Level;
  readonly confidence: number | undefined;
  readonly agents: readonly string[];
}

/** Levels are those of rules, as everywhere unless an alert is promoted. */
function context(policy: Partial<IncidentPolicy>): GroupingContext {
  return {
    rule: (id) => ruleInfo({ id, level: id as Level, risk: undefined }),
    agent: () => undefined,
    evidence: new Map(),
    uuid5,
    policy: incidentPolicy(policy),
    now: T,
    coverage: { state: "complete", missing: [], watermark: T },
  };
}

function alertOf({ minute, length, level, confidence, agents }: Given, index: number): Alert {
  return {
    id: `alert ${String(index).padStart(2, "0")}`,
    ruleId: level,
    ruleTitle: `title ${level}`,
    level,
    group: {},
    bucket: T,
    firstTime: T + minute * MINUTE,
    lastTime: T + (minute + length) * MINUTE,
    count: 1,
    evidence: [],
    agents,
    revision: 1,
    final: true,
    ...(confidence === undefined ? {} : { confidence }),
  };
}

/** What was known of an alert before it had grown to what it is. */
function early(alert: Alert): Alert {
  return { ...alert, lastTime: alert.firstTime, final: false };
}

/** Applies steps; after each, time goes on to a watermark (minutes) and closes what is quiet. */
function playAll(steps: readonly (readonly Alert[])[], watermarks: readonly number[], given: GroupingContext): Incident[] {
  const incidents = new Map<string, Incident>();
  const alerts = new Map<string, Alert>();
  for (const [index, step] of steps.entries()) {
    const known = { incidents: [...incidents.values()], alerts: [...alerts.values()] };
    for (const incident of groupAlerts(known, step, given)) incidents.set(incident.id, incident);
    for (const alert of step) alerts.set(alert.id, alert);
    const watermark = T + (watermarks[index] ?? 0) * MINUTE;
    for (const incident of incidents.values()) {
      const closed = closeQuiet(incident, watermark, given.policy.quietMs);
      if (closed !== undefined) incidents.set(closed.id, closed);
    }
  }
  return [...incidents.values()];
}

const isPart = (incident: Incident): boolean => incident.closure?.how === "merged";

/** What does not depend on how it was told: not the id, the revision, the state, and how often it was reopened. */
function essence(incidents: readonly Incident[]): unknown[] {
  return incidents
    .map(({ id: _id, revision: _revision, status: _status, closure: _closure, reopened: _reopened, history: _history, ...rest }) => ({
      ...rest,
      alerts: rest.alerts.map((alert) => alert.id),
    }))
    .map((one) => JSON.stringify(one))
    .sort();
}

const givenAlert: fc.Arbitrary<Given> = fc.record({
  minute: fc.integer({ min: 0, max: 3_000 }),
  length: fc.constantFrom(0, 0, 30, 200),
  level: fc.constantFrom<Level>("informational", "low", "low", "medium", "critical"),
  confidence: fc.constantFrom(undefined, 100, 60, 20),
  agents: fc.constantFrom(["a"], ["a"], ["b"], ["a", "b"]),
});

const policies: fc.Arbitrary<Partial<IncidentPolicy>> = fc.record({
  quietMs: fc.constantFrom(10 * MINUTE, 60 * MINUTE),
  reopenMs: fc.constantFrom(0, 360 * MINUTE, 1440 * MINUTE),
  riskOpen: fc.constantFrom(0, 30, 60),
});

test("one step, many steps and any order come to the same incidents", () => {
  let several = 0;
  let merged = 0;
  let byRisk = 0;
  let reopened = 0;
  const property = fc.property(
    fc.array(givenAlert, { minLength: 1, maxLength: 14 }).chain((given) =>
      fc.record({
        given: fc.constant(given),
        order: fc.shuffledSubarray(
          given.map((_, index) => index),
          { minLength: given.length },
        ),
        cuts: fc.array(fc.boolean(), { minLength: given.length, maxLength: given.length }),
        grown: fc.array(fc.boolean(), { minLength: given.length, maxLength: given.length }),
        watermarks: fc.array(fc.integer({ min: 0, max: 3_500 }), { minLength: 2 * given.length, maxLength: 2 * given.length }),
        policy: policies,
      }),
    ),
    ({ given, order, cuts, grown, watermarks, policy }) => {
      const alerts = given.map(alertOf);
      const steps: Alert[][] = [[]];
      for (const [place, index] of order.entries()) {
        if (cuts[place] === true) steps.push([]);
        const alert = alerts[index]!;
        steps.at(-1)!.push(grown[index] === true ? early(alert) : alert);
      }
      // What had not grown at first grows later, each in a step of its own.
      for (const [index, alert] of alerts.entries()) if (grown[index] === true) steps.push([alert]);
      const made = context(policy);
      const whole = playAll([alerts], [], made);
      const parted = playAll(steps, watermarks, made);
      several += whole.length > 1 ? 1 : 0;
      byRisk += whole.some((one) => one.opened?.by === "risk") ? 1 : 0;
      merged += parted.some(isPart) ? 1 : 0;
      reopened += parted.some((one) => one.reopened !== undefined) ? 1 : 0;
      expect(whole.some(isPart)).toBe(false);
      expect(essence(parted.filter((one) => !isPart(one)))).toEqual(essence(whole));
    },
  );
  fc.assert(property, { numRuns: 1_000 });
  // A property that never met what it is about would hold for anything.
  for (const met of [several, merged, byRisk, reopened]) expect(met).toBeGreaterThan(5);
});

test("the order within a step changes nothing at all, not even an id", () => {
  const property = fc.property(fc.array(givenAlert, { minLength: 1, maxLength: 10 }), policies, fc.func(fc.nat()), (given, policy, key) => {
    const alerts = given.map(alertOf);
    const other = alerts.toSorted((a, b) => key(a.id) - key(b.id));
    expect(groupAlerts({ incidents: [], alerts: [] }, other, context(policy))).toEqual(
      groupAlerts({ incidents: [], alerts: [] }, alerts, context(policy)),
    );
  });
  fc.assert(property, { numRuns: 300 });
});

test("whatever people close in between, no two incidents have one id, revisions rise by one, and every alert that may open has a home", () => {
  const property = fc.property(
    fc.array(fc.tuple(fc.array(givenAlert, { minLength: 1, maxLength: 4 }), fc.option(fc.integer({ min: 0, max: 3_500 }))), {
      maxLength: 8,
    }),
    policies,
    (given, policy) => {
      const made = context(policy);
      const incidents = new Map<string, Incident>();
      const alerts = new Map<string, Alert>();
      let number = 0;
      for (const [step, close] of given) {
        const changed = step.map((one) => alertOf(one, number++));
        const known = { incidents: [...incidents.values()], alerts: [...alerts.values()] };
        const result = groupAlerts(known, changed, made);
        expect(new Set(result.map((one) => one.id)).size).toBe(result.length);
        for (const incident of result) {
          expect(incident.revision).toBe((incidents.get(incident.id)?.revision ?? 0) + 1);
          incidents.set(incident.id, incident);
        }
        for (const alert of changed) {
          alerts.set(alert.id, alert);
          if ((alert.confidence ?? 100) < 50 || alert.level === "low" || alert.level === "informational") continue;
          for (const name of alert.agents) {
            const homes = [...incidents.values()].filter(
              (one) => one.closure?.how !== "merged" && one.entity === `agent:${name}` && one.alerts.some(({ id }) => id === alert.id),
            );
            expect(homes).toHaveLength(1);
          }
        }
        if (close === null) continue;
        for (const incident of incidents.values()) {
          const closed = answer(incident, { to: "close", how: "person", time: T + close * MINUTE });
          if (closed !== undefined) incidents.set(closed.id, closed);
        }
      }
    },
  );
  fc.assert(property, { numRuns: 500 });
});
