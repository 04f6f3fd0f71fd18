/** What makes the engine faster is seen by nobody: neither the index over conditions nor the backlogs of rules that sleep. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { runWithCrashes } from "./log.ts";
import { finals, naiveFinals, run } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { sleeperScene } from "./scenes.ts";

/** Everything that is told, provisional revisions too; in one batch their order is that of the rules. */
function told(alerts: readonly Alert[]): string[] {
  return alerts.map((alert) => JSON.stringify(alert)).sort();
}

it("rules that sleep and wake, many in one backlog, over each other too, tell what they tell when they never sleep", () => {
  let alerts = 0;
  let steps = 0;
  holdsFor("sleeping changes nothing", sleeperScene, (given) => {
    const expected = naiveFinals(given);
    const quick = run(given);
    expect(finals(quick)).toEqual(expected);
    expect(told(quick)).toEqual(told(run(given, { shortcuts: false })));
    alerts += expected.filter(({ ruleId }) => ruleId !== "r").length;
    steps += given.steps.filter((step) => "advance" in step).length;
  });
  expect(alerts).toBeGreaterThan(1000);
  expect(steps).toBeGreaterThan(1000);
});

it("rules that sleep outlive restarts", () => {
  const crashing = fc.tuple(sleeperScene, fc.array(fc.nat(60), { minLength: 1, maxLength: 6 }));
  holdsFor("sleeping outlives restarts", crashing, ([given, crashes]) => {
    const expected = naiveFinals(given);
    for (const shortcuts of [true, false])
      expect(finals(runWithCrashes(given, new Set(crashes), undefined, { shortcuts }))).toEqual(expected);
  });
});
