import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import cloudtrail from "../../connectors/aws-cloudtrail/aws-cloudtrail.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import type { Event } from "../../src/core/event.ts";
import { drain, normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({
  connector: cloudtrail,
  samples: "connectors/aws-cloudtrail/samples",
  secrets: ["IQoJb3JpZ2luX2Vj-secret-session-token"],
});

const ACCOUNT = "222233334444";
const record = (more: Record<string, unknown>): Record<string, unknown> => ({
  eventTime: "2026-05-04T09:00:00Z",
  eventID: `e-${JSON.stringify(more).length}`,
  eventSource: "iam.amazonaws.com",
  eventName: "GetUser",
  readOnly: false,
  recipientAccountId: ACCOUNT,
  userIdentity: { type: "IAMUser", arn: `arn:aws:iam::${ACCOUNT}:user/a`, accessKeyId: "AKIA1", userName: "a" },
  ...more,
});
const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});
function delivered(objects: readonly (readonly unknown[])[]): string {
  const directory = mkdtempSync(join(tmpdir(), "custodes-trail-"));
  directories.push(directory);
  objects.forEach((Records, index) => writeFileSync(join(directory, `${index}.json.gz`), gzipSync(JSON.stringify({ Records }))));
  return directory;
}
/** An hour after the files were written. */
const later = (): number => Date.now() + 3_600_000;

sourceContract("aws-cloudtrail", async () => {
  const path = delivered([[record({ n: 1 }), record({ n: 2 })], [record({ n: 3 })], []]);
  return { source: cloudtrail.source!({ path }), context: testContext({ files: localFiles(), now: later }), records: 3 };
});

const normalize = cloudtrail.normalize!();
const events = (more: Record<string, unknown>): readonly Event[] => normalize(record(more), normalizeContext("aws-cloudtrail"));
const one = (more: Record<string, unknown>): Event => {
  const [event] = events(more);
  if (event === undefined) throw new Error("no event");
  return event;
};

describe("aws-cloudtrail: what a record becomes", () => {
  test.each([
    ["sts", "AssumeRole", "authentication", 3002],
    ["sts", "AssumeRoleWithWebIdentity", "authentication", 3002],
    ["sts", "GetSessionToken", "authentication", 3002],
    ["sts", "GetCallerIdentity", "infra_change", 6003],
    ["signin", "ConsoleLogin", "authentication", 3002],
    ["bedrock", "InvokeModel", "agent_api", 6003],
    ["bedrock", "Converse", "agent_api", 6003],
    ["bedrock", "DeleteGuardrail", "infra_change", 6003],
    ["ec2", "RunInstances", "infra_change", 6003],
    ["invoker", "InvokeModel", "infra_change", 6003],
  ])("%s:%s is %s, class %i", (service, eventName, category, classUid) => {
    const event = one({ eventSource: `${service}.amazonaws.com`, eventName });
    expect(event).toMatchObject({ category, classUid, infraAction: `aws:${service}:${eventName}` });
  });
  test("the API date of a Lambda call stays part of the action", () => {
    expect(one({ eventSource: "lambda.amazonaws.com", eventName: "UpdateFunctionCode20150331v2" }).infraAction).toBe(
      "aws:lambda:UpdateFunctionCode20150331v2",
    );
  });
  test("what is not read-only changes something, also when it was refused", () => {
    expect(one({ readOnly: false, errorCode: "AccessDenied" })).toMatchObject({ isChange: true, statusId: 2, statusCode: "AccessDenied" });
    expect(one({ readOnly: true })).toMatchObject({ isChange: false, statusId: 1 });
  });
  test("a record that does not say whether it only reads is judged by its name", () => {
    expect(one({ readOnly: undefined, eventName: "DescribeInstances" }).isChange).toBe(false);
    expect(one({ readOnly: undefined, eventName: "RunInstances" })).toMatchObject({ isChange: true, activityId: 1 });
    expect(one({ readOnly: "true", eventName: "RunInstances" }).isChange).toBe(false);
  });
  test("the time is found where Logstash puts it", () => {
    expect(one({ eventTime: undefined, "@timestamp": "2026-05-04T09:00:00.000Z" }).time).toBe(Date.parse("2026-05-04T09:00:00Z"));
  });
  test.each([
    ["CreateAccessKey", { userName: "b" }, true],
    ["AttachUserPolicy", { userName: "b", policyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess" }, true],
    ["AttachRolePolicy", { roleName: "r", policyArn: "arn:aws:iam::aws:policy/AdministratorAccess" }, true],
    ["AttachRolePolicy", { roleName: "r", policyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess" }, undefined],
    ["DetachRolePolicy", { roleName: "r", policyArn: "arn:aws:iam::aws:policy/AdministratorAccess" }, undefined],
    ["PutRolePolicy", { policyName: "p", policyDocument: '{"Statement":{"Effect":"Allow","Action":"*"}}' }, true],
    ["PutRolePolicy", { policyName: "p", policyDocument: '{"Statement":{"Effect":"Deny","Action":"*"}}' }, undefined],
    ["PutRolePolicy", { policyName: "p", policyDocument: '{"Statement":[{"Effect":"Allow","Action":["s3:Get*"]}]}' }, undefined],
    ["PutRolePolicy", { policyName: "p", policyDocument: "not a policy" }, undefined],
    ["GetUser", null, undefined],
  ])("%s %j is privileged: %s", (eventName, requestParameters, privileged) => {
    expect(one({ eventName, requestParameters }).privileged).toBe(privileged);
  });
  test("a grant is named by the policy or group that is given", () => {
    expect(one({ eventName: "AttachRolePolicy", requestParameters: { policyArn: "arn:aws:iam::aws:policy/X" } }).grant).toBe(
      "arn:aws:iam::aws:policy/X",
    );
    expect(one({ eventName: "AddUserToGroup", requestParameters: { userName: "b", groupName: "admins" } }).grant).toBe("admins");
    expect(one({ eventName: "DetachRolePolicy", requestParameters: { policyArn: "arn:aws:iam::aws:policy/X" } }).grant).toBeUndefined();
  });
  test("a service's name is no address", () => {
    expect(one({ sourceIPAddress: "ecs.amazonaws.com" })).toMatchObject({ srcIp: undefined, srcHost: "ecs.amazonaws.com" });
    expect(one({ sourceIPAddress: "AWS Internal" })).toMatchObject({ srcIp: undefined, srcHost: undefined });
    expect(one({ sourceIPAddress: "2001:db8::9" }).srcIp).toBe("2001:db8::9");
  });
});

describe("aws-cloudtrail: credentials", () => {
  const quarantine = { userName: "svc-report", policyArn: "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2" };
  test("AWS's quarantine of a key is also a finding about its user", () => {
    const [change, finding, ...rest] = events({ eventName: "AttachUserPolicy", requestParameters: quarantine, eventID: "q" });
    expect(rest).toEqual([]);
    expect(change).toMatchObject({ category: "infra_change", privileged: undefined, uid: "aws-cloudtrail:q" });
    expect(finding).toMatchObject({
      uid: "aws-cloudtrail:q:finding",
      category: "agent_finding",
      findingThreat: "credential_leak",
      findingSeverity: "critical",
      findingSignal: "AWSCompromisedKeyQuarantineV2",
      roleUid: `arn:aws:iam::${ACCOUNT}:user/svc-report`,
      srcIp: undefined,
      time: change?.time,
    });
  });
  test("the finding keeps the partition of the account", () => {
    const policyArn = "arn:aws-us-gov:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    const found = events({ eventName: "AttachUserPolicy", requestParameters: { ...quarantine, policyArn } });
    expect(found[1]?.roleUid).toBe(`arn:aws-us-gov:iam::${ACCOUNT}:user/svc-report`);
  });
  test("a quarantine that failed, or that is taken away, is no finding", () => {
    expect(events({ eventName: "AttachUserPolicy", requestParameters: quarantine, errorCode: "AccessDenied" })).toHaveLength(1);
    expect(events({ eventName: "DetachUserPolicy", requestParameters: quarantine })).toHaveLength(1);
  });
  const issued = {
    credentials: { accessKeyId: "ASIANEW", sessionToken: "t" },
    assumedRoleUser: { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/agent/s` },
    subjectFromWebIdentityToken: "system:serviceaccount:agents:bot",
  };
  test("a workload's token call binds its service account to the session and key that it got", () => {
    const userIdentity = { type: "WebIdentityUser", userName: "system:serviceaccount:agents:bot" };
    expect(
      one({ eventSource: "sts.amazonaws.com", eventName: "AssumeRoleWithWebIdentity", userIdentity, responseElements: issued }),
    ).toMatchObject({
      credentialUid: "ASIANEW",
      roleUid: issued.assumedRoleUser.arn,
      serviceAccount: "system:serviceaccount:agents:bot",
      authProtocolId: 4,
    });
  });
  test("a person's web identity is no service account", () => {
    const userIdentity = { type: "WebIdentityUser", userName: "repo:acme/app:ref:refs/heads/main" };
    const responseElements = { ...issued, subjectFromWebIdentityToken: "repo:acme/app:ref:refs/heads/main" };
    const event = one({ eventSource: "sts.amazonaws.com", eventName: "AssumeRoleWithWebIdentity", userIdentity, responseElements });
    expect(event.serviceAccount).toBeUndefined();
  });
  test("who assumes a role with an identity of its own keeps it; the session is the target", () => {
    expect(one({ eventSource: "sts.amazonaws.com", eventName: "AssumeRole", responseElements: issued })).toMatchObject({
      credentialUid: "AKIA1",
      roleUid: `arn:aws:iam::${ACCOUNT}:user/a`,
      targetUserUid: issued.assumedRoleUser.arn,
    });
  });
  test.each([
    [{ ConsoleLogin: "Success" }, 1],
    [{ ConsoleLogin: "Failure" }, 2],
  ])("a console sign-in answered with %j has status %i", (responseElements, status) => {
    const event = one({ eventSource: "signin.amazonaws.com", eventName: "ConsoleLogin", responseElements });
    expect(event.statusId).toBe(status);
  });
});

describe("aws-cloudtrail: files", () => {
  test("one hostile record does not cost the others of its object", async () => {
    const hostile = JSON.parse('{"eventID":"h","requestParameters":{"__proto__":{"x":1}}}') as unknown;
    const path = delivered([[record({ n: 1 }), hostile, record({ n: 2 })]]);
    const [page] = await drain(cloudtrail.source!({ path }), testContext({ files: localFiles(), now: later }));
    const outcomes = page?.records.map(({ record: raw }) => {
      try {
        return normalize(raw, normalizeContext("aws-cloudtrail")).length;
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    });
    expect(outcomes).toEqual([1, "RECORD_FORBIDDEN_KEY", 1]);
  });
  test("objects are complete only after AWS's delivery time", async () => {
    const path = delivered([[record({ n: 1 })]]);
    const now = later();
    const pages = await drain(cloudtrail.source!({ path }), testContext({ files: localFiles(), now: () => now }));
    expect(pages.at(-1)).toMatchObject({ completeTo: null, readTo: now });
    expect(cloudtrail.lateness).toBe(900_000);
  });
  test("check says whether there are objects, and how to get some", async () => {
    const context = testContext({ files: localFiles() });
    expect(await cloudtrail.check({ path: delivered([[record({})]]) }, context)).toMatchObject([{ ok: true }]);
    expect(await cloudtrail.check({ path: delivered([]) }, context)).toMatchObject([{ ok: false, fix: expect.stringContaining("path") }]);
  });
  test("a relative path is refused", () => {
    expect(cloudtrail.config.safeParse({ path: "logs" }).success).toBe(false);
    expect(cloudtrail.config.safeParse({ path: "/data/AWSLogs/**/*.json.gz" }).success).toBe(true);
  });
});
