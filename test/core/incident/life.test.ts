import { expect, test } from "vitest";
import { answer, closeQuiet, type Ask } from "../../../src/core/incident/transitions.ts";
import { INCIDENT_STATUS, type Incident } from "../../../src/core/incident.ts";
import { alertAt, grouping, HOUR, memory, MINUTE, T } from "./build.ts";

const QUIET = HOUR;
const REOPEN = 24 * HOUR;
const again = (now = T) => grouping({ policy: { reopenMs: REOPEN }, now });
const opened = (hour = 0, changes = {}): Incident => memory().step([alertAt("1", hour, "high", changes)], again())[0]!;
const close = (incident: Incident, ask: Partial<Ask> = {}): Incident | undefined =>
  answer(incident, { to: "close", how: "person", by: "ann", reason: "false alarm", time: T + 2 * HOUR, ...ask });

test("an incident is closed once the watermark has left it behind by more than the quiet time, and only when final", () => {
  const done = opened();
  expect(closeQuiet(done, T + QUIET, QUIET)).toBeUndefined();
  expect(closeQuiet(opened(0, { final: false }), T + 9 * QUIET, QUIET)).toBeUndefined();
  const closed = closeQuiet(done, T + QUIET + 1, QUIET)!;
  expect(closed).toEqual({ ...done, status: INCIDENT_STATUS.closed, closure: { how: "quiet", time: T + QUIET }, revision: 2 });
  expect(closeQuiet(closed, T + 9 * QUIET, QUIET)).toBeUndefined();
});

test("a person closes with name, reason and time, once; what they type is cut and escaped", () => {
  const closed = close(opened())!;
  expect(closed).toMatchObject({
    status: 5,
    revision: 2,
    closure: { how: "person", by: "ann", reason: "false alarm", time: T + 2 * HOUR },
  });
  expect(close(closed)).toBeUndefined();
  const odd = close(opened(), { by: "\u202egnp\u001b[31m", reason: "x".repeat(5_000) })!.closure!;
  expect(odd.by).toBe("\\u{202e}gnp\\u{1b}[31m");
  expect(odd.reason).toHaveLength(1_000);
  expect(close(opened(), { by: " ", reason: undefined })!.closure).toEqual({ how: "person", time: T + 2 * HOUR });
});

test("an end is never before the last event: what is known then is not news", () => {
  expect(close(opened(7))!.closure!.time).toBe(T + 7 * HOUR);
});

test("acknowledging takes up a new incident, and nothing else", () => {
  const taken = answer(opened(), { to: "acknowledge", how: "pager", time: T })!;
  expect(taken).toMatchObject({ status: INCIDENT_STATUS.inProgress, revision: 2 });
  expect(answer(taken, { to: "acknowledge", how: "pager", time: T })).toBeUndefined();
  expect(answer(close(opened())!, { to: "acknowledge", how: "pager", time: T })).toBeUndefined();
});

test.each([
  ["within the window", 26, 1],
  ["after it", 26.1, 2],
])("after a person's end %s a new opener reopens or opens", (_, hour, count) => {
  const store = memory();
  store.step([alertAt("1", 0, "high")], again());
  store.put(close(store.incidents[0]!)!);
  store.step([alertAt("2", hour, "high")], again(T + hour * HOUR + MINUTE));
  expect(store.incidents).toHaveLength(count);
  if (count === 1) {
    const [incident] = store.incidents;
    expect(incident).toMatchObject({ revision: 3, status: INCIDENT_STATUS.new, reopened: { count: 1, time: T + hour * HOUR } });
    expect(incident).not.toHaveProperty("closure");
    expect(incident!.alerts.map((alert) => alert.id)).toEqual(["1", "2"]);
  } else expect(store.incidents[1]).toMatchObject({ revision: 1, alerts: [{ id: "2" }] });
});

test.each([
  ["within the window", 25, 1],
  ["after it", 25.1, 2],
])("after a quiet end %s, which is the quiet time after the last event, it is the same", (_, hour, count) => {
  const store = memory();
  store.step([alertAt("1", 0, "high")], again());
  store.put(closeQuiet(store.incidents[0]!, T + 2 * HOUR, QUIET)!);
  store.step([alertAt("2", hour, "high")], again());
  expect(store.incidents).toHaveLength(count);
});

test("with no window to reopen in, a person's end stands also within the quiet time", () => {
  const store = memory();
  store.step([alertAt("1", 0, "high")]);
  store.put(close(store.incidents[0]!, { time: T + MINUTE })!);
  store.step([alertAt("2", 0.5, "high")]);
  expect(store.incidents.map((one) => [one.status, one.alerts.map((alert) => alert.id)])).toEqual([
    [5, ["1"]],
    [1, ["2"]],
  ]);
});

test("what was opened after a person's end stays another incident, also when the window grows", () => {
  const store = memory();
  store.step([alertAt("1", 0, "high")]);
  store.put(close(store.incidents[0]!)!);
  store.step([alertAt("2", 3, "high")]);
  expect(store.incidents).toHaveLength(2);
  store.step([alertAt("3", 3.5, "high")], again());
  expect(store.incidents.map((one) => [one.status, one.alerts.map((alert) => alert.id)])).toEqual([
    [5, ["1"]],
    [1, ["2", "3"]],
  ]);
});

test.each([
  ["a later revision of a known alert", alertAt("1", 0, "high", { revision: 2, count: 9 }), 5],
  ["a small alert", alertAt("2", 0.2, "low"), 5],
  ["an alert that is not sure of its agent", alertAt("2", 0.2, "critical", { confidence: 10 }), 5],
  ["a known alert that rose to a higher level", alertAt("1", 0, "critical", { revision: 2 }), 1],
  ["late evidence that is an opener", alertAt("2", 0.2, "medium"), 1],
])("%s amends a closed incident under its id; only news reopens it", (_, alert, status) => {
  const store = memory();
  store.step([alertAt("1", 0, "high")], again());
  store.put(close(store.incidents[0]!)!);
  store.step([alert], again());
  expect(store.incidents).toHaveLength(1);
  expect(store.incidents[0]).toMatchObject({ status, revision: 3 });
});

test("small alerts whose risk comes to the threshold reopen what was closed", () => {
  const store = memory();
  store.step([alertAt("1", 0, "high")], again());
  store.put(closeQuiet(store.incidents[0]!, T + 2 * HOUR, QUIET)!);
  const lows = ["a", "b", "c", "d", "e"].map((id) => alertAt(id, 5, "low"));
  store.step(lows.slice(1), again());
  expect(store.incidents[0]).toMatchObject({ status: 5, revision: 2 });
  store.step(lows.slice(0, 1), again());
  expect(store.incidents).toHaveLength(1);
  expect(store.incidents[0]).toMatchObject({ status: 1, reopened: { count: 1 } });
});

test("what the pager says about the time before a reopening is ignored; what it says after counts", () => {
  const store = memory();
  store.step([alertAt("1", 0, "high")], again());
  store.put(close(store.incidents[0]!)!);
  store.step([alertAt("2", 3, "high")], again(T + 4 * HOUR));
  const [incident] = store.incidents;
  expect(close(incident!, { how: "pager", time: T + 4 * HOUR - 1 })).toBeUndefined();
  expect(close(incident!, { how: "pager", time: T + 4 * HOUR })).toBeDefined();
  expect(close(incident!, { how: "person", time: T + 3 * HOUR })).toBeDefined();
});

test("a late alert joins two incidents: the first goes on, the other becomes a part of it", () => {
  const store = memory();
  store.step([alertAt("1", 0, "high")]);
  store.step([alertAt("3", 1.5, "high")]);
  expect(store.incidents).toHaveLength(2);
  const [first, second] = store.incidents;
  store.step([alertAt("2", 0.75, "low")]);
  expect(store.incidents[0]).toMatchObject({ id: first!.id, revision: 2, status: 1, alerts: [{ id: "1" }, { id: "2" }, { id: "3" }] });
  expect(store.incidents[1]).toMatchObject({ id: second!.id, revision: 2, status: 5, closure: { how: "merged", by: first!.id } });
  store.step([alertAt("4", 1.6, "high")]);
  expect(store.incidents.map((one) => one.revision)).toEqual([3, 2]);
});

test("an incident carries what the registry says of the agent, the answer asked for and the runbooks", () => {
  const rules = { high: { response: { level: 2, actions: ["throttle_agent"] }, runbook: "r#1" }, critical: { level: "critical" as const } };
  const store = memory();
  const [hard] = store.step([alertAt("1", 0, "high")], grouping({ rules }));
  expect(hard).toMatchObject({
    profile: { team: "Care", scopes: ["crm:read"] },
    response: 2,
    recommended: [{ action: "throttle_agent", ruleId: "high", runbook: "r#1" }],
  });
  const [emergency] = store.step([alertAt("2", 0, "critical")], grouping({ rules }));
  expect(emergency).toMatchObject({ response: 3 });
});

test("what stops an attack is asked for before what slows it and what looks at it, whatever alert it comes from", () => {
  const rules = {
    critical: { level: "critical" as const, response: { level: 3, actions: ["review_output", "rotate_secret", "freeze_agent"] } },
    high: { response: { level: 2, actions: ["throttle_agent", "revoke_credential", "review_output"] } },
  };
  const [incident] = memory().step([alertAt("1", 0, "critical"), alertAt("2", 0, "high")], grouping({ rules }));
  expect(incident?.recommended?.map(({ action }) => action)).toEqual([
    "freeze_agent",
    "revoke_credential",
    "rotate_secret",
    "throttle_agent",
    "review_output",
  ]);
});

test.each([
  [1.49, 1],
  [1.5, 2],
])("a rule that names no answer asks by what was measured: %d times the expected is level %d", (ratio, level) => {
  const baseline = { numerator: ratio * 10, baseline: 10, windows: 5 };
  expect(memory().step([alertAt("1", 0, "critical", { baseline })])[0]?.response).toBe(level);
});

test("an incident about something that is no agent has no profile and is no worse for it", () => {
  const alert = alertAt("1", 0, "high", { group: { source: "kong/main" }, agents: [] });
  const [incident] = memory().step([alert], grouping({ rules: { high: { entity: "source" } } }));
  expect(incident).toMatchObject({
    entity: "source:kong/main",
    agentUid: undefined,
    title: "title high: source:kong/main",
    confidence: 100,
  });
  expect(incident).not.toHaveProperty("profile");
});
