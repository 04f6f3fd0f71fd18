import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import vault from "../../connectors/hashicorp-vault/hashicorp-vault.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import type { Event } from "../../src/core/event.ts";
import { normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({
  connector: vault,
  samples: "connectors/hashicorp-vault/samples",
  secrets: ["hvs.CAESIvaultsecrettoken", "vault-quoted-secret"],
});

const directory = mkdtempSync(join(tmpdir(), "custodes-vault-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
sourceContract("hashicorp-vault", async () => {
  const path = join(directory, `audit-${Math.floor(performance.now() * 1000)}.log`);
  writeFileSync(path, '{"type":"response","n":1}\n{"type":"response","n":2}\n');
  const now = (): number => Date.now() + 3_600_000;
  return { source: vault.source!({ path }), context: testContext({ files: localFiles(), now }), records: 2 };
});

const TIME = Date.parse("2026-05-04T09:00:00Z");
const metadata = { service_account_name: "bot", service_account_namespace: "agents" };
const token = { accessor: "hmac-sha256:a1", entity_id: "e1", display_name: "kubernetes-agents-bot", metadata, policies: ["default"] };
const entry = (path: string, more: { request?: object; response?: object; [key: string]: unknown } = {}) => ({
  time: "2026-05-04T09:00:00Z",
  type: "response",
  auth: token,
  ...more,
  request: { id: "r1", operation: "update", path, mount_type: "kv", remote_address: "10.0.0.5", ...more.request },
});
const one = (record: unknown, cluster?: string): Event => {
  const [event] = vault.normalize!(cluster === undefined ? undefined : { path: "/x", cluster })(
    record,
    normalizeContext("hashicorp-vault"),
  );
  if (event === undefined) throw new Error("no event");
  return event;
};
const links = (record: unknown): readonly string[] => (one(record).links ?? []).map((link) => link.replaceAll("\t", " ").trimEnd());
const SA = "sa:system:serviceaccount:agents:bot";
const OWN = ["cred:hmac-sha256:a1 user:e1", `cred:hmac-sha256:a1 ${SA}`];

test("a request counts once, when it is answered", () => {
  const normalize = vault.normalize!();
  expect(normalize({ ...entry("secret/x"), type: "request" }, normalizeContext("vault"))).toEqual([]);
});

test.each([
  ["auth/kubernetes/login", "kubernetes", "update", "authentication", 1, false],
  ["auth/ldap/login/ines", "ldap", "update", "authentication", 1, false],
  ["auth/oidc/oidc/callback", "oidc", "read", "authentication", 1, false],
  ["auth/token/create", "token", "update", "authentication", 3, false],
  ["auth/token/renew-self", "token", "update", "authentication", 3, false],
  ["auth/token/revoke-accessor", "token", "update", "authentication", 2, false],
  ["auth/kubernetes/role/bot", "kubernetes", "update", "infra_change", 3, true],
  ["auth/kubernetes/role/login", "kubernetes", "read", "infra_change", 2, false],
  ["sys/policies/acl/x", "system", "update", "infra_change", 3, true],
  ["sys/health", "system", "read", "infra_change", 2, false],
  ["sys/leases/revoke", "system", "update", "credential", 3, false],
  ["database/creds/reader", "database", "read", "credential", 2, false],
  ["secret/data/login", "kv", "create", "credential", 1, false],
])("%s is what it is", (path, mount_type, operation, category, activityId, isChange) => {
  const event = one(entry(path, { request: { mount_type, operation } }));
  expect(event).toMatchObject({ category, activityId, isChange });
});

test("a mount of several words is known by its point", () => {
  const of = (mount_point: string | undefined) => one(entry("auth/team/k8s/login", { request: { mount_type: "kubernetes", mount_point } }));
  expect([of("auth/team/k8s/").category, of(undefined).category]).toEqual(["authentication", "infra_change"]);
});

describe("hashicorp-vault: who", () => {
  test("a token of the Kubernetes method names its service account, also in later requests", () => {
    expect(one(entry("secret/x"))).toMatchObject({
      credentialUid: "hmac-sha256:a1",
      userUid: "e1",
      serviceAccount: "system:serviceaccount:agents:bot",
      userTypeId: 4,
      srcIp: "10.0.0.5",
      scopes: ["default"],
    });
  });
  test("who signs in is bound to the token that it gets", () => {
    const record = entry("auth/kubernetes/login", { auth: {}, request: { mount_type: "kubernetes" }, response: { auth: token } });
    expect(one(record)).toMatchObject({ credentialUid: "hmac-sha256:a1", serviceAccount: "system:serviceaccount:agents:bot" });
  });
  test("a person is a person", () => {
    const person = { accessor: "a2", display_name: "ldap-ines", entity_id: "e2" };
    const record = entry("auth/ldap/login/ines", { auth: {}, request: { mount_type: "ldap" }, response: { auth: person } });
    expect(one(record)).toMatchObject({ userTypeId: 1, userName: "ldap-ines", serviceAccount: undefined });
  });
  test("a namespace is the tenant, else the cluster's name", () => {
    const of = (namespace: object | undefined) => one(entry("secret/x", { request: { namespace } }), "prod").tenant;
    expect([of({ id: "n", path: "team-a/" }), of({ id: "root" }), of(undefined)]).toEqual(["team-a/", "prod", "prod"]);
  });
});

describe("hashicorp-vault: what", () => {
  test("an error is a failure, and only Vault's own words are told of it", () => {
    const error = '1 error occurred:\n\t* permission denied for "s3cret"\n\n';
    expect(one(entry("secret/x", { error }))).toMatchObject({ statusId: 2, errorFlag: 1, actionId: 2, statusDetail: "permission denied" });
    expect(one(entry("secret/x", { error: "s3cret" }))).toMatchObject({ statusId: 2, statusDetail: undefined, actionId: undefined });
  });
  test("a root token and a way past the policies are privileged", () => {
    const root = { accessor: "a3", policies: ["root"] };
    expect(one(entry("auth/token/create", { response: { auth: root } }))).toMatchObject({ privileged: true, grant: "root" });
    expect(one(entry("sys/policies/acl/x"))).toMatchObject({ privileged: true });
    expect(one(entry("sys/audit/file", { request: { operation: "delete" } }))).toMatchObject({ privileged: true });
    expect(one(entry("sys/policies/acl/x", { error: "permission denied" })).privileged).toBeUndefined();
    expect(one(entry("sys/mounts/x")).privileged).toBeUndefined();
  });
  test("what a client makes up never becomes an action", () => {
    expect(one(entry("sys/x\u202ey z/a", { request: { operation: "a b" } })).infraAction).toBe("vault:other:sys/other");
  });
});

describe("hashicorp-vault: whose", () => {
  test("a token is its entity's and its account's", () => {
    expect(links(entry("secret/x"))).toEqual(OWN);
  });
  test("one that is issued is so until its time is over, and belongs to the one that asked", () => {
    const child = { ...token, accessor: "a2", token_ttl: 900 };
    expect(links(entry("auth/token/create", { response: { auth: child } }))).toEqual([
      ...OWN,
      `cred:a2 user:e1  ${TIME + 900_000}`,
      `cred:a2 ${SA}  ${TIME + 900_000}`,
      `cred:a2 cred:hmac-sha256:a1  ${TIME + 900_000}`,
    ]);
  });
  test("one without an end has none", () => {
    expect(links(entry("auth/aws/login", { auth: {}, response: { auth: { accessor: "a2", entity_id: "e", token_ttl: 0 } } }))).toEqual([
      "cred:a2 user:e",
    ]);
  });
  test("a lease and an access key are of the token that asked", () => {
    const data = { access_key: "ASIAEXAMPLE000000001", secret_key: "hmac-sha256:x" };
    expect(links(entry("aws/sts/x", { response: { secret: { lease_id: "aws/sts/x/1" }, data } }))).toEqual([
      ...OWN,
      "cred:aws/sts/x/1 cred:hmac-sha256:a1",
      "cred:ASIAEXAMPLE000000001 cred:hmac-sha256:a1",
    ]);
    expect(links(entry("aws/sts/x", { response: { data: { access_key: "hmac-sha256:x" } } }))).toEqual(OWN);
  });
  test("an AWS identity is a role", () => {
    const aws = { accessor: "a2", metadata: { canonical_arn: "arn:role", client_arn: "arn:session" } };
    expect(links(entry("secret/x", { auth: aws }))).toEqual(["cred:a2 role:arn:session"]);
  });
  test("a token that is given up ends", () => {
    const record = entry("auth/token/revoke-self", { request: { mount_type: "token" } });
    expect(links(record)).toEqual(OWN.map((link) => `${link}   ends`));
  });
  test("a refused request proves nothing", () => {
    expect(links(entry("secret/x", { error: "permission denied" }))).toEqual([]);
    expect(links(entry("auth/token/revoke-self", { error: "bad token" }))).toEqual([]);
  });
});
