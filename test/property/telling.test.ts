/** When alerts are told, and that the way in which events arrive is nothing to them. */
import { describe, expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { finals, naiveFinals, run } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import { holdsFor } from "./plan.ts";
import { anyScene } from "./scenes.ts";

describe("the engine", () => {
  it("emits provisionally only what becomes final, with growing revisions, and lower-bounded rules alone do so", () => {
    holdsFor("provisional alerts", anyScene, (given) => {
      const types = new Map(given.specs.map((spec) => [spec.id, spec]));
      const last = new Map<string, Alert>();
      for (const alert of run(given)) {
        const before = last.get(alert.id);
        const spec = types.get(alert.ruleId);
        if (!alert.final && spec !== undefined) expect(mayBeProvisional(spec)).toBe(true);
        if (before !== undefined) {
          expect(before.final).toBe(false);
          expect(alert.revision).toBeGreaterThan(before.revision);
          expect(alert.count).toBeGreaterThanOrEqual(before.count);
          expect(alert.firstTime).toBeLessThanOrEqual(before.firstTime);
          expect(alert.lastTime).toBeGreaterThanOrEqual(before.lastTime);
          if (!alert.final) expect(alert.count).toBeGreaterThanOrEqual(2 * before.count);
        }
        last.set(alert.id, alert);
      }
      for (const alert of last.values()) expect(alert.final).toBe(true);
    });
  });

  it("gives byte for byte the same for the same events at once, one by one, backwards and doubled", () => {
    holdsFor("arrival means nothing", anyScene, (given) => {
      const { events } = given;
      const expected = JSON.stringify(naiveFinals(given));
      const all = { ...given, latenessMs: 0 };
      const given1 = [...events].sort((a, b) => a.time - b.time).map((event) => ({ push: [event] }));
      for (const steps of [[{ push: events }], given1, given1.toReversed(), [{ push: [...events, ...events.toReversed()] }]])
        expect(JSON.stringify(finals(run({ ...all, steps })))).toBe(expected);
    });
  });
});

/** Sections 3 and 5: what more events cannot take back. What was decided at the watermark may still grow within its bucket. */
function mayBeProvisional({ type, threshold, more }: Scene["specs"][number]): boolean {
  if (type === "new_value" || more?.expression !== undefined) return true;
  if (type === "baseline_ratio" || type === "value_avg" || type === "value_percentile" || type === "value_median") return false;
  const { gt, gte, lt, lte, eq, neq } = threshold;
  return (gt !== undefined || gte !== undefined) && lt === undefined && lte === undefined && eq === undefined && neq === undefined;
}
