import { expect, test } from "vitest";
import { completed, rememberWaiting, tellCoverage, withCoverage } from "../../src/pipeline/partial.ts";
import type { Coverage } from "../../src/pipeline/coverage.ts";
import { alert, incident } from "../contract/subjects.ts";
import { START } from "./world.ts";

const at = { bucket: START, firstTime: START, lastTime: START + 10 };
const coverage = { state: "partial", missing: ["a/1"], gaps: [] } as const;
const covered = (watermark: number | undefined, more: Partial<Coverage> = {}): Coverage => ({
  watermarks: { all: START },
  missing: [],
  bySource: [{ source: "a/1", watermark }],
  ...more,
});

test("an alert waits until the source that was missing has come as far as its last event, to the millisecond", () => {
  const waiting = new Map([["x", alert("x", 3, { ...at, coverage })]]);
  expect(completed(waiting, covered(START + 9), [])).toEqual([]);
  expect(completed(waiting, covered(undefined), [])).toEqual([]);
  expect(completed(waiting, covered(START + 10, { missing: ["a/1"] }), [])).toMatchObject([{ revision: 4 }]);
  const [whole] = completed(waiting, covered(START + 10), []);
  expect(whole).toEqual({ ...alert("x", 3, at), revision: 4 });
});

test("one that is told anyway is not told twice, and one whose source was taken out of the configuration waits no longer", () => {
  const waiting = new Map([["x", alert("x", 3, { ...at, coverage })]]);
  expect(completed(waiting, covered(START + 10), [alert("x", 4, at)])).toEqual([]);
  expect(completed(waiting, covered(0, { bySource: [] }), [])).toHaveLength(1);
});

test("what waits is what was told last, and a limited number", () => {
  const waiting = new Map();
  rememberWaiting(waiting, [alert("x", 1, { coverage }), alert("y", 1)]);
  expect([...waiting.keys()]).toEqual(["x"]);
  rememberWaiting(waiting, [alert("x", 2)]);
  expect(waiting.size).toBe(0);
  rememberWaiting(
    waiting,
    Array.from({ length: 1100 }, (_, index) => alert(`a${index}`, 1, { coverage })),
  );
  expect(waiting.size).toBe(1000);
  expect(waiting.has("a0")).toBe(false);
});

test("alerts of the service's own say nothing of coverage, and an incident of theirs ends with them", () => {
  const own = alert("x", 1, { ruleId: "custodes-source-silent", final: true });
  expect(withCoverage({ ...own, coverage }, covered(0, { missing: ["a/1"] })).coverage).toBeUndefined();
  const told = (more: object) => tellCoverage([incident("i", 2, { status: 1, ...more })], covered(0, { missing: ["a/1"] }))[0];
  expect(told({ alerts: [own], final: true })?.status).toBe(5);
  expect(told({ alerts: [own], final: false })?.status).toBe(1);
  expect(told({ alerts: [own, alert("y", 1)], final: true })).toMatchObject({
    status: 1,
    coverage: { state: "partial", missing: ["a/1"] },
  });
});
