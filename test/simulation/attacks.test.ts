/** Names that somebody gave himself, and addresses that an agent shares with people, told through the real connectors. */
import { describe, expect, test } from "vitest";
import { ATTRIBUTION, type EpochMs, type Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import { resolver } from "../../src/core/identity/resolver.ts";
import * as records from "./records.ts";
import { decided, id, owners as ownersBy, registryOf, T0, told } from "./telling.ts";

const HOUR = 3_600_000;
const NAMED = "arn:aws:sts::111122223333:assumed-role/victim/victim";
const registry = registryOf(
  {
    id: "victim",
    identities: { kong_custom_id: "victim", aws_role_session_arn: NAMED, k8s_service_account: "system:serviceaccount:a:victim" },
  },
  {
    id: "mallory",
    identities: { k8s_service_account: "system:serviceaccount:a:mallory", aws_role_session_arn: "arn:aws:sts::1:assumed-role/m/mallory" },
  },
);
const owners = (...all: readonly (readonly Event[])[]) => ownersBy(registry, ...all);
const session = (arn: string, key: string): records.AwsSession => ({ arn, key, until: T0 + HOUR });
const aws = (record: unknown) => told("aws-cloudtrail", record);
const taken = (by: records.AwsSession, made: records.AwsSession) => aws(records.assumeRole(T0, id(), by, made));
const byToken = (account: string, made: records.AwsSession) => aws(records.webIdentity(T0 - 1000, id(), account, made));
const use = (of: records.AwsSession) => aws(records.awsCall(T0 + 60_000, id(), of));
const last = <T>(list: readonly T[]): T => list.at(-1)!;

describe("a session under an agent's name", () => {
  const named = session(NAMED, "ASIANAMED");
  const bob = session("arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/bob", "ASIABOB");
  const his = session("arn:aws:sts::1:assumed-role/m/mallory", "ASIAMALLORY");
  const worker = session("arn:aws:sts::1:assumed-role/worker/i-1", "ASIAWORKER");

  test("is the agent's where nothing speaks against it", () => {
    const [event] = decided(registry, use(named));
    expect([event?.agentUid, event?.attributionId, event?.attributionConfidence]).toEqual(["victim", ATTRIBUTION.direct, 95]);
  });
  test("is a person's who took it", () => {
    expect(last(owners(taken(bob, named), use(named)))).toBeUndefined();
    expect(last(owners(use(named), taken(bob, named)))).toBeUndefined();
    expect(owners(use(named), taken(bob, named))[0]).toBeUndefined();
  });
  test("is another agent's who took it, by its own session or its own token", () => {
    const own = byToken("system:serviceaccount:a:mallory", his);
    expect(owners(use(named), taken(his, named), own)[0]).toBe("mallory");
    expect(owners(byToken("system:serviceaccount:a:mallory", named), use(named))).toEqual(["mallory", "mallory"]);
  });
  test("is still the agent's when it took it itself", () => {
    const own = session("arn:aws:sts::1:assumed-role/base/x", "ASIABASE");
    expect(last(owners(byToken("system:serviceaccount:a:victim", own), taken(own, named), use(named)))).toBe("victim");
  });
  test("is as good as a sight where nobody knows who took it", () => {
    const events = decided(registry, taken(worker, named), use(named));
    expect([last(events).agentUid, last(events).attributionConfidence]).toEqual(["victim", 60]);
  });
  test("gives what is taken with it to whoever took it", () => {
    const next = session("arn:aws:sts::1:assumed-role/data/agent", "ASIANEXT");
    const own = byToken("system:serviceaccount:a:mallory", his);
    expect(owners(use(next), taken(named, next), taken(bob, named)).slice(0, 2)).toEqual([undefined, undefined]);
    expect(owners(use(next), taken(named, next), own, taken(his, named)).slice(0, 2)).toEqual(["mallory", "mallory"]);
  });
  test("is the agent's when an IAM user that is the agent took it, whom its record calls a person", () => {
    const user = "arn:aws:iam::111122223333:user/bot";
    const agents = registryOf(
      { id: "victim", identities: { aws_role_session_arn: NAMED } },
      { id: "bot", identities: { aws_iam_user_arn: user } },
    );
    const asked = (arn: string) => {
      const record = records.assumeRole(T0, id(), session(arn, "ASIAUSER"), named) as object;
      return aws({ ...record, userIdentity: { type: "IAMUser", arn, accessKeyId: "ASIAUSER", userName: "bot", principalId: "AIDA" } });
    };
    expect(ownersBy(agents, use(named), asked(user))[0]).toBe("bot");
    expect(ownersBy(agents, use(named), asked("arn:aws:iam::111122223333:user/eve"))[0]).toBeUndefined();
    const next = session("arn:aws:sts::1:assumed-role/data/agent", "ASIANEXT");
    expect(ownersBy(agents, use(next), taken(named, next), asked(user))[0]).toBe("bot");
  });
  test("is asked for as of when it was taken, and what was taken with it, too", () => {
    const short = { ...named, until: T0 + 900_000 };
    const next = session("arn:aws:sts::1:assumed-role/data/agent", "ASIANEXT");
    const late = aws(records.awsCall(T0 + 1_800_000, id(), next));
    expect(last(owners(taken(bob, short), taken(short, next), late))).toBeUndefined();
  });
  test("of several who took it, each key is of its own", () => {
    const second = session(NAMED, "ASIASECOND");
    const own = byToken("system:serviceaccount:a:victim", worker);
    expect(owners(own, taken(worker, named), taken(bob, second), use(named), use(second)).slice(3)).toEqual(["victim", undefined]);
  });
  test("waits until nothing can be told of it any more", () => {
    const known = resolver(registry);
    const events = [...use(named)];
    for (const event of events) attribute(event, registry);
    expect(known.push(events)).toEqual([]);
    expect(known.advance(T0 + 60_000)).toEqual([]);
    expect(known.advance(T0 + 66_000).map(({ agentUid }) => agentUid)).toEqual(["victim"]);
    expect(known.decided()).toMatchObject([{ agentUid: "victim", attributionId: ATTRIBUTION.direct, confidence: 95 }]);
  });
});

describe("an address that an agent shares with people", () => {
  const IP = "10.9.0.4";
  const call = told("kong", records.kong(T0, id(), { ip: IP, consumer: { id: "c", customId: "victim", credential: "k" } }));
  const person = (at: EpochMs, ip = IP) => told("okta", records.oktaPerson(T0 + at, id(), "00uPerson", ip));
  const egress = (at: EpochMs) =>
    told("zeek", records.zeek(T0 + at, `Z${id()}`, { ip: IP, port: 4444, host: "h", peer: "203.0.113.5", bytes: 9e8 }));
  test("what is sent from there may be the agent's, or theirs", () => {
    expect(last(owners(call, person(1000), egress(60_000)))).toBe("victim?");
    expect(owners(egress(60_000), person(290_000), call)[0]).toBe("victim?");
    const event = last(decided(registry, call, person(1000), egress(60_000)));
    expect([event.agentUid, event.attributionId, event.attributionConfidence]).toEqual([undefined, ATTRIBUTION.shared, 20]);
  });
  test("people who were there long before, or elsewhere, are not", () => {
    expect(last(owners(call, person(-400_000), egress(60_000)))).toBe("victim");
    expect(last(owners(call, person(1000, "10.9.0.5"), egress(60_000)))).toBe("victim");
  });
  test("a pod that is known to have the address is not in doubt", () => {
    const pod = { name: "v-1", uid: "u-v", namespace: "a", account: "victim", ip: IP, node: "n" };
    const born = told("kubernetes", records.podStatus(T0 - 60_000, id(), pod, true));
    expect(last(owners(born, person(1000), egress(60_000)))).toBe("victim");
  });
});

test("tokens of two replicas that end at different times leave few tellings, and each question walks over few", () => {
  const known = resolver(registryOf({ id: "planner", identities: { kong_custom_id: "planner" } }));
  for (let index = 0; index < 4000; index++) {
    const time = T0 + index * 1000;
    const exp = Math.floor(time / 300_000) * 300 + 300 + (index % 2) * 7;
    const headers = { "x-jwt-claim-act": JSON.stringify({ sub: "sub-1", act: { sub: "planner" } }), "x-jwt-claim-exp": String(exp) };
    const consumer = { id: "c", customId: "sub-1", credential: "k" };
    known.push(told("kong", records.kong(time, id(), { ip: "203.0.113.1", consumer, headers }), { trustClaims: true }));
    if (index % 60 === 0) known.advance(time - 60_000);
  }
  expect(known.stats.facts).toBeGreaterThan(0);
  expect(known.stats.facts).toBeLessThan(200);
});
