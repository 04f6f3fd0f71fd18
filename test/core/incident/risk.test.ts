import { expect, test } from "vitest";
import type { Alert } from "../../../src/core/alert.ts";
import { riskOpenings } from "../../../src/core/incident/risk.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { alertAt, grouping, HOUR, memory, T } from "./build.ts";

/** Low alerts are 20 each by default, so five at once are the threshold. */
const lows = (hours: readonly number[], changes: Partial<Alert> = {}): Alert[] =>
  hours.map((hour, index) => alertAt(`l${index}`, hour, "low", changes));
const openings = (alerts: readonly Alert[], policy = {}, rules = {}): [string, number][] =>
  riskOpenings(alerts, grouping({ rules }).rule, incidentPolicy(policy)).map(({ alert, risk }) => [alert.id, Math.round(risk * 100) / 100]);

test("alerts below the opening level open an incident together when their risk comes to the threshold, and all of them are in it", () => {
  const store = memory();
  expect(store.step(lows([0, 0, 0, 0]))).toEqual([]);
  const [incident] = store.step([alertAt("l4", 0, "low")]);
  expect(incident).toMatchObject({ revision: 1, level: "low", opened: { by: "risk", risk: 100 }, openedTime: T });
  expect(incident?.alerts.map((alert) => alert.id)).toEqual(["l0", "l1", "l2", "l3", "l4"]);
});

test("one point less opens nothing, and a rule's own risk counts before its level's", () => {
  expect(openings(lows([0, 0, 0, 0, 0]), { riskOpen: 101 })).toEqual([]);
  expect(openings(lows([0]), { riskOpen: 33 }, { low: { risk: 33 } })).toEqual([["l0", 33]]);
  expect(openings(lows([0, 0, 0, 0, 0]), {}, { low: { risk: 0 } })).toEqual([]);
});

test("risk falls in a straight line and is nothing after its time", () => {
  expect(openings(lows([0, 12]), { riskOpen: 30 })).toEqual([["l1", 30]]);
  expect(openings(lows([0, 12.1]), { riskOpen: 30 })).toEqual([]);
  expect(openings(lows([0, 24]), { riskOpen: 20.001 })).toEqual([]);
  expect(openings(lows([0, 0.5]), { riskOpen: 30, riskDecayMs: HOUR })).toEqual([["l1", 30]]);
});

test("what led to it is hours apart, and still one incident", () => {
  const store = memory();
  const [incident] = store.step(lows([0, 4, 8, 12, 16, 20]), grouping({ policy: { riskOpen: 70 } }));
  expect(incident?.alerts).toHaveLength(6);
  expect(store.incidents).toHaveLength(1);
});

test("an alert counts once, however many revisions it has", () => {
  const store = memory();
  store.step(lows([0, 0, 0, 0]));
  for (let revision = 2; revision < 9; revision++) expect(store.step([alertAt("l0", 0, "low", { revision, count: revision })])).toEqual([]);
  expect(store.step([alertAt("l4", 0, "low")])).toHaveLength(1);
});

test("confidence weighs risk, and below the minimum there is none", () => {
  expect(openings(lows([0, 0], { confidence: 60 }), { riskOpen: 24 })).toEqual([["l1", 24]]);
  expect(openings(lows([0, 0], { confidence: 50 }), { riskOpen: 20 })).toEqual([["l1", 20]]);
  expect(openings(lows([0, 0, 0, 0, 0, 0], { confidence: 49 }), { riskOpen: 1 })).toEqual([]);
});

test("alerts of the opening level add nothing to the sum, and 0 turns it off", () => {
  expect(openings([alertAt("h1", 0, "high"), alertAt("h2", 0, "high"), ...lows([0])])).toEqual([]);
  expect(openings(lows(Array.from({ length: 50 }, () => 0)), { riskOpen: 0 })).toEqual([]);
});

test("what lies before an end that a person made counts no more", () => {
  const alerts = lows([0, 0, 0, 0, 2]);
  const { rule } = grouping();
  expect(riskOpenings(alerts, rule, incidentPolicy({ riskOpen: 80 }), [T + HOUR])).toHaveLength(1);
  expect(riskOpenings(lows([0, 0, 2, 2]), rule, incidentPolicy({ riskOpen: 60 }), [T + HOUR])).toEqual([]);
  expect(riskOpenings(lows([0, 0, 2, 2]), rule, incidentPolicy({ riskOpen: 60 }), [])).toHaveLength(1);
});

test("an alert that is not sure of its agent opens nothing, joins what is open, and decides nothing there", () => {
  const store = memory();
  expect(store.step([alertAt("unsure", 0, "critical", { confidence: 49 })])).toEqual([]);
  const [incident] = store.step([alertAt("sure", 0, "medium", { confidence: 50 })]);
  expect(incident).toMatchObject({ level: "medium", confidence: 50, response: 1, title: "title medium: a-bot" });
  expect(incident?.alerts.map((alert) => alert.id)).toEqual(["sure", "unsure"]);
});
