import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { parseRegistry } from "../../src/config/registry.ts";
import type { AgentProfile } from "../../src/core/identity/profile.ts";

const parse = (agents: string) => parseRegistry("agents.yaml", `version: 1\nagents:\n${agents}`);
const one = (agent: string): AgentProfile => {
  const { agents, problems } = parse(`  - {id: a, ${agent}}\n`);
  expect(problems).toEqual([]);
  return agents[0]!;
};
const problems = (text: string) =>
  parseRegistry("agents.yaml", text).problems.map((problem) => `${problem.line} ${problem.key}: ${problem.message}`);
const day = (text: string) => Date.parse(`${text}T00:00:00Z`);

test("an agent of which only the id is given says nothing else", () => {
  expect(one("name: x")).toMatchObject({
    id: "a",
    name: "x",
    keys: [],
    pods: [],
    sharedIps: [],
    blockedHosts: [],
    allowedHosts: undefined,
    retiredTime: undefined,
  });
  expect(parse("  - id: a\n").agents[0]?.name).toBe("a");
});

test("identities are keys of their kind, as text, list, or with an interval, and an explicit null is none", () => {
  const { keys } = one(
    'identities: {okta_client_id: c1, oauth_client_ids: [c2], credentials: [{id: k, from: "2026-03-31T00:00:00Z", to: null}], spiffe_id: null}',
  );
  expect(keys).toEqual([
    { kind: "client", value: "c1", from: -Infinity, to: Infinity },
    { kind: "client", value: "c2", from: -Infinity, to: Infinity },
    { kind: "credential", value: "k", from: day("2026-03-31"), to: Infinity },
  ]);
});

test("hosts are compared in lower case, addresses shared by a NAT are listed", () => {
  expect(
    one(
      "allowed_hosts: [API.Example, '*.X.example'], blocked_hosts: ['*'], identities: {nat_public_ips: [203.0.113.1], nat_private_ips: [10.0.0.1]}",
    ),
  ).toMatchObject({
    allowedHosts: ["api.example", "*.x.example"],
    blockedHosts: ["*"],
    sharedIps: ["203.0.113.1", "10.0.0.1"],
  });
});

test("a day as the end of a calendar entry includes that day, a moment does not reach beyond itself", () => {
  const to = (text: string) =>
    one(`expected_volume: {calendar: [{from: 2026-03-31, to: ${text}, per_minute_max: 600}]}`).volumeExceptions[0];
  expect(to("2026-04-01")).toEqual({ from: day("2026-03-31"), to: day("2026-04-02"), perMinuteMax: 600 });
  expect(to("'2026-04-01T00:00:00Z'")?.to).toBe(day("2026-04-01"));
  expect(to("'2026-04-01T12:30:00+02:00'")?.to).toBe(Date.parse("2026-04-01T10:30:00Z"));
  expect(to("null")?.to).toBe(Infinity);
});

test("every problem is found at once, on its line", () => {
  const text = `version: 1
agents:
  - id: a
    ownr: x
  - id: b
    lifecycle: {created_at: yesterday}
    expected_volume: {per_minute_max: -1}
  - id: a
    identities:
      okta_client: x
  - name: nameless
  - id: ""
`;
  const places = problems(text).map((problem) => problem.slice(0, problem.indexOf(": ")));
  expect(places.sort()).toEqual(
    [
      "4 agents.0.ownr",
      "6 agents.1.lifecycle.created_at",
      "7 agents.1.expected_volume.per_minute_max",
      "8 agents.2.id",
      "10 agents.2.identities.okta_client",
      "11 agents.3.id",
      "12 agents.4.id",
    ].sort(),
  );
  expect(problems(text).join()).toContain('did you mean "owner"?');
  expect(parseRegistry("agents.yaml", text).agents).toEqual([]);
});

test("an id that is used twice is reported where it is used again", () => {
  expect(problems("version: 1\nagents:\n  - id: x\n  - id: y\n  - id: x\n")).toEqual([
    expect.stringMatching(/^5 agents\.2\.id: the agent id "x" is used twice/),
  ]);
});

test.each(["", "agents: []", "version: 2\nagents: []", "version: 1", "- x", "version: 1\nagents: {a: b}", "version: 1\nagents: [null]"])(
  "%j is refused, not a crash",
  (text) => {
    expect(problems(text).length).toBeGreaterThan(0);
  },
);

test("ids that are names of Object's members are ids like any other", () => {
  const { agents, problems: none } = parse("  - id: __proto__\n  - id: constructor\n");
  expect(none).toEqual([]);
  expect(agents.map((agent) => agent.id)).toEqual(["__proto__", "constructor"]);
});

test("the registry of the demo loads", () => {
  const demo = resolve("src/demo/samples/agents.yaml");
  const files = [demo].filter(existsSync);
  expect(files).toHaveLength(1);
  for (const file of files) {
    const { agents, problems: none } = parseRegistry(file, readFileSync(file, "utf8"));
    expect(none).toEqual([]);
    expect(agents.length).toBeGreaterThan(0);
  }
});

test("whom to reach, what needs an approval and how long a task lasts are read", () => {
  expect(
    one(
      'contacts: ["#finance-bots"], approval: ["wire_*", "k8s:delete:*"], expected_volume: {per_day: 300}, lifecycle: {from: 2026-03-01, until: "2026-04-01T12:00:00Z", task_ttl: 30m}',
    ),
  ).toMatchObject({
    contacts: ["#finance-bots"],
    approval: ["wire_*", "k8s:delete:*"],
    perDay: 300,
    createdTime: day("2026-03-01"),
    retiredTime: Date.parse("2026-04-01T12:00:00Z"),
    taskTtlMs: 1_800_000,
  });
  expect(one("name: x")).toMatchObject({ contacts: undefined, approval: undefined, taskTtlMs: undefined, rateLimit: undefined });
});

test("two words for one end of a life, and a life that is misspelt, are problems", () => {
  const text = "version: 1\nagents:\n  - id: a\n    lifecycle:\n      retired_at: null\n      until: 2026-01-01\n      task_tl: 5m\n";
  expect(problems(text)).toEqual([expect.stringMatching(/^7 .*task_tl: unknown key; did you mean "task_ttl"\?/)]);
  expect(problems(text.replace("null", "2026-01-01").replace("task_tl", "task_ttl"))).toEqual([
    expect.stringMatching(/^6 agents\.0\.lifecycle\.until: says the same as "retired_at"/),
  ]);
});

test("identities of Vault and of Microsoft Entra are keys", () => {
  const { keys } = one("identities: {vault_entities: [e1], entra_app_ids: a1, service_principals: [p1], managed_identities: [m1]}");
  expect(keys.map(({ kind, value }) => `${kind}:${value}`).sort()).toEqual(["client:a1", "client:m1", "client:p1", "user:e1", "user:p1"]);
});

test("a heartbeat and scheduled hours are read, what is left out is all of it, and the time zone is checked", () => {
  expect(one("heartbeat: 15m")).toMatchObject({ heartbeatMs: 900_000, activeHours: undefined });
  expect(one('heartbeat: 1h, schedule: {days: [mon, sun], from: "08:00", to: "18:30"}, timezone: Europe/Berlin').activeHours).toEqual({
    days: [1, 0],
    from: 480,
    to: 1110,
    timezone: "Europe/Berlin",
  });
  expect(one('schedule: {from: "22:00"}').activeHours).toEqual({ days: [0, 1, 2, 3, 4, 5, 6], from: 1320, to: 1440, timezone: "UTC" });
  expect(one("schedule: {cron: nightly}").activeHours).toBeUndefined();
  const wrong = (text: string) => problems(`version: 1\nagents:\n  - {id: a, ${text}}\n`);
  expect(wrong("timezone: Mars/Base")).toEqual(["3 agents.0.timezone: is not a time zone; write it as Europe/Berlin"]);
  expect(wrong("schedule: {days: [monday]}")).toHaveLength(1);
  expect(wrong('schedule: {from: "8"}')).toHaveLength(1);
  expect(wrong("heartbeat: often")).toHaveLength(1);
});

test("service accounts, SPIFFE ids and pods may name their cluster, and nothing else may", () => {
  const entry = (identities: object, pods: object[] = []) => JSON.stringify({ version: 1, agents: [{ id: "a", identities, pods }] });
  const account = { id: "system:serviceaccount:a:b", cluster: "prod-1" };
  const { agents, problems } = parseRegistry(
    "agents.yaml",
    entry({ service_accounts: [account, "x"] }, [{ ip: "10.0.0.1", cluster: "prod-1" }]),
  );
  expect(problems).toEqual([]);
  expect(agents[0]?.keys.map(({ value, cluster }) => [value, cluster])).toEqual([
    ["system:serviceaccount:a:b", "prod-1"],
    ["x", undefined],
  ]);
  expect(agents[0]?.pods[0]?.cluster).toBe("prod-1");
  const wrong = parseRegistry("agents.yaml", entry({ okta_client_id: { id: "0oa", cluster: "prod-1" } }));
  expect(wrong.problems.map(({ message }) => message)).toEqual(['is the same in every cluster: leave "cluster" out']);
});
