import fc from "fast-check";
import { expect, test } from "vitest";
import { ATTRIBUTION, type EpochMs, type Event } from "../../../src/core/event.ts";
import { attribute } from "../../../src/core/identity/attribute.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { linkText } from "../../../src/core/identity/links.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS, REACH } from "../../../src/core/identity/reach.ts";
import { DNS_MS } from "../../../src/core/identity/host-names.ts";
import { resolver, WAITING_MAX, type ObservedFact } from "../../../src/core/identity/resolver.ts";
import { agent, event, key, NOON } from "./agents.ts";

const registry = directory([
  agent("a", { keys: [key("client", "a")], allowedHosts: ["good.example"] }),
  agent("b", { keys: [key("client", "b")], blockedHosts: ["bad.example"] }),
  agent("c", { keys: [key("client", "c")] }),
]);
const PUBLIC = "192.0.2.10";

const seen = (agentUid: string, srcIp: string, time: EpochMs): Event => ingested(event("agent_api", time, { clientUid: agentUid, srcIp }));
const lookup = (name: string, ip: string, time: EpochMs): Event => event("dns", time, { dnsQuery: name, dnsAnswers: [ip] });
const flow = (time: EpochMs, changes: Partial<Event> = {}): Event =>
  ingested(event("egress", time, { srcIp: "10.0.0.1", dstIp: PUBLIC, ...changes }));

function ingested(one: Event): Event {
  attribute(one, registry);
  return one;
}

function resolveAll(events: readonly Event[]): Event[] {
  const names = resolver(registry);
  return [...names.push(events), ...names.advance(Infinity)];
}
const only = (events: readonly Event[]): Event => resolveAll(events).find((one) => one.category === "egress")!;

test("an agent seen at an address is taken to hold it for five minutes before and after, to the millisecond", () => {
  const at = (time: EpochMs) => only([seen("a", "10.0.0.1", NOON), flow(time)]).agentUid;
  expect(at(NOON - OBSERVED_MS)).toBe("a");
  expect(at(NOON - OBSERVED_MS - 1)).toBeUndefined();
  expect(at(NOON + OBSERVED_MS)).toBe("a");
  expect(at(NOON + OBSERVED_MS + 1)).toBeUndefined();
});

test("an agent seen in the morning and in the evening was not seen at noon", () => {
  const between = only([seen("a", "10.0.0.1", NOON - 4 * 3_600_000), seen("a", "10.0.0.1", NOON + 4 * 3_600_000), flow(NOON)]);
  expect(between.attributionId).toBe(ATTRIBUTION.none);
});

test("a name that was asked for two days ago and again a minute later does not name a connection in between", () => {
  const host = (times: readonly EpochMs[]) => only([...times.map((time) => lookup("good.example", PUBLIC, time)), flow(NOON)]).dstHost;
  expect(host([NOON - 2 * DNS_MS, NOON + 60_000])).toBeUndefined();
  expect(host([NOON - DNS_MS])).toBe("good.example");
  expect(host([NOON - DNS_MS - 1])).toBeUndefined();
  expect(host([NOON + CLOCK_TOLERANCE_MS])).toBe("good.example");
  expect(host([NOON + CLOCK_TOLERANCE_MS + 1])).toBeUndefined();
});

test("two agents at one address leave it shared, two names leave the host unknown", () => {
  const shared = only([
    seen("a", "10.0.0.1", NOON),
    seen("b", "10.0.0.1", NOON),
    lookup("x.example", PUBLIC, NOON),
    lookup("y.example", PUBLIC, NOON),
    flow(NOON),
  ]);
  expect(shared).toMatchObject({ attributionId: ATTRIBUTION.shared, agents: ["a", "b"], agentUid: undefined, dstHost: undefined });
});

test("the policy is applied once the name is known", () => {
  const named = (agentUid: string, name: string) =>
    only([seen(agentUid, "10.0.0.1", NOON), lookup(name, PUBLIC, NOON), flow(NOON)]).dstAllowed;
  expect(named("a", "good.example")).toBe(true);
  expect(named("a", "other.example")).toBe(false);
  expect(named("b", "bad.example")).toBe(false);
  expect(named("b", "other.example")).toBeUndefined();
});

test("a lookup without a name teaches nothing", () => {
  expect(only([event("dns", NOON, { dnsQuery: "", dnsAnswers: [PUBLIC] }), flow(NOON)]).dstHost).toBeUndefined();
});

test("observations at public addresses teach nothing about who is behind them", () => {
  expect(only([seen("a", "198.51.100.1", NOON), flow(NOON, { srcIp: "198.51.100.1" })]).agentUid).toBeUndefined();
});

test("an event waits no longer than five minutes past its time, and an attributed one only for its name", () => {
  const names = resolver(registry);
  expect(
    names.push([flow(NOON), flow(NOON, { clientUid: "a" }), flow(NOON, { srcIp: "198.51.100.1", dstHost: "x.example" })]),
  ).toHaveLength(1);
  expect(names.oldestWaiting()).toEqual(new Map([["egress", NOON]]));
  expect(names.stats.waiting).toBe(2);
  expect(names.advance(NOON + CLOCK_TOLERANCE_MS - 1)).toHaveLength(0);
  expect(names.advance(NOON + CLOCK_TOLERANCE_MS).map((one) => one.agentUid)).toEqual(["a"]);
  expect(names.advance(NOON + OBSERVED_MS - 1)).toHaveLength(0);
  expect(names.advance(NOON + OBSERVED_MS)).toHaveLength(1);
  expect(names.oldestWaiting().size).toBe(0);
});

test("events that need nothing pass at once and in order", () => {
  const names = resolver(registry);
  const events = [seen("a", "10.0.0.1", NOON + 5), lookup("x.example", PUBLIC, NOON), seen("b", "10.0.0.1", NOON + 1)];
  expect(names.push(events)).toEqual(events);
});

test("when too many wait, those that waited longest go on with what is certain already", () => {
  const names = resolver(registry);
  const links = (...texts: readonly [string, string][]) => texts.map(([from, to]) => `${from}\t${to}\t\t\t`);
  names.push([
    ingested(event("infra_change", NOON - OBSERVED_MS, { links: links(["ip:10.0.0.1", "pod:p"], ["pod:p", "client:a"]) })),
    ingested(event("infra_change", NOON - OBSERVED_MS, { links: links(["ip:10.0.0.3", "pod:q"]) })),
    seen("b", "10.0.0.2", NOON),
    lookup("good.example", PUBLIC, NOON),
  ]);
  const early = [flow(NOON), flow(NOON, { srcIp: "10.0.0.2" }), flow(NOON, { srcIp: "10.0.0.3" })];
  const crowd = flow(NOON + 1000, { srcIp: "10.0.0.4" });
  expect(names.push(early)).toHaveLength(0);
  expect(names.push(Array.from({ length: WAITING_MAX }, () => crowd))).toEqual(early);
  expect(early[0]).toMatchObject({ agentUid: "a", attributionId: ATTRIBUTION.observed, dstAllowed: true, dstHost: "good.example" });
  expect(names.decided()).toMatchObject([{ uid: early[0]!.uid, agentUid: "a" }]);
  // Another agent may be seen there within five minutes.
  expect(early[1]).toMatchObject({ agentUid: undefined, dstHost: "good.example" });
  expect(early[2]).toMatchObject({ agentUid: undefined, attributionId: ATTRIBUTION.none });
  expect(names.stats).toMatchObject({ waiting: WAITING_MAX, forced: 3 });
});

test("when too many wait, those that waited longest go on and are counted", () => {
  const names = resolver(registry);
  const one = flow(NOON);
  const crowd = Array.from({ length: WAITING_MAX }, () => one);
  expect(names.push(crowd)).toHaveLength(0);
  const early = names.push([flow(NOON + 1), flow(NOON + 2)]);
  expect(early).toHaveLength(2);
  expect(names.stats).toMatchObject({ waiting: WAITING_MAX, forced: 2 });
});

test("facts that reach nothing any more are forgotten", () => {
  const names = resolver(registry);
  for (let hour = 0; hour < 240; hour++) {
    const time = NOON + hour * 3_600_000;
    names.push([seen("a", "10.0.0.1", time), lookup("x.example", PUBLIC, time)]);
    names.advance(time);
  }
  expect(names.stats.facts).toBeLessThan(20);
  expect(names.stats.evicted).toBe(0);
});

const MINUTE = 60_000;
interface Observation {
  readonly kind: "seen" | "lookup" | "flow" | "attributed flow";
  readonly minute: number;
  readonly who: number;
  readonly where: number;
}
/** Four days, dense around the limits of what an observation reaches. */
const minutes = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1435, max: 1450 }), fc.integer({ min: 0, max: 4 * 1440 }));
const observation: fc.Arbitrary<Observation> = fc.record({
  kind: fc.constantFrom("seen", "lookup", "flow", "attributed flow"),
  minute: minutes,
  who: fc.integer({ min: 0, max: 2 }),
  where: fc.integer({ min: 0, max: 1 }),
});

function makeEvent({ kind, minute, who, where }: Observation, index: number): Event {
  const time = NOON + minute * MINUTE;
  const ip = `10.0.0.${where}`;
  const target = `192.0.2.${where}`;
  const made =
    kind === "seen"
      ? seen("abc"[who]!, ip, time)
      : kind === "lookup"
        ? lookup(["good.example", "bad.example", "x.example"][who]!, target, time)
        : flow(time, { srcIp: ip, dstIp: target, ...(kind === "flow" ? {} : { clientUid: "abc"[who]! }) });
  made.uid = `u${index}`;
  return made;
}

/** What the observations of a story say about one connection, by definition. */
function expected(story: readonly Observation[], index: number): { agentUid?: string; agents?: readonly string[]; dstHost?: string } {
  const one = story[index]!;
  const near = (kinds: readonly string[], before: number, after: number) => [
    ...new Set(
      story
        .filter((other) => kinds.includes(other.kind) && other.where === one.where)
        .filter((other) => (one.minute - other.minute) * MINUTE <= after && (other.minute - one.minute) * MINUTE <= before)
        .map((other) => other.who),
    ),
  ];
  const agents =
    one.kind === "flow"
      ? near(["seen", "attributed flow"], OBSERVED_MS, OBSERVED_MS)
          .map((who) => "abc"[who]!)
          .sort()
      : ["abc"[one.who]!];
  const names = near(["lookup"], CLOCK_TOLERANCE_MS, DNS_MS);
  return {
    ...(agents.length === 1 ? { agentUid: agents[0]! } : agents.length > 1 ? { agents } : {}),
    ...(names.length === 1 ? { dstHost: ["good.example", "bad.example", "x.example"][names[0]!]! } : {}),
  };
}

/** Facts as the store merges them. */
function mergeFacts(kept: Map<string, ObservedFact>, changed: readonly ObservedFact[]): void {
  for (const fact of changed) {
    const old = kept.get(`${fact.key} ${fact.value}`);
    const { key: name, value } = fact;
    kept.set(`${name} ${value}`, {
      key: name,
      value,
      first: Math.min(fact.first, old?.first ?? fact.first),
      last: Math.max(fact.last, old?.last ?? fact.last),
    });
  }
}

test("any arrival order, any schedule of watermarks and any restart decide every event as the set of events says", () => {
  fc.assert(
    fc.property(fc.array(observation, { minLength: 1, maxLength: 30 }), fc.infiniteStream(fc.nat(1000)), (story, chance) => {
      const pick = (): number => chance.next().value as number;
      const order = story.map((_, index) => index).sort((a, b) => story[a]!.minute - story[b]!.minute || a - b);
      // Arrival: shuffled as far as a random lateness lets each event fall behind.
      const arrival = order
        .map((index) => ({ index, at: story[index]!.minute + (pick() % 3 === 0 ? pick() % 400 : 0) }))
        .sort((a, b) => a.at - b.at);
      const arrived: number[] = [];
      const kept = new Map<string, ObservedFact>();
      const decided = new Map<number, Event>();
      let names = resolver(registry);
      let watermark = -Infinity;
      const take = (events: readonly Event[]): void => {
        for (const one of events) decided.set(Number(one.uid.slice(1)), one);
      };
      for (const { index } of arrival) {
        arrived.push(index);
        take(names.push([makeEvent(story[index]!, index)]));
        if (pick() % 2 === 0) {
          // Anything up to the oldest event that has not arrived is a valid watermark, and the newest one comes late.
          const missing = story.filter((_, other) => !arrived.includes(other)).map((other) => NOON + other.minute * MINUTE);
          const proven = Math.min(...missing, NOON + 5 * DNS_MS) - 1 - (pick() % 2) * (pick() % 20) * MINUTE;
          watermark = Math.max(watermark, proven);
          take(names.advance(watermark));
        }
        mergeFacts(kept, names.changedFacts());
        if (pick() % 4 === 0) {
          names = resolver(registry);
          names.load([...kept.values()]);
          const again = arrived.filter((one) => NOON + story[one]!.minute * MINUTE > watermark - names.horizonMs);
          const late = watermark - OBSERVED_MS;
          names.push(again.map((one) => makeEvent(story[one]!, one)));
          take(names.advance(watermark).filter((one) => one.time > late));
        }
      }
      take(names.advance(Infinity));
      for (const [index, { kind }] of story.entries()) {
        if (kind === "seen" || kind === "lookup") continue;
        const { agentUid, agents, dstHost } = decided.get(index)!;
        expect({
          ...(agentUid === undefined ? {} : { agentUid }),
          ...(agents === undefined ? {} : { agents }),
          ...(dstHost === undefined ? {} : { dstHost }),
        }).toEqual(expected(story, index));
      }
    }),
    { numRuns: 300 },
  );
});

test("a link that begins later than its kind may last is not believed", () => {
  const facts = (delay: EpochMs): number => {
    const names = resolver(registry);
    const links = [linkText({ from: "role:r", to: "client:a", since: NOON + delay })];
    names.push([ingested(event("infra_change", NOON, { links }))]);
    return names.stats.facts;
  };
  expect(facts(REACH.role.maxMs)).toBe(1);
  expect(facts(REACH.role.maxMs + 1)).toBe(0);
});
