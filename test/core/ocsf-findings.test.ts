import { describe, expect, test } from "vitest";
import type { Alert, RuleInfo } from "../../src/core/alert.ts";
import { CLASS, type Event } from "../../src/core/event.ts";
import { INCIDENT_STATUS, type Incident } from "../../src/core/incident.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { alertToOcsf, incidentToOcsf, type OcsfVersion } from "../../src/core/ocsf.ts";
import { hostileAlert, hostileIncident } from "../fixtures/hostile.ts";
import { alertSubject, incidentSubject } from "../fixtures/subjects.ts";
import { ocsfErrors, schemasPresent } from "./ocsf-validator.ts";

/** Controls, bidirectional and invisible characters. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}]/u;

/** How many texts of the object could deceive a reader. */
function hiddenTexts(object: unknown): number {
  if (typeof object === "string") return HIDDEN.test(object) ? 1 : 0;
  if (typeof object !== "object" || object === null) return 0;
  return Object.entries(object).reduce((sum, [key, value]) => sum + hiddenTexts(key) + hiddenTexts(value), 0);
}

const VERSIONS: readonly OcsfVersion[] = ["1.8.0", "1.9.0"];
const TIME = 1_774_915_519_693;
type Tree = Record<string, unknown>;

const rule: RuleInfo = {
  id: "5e1b7c1e-0000-4000-8000-000000000001",
  title: "Agent leaks a secret",
  description: "A secret appeared in an agent's output.",
  path: "correlations/exfiltration/secret.yml",
  line: 3,
  level: "critical",
  tags: ["attack.t1552.001", "custodes.b28"],
  status: "stable",
  schedule: undefined,
  entity: undefined,
  threat: "data_exfiltration",
  risk: 90,
  runbook: "Rotate the key.",
  response: { level: 3, actions: ["rotate_token"] },
  destinations: undefined,
  maps: [
    { framework: "MITRE ATT&CK", version: "19", id: "T1552.001" },
    { framework: "MITRE ATT&CK", version: "19", id: "TA0006" },
    { framework: "MITRE ATLAS", version: "5.1", id: "AML.T0057" },
    { framework: "OWASP LLM Top 10", version: "2025", id: "LLM02" },
    { framework: "OWASP LLM Top 10", version: "2025", id: "LLM06" },
  ],
  falsePositives: ["Documentation keys"],
  references: ["https://example.com/runbook"],
};

function alert(fields: Partial<Alert> = {}): Alert {
  return {
    id: "0e6f6f3e-7f2f-5d7e-9f7c-000000000001",
    ruleId: rule.id,
    ruleTitle: rule.title,
    level: "critical",
    group: { "ai_agent.uid": "agent-1", "odd\u202ename": "x" },
    bucket: TIME - 1000,
    firstTime: TIME,
    lastTime: TIME + 5000,
    count: 40,
    evidence: ["otlp:a/b", "gone"],
    agents: ["agent-1"],
    revision: 1,
    final: false,
    ...fields,
  };
}

function evidence(classUid: number, index = 0): Event {
  const event = newEvent(index === 0 ? "otlp:a/b" : `otlp:a/${index}`, TIME, "agent_api", classUid, 1);
  return Object.assign(event, {
    vendor: "OpenTelemetry",
    product: "OTLP",
    source: "otlp/agents",
    agentUid: "agent-1",
    agentName: "Ledger",
    userName: "ann",
    srcIp: "10.0.0.7",
    dstHost: "evil.example",
    operation: "chat",
    toolName: "send_mail",
    resourceUid: "mailbox-1",
    filePath: "/home/agent/.env",
    host: "node-1",
    purpose: "invoicing",
    dnsType: "A",
    cloudProvider: "aws",
    region: "eu-central-1",
  } satisfies Partial<Event>);
}

describe.each(VERSIONS)("the confidence of an alert in OCSF %s", (version) => {
  test.runIf(schemasPresent).each([
    [20, 1],
    [49, 1],
    [50, 2],
    [79, 2],
    [80, 3],
    [95, 3],
  ])("%i is level %i", (confidence, level) => {
    const object = alertToOcsf(alert({ confidence }), rule, [evidence(CLASS.apiActivity)], { version });
    expect(object).toMatchObject({ confidence_score: confidence, confidence_id: level });
    expect(ocsfErrors(object, version)).toEqual([]);
  });

  test("is left out where nobody has looked", () => {
    expect(Object.keys(alertToOcsf(alert(), rule, [], { version }))).not.toContain("confidence_id");
  });
});

const incident: Incident = {
  id: "0e6f6f3e-7f2f-5d7e-9f7c-000000000002",
  revision: 1,
  entity: "agent:agent-1",
  agentUid: "agent-1",
  agentName: "Ledger",
  agentOwner: "finance-platform",
  title: "Ledger leaked a secret",
  story: "Ledger wrote a key into its answer and then talked to a host it never used.",
  level: "critical",
  risk: 87,
  status: INCIDENT_STATUS.new,
  openedTime: TIME + 4000,
  firstTime: TIME,
  lastTime: TIME + 5000,
  alerts: [alert(), alert({ id: "0e6f6f3e-7f2f-5d7e-9f7c-000000000003", ruleId: "other", count: 2 })],
  tags: rule.tags,
  maps: rule.maps,
  timeline: [{ time: TIME, uid: "otlp:a/b", source: "otlp/agents", text: "chat with claude" }],
  hosts: ["evil.example"],
  ips: ["10.0.0.7"],
  users: ["ann"],
  credentials: ["key-1"],
  runbooks: ["Rotate the key."],
  actions: ["rotate_token"],
  final: false,
  coverage: { state: "partial", missing: ["okta/corp"], watermark: undefined },
};

describe.skipIf(!schemasPresent)("findings validate (needs ../shared/reference/ocsf)", () => {
  test.each(VERSIONS)("alerts with evidence of every class, without evidence and in every state are valid %s findings", (version) => {
    for (const classUid of Object.values(CLASS)) {
      const events = [evidence(classUid), newEvent("otlp:a/c", TIME, "dns", classUid, 0)];
      expect(ocsfErrors(alertToOcsf(alert(), rule, events, { version }), version), String(classUid)).toEqual([]);
    }
    for (const level of ["informational", "low", "medium", "high", "critical"] as const) {
      const bare: RuleInfo = {
        ...rule,
        maps: [],
        tags: [],
        risk: undefined,
        runbook: undefined,
        response: undefined,
        threat: undefined,
        description: "",
      };
      const one = alertToOcsf(alert({ level, evidence: [], group: {}, agents: [], revision: 3, final: true }), bare, [], { version });
      expect(ocsfErrors(one, version)).toEqual([]);
    }
  });

  test.each(VERSIONS)("incidents in every state, with and without owner, rules and events, are valid %s findings", (version) => {
    for (const status of [...Object.values(INCIDENT_STATUS), 77]) {
      for (const agentOwner of [undefined, "", "finance"]) {
        const one = incidentToOcsf({ ...incident, status, agentOwner, revision: 2 }, [rule], [evidence(6003)], { version });
        expect(ocsfErrors(one, version)).toEqual([]);
      }
    }
    for (const { kind, ...subject } of [alertSubject(), hostileAlert()]) {
      expect(kind).toBe("alert");
      const object = alertToOcsf(subject.alert, subject.rule, subject.evidence, { version });
      expect(ocsfErrors(object, version)).toEqual([]);
      expect(hiddenTexts(object)).toBe(0);
    }
    for (const { incident: one, rules, evidence: events } of [incidentSubject(), hostileIncident()]) {
      const object = incidentToOcsf(one, rules, events, { version });
      expect(ocsfErrors(object, version)).toEqual([]);
      expect(hiddenTexts(object)).toBe(0);
    }
    const bare: Incident = {
      ...incident,
      alerts: [],
      maps: [],
      tags: [],
      timeline: [],
      ips: [],
      hosts: [],
      users: [],
      credentials: [],
      agentUid: undefined,
    };
    expect(ocsfErrors(incidentToOcsf(bare, [], [], { version }), version)).toEqual([]);
  });
});

test("an alert keeps its finding uid over revisions and says that a later one is an update", () => {
  const first = alertToOcsf(alert(), rule, [], { version: "1.8.0" }) as Tree;
  const second = alertToOcsf(alert({ revision: 2, count: 80 }), rule, [], { version: "1.8.0" }) as Tree;
  expect(first).toMatchObject({
    activity_id: 1,
    type_uid: 200_401,
    finding_info: { uid: alert().id },
    metadata: { uid: alert().id, sequence: 1 },
  });
  expect(second).toMatchObject({
    activity_id: 2,
    type_uid: 200_402,
    finding_info: { uid: alert().id },
    metadata: { uid: alert().id, sequence: 2 },
  });
});

test("techniques and tactics that only Sigma tags name are attacks without a version", () => {
  const tagged: RuleInfo = { ...rule, maps: [], tags: ["attack.exfiltration", "attack.t1567.002", "attack.t1078", "custodes.c1"] };
  const { finding_info: info } = alertToOcsf(alert(), tagged, [], { version: "1.8.0" }) as { finding_info: Tree };
  expect(info["attacks"]).toEqual([
    { tactic: { uid: "TA0010", name: "Exfiltration" } },
    { technique: { uid: "T1567" }, sub_technique: { uid: "T1567.002" } },
    { technique: { uid: "T1078" } },
  ]);
});

test("MITRE mappings become attacks with their version, every other framework a tag", () => {
  const { finding_info: info } = alertToOcsf(alert(), rule, [], { version: "1.8.0" }) as { finding_info: Tree };
  expect(info["attacks"]).toEqual([
    { technique: { uid: "T1552" }, sub_technique: { uid: "T1552.001" }, version: "19" },
    { tactic: { uid: "TA0006", name: "Credential Access" }, version: "19" },
    { technique: { uid: "AML.T0057" }, version: "5.1" },
  ]);
  expect(info["tags"]).toEqual([{ name: "OWASP LLM Top 10 2025", values: ["LLM02", "LLM06"] }]);
});

test("evidence names the agent: as acting application in 1.8.0, as agent in 1.9.0", () => {
  const old = alertToOcsf(alert(), rule, [evidence(6003)], { version: "1.8.0" }) as { evidences: Tree[] };
  expect(old.evidences[0]).toMatchObject({ uid: "otlp:a/b", actor: { app_uid: "agent-1", app_name: "Ledger" } });
  expect(old.evidences[0]!["data"]).toMatchObject({ ai_agent: { uid: "agent-1", name: "Ledger" }, purpose: "invoicing", class_uid: 6003 });
  const next = alertToOcsf(alert(), rule, [evidence(6003)], { version: "1.9.0" }) as { evidences: Tree[] };
  expect(next.evidences[0]).toMatchObject({ ai_agent: { uid: "agent-1", name: "Ledger" }, actor: { user: { name: "ann" } } });
});

test("related events keep their uid even when the event itself is not at hand", () => {
  const { finding_info: info } = alertToOcsf(alert(), rule, [evidence(6003)], { version: "1.8.0" }) as { finding_info: Tree };
  expect(info["related_events"]).toEqual([{ uid: "otlp:a/b", type_uid: 600_301 }, { uid: "gone" }]);
  expect(info).toMatchObject({ related_events_count: 40, data_sources: ["otlp/agents"] });
});

test("no more than the limit of evidence is rendered", () => {
  const many = Array.from({ length: 60 }, (_, index) => evidence(6003, index));
  const object = alertToOcsf(alert({ evidence: many.map((one) => one.uid) }), rule, many, { version: "1.8.0" }) as Tree;
  expect(object["evidences"]).toHaveLength(25);
  expect((object["finding_info"] as Tree)["related_events"]).toHaveLength(25);
});

test("an incident is assigned to the agent's owner, else to the configured group, else to nobody by name", () => {
  const assignee = (fields: Partial<Incident>, group?: string): unknown => {
    const options = group === undefined ? { version: "1.8.0" as const } : { version: "1.8.0" as const, assigneeGroup: group };
    return (incidentToOcsf({ ...incident, ...fields }, [], [], options) as Tree)["assignee_group"];
  };
  expect(assignee({})).toEqual({ name: "finance-platform" });
  expect(assignee({ agentOwner: undefined }, "SOC")).toEqual({ name: "SOC" });
  expect(assignee({ agentOwner: undefined })).toEqual({ name: "unassigned" });
});

test("an incident lists one finding per alert, its observables, its timeline and how complete it is", () => {
  const object = incidentToOcsf(incident, [rule], [evidence(6003)], { version: "1.8.0" }) as Tree;
  expect(object).toMatchObject({
    class_uid: 2005,
    activity_id: 1,
    status_id: 1,
    priority_id: 4,
    severity_id: 5,
    risk_score: 87,
    risk_level_id: 3,
    count: 42,
  });
  expect((object["finding_info_list"] as Tree[]).map((one) => one["uid"])).toEqual(incident.alerts.map((one) => one.id));
  expect(object["observables"]).toEqual([
    { name: "ips", type_id: 2, value: "10.0.0.7" },
    { name: "hosts", type_id: 1, value: "evil.example" },
    { name: "users", type_id: 4, value: "ann" },
    { name: "credentials", type_id: 19, value: "key-1" },
  ]);
  expect(object["unmapped"]).toMatchObject({
    entity: "agent:agent-1",
    ai_agent: { uid: "agent-1" },
    coverage: { state: "partial", missing: ["okta/corp"] },
  });
});

test.each([
  [INCIDENT_STATUS.new, 1],
  [INCIDENT_STATUS.inProgress, 1],
  [INCIDENT_STATUS.resolved, 3],
  [INCIDENT_STATUS.closed, 3],
])("an incident in state %i is activity %i", (status, activity) => {
  expect(incidentToOcsf({ ...incident, status }, [], [], { version: "1.9.0" })).toMatchObject({ activity_id: activity, status_id: status });
});
