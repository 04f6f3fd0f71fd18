import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { run } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { delivery, history, ruleSpecs } from "./naive-histories.ts";

const finals = (alerts: readonly Alert[]): Map<string, readonly string[] | undefined> =>
  new Map(alerts.filter(({ final }) => final).map(({ id, behind }) => [id, behind]));

it("the events behind an alert are the same for any order, split, repetition and watermark; real, sorted and few", () => {
  const scene = fc.tuple(ruleSpecs, history).chain(([specs, events]) => delivery(events).map((given) => ({ specs, events, ...given })));
  let seen = 0;
  holdsFor("events behind alerts", scene, (given) => {
    const all = { ...given, evidenceMax: 25 };
    const alerts = run({ ...all, steps: [{ push: given.events }] });
    expect(finals(run(all))).toEqual(finals(alerts));
    const events = new Map(given.events.map((event) => [event.uid, event]));
    for (const { behind, evidence } of alerts) {
      if (evidence.every((uid) => events.has(uid))) expect(behind).toBeUndefined();
      if (behind === undefined) continue;
      seen++;
      expect(behind.length).toBeGreaterThan(0);
      expect(behind.length).toBeLessThanOrEqual(25);
      const found = behind.map((uid) => events.get(uid)!);
      expect(found).not.toContain(undefined);
      const order = [...found].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
      expect(found).toEqual(order);
      expect(new Set(behind).size).toBe(behind.length);
    }
  });
  expect(seen).toBeGreaterThan(0);
});
