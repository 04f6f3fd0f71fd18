/** Events that come later than lateness allows: evaluated as well as is still possible, and never against the rest. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { testReader, uuid5 } from "../core/correlation/build.ts";
import { finals, naiveFinals, rulesOf } from "./naive-check.ts";
import { history, ruleSpecs } from "./naive-histories.ts";
import { holdsFor } from "./plan.ts";

/** More events can only add to the alerts of these, and they refer to no alerts, whose lateness would be another. */
function onlyGrows({ type, threshold, more, rules }: CorrelationSpec): boolean {
  if (more?.expression !== undefined || type.startsWith("value_a") || type === "value_median" || type === "value_percentile") return false;
  if (rules.some((rule) => ["one", "two", "aliased", "outer"].includes(rule))) return false;
  const { gt, gte, lt, lte, eq, neq } = threshold;
  return (gt !== undefined || gte !== undefined) && lt === undefined && lte === undefined && eq === undefined && neq === undefined;
}

const arrivals = fc.tuple(ruleSpecs, history).chain(([specs, events]) =>
  fc.record({
    specs: fc.constant(specs),
    events: fc.shuffledSubarray([...events], { minLength: events.length }),
    latenessMs: fc.constantFrom(0, 1, 6, 12, 40),
    every: fc.integer({ min: 1, max: 5 }),
  }),
);

it("events that come too late never take anything back, invent nothing, and are counted", () => {
  holdsFor("too late is an amendment", arrivals, ({ specs, events, latenessMs, every }) => {
    const running = engine(rulesOf(specs), { reader: testReader, uuid5, latenessMs });
    const told = new Map<string, Alert>();
    const inTime: TestEvent[] = [];
    let newest = Number.NEGATIVE_INFINITY;
    let late = 0;
    let watermark = Number.NEGATIVE_INFINITY;
    const tell = (alerts: readonly Alert[]): void => {
      for (const alert of alerts) {
        const before = told.get(alert.id);
        // A final alert may be amended; what the engine has let go of is put back by the pipeline (`grow`).
        if (before !== undefined && !before.final) expect(alert.count).toBeGreaterThanOrEqual(before.count);
        told.set(alert.id, alert);
      }
    };
    for (const [index, event] of events.entries()) {
      if (event.time >= watermark) inTime.push(event);
      // Detection r alerts on its own, so that each of its events is wanted.
      else if (event.is.includes("r")) late++;
      tell(running.push([event]));
      newest = Math.max(newest, event.time);
      if (index % every !== 0) continue;
      watermark = Math.max(watermark, newest - latenessMs);
      tell(running.advance({ all: watermark }));
    }
    tell(running.finish());
    expect(running.stats.late).toBeGreaterThanOrEqual(late);
    expect(running.stats.late).toBeLessThanOrEqual(events.length - inTime.length);
    const growing = new Set([...specs.filter(onlyGrows).map(({ id }) => id), "r"]);
    const of = (happened: readonly TestEvent[]): Map<string, ReturnType<typeof naiveFinals>[number]> =>
      new Map(
        (happened.length === 0 ? [] : naiveFinals({ specs, events: happened, evidenceMax: 25 }))
          .filter(({ ruleId }) => growing.has(ruleId))
          .map((alert) => [alert.id, alert]),
      );
    const [least, most] = [of(inTime), of(events)];
    for (const id of least.keys()) expect([id, told.has(id)]).toEqual([id, true]);
    for (const alert of told.values()) {
      if (!growing.has(alert.ruleId)) continue;
      const widest = most.get(alert.id);
      expect([alert.id, widest !== undefined]).toEqual([alert.id, true]);
      expect(alert.firstTime).toBeGreaterThanOrEqual(widest!.firstTime);
      expect(alert.lastTime).toBeLessThanOrEqual(widest!.lastTime);
      expect(alert.count).toBeLessThanOrEqual(widest!.count);
      expect(alert.final).toBe(true);
    }
  });
});

it("events that come too late amend the alerts of growing rules to what they would have been, as long as entries are kept", () => {
  holdsFor("what is kept is amended", arrivals, ({ specs: given, events, every }) => {
    const specs = given.map((spec): CorrelationSpec => ({ ...spec, more: { ...spec.more, latenessMs: 1000 } }));
    const running = engine(rulesOf(specs), { reader: testReader, uuid5, latenessMs: 1000 });
    const told = new Map<string, Alert>();
    const tell = (alerts: readonly Alert[]): void => {
      for (const alert of alerts) told.set(alert.id, alert);
    };
    let newest = Number.NEGATIVE_INFINITY;
    for (const [index, event] of events.entries()) {
      tell(running.push([event]));
      newest = Math.max(newest, event.time);
      if (index % every === 0) tell(running.advance({ all: newest }));
    }
    tell(running.finish());
    const growing = new Set([...specs.filter(onlyGrows).map(({ id }) => id), "r"]);
    const ofGrowing = ({ ruleId }: { readonly ruleId: string }): boolean => growing.has(ruleId);
    expect(finals([...told.values()]).filter(ofGrowing)).toEqual(naiveFinals({ specs, events, evidenceMax: 25 }).filter(ofGrowing));
  });
});
