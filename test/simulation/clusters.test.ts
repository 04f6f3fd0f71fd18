/** Clusters that look alike, told through the real connectors: same addresses, same names of pods and accounts. */
import { describe, expect, test } from "vitest";
import type { Event } from "../../src/core/event.ts";
import * as records from "./records.ts";
import { id, owners, registryOf, T0, told } from "./telling.ts";

const ACCOUNT = "system:serviceaccount:agents:bot";
const east = { id: "eastern", identities: { k8s_service_account: { id: ACCOUNT, cluster: "east" } } };
const west = { id: "western", identities: { k8s_service_account: { id: ACCOUNT, cluster: "west" } } };
const both = registryOf(east, west);
const IP = "10.244.0.5";
const podIn = (uid: string, account = "bot") => ({ name: "bot-0", uid, namespace: "agents", account, ip: IP, node: "n" });
type Pod = ReturnType<typeof podIn>;
const of = (cluster?: string): object => (cluster === undefined ? {} : { cluster });
const kubernetes = (record: unknown, cluster?: string) => told("kubernetes", record, of(cluster));
const born = (pod: Pod, cluster?: string): readonly Event[] => [
  ...kubernetes(records.podCreated(T0 - 90_000, id(), pod, true), cluster),
  ...kubernetes(records.podStatus(T0 - 80_000, id(), pod, true), cluster),
];
const egress = (cluster?: string, at = 60_000) =>
  told("zeek", records.zeek(T0 + at, `Z${id()}`, { ip: IP, port: 4444, host: "h", peer: "203.0.113.5", bytes: 9e8 }), of(cluster));
const last = <T>(list: readonly T[]): T => list.at(-1)!;

describe("addresses", () => {
  const pods = [...born(podIn("u-east"), "east"), ...born(podIn("u-west"), "west")];
  test("a sensor's events are of its own cluster's pods", () => {
    expect(last(owners(both, pods, egress("east")))).toBe("eastern");
    expect(last(owners(both, pods, egress("west")))).toBe("western");
    expect(last(owners(both, pods, egress("north")))).toBeUndefined();
  });
  test("a sensor that does not say where it is may mean any pod", () => {
    expect(last(owners(both, pods, egress()))).toBe("eastern+western");
    expect(last(owners(both, born(podIn("u-east"), "east"), egress()))).toBe("eastern");
    expect(last(owners(both, born(podIn("u-east"), "east"), born(podIn("u-web", "web"), "west"), egress()))).toBeUndefined();
  });
  test("a pod elsewhere takes nobody's address away", () => {
    const later = kubernetes(records.podStatus(T0, id(), podIn("u-web", "web"), true), "west");
    expect(last(owners(both, born(podIn("u-east"), "east"), later, egress("east")))).toBe("eastern");
  });
  test("a sight at a gateway is of its cluster, and of the sensors that name none", () => {
    const seen = registryOf({ id: "eastern", identities: { kong_custom_id: "bot" } });
    const call = told("kong", records.kong(T0, id(), { ip: IP, consumer: { id: "c", customId: "bot", credential: "k" } }), of("east"));
    const at = (cluster?: string) => last(owners(seen, call, egress(cluster)));
    expect([at("east"), at("west"), at()]).toEqual(["eastern", undefined, "eastern"]);
  });
  test("pods of the registry are of the cluster that it names, or of any", () => {
    const pods = (cluster?: string) => [{ ip: IP, uid: "u-1", ...of(cluster) }];
    const named = registryOf({ id: "eastern", pods: pods("east") });
    expect(["east", "west", undefined].map((cluster) => owners(named, egress(cluster))[0])).toEqual(["eastern", undefined, "eastern"]);
    expect(owners(registryOf({ id: "any", pods: pods() }), egress("west"))).toEqual(["any"]);
  });
});

describe("service accounts", () => {
  const call = (cluster?: string) => kubernetes(records.podCall(T0, id(), podIn("u-x"), "j-x"), cluster);
  test("one of the same name elsewhere is another agent, or nobody", () => {
    expect(owners(both, call("east"), call("west"), call())).toEqual(["eastern", "western", "eastern+western"]);
    expect(owners(registryOf(east), call("west"), call("east"), call())).toEqual([undefined, "eastern", "eastern"]);
  });
  test("one that the registry puts nowhere is meant everywhere", () => {
    const any = registryOf({ id: "any", identities: { k8s_service_account: ACCOUNT } });
    expect(owners(any, call("west"), call())).toEqual(["any", "any"]);
  });
  test("a pod's name is its cluster's", () => {
    const resource = { "k8s.pod.name": "bot-0", "k8s.namespace.name": "agents" };
    const attributes = (given: object) =>
      Object.entries(given).map(([key, stringValue]) => ({ key, value: { stringValue: stringValue as string } }));
    const span = {
      traceId: id(),
      spanId: id().slice(16),
      name: "chat",
      kind: 3,
      startTimeUnixNano: `${T0}000000`,
      endTimeUnixNano: `${T0}000000`,
    };
    const spans = [{ ...span, attributes: attributes({ "gen_ai.operation.name": "chat" }) }];
    const body = { resourceSpans: [{ resource: { attributes: attributes(resource) }, scopeSpans: [{ scope: { name: "x" }, spans }] }] };
    const pods = [...born(podIn("u-east"), "east"), ...born(podIn("u-west"), "west")];
    expect(last(owners(both, pods, told("otlp", body, { cluster: "west", trustResource: true })))).toBe("western");
  });
});

describe("what several clusters use", () => {
  const arn = "arn:aws:sts::111122223333:assumed-role/data/session";
  const session = { arn, key: "ASIA0", until: T0 + 3_600_000 };
  const clusters = { "oidc.example/id/EAST": "east", "oidc.example/id/WEST": "west" };
  const aws = (registry: ReturnType<typeof registryOf>, issuer: string, options: object = { clusters }) =>
    owners(
      registry,
      told("aws-cloudtrail", records.webIdentity(T0, id(), ACCOUNT, session, issuer), options),
      told("aws-cloudtrail", records.awsCall(T0 + 60_000, id(), session), options),
    );
  test("AWS: the issuer of its token says which cluster an account is of", () => {
    expect(aws(both, "oidc.example/id/WEST")).toEqual(["western", "western"]);
    expect(aws(both, "oidc.example/id/EAST")).toEqual(["eastern", "eastern"]);
  });
  test("AWS: an account of an issuer that nobody named is of none of the registry's clusters", () => {
    expect(aws(registryOf(east), "oidc.example/id/EVIL")).toEqual([undefined, undefined]);
    expect(aws(registryOf(east), "oidc.example/id/EVIL", {})).toEqual([undefined, undefined]);
    const any = registryOf({ id: "any", identities: { k8s_service_account: ACCOUNT } });
    expect(aws(any, "oidc.example/id/EVIL")).toEqual(["any", "any"]);
  });
  test("AWS: a cluster cannot be chosen by a name that is no issuer's", () => {
    expect(aws(both, "__proto__")).toEqual([undefined, undefined]);
    const [event] = told("aws-cloudtrail", records.webIdentity(T0, id(), ACCOUNT, session, "constructor"), { clusters });
    expect(event?.cluster).toBe("constructor");
  });
  test("Vault: the mount says it, of later calls, too", () => {
    const options = { clusters: { kubernetes: "east", "kubernetes-west": "west" } };
    const token = { accessor: "a1", entity: "e1", pod: { ...podIn("u-west"), cluster: "west" } };
    const both_ = (given: object) =>
      owners(
        both,
        told("hashicorp-vault", records.vaultLogin(T0, id(), token), given),
        told("hashicorp-vault", records.vaultRead(T0 + 1000, id(), token, "AKIA0123456789ABCDEF"), given),
        told("aws-cloudtrail", records.awsCall(T0 + 5000, id(), { arn: "arn:aws:iam::1:user/v", key: "AKIA0123456789ABCDEF", until: 0 })),
      );
    expect(both_(options)).toEqual(["western", "western", "western"]);
    expect(both_({ clusters: { other: "east" } })).toEqual(["eastern+western", "eastern+western", "eastern+western"]);
  });
  test("a mesh: ids of another trust domain are no service accounts of this one", () => {
    const flow = { ip: IP, port: 1, host: "x", peer: "203.0.113.1", bytes: 1 };
    const seen = (domain: string, options: object) =>
      owners(
        both,
        told("istio", records.istio(T0, flow, `spiffe://${domain}/ns/agents/sa/bot`), { cluster: "east", ...options }),
        egress("east", 500),
      );
    expect(seen("corp.example", { trustDomains: ["corp.example"] })).toEqual(["eastern", "eastern"]);
    expect(seen("other.example", { trustDomains: ["corp.example"] })).toEqual([undefined, undefined]);
    expect(seen("other.example", {})).toEqual(["eastern", "eastern"]);
  });
  test("a token that a pod of one cluster got is not used by an agent of another", () => {
    const token = kubernetes(records.podCall(T0 - 1000, id(), podIn("u-east"), "j-1"), "east");
    const call = (cluster?: string) =>
      told("kong", records.kong(T0, id(), { ip: "10.9.9.9", consumer: { id: "c", customId: "c", credential: "j-1" } }), of(cluster));
    expect(last(owners(both, born(podIn("u-east"), "east"), token, call("west")))).toBeUndefined();
    expect(last(owners(both, born(podIn("u-east"), "east"), token, call()))).toBe("eastern");
  });
});
