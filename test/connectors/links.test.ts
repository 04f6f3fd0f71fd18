import { describe, expect, test } from "vitest";
import agentFindings from "../../connectors/agent-findings/agent-findings.ts";
import cloudtrail from "../../connectors/aws-cloudtrail/aws-cloudtrail.ts";
import istio from "../../connectors/istio/istio.ts";
import kong from "../../connectors/kong/kong.ts";
import okta from "../../connectors/okta/okta.ts";
import otlp from "../../connectors/otlp/otlp.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { normalizeContext } from "../contract/source.ts";

/** Links of the first event, with spaces for tabs. */
const linksOf = (normalize: Normalize, record: unknown): readonly string[] =>
  (normalize(record, normalizeContext("test"))[0]?.links ?? []).map((link) => link.replaceAll("\t", " ").trimEnd());
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("kong: delegation", () => {
  const normalize = kong.normalize!();
  const entry = (headers: Record<string, unknown>, more: object = {}) => ({
    started_at: 1_774_915_201_500,
    request: { id: "r", method: "GET", uri: "/", headers },
    response: { status: 200 },
    consumer: { id: "c-1", custom_id: "ag_1" },
    authenticated_entity: { id: "k-1", consumer_id: "c-1" },
    source: "upstream",
    ...more,
  });
  const act = { sub: "sub-agent", act: { sub: "ag_1" } };
  const claims = { "x-jwt-claim-sub": "mia", "x-jwt-claim-act": JSON.stringify(act), "x-jwt-claim-exp": "1774918801" };
  const chain = ["agent:sub-agent agent:ag_1  1774918801000", "agent:ag_1 agent:mia  1774918801000"];

  const trusting = kong.normalize!(kong.config.parse({ trustClaims: true }));

  test("where the gateway writes the claims, each actor acts for the next, the last for the subject, until the token expires", () => {
    expect(linksOf(trusting, entry(claims))).toEqual(chain);
    expect(linksOf(trusting, entry({ ...claims, "x-jwt-claim-act": "ag_1", "x-jwt-claim-exp": undefined }))).toEqual([
      "agent:ag_1 agent:mia",
    ]);
  });
  test("elsewhere the caller is believed when he names whom he spawned, and nothing else", () => {
    expect(linksOf(normalize, entry(claims))).toEqual(chain.slice(0, 1));
    const of = (names: readonly string[], sub: string) => {
      const act = names.reduceRight<object | undefined>((inner, name) => ({ sub: name, ...(inner && { act: inner }) }), undefined);
      return linksOf(normalize, entry({ "x-jwt-claim-act": JSON.stringify(act), "x-jwt-claim-sub": sub }));
    };
    expect(of(["sub-agent"], "c-1")).toEqual(["agent:sub-agent agent:c-1"]);
    expect(of(["deep", "sub-agent", "ag_1"], "mia")).toEqual(["agent:sub-agent agent:ag_1"]);
    expect(of(["ag_1"], "victim")).toEqual([]);
    expect(of(["ag_1", "victim"], "mia")).toEqual([]);
  });
  test("claims that do not name the caller link nobody", () => {
    const others = { "x-jwt-claim-act": JSON.stringify({ sub: "sub-7" }), "x-jwt-claim-sub": "nobody-at-all", "x-jwt-claim-jti": "t-1" };
    expect(linksOf(normalize, entry(others))).toEqual([]);
    expect(linksOf(trusting, entry(others))).toEqual([]);
    const both = kong.normalize!(kong.config.parse({ trustClaims: true, linkTokens: true }));
    expect(linksOf(both, entry(others))).toEqual(["cred:t-1 client:c-1"]);
  });
  test("a call is made for the next in the chain, never for the caller itself", () => {
    const of = (act: unknown, sub: string) =>
      normalize(entry({ "x-jwt-claim-act": JSON.stringify(act), "x-jwt-claim-sub": sub }), normalizeContext("kong"))[0]?.onBehalfOf;
    expect(of({ sub: "ag_1", act: { sub: "planner" } }, "mia")).toBe("planner");
    expect(of({ sub: "ag_1" }, "mia")).toBe("mia");
    expect(of({ sub: "sub-agent" }, "ag_1")).toBeUndefined();
    expect(of({ sub: "planner" }, "mia")).toBe("planner");
  });
  test("a token that is logged is read, and not kept", () => {
    const token = `${encode({ alg: "none" })}.${encode({ sub: "mia", act, exp: 1_774_918_801, scope: "a b", purpose: "p" })}.c2ln`;
    const record = entry({ authorization: `Bearer ${token}` });
    expect(linksOf(trusting, record)).toEqual(chain);
    const [event] = normalize(record, normalizeContext("kong"));
    expect(event).toMatchObject({ userUid: "mia", onBehalfOf: "mia", scopes: ["a", "b"], purpose: "p" });
    expect(JSON.stringify(event)).not.toContain("eyJ");
  });
  test.each([
    ["nobody that Kong knows", { consumer: undefined, authenticated_entity: undefined }],
    ["a caller that Kong refused", { response: { status: 403 }, source: "kong" }],
    ["a caller that the service did not know", { response: { status: 401 } }],
  ])("of %s nothing is believed", (_, more) => {
    const headers = { ...claims, "x-credential-identifier": "k-2" };
    expect(linksOf(trusting, entry(headers, more))).toEqual([]);
    const [event] = trusting(entry(headers, more), normalizeContext("kong"));
    expect(event).toMatchObject({ userUid: undefined, onBehalfOf: undefined });
    expect(event?.credentialUid).not.toBe("k-2");
  });
  test("a plugin's consumer for everybody without a credential is nobody that Kong knows", () => {
    const more = { authenticated_entity: undefined };
    const [event] = trusting(entry({ ...claims, "x-anonymous-consumer": "true" }, more), normalizeContext("kong"));
    expect(event).toMatchObject({ userUid: undefined, links: undefined });
    expect(linksOf(trusting, entry(claims, more))).toEqual(chain);
  });
  test("tokens are told by their id when asked for", () => {
    const headers = { "x-jwt-claim-jti": "t-1", "x-jwt-claim-exp": "1774918801" };
    expect(linksOf(normalize, entry(headers))).toEqual([]);
    expect(linksOf(kong.normalize!(kong.config.parse({ linkTokens: true })), entry(headers))).toEqual([
      "cred:t-1 client:c-1  1774918801000",
    ]);
  });
});

describe("istio: addresses of workloads", () => {
  const line = { start_time: "2026-05-04T09:00:00Z", response_flags: "-", downstream_remote_address: "10.0.0.5:4000" };
  const peer = "spiffe://corp.example/ns/agents/sa/bot";
  test("whoever shows a certificate holds its address, and runs as its account", () => {
    expect(linksOf(istio.normalize!(), { ...line, downstream_peer_uri_san: peer })).toEqual([
      `ip:10.0.0.5 ${peer.replace("spiffe:", "spiffe:spiffe:")}`,
      `spiffe:${peer} sa:system:serviceaccount:agents:bot`,
    ]);
  });
  test("an address of the world is nobody's, and without a certificate nothing is known", () => {
    const far = { ...line, downstream_remote_address: "203.0.113.9:1", downstream_peer_uri_san: peer };
    expect(linksOf(istio.normalize!(), far)).toEqual([`spiffe:${peer} sa:system:serviceaccount:agents:bot`]);
    expect(linksOf(istio.normalize!(), line)).toEqual([]);
  });
});

describe("okta: tokens", () => {
  const log = (more: object) => ({
    uuid: "u",
    published: "2026-05-04T09:00:00Z",
    eventType: "app.oauth2.as.token.grant.access_token",
    outcome: { result: "SUCCESS" },
    actor: { id: "0oa1", type: "PublicClientApp" },
    target: [
      { id: "aus1", type: "AuthorizationServer" },
      { id: "AT.1", type: "access_token", detailEntry: { expires: "2026-05-04T10:00:00Z" } },
    ],
    ...more,
  });
  test("a token is its client's until it expires or is revoked", () => {
    expect(linksOf(okta.normalize!(), log({}))).toEqual([`cred:AT.1 client:0oa1  ${Date.parse("2026-05-04T10:00:00Z")}`]);
    expect(linksOf(okta.normalize!(), log({ eventType: "app.oauth2.as.token.revoke" }))).toEqual(["cred:AT.1 client:0oa1   ends"]);
  });
  test("one that was refused is nobody's", () => {
    expect(linksOf(okta.normalize!(), log({ outcome: { result: "FAILURE" } }))).toEqual([]);
  });
  test("an API token is whose it says", () => {
    const more = {
      eventType: "user.lifecycle.create",
      actor: { id: "00u1", type: "User" },
      transaction: { type: "WEB", detail: { requestApiTokenId: "00T1" } },
      target: [],
    };
    expect(linksOf(okta.normalize!(), log(more))).toEqual(["cred:00T1 user:00u1"]);
  });
});

describe("cloudtrail: keys and sessions", () => {
  const UNTIL = Date.UTC(2026, 4, 4, 16, 7, 39);
  const SESSION = "arn:aws:sts::111122223333:assumed-role/data/bot";
  const CALLER = "arn:aws:iam::111122223333:role/agent";
  const call = (more: object) => ({
    eventID: "e",
    eventTime: "2026-05-04T15:07:39Z",
    eventSource: "sts.amazonaws.com",
    eventName: "AssumeRole",
    userIdentity: { type: "AssumedRole", arn: CALLER, accessKeyId: "ASIACALLER" },
    responseElements: {
      credentials: { accessKeyId: "ASIANEW", expiration: "May 4, 2026, 4:07:39 PM", sessionToken: "secret" },
      assumedRoleUser: { arn: SESSION, assumedRoleId: "AROA:bot" },
    },
    ...more,
  });
  const links = (more: object) => linksOf(cloudtrail.normalize!(), call(more));
  const caller = `cred:ASIACALLER role:${CALLER}`;

  test("a role that is taken binds its key to the session and to who took it, until it expires", () => {
    expect(links({})).toEqual([
      caller,
      `cred:ASIANEW role:${SESSION}  ${UNTIL}`,
      `cred:ASIANEW cred:ASIACALLER  ${UNTIL}`,
      `role:${SESSION} role:${CALLER}  ${UNTIL}`,
    ]);
  });
  test.each(["May 4, 2026 4:07:39 PM", "May 4, 2026, 4:07:39\u202fPM", "2026-05-04T16:07:39Z"])(
    "the end may be written as %s",
    (expiration) => {
      const responseElements = { credentials: { accessKeyId: "ASIANEW", expiration }, assumedRoleUser: { arn: SESSION } };
      expect(links({ responseElements })[1]).toBe(`cred:ASIANEW role:${SESSION}  ${UNTIL}`);
    },
  );
  test.each([
    ["May 4, 2026, 12:00:00 AM", Date.UTC(2026, 4, 4)],
    ["May 4, 2026, 12:00:00 PM", Date.UTC(2026, 4, 4, 12)],
  ])("%s is that hour", (expiration, until) => {
    const responseElements = { credentials: { accessKeyId: "ASIANEW", expiration }, assumedRoleUser: { arn: SESSION } };
    expect(links({ responseElements })[1]).toBe(`cred:ASIANEW role:${SESSION}  ${until}`);
  });
  test("a service account that takes a role by its token", () => {
    const responseElements = {
      subjectFromWebIdentityToken: "system:serviceaccount:agents:bot",
      credentials: { accessKeyId: "ASIANEW" },
      assumedRoleUser: { arn: SESSION },
    };
    const userIdentity = { type: "WebIdentityUser", userName: "system:serviceaccount:agents:bot" };
    expect(links({ eventName: "AssumeRoleWithWebIdentity", userIdentity, responseElements })).toEqual([
      `cred:ASIANEW role:${SESSION}`,
      "cred:ASIANEW sa:system:serviceaccount:agents:bot",
      `role:${SESSION} sa:system:serviceaccount:agents:bot`,
    ]);
  });
  test("a session token is its caller's", () => {
    const responseElements = { credentials: { accessKeyId: "ASIANEW" } };
    expect(links({ eventName: "GetSessionToken", responseElements })).toEqual([caller, "cred:ASIANEW cred:ASIACALLER"]);
  });
  test("EKS names the pod, and nobody else may", () => {
    const tags = [
      { key: "kubernetes-namespace", value: "agents" },
      { key: "kubernetes-service-account", value: "bot" },
      { key: "kubernetes-pod-uid", value: "u-1" },
    ];
    const eks = { userIdentity: { type: "AWSService", invokedBy: "pods.eks.amazonaws.com" }, requestParameters: { tags } };
    expect(links(eks)).toEqual([
      `cred:ASIANEW role:${SESSION}  ${UNTIL}`,
      `role:${SESSION} sa:system:serviceaccount:agents:bot  ${UNTIL}`,
      `cred:ASIANEW pod:u-1  ${UNTIL}`,
    ]);
    expect(links({ requestParameters: { tags } }).join()).not.toContain("serviceaccount");
  });
  test("a call that failed issues nothing; its key is still its caller's", () => {
    expect(links({ errorCode: "AccessDenied" })).toEqual([caller]);
  });
  test("a source identity goes along", () => {
    const userIdentity = { type: "AssumedRole", arn: SESSION, accessKeyId: "ASIAX", sessionContext: { sourceIdentity: "mia" } };
    expect(links({ eventSource: "s3.amazonaws.com", eventName: "GetObject", userIdentity, responseElements: null })).toEqual([
      `cred:ASIAX role:${SESSION}`,
      `role:${SESSION} user:mia`,
    ]);
  });
});

test("agent-findings: a session and a run are their agent's, told once", () => {
  const turn = { ts: "2026-05-04T09:00:00Z", agent_id: "bot", session_id: "s", run_id: "r", findings: [{ threat: "x" }] };
  const events = agentFindings.normalize!()(turn, normalizeContext("agent-findings"));
  expect(events.map((event) => event.links)).toEqual([["session:s\tagent:bot\t\t\t", "run:r\tagent:bot\t\t\t"], undefined]);
});

test("otlp: what the resource says of a pod is believed when the operator says so", () => {
  const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const resource = {
    attributes: [
      attribute("k8s.pod.uid", "u-1"),
      attribute("k8s.pod.name", "bot-1"),
      attribute("k8s.namespace.name", "agents"),
      attribute("k8s.serviceaccount.name", "bot"),
    ],
  };
  const span = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    name: "chat",
    startTimeUnixNano: "1774915201500000000",
    attributes: [attribute("gen_ai.operation.name", "chat")],
  };
  const format = otlp.format!({ operations: "both", fields: {}, trustResource: true });
  const [record] = format.open()(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }));
  const of = (trustResource: boolean) => linksOf(otlp.normalize!({ operations: "both", fields: {}, trustResource }), record);
  expect(of(true)).toEqual(["pod:u-1 sa:system:serviceaccount:agents:bot", "pod:agents/bot-1 pod:u-1"]);
  expect(of(false)).toEqual([]);
});
