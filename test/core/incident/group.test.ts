import { expect, test } from "vitest";
import { uuid5 } from "../../../src/adapters/system/system.ts";
import type { Alert, RuleInfo } from "../../../src/core/alert.ts";
import type { Event } from "../../../src/core/event.ts";
import { groupAlerts as groupKnown, type GroupingContext, type IncidentPolicy } from "../../../src/core/incident/group.ts";
import { INCIDENT_STATUS, type Incident } from "../../../src/core/incident.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { ruleInfo } from "../../fixtures/subjects.ts";
import { agent, event } from "../identity/agents.ts";

const T = Date.UTC(2026, 2, 31, 12);
const MINUTE = 60_000;
const QUIET = 60 * MINUTE;

function context(
  changes: Partial<Omit<GroupingContext, "policy">> & {
    rules?: Readonly<Record<string, Partial<RuleInfo>>>;
    events?: readonly Event[];
    policy?: Partial<IncidentPolicy>;
  } = {},
): GroupingContext {
  const { rules = {}, events = [], policy = {}, ...rest } = changes;
  return {
    rule: (id) => ruleInfo({ id, risk: undefined, ...rules[id] }),
    agent: (id) => agent(id, { name: `${id}-bot`, owner: `${id}-owner` }),
    evidence: new Map(events.map((one) => [one.uid, one])),
    uuid5,
    policy: incidentPolicy({ quietMs: QUIET, ...policy }),
    now: T,
    coverage: { state: "complete", missing: [], watermark: T },
    ...rest,
  };
}
function alert(id: string, minute: number, changes: Partial<Alert> = {}): Alert {
  return {
    id,
    ruleId: "r",
    ruleTitle: `title ${changes.ruleId ?? "r"}`,
    level: "high",
    group: { "ai_agent.uid": "a" },
    bucket: T,
    firstTime: T + minute * MINUTE,
    lastTime: T + minute * MINUTE,
    count: 1,
    evidence: [],
    agents: ["a"],
    revision: 1,
    final: true,
    ...changes,
  };
}
/** One step over these incidents, of which no alert but those that they list is stored. */
function groupAlerts(incidents: readonly Incident[], changed: readonly Alert[], given: GroupingContext): Incident[] {
  return groupKnown({ incidents, alerts: incidents.flatMap((one) => one.alerts) }, changed, given);
}
/** Applies steps of changed alerts as the pipeline does, closing nothing. */
function play(steps: readonly (readonly Alert[])[], given = context()): Map<string, Incident> {
  const incidents = new Map<string, Incident>();
  const alerts = new Map<string, Alert>();
  for (const step of steps) {
    const known = { incidents: [...incidents.values()], alerts: [...alerts.values()] };
    for (const incident of groupKnown(known, step, given)) incidents.set(incident.id, incident);
    for (const alert of step) alerts.set(alert.id, alert);
  }
  return incidents;
}
const only = (incidents: Iterable<Incident>): Incident => {
  const all = [...incidents];
  expect(all).toHaveLength(1);
  return all[0]!;
};

test("alerts about one agent belong together, and each step raises the revision by one", () => {
  const incident = only(play([[alert("1", 0)], [alert("2", 10), alert("3", 20)]]).values());
  expect(incident).toMatchObject({
    revision: 2,
    entity: "agent:a",
    agentUid: "a",
    agentName: "a-bot",
    agentOwner: "a-owner",
    status: INCIDENT_STATUS.new,
  });
  expect(incident.alerts.map((one) => one.id)).toEqual(["1", "2", "3"]);
  expect([incident.firstTime, incident.lastTime]).toEqual([T, T + 20 * MINUTE]);
});

test("a gap of exactly the quiet time still belongs together, one millisecond more does not, in both directions", () => {
  expect(play([[alert("1", 0)], [alert("2", 60)]]).size).toBe(1);
  expect(play([[alert("1", 0)], [alert("2", 0, { firstTime: T + QUIET + 1, lastTime: T + QUIET + 1 })]]).size).toBe(2);
  expect(play([[alert("1", 60)], [alert("2", 0)]]).size).toBe(1);
  expect(play([[alert("1", 0)], [alert("2", 0, { firstTime: T - QUIET - 1, lastTime: T - QUIET - 1 })]]).size).toBe(2);
});

test("an amended alert stays in its incident wherever its times have moved", () => {
  const incident = only(play([[alert("1", 0)], [alert("1", 0, { lastTime: T + 10 * QUIET, revision: 2, count: 9 })]]).values());
  expect(incident.alerts).toHaveLength(1);
  expect(incident.alerts[0]).toMatchObject({ revision: 2, count: 9 });
  expect(incident.lastTime).toBe(T + 10 * QUIET);
});

test("an incident's id depends on its entity and the alert that opened it, and never changes", () => {
  const first = only(play([[alert("1", 0)]]).values());
  const grown = only(play([[alert("1", 0)], [alert("0", -30, { level: "critical" })], [alert("1", 0, { revision: 2 })]]).values());
  expect(grown.id).toBe(first.id);
  expect(first.id).toBe(uuid5("incident\nagent:a\n1"));
});

test("an alert of several agents is part of an incident of each", () => {
  const shared = alert("1", 0, { group: {}, agents: ["a", "b"] });
  const found = play([[shared], [alert("2", 1, { group: { "ai_agent.uid": "b" }, agents: ["b"] })]]);
  expect([...found.values()].map((one) => [one.entity, one.alerts.length])).toEqual([
    ["agent:a", 1],
    ["agent:b", 2],
  ]);
  expect(new Set(found.keys()).size).toBe(2);
});

test.each([
  ["the rule's entity", { "api.token.uid": "cred", "ai_agent.uid": "a" }, ["a"], { entity: "api.token.uid" }, "api.token.uid:cred"],
  ["the group's agent when the rule's entity is not in the group", { "ai_agent.uid": "a" }, [], { entity: "user.uid" }, "agent:a"],
  ["the agent, however the rule names it", { "ai_agent.uid": "a" }, [], { entity: "ai_agent.uid" }, "agent:a"],
  ["the agents of the evidence", { "src_endpoint.ip": "10.0.0.1" }, ["z"], {}, "agent:z"],
  ["the group", { b: "2", a: "1" }, [], {}, "a:1,b:2"],
  ["the rule itself", {}, [], {}, "rule:r"],
] as const)("an incident is about %s", (_, group, agents, rule, entity) => {
  const incident = only(groupAlerts([], [alert("1", 0, { group, agents: [...agents] })], context({ rules: { r: rule } })));
  expect(incident.entity).toBe(entity);
  expect(incident.agentUid).toBe(entity.startsWith("agent:") ? entity.slice(6) : undefined);
});

test("an alert below the opening level opens nothing but joins what is open", () => {
  const low = alert("low", 5, { level: "low" });
  expect(groupAlerts([], [low], context())).toEqual([]);
  expect(only(play([[alert("1", 0)], [low]]).values()).alerts).toHaveLength(2);
});

test("the level is that of the worst alert and never falls, the title names it", () => {
  const incident = only(play([[alert("1", 0, { level: "critical", ruleId: "worst" })], [alert("2", 1, { level: "medium" })]]).values());
  expect(incident.level).toBe("critical");
  expect(incident.title).toBe("title worst: a-bot");
});

test("a critical alert after very many others is listed, decides the level, and moves the incident's end", () => {
  const crowd = Array.from({ length: 70 }, (_, index) => alert(`c${String(index).padStart(2, "0")}`, index, { level: "medium" }));
  const incident = only(play([...crowd.map((one) => [one]), [alert("worst", 75, { level: "critical", ruleId: "worst" })]]).values());
  expect(incident.level).toBe("critical");
  expect(incident.alerts).toHaveLength(50);
  expect(incident.alerts.some((one) => one.id === "worst")).toBe(true);
  expect([incident.firstTime, incident.lastTime]).toEqual([T, T + 75 * MINUTE]);
  expect(incident.story).toContain("at least 71 alerts");
});

test("activity that goes on for longer than any quiet time stays one incident, however many alerts it raises", () => {
  const steps = Array.from({ length: 200 }, (_, index) => [alert(`a${index}`, index * 30)]);
  const incident = only(play(steps).values());
  expect(incident.lastTime).toBe(T + 199 * 30 * MINUTE);
});

test("risk adds up without ever passing 100, and a rule's own risk counts before its level's", () => {
  const risk = (alerts: Alert[], rules = {}) => only(groupAlerts([], alerts, context({ rules }))).risk;
  expect(risk([alert("1", 0)])).toBe(70);
  expect(risk([alert("1", 0), alert("2", 0)])).toBe(91);
  expect(risk([alert("1", 0)], { r: { risk: 10 } })).toBe(10);
  expect(risk(Array.from({ length: 50 }, (_, index) => alert(String(index), 0)))).toBe(100);
});

test("evidence of every step stays in the lists and the timeline, in the order in which it happened, once", () => {
  const e1 = event("agent_api", T, { srcIp: "10.0.0.2", userName: "bob", credentialUid: "c1" });
  const e2 = event("egress", T - MINUTE, {
    srcIp: "10.0.0.1",
    dstIp: "192.0.2.1",
    dstHost: "x.example",
    userUid: "",
    targetUserName: "eve",
  });
  const first = groupAlerts([], [alert("1", 0, { evidence: [e1.uid] })], context({ events: [e1] }));
  const incident = only(groupAlerts(first, [alert("2", 1, { evidence: [e2.uid, e1.uid, "unknown"] })], context({ events: [e2] })));
  expect(incident.timeline.map((line) => line.uid)).toEqual([e2.uid, e1.uid]);
  expect(incident).toMatchObject({
    hosts: ["x.example"],
    ips: ["10.0.0.1", "10.0.0.2", "192.0.2.1"],
    users: ["bob", "eve"],
    credentials: ["c1"],
  });
});

test("events behind inner alerts are told as evidence is, and stay when they cannot be loaded any more", () => {
  const failed = event("authentication", T - MINUTE, { srcIp: "192.0.2.66", statusId: 2 });
  const call = event("agent_api", T, { srcIp: "10.0.0.1" });
  const chained = { evidence: ["inner alert", call.uid], behind: [failed.uid, call.uid] };
  const first = groupAlerts([], [alert("1", 0, chained)], context({ events: [call, failed] }));
  const incident = only(groupAlerts(first, [alert("1", 0, { ...chained, count: 2 })], context()));
  expect(incident.timeline.map((line) => line.uid)).toEqual([failed.uid, call.uid]);
  expect(incident.ips).toEqual(["10.0.0.1", "192.0.2.66"]);
});

test("lists and timeline are bounded", () => {
  const events = Array.from({ length: 60 }, (_, index) =>
    event("agent_api", T + index, { srcIp: `10.0.0.${index}`, userName: `u${index}` }),
  );
  const incident = only(groupAlerts([], [alert("1", 0, { evidence: events.map((one) => one.uid) })], context({ events })));
  expect([incident.timeline.length, incident.ips.length, incident.users.length]).toEqual([50, 50, 50]);
});

test("tags, maps, runbooks and actions are those of its rules, each once", () => {
  const maps = [{ framework: "f", version: "1", id: "x" }];
  const rules = {
    r: { tags: ["b", "a"], maps, runbook: "https://r.example", response: { level: 1, actions: ["page"] } },
    s: { tags: ["a"], maps, runbook: undefined, response: undefined },
  };
  const incident = only(groupAlerts([], [alert("1", 0), alert("2", 0, { ruleId: "s" })], context({ rules })));
  expect(incident).toMatchObject({ tags: ["a", "b"], maps, runbooks: ["https://r.example"], actions: ["page"] });
});

test("an incident is final when all its alerts are, and tells what was missing at its last change", () => {
  const given = context({ coverage: { state: "partial", missing: ["kong/main"], watermark: T } });
  expect(only(groupAlerts([], [alert("1", 0), alert("2", 0, { final: false })], given))).toMatchObject({
    final: false,
    coverage: { state: "partial", missing: ["kong/main"] },
  });
  expect(only(groupAlerts([], [alert("1", 0), alert("2", 0)], given)).final).toBe(true);
});
