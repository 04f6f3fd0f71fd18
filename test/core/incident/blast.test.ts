import fc from "fast-check";
import { expect, test } from "vitest";
import { STATUS, type Category, type Event } from "../../../src/core/event.ts";
import { blastOf, endpointName } from "../../../src/core/incident/blast.ts";
import { enrich } from "../../../src/core/incident/enrich.ts";
import { reversibilityOf } from "../../../src/core/incident/reversibility.ts";
import { incidentTexts } from "../../../src/core/incident/texts.ts";
import { tellWhy } from "../../../src/core/incident/why.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { event } from "../identity/agents.ts";
import { alertAt, grouping, memory, T } from "./build.ts";

const scope = { from: T, to: T, basis: "evidence", atLeast: false, readTime: T } as const;
const call = (changes: Partial<Event> = {}, time = T): Event =>
  event("agent_api", time, { statusId: STATUS.success, source: "kong/gw", ...changes });

test.each([
  ["agent_api", { method: "GET", urlPath: "/v1/delete-me" }, "read"],
  ["agent_api", { method: "DELETE", urlPath: "/v1/drafts/1" }, "irreversible"],
  ["agent_api", { method: "POST", urlPath: "/v1/payments" }, "irreversible"],
  ["agent_api", { method: "POST", urlPath: "/v1/tickets" }, "by hand"],
  ["agent_api", { method: "POST", urlPath: "/v1/customers/search" }, "by hand"],
  ["agent_api", { method: "POST", urlPath: "/admin/users/1/grant" }, "by hand"],
  ["infra_change", { infraAction: "k8s:create:clusterrolebindings", isChange: true }, "by hand"],
  ["agent_api", { toolName: "create_draft_email" }, "reversible"],
  ["agent_api", { toolName: "sendEmail" }, "irreversible"],
  ["agent_api", { toolNames: ["fill_form", "wire_transfer"] }, "irreversible"],
  ["agent_api", { operation: "search_documents" }, "read"],
  ["agent_api", { operation: "agent.turn" }, undefined],
  ["infra_change", { infraAction: "aws:iam:AttachRolePolicy", isChange: true }, "by hand"],
  ["infra_change", { infraAction: "aws:iam:CreateAccessKey", isChange: true }, "irreversible"],
  ["infra_change", { infraAction: "k8s:create:pods", isChange: true }, "by hand"],
  ["infra_change", { infraAction: "k8s:create:pods", grant: "cluster-admin" }, "by hand"],
  ["infra_change", { infraAction: "aws:s3:GetObject", isChange: false }, "read"],
  ["infra_change", { infraAction: "odd", isChange: true }, "by hand"],
  ["egress", { dstHost: "x.example", dstAllowed: false, bytesOut: 1 }, "irreversible"],
  ["egress", { dstHost: "x.example", dstAllowed: true, bytesOut: 1 }, undefined],
  ["egress", { dstHost: "x.example", bytesOut: 1 }, undefined],
  ["process", { process: "sh" }, "by hand"],
  ["authentication", {}, undefined],
  ["agent_finding", {}, undefined],
] satisfies [Category, Partial<Event>, string | undefined][])("%s %j is undone: %s", (category, changes, expected) => {
  expect(reversibilityOf(event(category, T, changes))).toBe(expected);
});

test.each([
  ["/v1/customers/4711", "GET /v1/customers/{id}"],
  ["/v1/customers/u-0047/orders/2f9d7c1e-0000-4000-a000-1234567890ab", "GET /v1/customers/{id}/orders/{id}"],
  ["/v2/export", "GET /v2/export"],
])("calls of %s are one endpoint: %s", (urlPath, expected) => {
  expect(endpointName(call({ method: "GET", urlPath }))).toBe(expected);
});

test("sums up what was touched, the gravest first", () => {
  const events = [
    call({
      method: "GET",
      urlPath: "/v1/customers/1",
      bytesIn: 10,
      dataClasses: ["customer"],
      credentialUid: "c",
      srcIp: "10.0.0.1",
      scopes: ["crm:read"],
    }),
    call({
      method: "GET",
      urlPath: "/v1/customers/2",
      bytesIn: 30,
      dataClasses: ["customer"],
      credentialUid: "c",
      srcIp: "192.0.2.9",
      srcCountry: "NL",
    }),
    call({ method: "DELETE", urlPath: "/v1/customers/2", statusId: STATUS.failure, userName: "u-1", onBehalfOf: "ann" }),
    event("egress", T, { dstHost: "ok.example", dstAllowed: true, bytesOut: 900 }),
    event("egress", T, { dstHost: "paste.example", dstAllowed: false, bytesOut: 50 }),
    event("infra_change", T, { infraAction: "k8s:create:rolebindings", resourceName: "x", grant: "admin", isChange: true }),
    event("authentication", T, { targetUserName: "eve" }),
  ];
  const blast = blastOf(events, scope, { scopes: ["crm:write"] });
  expect(blast.endpoints.map((one) => [one.name, one.count, one.failed, one.bytesIn])).toEqual([
    ["GET /v1/customers/{id}", 2, 0, 40],
    ["DELETE /v1/customers/{id}", 1, 1, 0],
  ]);
  expect(blast.data).toEqual([{ name: "customer", count: 2, bytesIn: 40 }]);
  expect(blast.hosts).toEqual([
    { name: "paste.example", count: 1, bytesOut: 50, allowed: false },
    { name: "ok.example", count: 1, bytesOut: 900, allowed: true },
  ]);
  expect(blast.bytesOut).toBe(950);
  expect(blast.credentials).toEqual([{ kind: "credential", uid: "c", count: 2, addresses: ["10.0.0.1", "192.0.2.9"], countries: ["NL"] }]);
  expect(blast.infrastructure.map((one) => one.name)).toEqual(["k8s:create:rolebindings x granting admin"]);
  expect(blast.users).toEqual(["ann", "eve", "u-1"]);
  expect(blast.actions.map((one) => [one.reversibility, one.failed])).toEqual([
    ["irreversible", 0],
    ["by hand", 0],
    ["irreversible", 1],
  ]);
  expect(blast.byReversibility).toEqual({ irreversible: 1, "by hand": 1, reversible: 0, read: 2 });
  expect(blast.reach).toEqual({ registered: true, granted: ["crm:write"], seen: ["crm:read"] });
});

test("credentials are all that can be taken away, each once, and from where it was used", () => {
  const keys = {
    credentialUid: "k",
    clientUid: "oauth-1",
    roleUid: "arn:aws:sts::1:assumed-role/r/s",
    serviceAccount: "ns:bot",
    spiffeId: "k",
  };
  const blast = blastOf(
    [call({ ...keys, srcIp: "10.0.0.1" }), call({ clientUid: "oauth-1", srcIp: "203.0.113.9", srcCountry: "KP" })],
    scope,
  );
  expect(blast.credentials.map(({ kind, uid, addresses }) => [kind, uid, addresses.join()])).toEqual([
    ["client", "oauth-1", "10.0.0.1,203.0.113.9"],
    ["role", "arn:aws:sts::1:assumed-role/r/s", "10.0.0.1"],
    ["credential", "k", "10.0.0.1"],
    ["service account", "ns:bot", "10.0.0.1"],
  ]);
  const alert = alertAt("1", 0, "high", { evidence: ["e"] });
  const [incident] = memory().step([alert], grouping({ events: [{ ...call(keys), uid: "e" }] }));
  expect(incident!.credentials).toEqual(["arn:aws:sts::1:assumed-role/r/s", "k", "ns:bot", "oauth-1"]);
  expect(incidentTexts({ ...incident!, blast }).credential_places).toContain("client oauth-1 from 10.0.0.1, 203.0.113.9, KP");
});

test.each([
  [undefined, [], ["unknown: the registry names no scopes of this agent"]],
  [undefined, ["crm:write"], ["unknown: the registry names no scopes of this agent", "crm:write"]],
  [[], [], ["nothing, by the registry: it grants no scopes"]],
  [["crm:read"], ["crm:read", "crm:write"], ["crm:read", "crm:write"]],
])("with the scopes %j registered and %j seen it can still reach %j", (scopes, seen, expected) => {
  const [incident] = memory().step([alertAt("1", 0, "high")]);
  const blast = blastOf([call({ scopes: seen })], scope, { scopes });
  expect(blast.reach.registered).toBe(scopes !== undefined);
  const profile = { ...incident!.profile, scopes };
  const { scopes: _scopes, ...unregistered } = profile;
  const told = incidentTexts({ ...incident!, blast, profile: scopes === undefined ? unregistered : { ...unregistered, scopes } });
  expect(told.could_still_reach).toEqual(expected);
});

test("lists are bounded, totals are not, and no text can harm who reads it", () => {
  const events = Array.from({ length: 60 }, (_, index) =>
    call({
      method: "POST",
      urlPath: `/v1/x${"y".repeat(index)}\u202e`,
      dataClasses: [`d${index}\u001b[31m`],
      credentialUid: `c${index}`,
      userName: "n".repeat(9_000),
    }),
  );
  const blast = blastOf(events, scope);
  expect([blast.endpoints.length, blast.data.length, blast.credentials.length, blast.actions.length]).toEqual([25, 25, 25, 25]);
  expect(blast.totals).toMatchObject({ endpoints: 60, data: 60, credentials: 60, actions: 60, users: 1 });
  expect(blast.users[0]).toHaveLength(200);
  const texts: string[] = [];
  JSON.stringify(blast, (_, value: unknown) => (typeof value === "string" ? (texts.push(value), value) : value));
  expect(texts.length).toBeGreaterThan(100);
  expect(texts.join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

test("the order of events changes nothing", () => {
  const made = fc.record({
    urlPath: fc.constantFrom("/a", "/b"),
    method: fc.constantFrom("GET", "POST", "DELETE"),
    bytesIn: fc.constantFrom(undefined, 1, 5),
    userName: fc.constantFrom("u", "v"),
    credentialUid: fc.constantFrom("c", "d", undefined),
    srcIp: fc.constantFrom("10.0.0.1", "10.0.0.2"),
  });
  const property = fc.property(fc.array(made, { minLength: 2, maxLength: 12 }), fc.func(fc.nat()), (given, key) => {
    const events = given.map((one, index) => call(one, T + (index % 3)));
    const shuffled = events.toSorted((a, b) => key(a.uid) - key(b.uid));
    expect(blastOf(shuffled, scope)).toEqual(blastOf(events, scope));
  });
  fc.assert(property);
});

const read = call(
  { method: "GET", urlPath: "/v1/customers", bytesIn: 20_000_000, dataClasses: ["customer"], credentialUid: "cred-1" },
  T + 303_000,
);
const sent = event("egress", T + 430_000, {
  source: "istio/egress",
  dstHost: "paste.example",
  bytesOut: 45_000_000,
  srcIp: "10.4.7.19",
  podName: "pod-y",
});

test("says in words which events of which sources belong together, and by which keys", () => {
  const alerts = [
    alertAt("one source", 0, "high", { evidence: [read.uid] }),
    alertAt("joined", 1, "high", { count: 2, evidence: [sent.uid, read.uid], confidence: 85 }),
  ];
  expect(
    tellWhy("support-bot", alerts, { evidence: new Map([read, sent].map((one) => [one.uid, one])), policy: incidentPolicy() })?.text,
  ).toBe(
    "read 20.0 MB of customer data (1 call of GET /v1/customers) through kong/gw at 12:05:03, then sent 45.0 MB to paste.example at 12:07:10: " +
      "both by support-bot (credential cred-1 / pod pod-y / confidence 85)",
  );
});

test("tells of the worst alert that is sure, and says nothing where no evidence is known", () => {
  const alerts = [
    alertAt("unsure", 0, "critical", { evidence: [sent.uid], confidence: 10 }),
    alertAt("sure", 0, "low", { evidence: [read.uid] }),
  ];
  const why = tellWhy("bot", alerts, { evidence: new Map([read, sent].map((one) => [one.uid, one])), policy: incidentPolicy() })?.text;
  expect(why).toContain("customer data");
  expect(why).not.toContain("paste.example");
  expect(tellWhy("bot", alerts, { evidence: new Map(), policy: incidentPolicy() })).toBeUndefined();
});

test("leads back to each record: source, our place, the vendor's id, and its page where one is configured", () => {
  const okta = event("authentication", T, { source: "okta/corp", originalUid: "a/b c" });
  const [incident] = memory().step([alertAt("1", 0, "high", { evidence: [okta.uid, read.uid] })], grouping({ events: [okta, read] }));
  const told = enrich(incident!, {
    evidence: new Map([okta, read].map((one) => [one.uid, one])),
    sequences: new Map([[okta.uid, 7]]),
    events: undefined,
    scope: { from: T, to: T, atLeast: false, readTime: T },
    recordUrls: new Map([["okta/corp", "https://okta.example/log/{id}"]]),
    policy: incidentPolicy(),
  });
  expect(told.proof).toEqual([
    { uid: okta.uid, time: T, source: "okta/corp", originalUid: "a/b c", sequence: 7, url: "https://okta.example/log/a%2Fb%20c" },
    { uid: read.uid, time: read.time, source: "kong/gw" },
  ]);
  expect(told.blast).toMatchObject({ basis: "evidence", events: 2 });
  expect(incidentTexts(told)).toMatchObject({ why: told.why, could_still_reach: ["crm:read"], team: "Care", closed_how: undefined });
});
