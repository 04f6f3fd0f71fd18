import { describe, expect, test } from "vitest";
import { activeAfter, isTimezone, type ActiveHours } from "../../../src/core/completeness/active-hours.ts";
import { silentSince } from "../../../src/core/completeness/agent-silence.ts";
import { conditionAlert, HEALTH_RULES, healthRule } from "../../../src/core/completeness/health-rules.ts";
import { at } from "./time.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const office: ActiveHours = { days: [1, 2, 3, 4, 5], from: 8 * 60, to: 18 * 60, timezone: "Europe/Berlin" };

describe("scheduled time", () => {
  test.each([
    ["without hours it is all time", undefined, "2026-03-31T22:00Z", 15, "2026-03-31T22:15Z"],
    ["within the hours it goes on", office, "2026-03-31T10:00Z", 15, "2026-03-31T10:15Z"],
    ["before them it waits", office, "2026-03-31T03:00Z", 15, "2026-03-31T06:15Z"],
    ["what is left of a day counts, the rest is the next one's", office, "2026-03-31T15:50Z", 15, "2026-04-01T06:05Z"],
    ["a weekend is no time", office, "2026-04-03T15:55Z", 15, "2026-04-06T06:10Z"],
    ["summer time begins on a Sunday, and Monday opens an hour earlier", office, "2026-03-27T17:00Z", 15, "2026-03-30T06:15Z"],
    ["summer time ends, and Monday opens an hour later", office, "2026-10-23T16:00Z", 15, "2026-10-26T07:15Z"],
  ] as const)("%s", (_, hours, start, minutes, end) => {
    expect(new Date(activeAfter(hours, at(start), minutes * MINUTE)).toISOString()).toBe(new Date(at(end)).toISOString());
  });
  test("hours may pass midnight, and belong to the day on which they begin", () => {
    const night: ActiveHours = { days: [5], from: 22 * 60, to: 2 * 60, timezone: "UTC" };
    expect(activeAfter(night, at("2026-04-04T01:00Z"), 30 * MINUTE)).toBe(at("2026-04-04T01:30Z"));
    expect(activeAfter(night, at("2026-04-04T01:00Z"), 90 * MINUTE)).toBe(at("2026-04-10T22:30Z"));
  });
  test("on the day of 23 hours the hours are one shorter", () => {
    const all: ActiveHours = { days: [0], from: 0, to: 24 * 60, timezone: "Europe/Berlin" };
    expect(activeAfter(all, at("2026-03-28T12:00Z"), 23 * HOUR)).toBe(at("2026-03-29T22:00Z"));
  });
  test("hours over a change of the clock end by the clock", () => {
    const night: ActiveHours = { days: [0], from: 0, to: 4 * 60, timezone: "Europe/Berlin" };
    expect(activeAfter(night, at("2026-03-28T12:00Z"), 3 * HOUR)).toBe(at("2026-03-29T02:00Z"));
    expect(activeAfter(night, at("2026-03-28T12:00Z"), 3.5 * HOUR)).toBe(at("2026-04-04T22:30Z"));
  });
  test("an agent that is never scheduled is never silent", () => {
    expect(activeAfter({ ...office, days: [] }, 0, 1)).toBe(Infinity);
  });
  test("time zones are those of the runtime", () => {
    expect([isTimezone("Europe/Berlin"), isTimezone("Mars/Base")]).toEqual([true, false]);
  });
});

describe("silence of an agent", () => {
  const agent = { heartbeatMs: 10 * MINUTE, hours: undefined };
  const whole = { watermark: 10 * MINUTE, unheard: [] };
  test("is known when everything that carries it is complete until its sign was due, to the millisecond", () => {
    expect(silentSince(agent, 0, [whole, { ...whole, watermark: 11 * MINUTE }])).toBe(0);
    expect(silentSince(agent, 1, [whole])).toBeUndefined();
    expect(silentSince(agent, 0, [whole, { ...whole, watermark: 10 * MINUTE - 1 }])).toBeUndefined();
  });
  test("is not known while a source is missing, has a gap that lasts, or none carries it", () => {
    expect(silentSince(agent, 0, [whole, { watermark: undefined, unheard: [] }])).toBeUndefined();
    expect(silentSince(agent, 0, [{ ...whole, unheard: [{ from: 9 * MINUTE, to: null }] }])).toBeUndefined();
    expect(silentSince(agent, 0, [{ ...whole, unheard: [{ from: 10 * MINUTE + 1, to: null }] }])).toBe(0);
    expect(silentSince(agent, 0, [])).toBeUndefined();
  });
  test("counts again from the end of what was not heard, whichever source it was, as often as it happens", () => {
    const late = { from: 14 * MINUTE, to: 15 * MINUTE };
    const early = { from: 10 * MINUTE, to: 12 * MINUTE };
    const carriers = (watermark: number) => [
      { watermark, unheard: [late] },
      { watermark, unheard: [early] },
    ];
    expect(silentSince(agent, 0, carriers(25 * MINUTE - 1))).toBeUndefined();
    expect(silentSince(agent, 0, carriers(25 * MINUTE))).toBe(15 * MINUTE);
    // Before the sign, and after it was due, nothing was hidden.
    expect(silentSince(agent, 16 * MINUTE, carriers(26 * MINUTE))).toBe(16 * MINUTE);
    expect(silentSince(agent, 0, [{ ...whole, unheard: [late] }])).toBe(0);
  });
});

describe("health rules", () => {
  const condition = { rule: "custodes-source-silent", entity: "okta/corp", since: 5, ended: null, level: "high", detail: "d" } as const;
  test("each has what alerts and incidents say of a rule", () => {
    for (const id of HEALTH_RULES) expect(healthRule(id)).toMatchObject({ id, status: "stable", runbook: `docs/runbooks.md#${id}` });
    expect(healthRule("toString")).toBeUndefined();
  });
  test("a condition is one alert for life, final when it is over", () => {
    const first = conditionAlert(condition, (name) => name);
    const last = conditionAlert({ ...condition, ended: 9 }, (name) => name);
    expect(last?.id).toBe(first?.id);
    expect([first?.final, last?.final, last?.lastTime]).toEqual([false, true, 9]);
    expect(conditionAlert({ ...condition, since: 6 }, (name) => name)?.id).not.toBe(first?.id);
    expect(conditionAlert({ ...condition, entity: "okta/other" }, (name) => name)?.id).not.toBe(first?.id);
    expect(conditionAlert({ ...condition, rule: "gone" }, (name) => name)).toBeUndefined();
  });
});
