import { expect, test } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import type { Category, Event } from "../../src/core/event.ts";
import { grow } from "../../src/pipeline/grow.ts";
import { withConfidence } from "../../src/pipeline/evidence.ts";
import { alertSubject } from "../fixtures/subjects.ts";
import { logged, START } from "./world.ts";

const event = (uid: string, category: Category, attributionConfidence: number | undefined): Event =>
  logged(uid, START, { category, attributionConfidence });
function confidence(events: readonly Event[], changes: Partial<Alert> = {}): number | undefined {
  const { confidence: _none, ...alert } = alertSubject().alert;
  const asked = { ...alert, agents: ["a"], evidence: events.map(({ uid }) => uid), ...changes };
  return withConfidence([asked], new Map(events.map((one) => [one.uid, one])))[0]!.confidence;
}

test("an alert is as sure as the weakest kind of its evidence, and a kind as its surest event", () => {
  expect(confidence([event("1", "agent_api", 95), event("2", "egress", 20), event("3", "egress", 75)])).toBe(75);
  expect(confidence([event("1", "agent_api", 95), event("2", "egress", 20)])).toBe(20);
  expect(confidence([event("1", "agent_api", 95)])).toBe(95);
});

test("events behind inner alerts count too", () => {
  const events = [event("1", "agent_api", 95), event("2", "egress", 60)];
  expect(confidence(events, { evidence: ["1", "inner"], behind: ["2"] })).toBe(60);
});

test("what nobody could attribute says nothing, and an alert that is about no agent has no confidence", () => {
  expect(confidence([event("1", "agent_api", 95), event("2", "authentication", undefined)])).toBe(95);
  expect(confidence([event("1", "authentication", undefined)])).toBeUndefined();
  expect(confidence([], {})).toBeUndefined();
});

test("an alert that names no agent, because any of several may have done it, is as unsure as they are", () => {
  expect(confidence([event("1", "egress", 20)], { agents: [] })).toBe(20);
});

test("a stored confidence stays until somebody looks again", () => {
  const before: Alert = { ...alertSubject().alert, confidence: 75, final: false };
  const { confidence: _none, ...after } = before;
  expect(grow(before, { ...after, count: before.count + 1 }).confidence).toBe(75);
  expect(grow(before, { ...after, count: 1, firstTime: before.lastTime }).confidence).toBe(75);
  expect(grow(before, { ...after, confidence: 20 }).confidence).toBe(20);
  expect(Object.keys(grow(after, after))).not.toContain("confidence");
});
