/** Claims of others' identities, told through the real connectors: whom do they give what somebody did to? */
import { describe, expect, test } from "vitest";
import { ATTRIBUTION, type EpochMs, type Event } from "../../src/core/event.ts";
import * as records from "./records.ts";
import { decided, id, owners as ownersBy, registryOf, T0, told } from "./telling.ts";

const registry = registryOf(
  {
    id: "victim",
    identities: {
      kong_custom_id: "victim",
      kong_credentials: ["key-of-victim"],
      otel_agent_id: "victim-otel",
      okta_client_id: "0oavictim",
      okta_service_user: "00uService",
      vault_entities: ["entity-of-victim"],
      entra_app_ids: ["app-victim"],
      k8s_service_account: "system:serviceaccount:a:victim",
    },
  },
  { id: "mallory", identities: { kong_custom_id: "mallory", k8s_service_account: "system:serviceaccount:a:mallory" } },
  { id: "principal", identities: { service_principals: ["sp-object"] } },
);

const owners = (...all: readonly (readonly Event[])[]) => ownersBy(registry, ...all);

const iso = (time: EpochMs): string => new Date(time).toISOString();
const consumer = (name: string) => ({ id: `c-${name}`, customId: name, credential: `k-${name}` });
const call = (at: EpochMs, ip: string, name?: string, headers?: object, over: object = {}) =>
  told("kong", {
    ...(records.kong(T0 + at, id(), { ip, consumer: name === undefined ? undefined : consumer(name), headers }) as object),
    ...over,
  });
const egress = (at: EpochMs, ip: string) =>
  told("zeek", records.zeek(T0 + at, `Z${id()}`, { ip, port: 4444, host: "h", peer: "203.0.113.5", bytes: 9e8 }));
const turn = (at: EpochMs, agent: string) => told("agent-findings", records.turn(T0 + at, id(), agent, `s-${agent}`));
const claims = (sub: string, ...chain: readonly string[]) => ({
  "x-jwt-claim-sub": sub,
  "x-jwt-claim-act": JSON.stringify(chain.reduceRight<object | undefined>((act, name) => ({ sub: name, ...(act && { act }) }), undefined)),
});
const REFUSED = { source: "kong", response: { status: 401, size: 10, headers: {} } };

describe("a call whose caller the gateway does not know", () => {
  test.each([
    ["a credential", { "x-credential-identifier": "key-of-victim" }],
    ["a service user", { "x-jwt-claim-sub": "00uService" }],
    ["an entity of Vault", { "x-jwt-claim-sub": "entity-of-victim" }],
    ["a consumer", { "x-consumer-custom-id": "victim", "x-consumer-id": "c-victim" }],
  ])("is nobody's for all it says of %s, refused or not, and shows nobody at its address", (_, headers) => {
    const ip = "10.1.2.3";
    expect(owners(call(0, ip, undefined, headers, REFUSED), egress(1000, ip))).toEqual([undefined, undefined]);
    expect(owners(call(0, ip, undefined, headers), egress(1000, ip))).toEqual([undefined, undefined]);
  });
  test("a consumer that is no agent does not become one by its claims", () => {
    for (const sub of ["00uService", "entity-of-victim"])
      expect(owners(call(0, "10.1.2.3", "shadow", { "x-jwt-claim-sub": sub }), egress(1000, "10.1.2.3"))).toEqual([undefined, undefined]);
  });
  test("and one that is, is found with its address", () => {
    expect(owners(call(0, "10.1.2.3", "victim", { "x-jwt-claim-sub": "bob" }), egress(1000, "10.1.2.3"))).toEqual(["victim", "victim"]);
  });
});

describe("claims of delegation", () => {
  test("nobody makes an agent his spawner", () => {
    const plain = (at: EpochMs) => call(at, "10.1.1.1", "shadow");
    for (const headers of [claims("victim", "shadow"), claims("bob", "shadow", "victim")])
      expect(owners(call(0, "10.1.1.1", "shadow", headers), plain(600_000), egress(1000, "10.1.1.1"))).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    const part = (claim: object): string => Buffer.from(JSON.stringify(claim)).toString("base64url");
    const token = `Bearer ${part({ alg: "none" })}.${part({ sub: "victim", act: { sub: "shadow" } })}.`;
    expect(owners(call(0, "10.1.1.1", "shadow", { authorization: token }), plain(1000))).toEqual([undefined, undefined]);
  });
  test("who spawned is believed by his own call, and nobody takes that away in a name that is not his", () => {
    const spawns = call(0, "10.1.1.3", "victim", claims("bob", "sub-7", "victim"));
    const grab = call(1000, "10.1.1.4", "mallory", claims("nobody-at-all", "sub-7"));
    expect(owners(spawns, turn(2000, "sub-7"))).toEqual(["victim", "victim"]);
    expect(owners(spawns, grab, turn(2000, "sub-7"))).toEqual(["victim", "mallory", "victim"]);
  });
  test("nobody gives his own sub-agent to another", () => {
    const spawns = call(0, "10.1.1.4", "mallory", claims("bob", "msub", "mallory"));
    const blame = call(1000, "10.1.1.4", "mallory", claims("victim", "msub"));
    expect(owners(spawns, blame, turn(2000, "msub"))).toEqual(["mallory", "mallory", "mallory"]);
  });
});

describe("people at an agent's application", () => {
  const ip = "10.7.7.7";
  test("a person who signs in at Okta through its client is not the agent, a service user is", () => {
    const authorize = (user: string) =>
      told("okta", {
        uuid: id(),
        published: iso(T0),
        eventType: "app.oauth2.as.authorize",
        outcome: { result: "SUCCESS" },
        actor: { id: user, type: "User", alternateId: "bob@corp.example" },
        client: { ipAddress: ip, id: "0oavictim" },
        target: [],
      });
    expect(owners(authorize("00uPerson"), egress(2000, ip))).toEqual([undefined, undefined]);
    expect(owners(authorize("00uService"))).toEqual(["victim"]);
  });
  const entra = (category: string, properties: object) =>
    told("entra", {
      category,
      time: iso(T0),
      properties: { id: id(), createdDateTime: iso(T0), status: { errorCode: 0 }, ipAddress: ip, ...properties },
    });
  test("a person who signs in at Entra is not the agent, its own sign-in is", () => {
    const person = { appId: "app-victim", userId: "person", userPrincipalName: "bob@corp.example" };
    for (const category of ["SignInLogs", "NonInteractiveUserSignInLogs"])
      expect(owners(entra(category, person), egress(2000, ip))).toEqual([undefined, undefined]);
    expect(owners(entra("ServicePrincipalSignInLogs", { appId: "app-victim", servicePrincipalId: "s" }))).toEqual(["victim"]);
  });
  test("an agent that is registered by its service principal is found by its sign-in", () => {
    expect(owners(entra("ServicePrincipalSignInLogs", { appId: "app-x", servicePrincipalId: "sp-object" }))).toEqual(["principal"]);
  });
});

describe("addresses that somebody else chooses", () => {
  const span = (attributes: object, resource: object = {}) => {
    const pairs = (given: object) =>
      Object.entries(given).map(([key, stringValue]) => ({ key, value: { stringValue: stringValue as string } }));
    const one = {
      traceId: id(),
      spanId: id().slice(16),
      name: "chat",
      kind: 2,
      startTimeUnixNano: `${T0}000000`,
      endTimeUnixNano: `${T0 + 1}000000`,
    };
    const spans = [{ ...one, attributes: pairs({ "gen_ai.operation.name": "chat", "gen_ai.agent.id": "victim-otel", ...attributes }) }];
    return told("otlp", { resourceSpans: [{ resource: { attributes: pairs(resource) }, scopeSpans: [{ scope: { name: "x" }, spans }] }] });
  };
  test("who asks an agent is not where the agent is", () => {
    expect(owners(span({ "client.address": "10.44.0.17" }), egress(60_000, "10.44.0.17"))).toEqual(["victim", undefined]);
  });
  test("an agent's name from the workload of another is one of the two", () => {
    const resource = { "k8s.namespace.name": "a", "k8s.serviceaccount.name": "mallory" };
    expect(owners(span({}, resource))).toEqual(["mallory+victim"]);
    const [event] = decided(registry, span({}, { ...resource, "k8s.serviceaccount.name": "unknown" }));
    expect([event?.agentUid, event?.attributionId]).toEqual(["victim", ATTRIBUTION.direct]);
  });
  test("a header sent to the API server moves nobody", () => {
    const pod = { name: "m-1", uid: "u-1", namespace: "a", account: "mallory", ip: "10.1.1.1", node: "n" };
    const forged = told("kubernetes", { ...(records.podCall(T0, id(), pod, "j") as object), sourceIPs: ["10.55.0.9", "10.1.1.1"] });
    expect(owners(forged, egress(60_000, "10.55.0.9"), egress(60_000, "10.1.1.1"))).toEqual(["mallory", undefined, "mallory"]);
  });
});
