import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import entra from "../../connectors/entra/entra.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import type { Event } from "../../src/core/event.ts";
import type { PushRequest } from "../../src/ports/connector.ts";
import { normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({ connector: entra, samples: "connectors/entra/samples" });

const directory = mkdtempSync(join(tmpdir(), "custodes-entra-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
sourceContract("entra", async () => {
  const path = join(directory, `PT1H-${Math.floor(performance.now() * 1000)}.json`);
  writeFileSync(path, '{"category":"SignInLogs","n":1}\n{"records":[{"n":2},{"n":3}]}\n');
  const now = (): number => Date.now() + 3_600_000;
  return { source: entra.source!({ path }), context: testContext({ files: localFiles(), now }), records: 3 };
});

const normalize = entra.normalize!();
const signIn = (properties: object, more: object = {}) => ({
  time: "2026-05-04T09:00:00Z",
  category: "ServicePrincipalSignInLogs",
  tenantId: "t",
  resultType: "0",
  ...more,
  properties: {
    id: "s1",
    appId: "app",
    servicePrincipalId: "sp",
    servicePrincipalName: "bot",
    uniqueTokenIdentifier: "uti",
    ...properties,
  },
});
const one = (record: unknown): Event => {
  const [event] = normalize(record, normalizeContext("entra"));
  if (event === undefined) throw new Error("no event");
  return event;
};
const links = (record: unknown): readonly string[] => (one(record).links ?? []).map((link) => link.replaceAll("\t", " ").trimEnd());
const user = { userId: "u", userPrincipalName: "ines@corp.example" };

describe("entra: who", () => {
  test("an application is a client, its service principal acts", () => {
    expect(one(signIn({}))).toMatchObject({ clientUid: "app", userUid: "sp", userName: "bot", userTypeId: 4, credentialUid: "uti" });
  });
  test("a person is a person, an agent's user account is not", () => {
    const of = (more: object) => one(signIn({ ...user, ...more }, { category: "NonInteractiveUserSignInLogs" }));
    expect(of({})).toMatchObject({ userUid: "u", userName: "ines@corp.example", userTypeId: 1 });
    expect(of({ agent: { agentType: "notAgentic" } }).userTypeId).toBe(1);
    expect(of({ agent: { agentType: "agentIDuser" } }).userTypeId).toBe(4);
  });
  test("other logs of the same export give nothing", () => {
    expect(normalize(signIn({}, { category: "AuditLogs" }), normalizeContext("entra"))).toEqual([]);
  });
});

describe("entra: what came of it", () => {
  test.each([
    ["0", 1, 0],
    ["7000215", 2, 1],
    ["50126", 2, 1],
    ["50074", 0, undefined],
    ["50140", 0, undefined],
  ])("error code %s", (code, statusId, errorFlag) => {
    expect(one(signIn({}, { resultType: code }))).toMatchObject({ statusId, errorFlag, statusCode: code });
    expect(one(signIn({ status: { errorCode: Number(code) } }, { resultType: undefined }))).toMatchObject({ statusId, errorFlag });
  });
  test("a sign-in whose outcome changes is an event each time, and the same outcome is the same event", () => {
    const of = (code: string) => one(signIn({}, { resultType: code })).uid;
    expect(of("0")).not.toBe(of("50074"));
    expect(one(signIn({}, { time: "2026-05-04T09:05:00Z" })).uid).toBe(of("0"));
  });
  test("a second factor counts when it was asked for and given", () => {
    const of = (authenticationRequirement: string, resultType: string) =>
      one(signIn({ ...user, authenticationRequirement }, { category: "SignInLogs", resultType })).isMfa;
    expect(of("multiFactorAuthentication", "0")).toBe(true);
    expect(of("singleFactorAuthentication", "0")).toBe(false);
    expect(of("multiFactorAuthentication", "50074")).toBeUndefined();
  });
});

describe("entra: whose", () => {
  test("a token and a key are the application's", () => {
    expect(links(signIn({ servicePrincipalCredentialKeyId: "key" }))).toEqual([
      "cred:uti client:app",
      "cred:uti user:sp",
      "cred:key client:app",
      "cred:key user:sp",
      "client:sp client:app",
    ]);
  });
  test("a managed identity is its resource's", () => {
    const managedServiceIdentity = { associatedResourceId: "/subscriptions/1/resourceGroups/Agents/x" };
    expect(links(signIn({ managedServiceIdentity }, { category: "ManagedIdentitySignInLogs" }))).toContain(
      "client:app client:/subscriptions/1/resourcegroups/agents/x",
    );
  });
  test("an agent identity is its blueprint's", () => {
    const agent = { agentType: "agenticAppInstance", parentAppId: "blueprint" };
    expect(links(signIn({ agent }))).toContain("client:app client:blueprint");
    expect(links(signIn({ agent: { ...agent, agentType: "notAgentic" } }))).not.toContain("client:app client:blueprint");
  });
  test("of people and of what failed nothing is told", () => {
    expect(links(signIn(user, { category: "SignInLogs" }))).toEqual([]);
    expect(links(signIn({}, { resultType: "7000215" }))).toEqual([]);
  });
});

test("batches of Event Hubs are taken apart, and one bad record costs no other", () => {
  const push = (text: string) =>
    entra.receiver!({}).receive({ path: "", headers: {}, body: new TextEncoder().encode(text) } as unknown as PushRequest);
  const both = push('{"records":[{"a":1},{"__proto__":{}},{"a":2}]}');
  expect([both.records.length, both.rejects.length]).toEqual([2, 1]);
  expect(push('{"a":1}\n{"a":2}\n').records).toHaveLength(2);
  expect(push('{"a":1}').records).toHaveLength(1);
});

const REAL = resolve("../shared/data/panther-rule-tests/azure_signin");
test.skipIf(!existsSync(REAL) && process.env["CI"] !== "true")(
  "real sign-ins become events, each with its user, client and outcome",
  () => {
    const records = readdirSync(REAL).flatMap((name) => {
      // The collection wrote times anew, without their zone.
      const text = readFileSync(join(REAL, name), "utf8").replace(/"([\d-]{10}) ([\d:]{8}\.\d+)"/g, '"$1T$2Z"');
      const { tests } = JSON.parse(text) as { tests: { event: { category?: string } }[] };
      return tests.map(({ event }) => event).filter(({ category }) => category?.endsWith("SignInLogs"));
    });
    expect(records.length).toBeGreaterThanOrEqual(20);
    const events = records.map(one);
    const share = (is: (event: Event) => boolean): number => events.filter(is).length / events.length;
    expect(share(({ userUid, userName }) => userUid !== undefined || userName !== undefined)).toBe(1);
    expect(share(({ statusCode }) => statusCode !== undefined)).toBeGreaterThan(0.95);
    expect(share(({ clientUid }) => clientUid !== undefined)).toBeGreaterThan(0.5);
    expect(events.some(({ statusId }) => statusId === 1) && events.some(({ statusId }) => statusId === 2)).toBe(true);
  },
);
