import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import kubernetes from "../../connectors/kubernetes/kubernetes.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import type { PushRequest } from "../../src/ports/connector.ts";
import { normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({ connector: kubernetes, samples: "connectors/kubernetes/samples" });

const audit = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  kind: "Event",
  apiVersion: "audit.k8s.io/v1",
  auditID: "a1",
  stage: "ResponseComplete",
  verb: "create",
  requestURI: "/api/v1/namespaces/agents/pods",
  user: { username: "system:serviceaccount:agents:bot" },
  objectRef: { resource: "pods", namespace: "agents", name: "p" },
  responseStatus: { code: 201 },
  requestReceivedTimestamp: "2026-05-04T09:00:00.123456Z",
  stageTimestamp: "2026-05-04T09:00:00.223456Z",
  ...more,
});

const directory = mkdtempSync(join(tmpdir(), "custodes-k8s-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
sourceContract("kubernetes", async () => {
  const path = join(directory, `audit-${Math.floor(performance.now() * 1000)}.log`);
  writeFileSync(path, [1, 2, 3].map((n) => `${JSON.stringify(audit({ auditID: `a${n}` }))}\n`).join(""));
  const now = (): number => Date.now() + 3_600_000;
  return { source: kubernetes.source!({ path }), context: testContext({ files: localFiles(), now }), records: 3 };
});

const normalize = kubernetes.normalize!();
const events = (more: Record<string, unknown>): readonly Event[] => normalize(audit(more), normalizeContext("kubernetes"));
const one = (more: Record<string, unknown>): Event => {
  const [event] = events(more);
  if (event === undefined) throw new Error("no event");
  return event;
};
const exec = { objectRef: { resource: "pods", subresource: "exec", namespace: "agents", name: "p" }, responseStatus: { code: 101 } };

describe("kubernetes: stages", () => {
  test("a request counts once, when it is answered", () => {
    expect(events({ stage: "RequestReceived" })).toEqual([]);
    expect(events({ stage: "ResponseStarted" })).toEqual([]);
    expect(events({ stage: "ResponseComplete" })).toHaveLength(1);
    expect(events({ stage: "Panic" })).toHaveLength(1);
  });
  test("exec counts from its start, and start and end are one event, equal in every field", () => {
    const start = one({ ...exec, stage: "ResponseStarted", stageTimestamp: "2026-05-04T09:00:00.2Z" });
    const end = one({ ...exec, stage: "ResponseComplete", stageTimestamp: "2026-05-04T11:00:00.2Z" });
    expect(end).toEqual(start);
  });
  test("a client cannot hide requests behind one audit id of its own", () => {
    expect(one({ requestReceivedTimestamp: "2026-05-04T09:00:00.123457Z" }).uid).not.toBe(one({}).uid);
  });
});

describe("kubernetes: what a client may write", () => {
  test("an audit id, verb or resource of any length still gives an event", () => {
    const long = one({ auditID: "x".repeat(900), verb: "v".repeat(900), objectRef: { resource: "r".repeat(900) } });
    expect(long.uid.length).toBeLessThan(200);
    expect(long.infraAction?.length).toBeLessThan(500);
    expect(one({ auditID: "x".repeat(901) }).uid).not.toBe(one({ auditID: "x".repeat(900) }).uid);
  });
});

describe("kubernetes: actions", () => {
  test.each([
    ["create", "pods", undefined, true],
    ["update", "deployments", undefined, true],
    ["patch", "deployments", undefined, true],
    ["delete", "pods", undefined, true],
    ["deletecollection", "pods", undefined, true],
    ["get", "pods", undefined, false],
    ["list", "secrets", undefined, false],
    ["watch", "pods", undefined, false],
    ["get", "pods", "exec", true],
    ["create", "pods", "portforward", true],
    ["get", "pods", "log", false],
    ["create", "subjectaccessreviews", undefined, false],
    ["create", "tokenreviews", undefined, false],
  ])("%s %s/%s changes something: %s", (verb, resource, subresource, isChange) => {
    const event = one({ verb, objectRef: { resource, subresource } });
    expect(event).toMatchObject({ isChange, infraAction: `k8s:${verb}:${resource}` });
    expect(event.operation).toBe(subresource === undefined ? `${verb}:${resource}` : `${verb}:${resource}/${subresource}`);
  });
  test("a dry run changes nothing", () => {
    expect(one({ requestURI: "/api/v1/namespaces/a/pods?fieldManager=x&dryRun=All" }).isChange).toBe(false);
    expect(one({ requestURI: "/api/v1/namespaces/a/pods?name=dryRun=All" }).isChange).toBe(true);
  });
  test.each([
    [101, 1],
    [200, 1],
    [403, 2],
    [500, 2],
  ])("code %i has status %i", (code, status) => {
    expect(one({ responseStatus: { code } })).toMatchObject({ statusId: status, responseCode: code, errorFlag: status - 1 });
  });
  const pod = (spec: unknown) => ({ requestObject: { kind: "Pod", spec } });
  test.each([
    ["a plain pod", pod({ containers: [{ name: "m" }] }), undefined],
    ["host processes", pod({ hostPID: true }), true],
    ["host network", pod({ hostNetwork: true }), true],
    ["a host path", pod({ volumes: [{ hostPath: { path: "/" } }] }), true],
    ["an empty directory", pod({ volumes: [{ emptyDir: {} }] }), undefined],
    ["a privileged container", pod({ containers: [{}, { securityContext: { privileged: true } }] }), true],
    ["a privileged init container", pod({ initContainers: [{ securityContext: { privileged: true } }] }), true],
    ["a capability", pod({ containers: [{ securityContext: { capabilities: { add: ["NET_BIND_SERVICE", "SYS_PTRACE"] } } }] }), true],
    ["a harmless capability", pod({ containers: [{ securityContext: { capabilities: { add: ["NET_BIND_SERVICE"] } } }] }), undefined],
    [
      "a deployment's pod",
      { objectRef: { resource: "deployments" }, requestObject: { spec: { template: { spec: { hostIPC: true } } } } },
      true,
    ],
    ["exec", exec, true],
    ["attach", { objectRef: { resource: "pods", subresource: "attach" } }, true],
    ["a debug container", { verb: "patch", objectRef: { resource: "pods", subresource: "ephemeralcontainers" } }, true],
    ["the kubelet through the API", { verb: "get", objectRef: { resource: "nodes", subresource: "proxy" } }, true],
    ["reading a privileged pod", { verb: "get", ...pod({ hostPID: true }) }, undefined],
  ])("%s: privileged is %s", (_, more, privileged) => {
    expect(one(more).privileged).toBe(privileged);
  });
  test.each([
    ["clusterrolebindings", "cluster-admin", true],
    ["rolebindings", "admin", true],
    ["rolebindings", "view", undefined],
  ])("a binding in %s gives %s: privileged is %s", (resource, name, privileged) => {
    expect(one({ objectRef: { resource }, requestObject: { roleRef: { name } } })).toMatchObject({ grant: name, privileged });
  });
  test("a role that allows everything is a grant of everything", () => {
    const role = (verbs: string[]) => ({
      objectRef: { resource: "clusterroles" },
      requestObject: { rules: [{ verbs, resources: ["*"] }] },
    });
    expect(one(role(["*"])).privileged).toBe(true);
    expect(one(role(["get"])).privileged).toBeUndefined();
  });
});

describe("kubernetes: who", () => {
  test("a service account with its pod, node and token", () => {
    const extra = {
      "authentication.kubernetes.io/pod-name": ["bot-1"],
      "authentication.kubernetes.io/pod-uid": ["u-1"],
      "authentication.kubernetes.io/node-name": ["n-1"],
      "authentication.kubernetes.io/credential-id": ["JTI=t-1"],
    };
    expect(one({ user: { username: "system:serviceaccount:agents:bot", extra }, sourceIPs: ["10.0.0.5", "10.0.0.1"] })).toMatchObject({
      serviceAccount: "system:serviceaccount:agents:bot",
      podName: "bot-1",
      podUid: "u-1",
      host: "n-1",
      credentialUid: "t-1",
      srcIp: "10.0.0.1",
    });
  });
  test("an EKS user with its AWS session", () => {
    const extra = { arn: ["arn:aws:sts::1:assumed-role/r/s"], accessKeyId: ["ASIA1"] };
    expect(one({ user: { username: "r", extra } })).toMatchObject({
      roleUid: extra.arn[0],
      credentialUid: "ASIA1",
      serviceAccount: undefined,
    });
  });
  test("who acts in another's name, and in whose", () => {
    expect(one({ user: { username: "ann" }, impersonatedUser: { username: "bob" } })).toMatchObject({ userName: "ann", onBehalfOf: "bob" });
  });
  test("the configured cluster becomes the tenant", () => {
    const named = kubernetes.normalize!({ cluster: "prod-1" });
    expect(named(audit(), normalizeContext("kubernetes"))[0]?.tenant).toBe("prod-1");
  });
});

describe("kubernetes: webhook backend", () => {
  const push = (body: unknown): PushRequest => ({
    path: "",
    contentType: "application/json",
    headers: {},
    body: body instanceof Uint8Array ? body : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
  });
  const receiver = kubernetes.receiver!({});
  test("an EventList is its events, and is answered with 200", () => {
    const pushed = receiver.receive(push({ kind: "EventList", items: [audit(), audit({ auditID: "a2" })] }));
    expect(pushed.records.map(({ position }) => position)).toEqual(["body:1", "body:2"]);
    expect(pushed.reply.status).toBe(200);
  });
  test("one event with a hostile key does not cost the others", () => {
    const hostile = JSON.stringify(audit()).replace('"kind"', '"__proto__":{"x":1},"kind"');
    const pushed = receiver.receive(push(`{"kind":"EventList","items":[${JSON.stringify(audit())},${hostile},7]}`));
    expect(pushed.records).toHaveLength(2);
    expect(pushed.rejects.map(({ code, position }) => [code, position])).toEqual([["RECORD_FORBIDDEN_KEY", "body:2"]]);
  });
  test.each([
    ["{", "RECORD_NOT_JSON"],
    ["[]", "RECORD_NOT_OBJECT"],
    ['{"kind":"EventList"}', "RECORD_FIELD_MISSING"],
    [new Uint8Array([0xff, 0xfe, 0x00]), "RECORD_ENCODING"],
  ])("the body %j is refused with %s", (body, code) => {
    expect(() => receiver.receive(push(body))).toThrow(Failure);
    try {
      receiver.receive(push(body));
    } catch (error) {
      expect(error).toMatchObject({ kind: "poison", code });
    }
  });
  test("a source without files pulls nothing and proves nothing", async () => {
    const source = kubernetes.source!({});
    expect(await source.pull("kept", testContext())).toEqual({ records: [], rejects: [], next: "kept", more: false, completeTo: null });
    expect(await kubernetes.check({}, testContext())).toEqual([]);
  });
});
