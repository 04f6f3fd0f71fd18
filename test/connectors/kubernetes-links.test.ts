import { describe, expect, test } from "vitest";
import kubernetes from "../../connectors/kubernetes/kubernetes.ts";
import { normalizeContext } from "../contract/source.ts";

const NODE = { username: "system:node:node-1", groups: ["system:nodes"] };
const TIME = Date.parse("2026-05-04T09:00:00.123Z");
const normalize = kubernetes.normalize!();
const ref = { resource: "pods", namespace: "agents", name: "bot-1" };
const audit = (more: Record<string, unknown>): readonly string[] => {
  const record = {
    kind: "Event",
    auditID: "a1",
    stage: "ResponseComplete",
    verb: "create",
    requestURI: "/api/v1/namespaces/agents/pods",
    user: NODE,
    objectRef: ref,
    responseStatus: { code: 200 },
    requestReceivedTimestamp: "2026-05-04T09:00:00.123456Z",
    stageTimestamp: "2026-05-04T09:00:00.223456Z",
    ...more,
  };
  const [event] = normalize(record, normalizeContext("kubernetes"));
  return (event?.links ?? []).map((link) => link.replaceAll("\t", " ").trimEnd());
};
const metadata = { name: "bot-1", namespace: "agents", uid: "u-1" };
const spec = { serviceAccountName: "bot", hostNetwork: false };
const status = { phase: "Running", hostIP: "10.0.0.1", podIP: "10.1.2.3", podIPs: [{ ip: "10.1.2.3" }, { ip: "fd00::3" }] };
const pod = (more: object = {}) => ({ kind: "Pod", metadata, spec, status, ...more });
const SA = "sa:system:serviceaccount:agents:bot";

describe("kubernetes: pods", () => {
  test("one that a controller creates gets its name, its id and its account from the answer", () => {
    const request = { kind: "Pod", metadata: { generateName: "bot-" }, spec: {} };
    expect(
      audit({ objectRef: { resource: "pods", namespace: "agents" }, requestObject: request, responseObject: pod({ status: {} }) }),
    ).toEqual([`pod:u-1 ${SA}`, "pod:agents/bot-1 pod:u-1"]);
  });
  test("without the answer only what the request says is known, and without bodies nothing", () => {
    expect(audit({ requestObject: { kind: "Pod", metadata: { generateName: "bot-" }, spec } })).toEqual([]);
    expect(audit({})).toEqual([]);
  });
  test("a status names the addresses", () => {
    const patch = { verb: "patch", objectRef: { ...ref, subresource: "status" } };
    const both = [`pod:u-1 ${SA}`, "pod:agents/bot-1 pod:u-1", "ip:10.1.2.3 pod:u-1", "ip:fd00::3 pod:u-1"];
    expect(audit({ ...patch, responseObject: pod() })).toEqual(both);
    const request = { metadata: { uid: "u-1" }, status: { hostIP: "10.0.0.1", podIP: "10.1.2.3" } };
    expect(audit({ ...patch, requestObject: request })).toEqual(["pod:agents/bot-1 pod:u-1", "ip:10.1.2.3 pod:u-1"]);
  });
  test.each([
    ["in its node's network", { spec: { ...spec, hostNetwork: true } }],
    ["with its node's address", { status: { ...status, hostIP: "10.1.2.3" } }],
    ["without an address", { status: { phase: "Pending", hostIP: "10.0.0.1" } }],
    ["with an address that is none", { status: { hostIP: "10.0.0.1", podIP: "x\ty" } }],
  ])("a pod %s gives no address", (_, more) => {
    const links = audit({ verb: "patch", objectRef: { ...ref, subresource: "status" }, responseObject: pod(more) });
    expect(links).toEqual([`pod:u-1 ${SA}`, "pod:agents/bot-1 pod:u-1"]);
  });
  test("a patch that does not say whose address it is gives none", () => {
    const requestObject = { metadata: { uid: "u-1" }, status: { podIP: "10.1.2.3" } };
    expect(audit({ verb: "patch", objectRef: { ...ref, subresource: "status" }, requestObject })).toEqual(["pod:agents/bot-1 pod:u-1"]);
  });
  test.each(["Succeeded", "Failed"])("one that has %s gives its addresses back, though its status keeps them", (phase) => {
    const responseObject = pod({ status: { ...status, phase } });
    const links = audit({ verb: "patch", objectRef: { ...ref, subresource: "status" }, responseObject });
    expect(links.slice(2)).toEqual(["ip:10.1.2.3 pod:u-1   ends", "ip:fd00::3 pod:u-1   ends"]);
  });
  test("a request that failed or was only tried proves nothing", () => {
    expect(audit({ responseObject: pod(), responseStatus: { code: 409 } })).toEqual([]);
    expect(audit({ responseObject: pod(), requestURI: "/api/v1/namespaces/agents/pods?dryRun=All" })).toEqual([]);
  });
});

describe("kubernetes: the end of a pod", () => {
  const gone = { verb: "delete", user: { username: "system:serviceaccount:kube-system:replicaset-controller" } };
  const deleted = (seconds: number) =>
    pod({ metadata: { ...metadata, deletionTimestamp: "2026-05-04T09:00:30Z", deletionGracePeriodSeconds: seconds } });
  const own = (links: readonly string[]) => links.filter((link) => !link.startsWith("pod:kube-system"));
  test("a pod that is asked to end may go on for a while", () => {
    const until = Date.parse("2026-05-04T09:00:30Z");
    expect(own(audit({ ...gone, responseObject: deleted(30) }))).toEqual([
      `pod:u-1 ${SA}  ${until}`,
      `pod:agents/bot-1 pod:u-1  ${until}`,
      `ip:10.1.2.3 pod:u-1  ${until}`,
      `ip:fd00::3 pod:u-1  ${until}`,
    ]);
  });
  test("it is over when its kubelet says so, or when no time was given", () => {
    expect(audit({ verb: "delete", user: NODE, responseObject: deleted(0) })).toContain("ip:10.1.2.3 pod:u-1   ends");
    expect(own(audit({ ...gone, responseObject: deleted(0) }))).toContain("ip:10.1.2.3 pod:u-1   ends");
  });
  test("an answer without the pod ends what the request names", () => {
    const requestObject = { kind: "DeleteOptions", gracePeriodSeconds: 0, preconditions: { uid: "u-1" } };
    expect(audit({ verb: "delete", requestObject, responseObject: { kind: "Status", metadata: {} } })).toEqual([
      "pod:agents/bot-1 pod:u-1   ends",
    ]);
  });
  test("without bodies nobody knows when it ends", () => {
    expect(own(audit(gone))).toEqual([]);
  });
});

describe("kubernetes: who calls", () => {
  const extra = (more: object) => ({
    verb: "get",
    user: { username: "system:serviceaccount:agents:bot", extra: { "authentication.kubernetes.io/credential-id": ["JTI=j-1"], ...more } },
  });
  test("a bound token names its pod", () => {
    const bound = { "authentication.kubernetes.io/pod-name": ["bot-1"], "authentication.kubernetes.io/pod-uid": ["u-1"] };
    expect(audit(extra(bound))).toEqual(["cred:j-1 pod:u-1", `pod:u-1 ${SA}`, "pod:agents/bot-1 pod:u-1"]);
    expect(audit({ ...extra(bound), responseStatus: { code: 403 } })).toHaveLength(3);
  });
  test("a free one its account", () => {
    expect(audit(extra({}))).toEqual([`cred:j-1 ${SA}`]);
  });
  test("one from AWS its role", () => {
    const user = { username: "admin", extra: { arn: ["arn:aws:sts::1:assumed-role/r/s"], accessKeyId: ["ASIA1"] } };
    expect(audit({ verb: "get", user })).toEqual(["cred:ASIA1 role:arn:aws:sts::1:assumed-role/r/s"]);
  });
});

describe("kubernetes: issued tokens", () => {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${encode({ alg: "RS256" })}.${encode({ jti: "j-2", exp: 1_777_888_000, pad: "x".repeat(2000) })}.c2ln`;
  const objectRef = { resource: "serviceaccounts", subresource: "token", namespace: "agents", name: "bot" };
  const annotations = { "authentication.kubernetes.io/issued-credential-id": "JTI=j-1" };
  const requestObject = { spec: { boundObjectRef: { kind: "Pod", name: "bot-1", uid: "u-1" }, expirationSeconds: 3607 } };
  test("the annotation names one at every level", () => {
    expect(audit({ objectRef, annotations })).toEqual([`cred:j-1 ${SA}`]);
  });
  test("the answer says until when, the request for which pod", () => {
    const responseObject = { kind: "TokenRequest", status: { token, expirationTimestamp: "2026-05-04T10:00:07Z" } };
    expect(audit({ objectRef, annotations, requestObject, responseObject })).toEqual([
      `cred:j-1 pod:u-1  ${TIME + 3_606_877}`,
      `pod:u-1 ${SA}`,
      "pod:agents/bot-1 pod:u-1",
    ]);
  });
  test("an older server's token tells its id itself, and stays out of the event", () => {
    const responseObject = { kind: "TokenRequest", status: { token } };
    expect(audit({ objectRef, responseObject })).toEqual([`cred:j-2 ${SA}  1777888000000`]);
    expect(audit({ objectRef, responseObject, responseStatus: { code: 403 } })).toEqual([]);
  });
});
