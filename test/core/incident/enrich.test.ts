/** What an incident says beyond its alerts: honest numbers, and nothing that was known is told away. */
import { expect, test } from "vitest";
import { STATUS, type Event } from "../../../src/core/event.ts";
import { enrich, type Findings } from "../../../src/core/incident/enrich.ts";
import { incidentTexts } from "../../../src/core/incident/texts.ts";
import { tellWhy } from "../../../src/core/incident/why.ts";
import { answer, closeQuiet } from "../../../src/core/incident/transitions.ts";
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
  expect(tellWhy("bot", [many], { evidence: mapOf(shown), policy })?.text).toBe(
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
  expect(tellWhy("bot", [alert], { evidence: mapOf([read!, ...posts]), policy })?.text).toBe(
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
  expect(tellWhy("bot", alerts, { evidence: mapOf([read!, login, little, much]), policy })?.text).toContain("b.example");
  expect(tellWhy("bot", alerts.slice(0, 2), { evidence: mapOf([read!, login, little, much]), policy })?.text).toContain("a.example");
});

test("the title is the rule's of which `why` tells: the gravest level first, then the join, and it stays when its evidence is gone", () => {
  const [read] = calls(1);
  const sent = event("egress", T + HOUR, { source: "istio/x", dstHost: "paste.example", bytesOut: 1_000, dstAllowed: false });
  const first = alertAt("first", 0, "critical", { ruleTitle: "Login", evidence: [read!.uid] });
  const join = alertAt("join", 1, "critical", { ruleTitle: "Read and upload", count: 2, evidence: [read!.uid, sent.uid] });
  const loud = alertAt("loud", 0, "high", { ruleTitle: "Volume", count: 2, evidence: [read!.uid, sent.uid] });
  const store = memory();
  store.step([first, join, loud]);
  const told = enrich(store.incidents[0]!, found([read!, sent]));
  expect([told.title, told.lead]).toEqual(["Read and upload: a-bot", "join"]);
  store.put(told);
  // A later step knows nothing of the join's events any more, and less grave evidence does not take the title.
  const again = alertAt("again", 1.1, "high", { ruleTitle: "Again", count: 2, evidence: ["new", read!.uid] });
  store.step([again]);
  const later = enrich(store.incidents[0]!, found([{ ...read!, uid: "new" }]));
  expect([later.title, later.why]).toEqual(["Read and upload: a-bot", told.why]);
  store.put(later);
  store.step([{ ...again, level: "critical", revision: 2 }]);
  const graver = enrich(store.incidents[0]!, found([read!, sent, { ...sent, uid: "new", bytesOut: 9_000 }]));
  expect(graver.title).toBe("Again: a-bot");
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
  const evidence = amended.timeline.filter(({ activity }) => activity === undefined);
  expect(evidence.map(({ uid }) => uid)).toEqual([...shown, late!].map(({ uid }) => uid));
  const beside = before.timeline.filter(({ activity }) => activity !== undefined);
  expect(beside.map(({ text }) => text)).toEqual([
    "called GET /v1/customers, 175 times until 12:01:39Z, 350.0 MB returned",
    "k8s:create:rolebindings granting admin",
  ]);
  expect(amended.timeline).toEqual(expect.arrayContaining(beside));
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
  expect(told.activityLeftOut).toBeUndefined();
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
  expect(incidentTexts(store.incidents[0]!).opened_by).toBe("level; closed before by ann at 2026-03-31T23:59:59Z: reason 12");
});

test("what a person said outlives any number of quiet ends, and stays when it becomes a part of another incident", () => {
  const store = memory();
  const again = grouping({ policy: { reopenMs: 24 * HOUR, quietMs: HOUR / 4 } });
  store.step([alertAt("1", 0, "high")], again);
  store.put(answer(store.incidents[0]!, { to: "close", how: "person", by: "ann", reason: "a test", time: T })!);
  for (let hour = 1; hour <= 15; hour++) {
    store.step([alertAt(`at ${hour}`, hour, "critical")], again);
    store.put(closeQuiet(store.incidents[0]!, T + (hour + 1) * HOUR, HOUR / 4)!);
  }
  const [incident] = store.incidents;
  expect(incident!.history).toHaveLength(10);
  expect(incident!.history![0]).toMatchObject({ how: "person", by: "ann", reason: "a test" });
  expect(incidentTexts({ ...incident!, closure: undefined } as never).opened_by).toContain(
    "closed before by ann at 2026-03-31T12:00:00Z: a test",
  );
});

test("when two become one, what a person said of either is told of both", () => {
  const store = memory();
  const joining = grouping({ policy: { reopenMs: 0, quietMs: HOUR } });
  store.step([alertAt("1", 0, "high"), alertAt("2", 1.5, "high")], joining);
  expect(store.incidents).toHaveLength(2);
  const second = store.incidents.find(({ firstTime }) => firstTime > T)!;
  const said = { how: "pager", by: "bob", reason: "resolved in PagerDuty", time: T + 4 * HOUR } as const;
  store.put(answer(second, { to: "close", ...said })!);
  store.step([alertAt("between", 0.75, "high")], joining);
  const [goesOn, part] = [...store.incidents].sort((a, b) => a.firstTime - b.firstTime);
  expect(part).toMatchObject({ closure: { how: "merged" }, history: [said] });
  expect(goesOn!.history).toEqual([said]);
});
