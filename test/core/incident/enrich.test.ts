/** What an incident says beyond its alerts: honest numbers, and nothing that was known is told away. */
import { expect, test } from "vitest";
import { STATUS, type Event } from "../../../src/core/event.ts";
import { enrich, type Findings } from "../../../src/core/incident/enrich.ts";
import { incidentTexts } from "../../../src/core/incident/texts.ts";
import { tellWhy } from "../../../src/core/incident/why.ts";
import { answer } from "../../../src/core/incident/transitions.ts";
import type { Alert } from "../../../src/core/alert.ts";
import type { Incident } from "../../../src/core/incident.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { event } from "../identity/agents.ts";
import { alertAt, grouping, HOUR, memory, T } from "./build.ts";

const policy = incidentPolicy();
const mapOf = (events: readonly Event[]) => new Map(events.map((one) => [one.uid, one]));
const calls = (count: number, changes: Partial<Event> = {}, from = T): Event[] =>
  Array.from({ length: count }, (_, index) =>
    event("agent_api", from + index * 500, {
      statusId: STATUS.success,
      source: "kong/gw",
      method: "GET",
      urlPath: "/v1/customers",
      bytesIn: 2_000_000,
      dataClasses: ["customer"],
      ...changes,
    }),
  );
const found = (evidence: readonly Event[], events?: readonly Event[], changes: Partial<Findings> = {}): Findings => ({
  evidence: mapOf(evidence),
  sequences: new Map(),
  events,
  scope: { from: T, to: T + HOUR, atLeast: false, readTime: T },
  recordUrls: new Map(),
  policy,
  ...changes,
});
const incidentOf = (alerts: readonly Alert[], events: readonly Event[] = []): Incident => memory().step(alerts, grouping({ events }))[0]!;

const exports = calls(200);
const shown = exports.slice(0, 25);
const many = alertAt("many", 0, "high", { count: 200, lastTime: exports.at(-1)!.time, evidence: shown.map(({ uid }) => uid) });

test("why: 25 of 200 events are a lower bound, and what the agent did in all is said beside", () => {
  expect(tellWhy("bot", [many], { evidence: mapOf(shown), policy })).toBe(
    "read at least 50.0 MB of customer data (at least 25 calls of GET /v1/customers) through kong/gw from 12:00:00 to 12:01:39: by bot (confidence 100)",
  );
  const told = enrich(incidentOf([many]), found(shown, exports));
  expect(told.why).toContain("read at least 50.0 MB of customer data (at least 25 calls of GET /v1/customers; in all 200 calls, 400.0 MB)");
  const cut = enrich(incidentOf([many]), found(shown, exports, { scope: { from: T, to: T, atLeast: true, readTime: T } }));
  expect(cut.why).toContain("; in all at least 200 calls, 400.0 MB)");
});

test("why: what an alert holds as a whole is told exactly, and a POST is no read", () => {
  const [read] = calls(1);
  const posts = calls(2, { method: "POST", urlPath: "/v1/tickets" }, T + 60_000);
  const alert = alertAt("1", 0, "high", { count: 3, evidence: [read!, ...posts].map(({ uid }) => uid) });
  expect(tellWhy("bot", [alert], { evidence: mapOf([read!, ...posts]), policy })).toBe(
    "read 2.0 MB of customer data (1 call of GET /v1/customers) through kong/gw at 12:00:00, " +
      "then made 2 calls of POST /v1/tickets through kong/gw at 12:01:00: both by bot (confidence 100)",
  );
});

test("why: of the gravest alerts that in which most data left tells, whenever it came", () => {
  const [read] = calls(1);
  const login = event("authentication", T, { source: "okta/x", statusId: STATUS.success });
  const sent = (bytesOut: number, dstHost: string) =>
    event("egress", T + HOUR, { dstHost, bytesOut, dstAllowed: false, source: "istio/x" });
  const [little, much] = [sent(1_000, "a.example"), sent(9_000_000, "b.example")];
  const alerts = [
    alertAt("early join", 0, "critical", { count: 2, evidence: [read!.uid, login.uid] }),
    alertAt("little", 1, "critical", { evidence: [little.uid] }),
    alertAt("much", 2, "critical", { evidence: [much.uid] }),
    alertAt("less grave", 0, "high", { evidence: [sent(99_000_000, "c.example").uid] }),
  ];
  expect(tellWhy("bot", alerts, { evidence: mapOf([read!, login, little, much]), policy })).toContain("b.example");
  expect(tellWhy("bot", alerts.slice(0, 2), { evidence: mapOf([read!, login, little, much]), policy })).toContain("a.example");
});

test("what has left the log stays told: reach, proof, reasons, and that numbers are lower bounds now", () => {
  const grant = event("infra_change", T + HOUR, { infraAction: "k8s:create:rolebindings", grant: "admin", isChange: true });
  const before = enrich(incidentOf([many]), found(shown, [...exports, grant]));
  expect(before.blast).toMatchObject({ events: 201, atLeast: false });
  const [late] = calls(1, {}, T + 2 * HOUR);
  const small = alertAt("small", 2, "low", { evidence: [late!.uid] });
  const amended = enrich({ ...before, alerts: [many, small] }, found([late!], [late!]));
  expect(amended.why).toBe(before.why);
  expect(amended.blast).toMatchObject({
    events: 201,
    atLeast: true,
    basis: "events of the agent",
    endpoints: [{ count: 200, bytesIn: 400_000_000 }],
    data: [{ name: "customer", count: 200 }],
    actions: [{ reversibility: "by hand", name: "k8s:create:rolebindings granting admin", count: 1 }],
    totals: { actions: 1 },
  });
  expect(amended.proof!.map(({ uid }) => uid)).toEqual([...shown, late!].map(({ uid }) => uid));
  expect(amended.timeline.map(({ uid }) => uid)).toEqual([...shown, late!].map(({ uid }) => uid));
  // A graver alert whose evidence is there may tell another story.
  const grave = alertAt("grave", 2, "critical", { evidence: [late!.uid] });
  expect(enrich({ ...before, alerts: [many, grave] }, found([late!], [late!])).why).toContain("read 2.0 MB");
  // A reading that knows more takes the place of the one before.
  expect(enrich(before, found(shown, [...exports, grant, late!])).blast).toMatchObject({ events: 202, atLeast: false });
});

test("timeline and proof keep what the gravest alert rests on, however much came before and after, and count the rest", () => {
  const reads = calls(240);
  const grant = event("infra_change", reads[120]!.time + 1, { infraAction: "grant", grant: "admin", isChange: true });
  const alerts = [
    ...Array.from({ length: 10 }, (_, index) =>
      alertAt(`high ${index}`, 0, "high", { evidence: reads.slice(index * 24, index * 24 + 24).map(({ uid }) => uid) }),
    ),
    alertAt("grant", 0.01, "critical", { evidence: [grant.uid] }),
  ];
  const told = enrich(incidentOf(alerts, reads.slice(0, 60)), found([...reads, grant]));
  for (const list of [told.timeline, told.proof!]) {
    const uids = list.map(({ uid }) => uid);
    expect(uids).toHaveLength(50);
    expect(uids).toEqual(expect.arrayContaining([reads[0]!.uid, grant.uid, reads.at(-1)!.uid]));
    expect(list.map(({ time }) => time)).toEqual(list.map(({ time }) => time).toSorted((a, b) => a - b));
  }
  expect(told.evidenceLeftOut).toBe(191);
  expect(enrich(incidentOf([many]), found(shown))).not.toHaveProperty("evidenceLeftOut");
});

test("of more alerts than are listed the first and the last stay, and how many there are at least", () => {
  const highs = Array.from({ length: 120 }, (_, index) => alertAt(`h${String(index).padStart(3, "0")}`, index / 10, "high"));
  const store = memory();
  store.step(highs.slice(0, 70));
  store.step(highs.slice(70));
  const [incident] = store.incidents;
  const ids = incident!.alerts.map(({ id }) => id);
  expect(ids).toHaveLength(50);
  expect([ids[0], ids.at(-1)]).toEqual(["h000", "h119"]);
  expect(incident).toMatchObject({ alertsAtLeast: 120, story: expect.stringContaining("at least 120 alerts") as string });
});

test("the agent's own names are no users", () => {
  const [mine] = calls(1, { clientUid: "a-client", userName: "a-client", onBehalfOf: "ann" });
  const known = event("agent_api", T, { userName: "svc-a", agentName: "a-bot" });
  const told = enrich(incidentOf([many]), found([mine!, known], [mine!, known], { names: new Set(["svc-a"]) }));
  expect(told.blast!.users).toEqual(["ann"]);
  const built = incidentOf([alertAt("1", 0, "high", { evidence: [mine!.uid] })], [mine!]);
  expect(built.users).toEqual([]);
});

test("what was only tried is not among what cannot be undone, and each action says when", () => {
  const refund = event("agent_api", T, { method: "POST", urlPath: "/refunds", statusId: STATUS.success });
  const denied = calls(3, { method: "DELETE", urlPath: "/v1/customers/7", statusId: STATUS.failure });
  const told = enrich(incidentOf([many]), found([], [refund, ...denied]));
  expect(incidentTexts(told)).toMatchObject({
    cannot_be_undone: ["POST /refunds (once, at 2026-03-31T12:00:00Z)"],
    tried_failed: ["DELETE /v1/customers/{id} (failed 3 times, from 2026-03-31T12:00:00Z to 2026-03-31T12:00:01Z)"],
  });
  expect(told.blast!.byReversibility).toMatchObject({ irreversible: 1 });
});

test("what a person said stays in the incident's history when it is reopened", () => {
  const store = memory();
  const again = grouping({ policy: { reopenMs: 24 * HOUR } });
  store.step([alertAt("1", 0, "high")], again);
  for (let hour = 1; hour <= 12; hour++) {
    const ask = { to: "close", how: "person", by: "ann", reason: `reason ${hour}`, time: T + hour * HOUR - 1 } as const;
    store.put(answer(store.incidents[0]!, ask)!);
    store.step([alertAt(`at ${hour}`, hour, "critical")], again);
  }
  expect(store.incidents).toHaveLength(1);
  expect(store.incidents[0]!.history?.map(({ by, reason }) => `${by} ${reason}`)).toEqual(
    Array.from({ length: 10 }, (_, index) => `ann reason ${index + 3}`),
  );
});
