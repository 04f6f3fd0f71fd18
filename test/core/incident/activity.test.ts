/** What an agent did beside its alerts' evidence, on the timeline of an incident. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { STATUS, type Event } from "../../../src/core/event.ts";
import { ACTIVITY_MAX, activityOf, eventsIn, mergeActivity, selectActivity } from "../../../src/core/incident/activity.ts";
import { blastOf } from "../../../src/core/incident/blast.ts";
import { enrich } from "../../../src/core/incident/enrich.ts";
import { incidentPolicy } from "../../fixtures/policy.ts";
import { event } from "../identity/agents.ts";
import { alertAt, grouping, memory, MINUTE, T } from "./build.ts";

const call = (at: number, changes: Partial<Event> = {}): Event =>
  event("agent_api", T + at, {
    source: "kong/gw",
    statusId: STATUS.success,
    method: "GET",
    urlPath: "/ok/1",
    responseCode: 200,
    ...changes,
  });
const texts = (lines: readonly { readonly text: string }[]): string[] => lines.map(({ text }) => text);

test("alike calls are one line with number, end and size; another outcome, address or a long pause is another one", () => {
  const events = [
    ...[0, 1, 2].map((index) => call(index * 1_000, { urlPath: `/v1/customers/${index}`, bytesIn: 1_000 })),
    call(3_000, { method: "DELETE", urlPath: "/v1/customers/7", responseCode: 403, statusId: STATUS.failure }),
    call(4_000, { method: "DELETE", urlPath: "/v1/customers/8", responseCode: 204, srcIp: "203.0.113.9" }),
    call(20 * MINUTE, { urlPath: "/v1/customers/9", bytesIn: 5 }),
    event("egress", T + 5_000, { source: "istio/x", dstHost: "paste.example", dstAllowed: false, bytesOut: 2_000_000 }),
    event("egress", T + 6_000, { source: "istio/x", dstHost: "paste.example", dstAllowed: false, bytesOut: 3_000_000 }),
    event("agent_api", T + 7_000, { source: "otlp/x", operation: "agent.turn", toolNames: ["search", "wire"] }),
  ];
  const lines = activityOf(events);
  expect(texts(lines)).toEqual([
    "called GET /v1/customers/{id}: 200, 3 times until 12:00:02Z, 3.0 kB returned",
    "called DELETE /v1/customers/{id}: 403",
    "called DELETE /v1/customers/{id} from 203.0.113.9: 204",
    "sent data to paste.example (not allowed for this agent), 2 times until 12:00:06Z, 5.0 MB sent",
    "called tool search, wire",
    "called GET /v1/customers/{id}: 200, 5 B returned",
  ]);
  expect(eventsIn(lines)).toBe(events.length);
});

test("the order of events changes nothing", () => {
  const given = fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 20 }).map((minute) => minute * MINUTE),
      urlPath: fc.constantFrom("/a", "/b"),
      bytesIn: fc.nat(9),
    }),
    { minLength: 2, maxLength: 15 },
  );
  fc.assert(
    fc.property(given, fc.func(fc.nat()), (made, key) => {
      const events = made.map(({ at, ...changes }) => call(at, changes));
      const lines = activityOf(events);
      expect(activityOf(events.toSorted((a, b) => key(a.uid) - key(b.uid)))).toEqual(lines);
      expect(eventsIn(lines)).toBe(events.length);
    }),
  );
});

test("of too many lines the first, the last and the gravest stay: what succeeded before what was only tried", () => {
  const word = (index: number): string => String(index).replaceAll(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)]!);
  const reads = Array.from({ length: 300 }, (_, index) => call(index * 1_000, { urlPath: `/r/${word(index)}` }));
  const grave = [
    call(150_001, { method: "POST", urlPath: "/admin/grant" }),
    call(150_002, { method: "DELETE", urlPath: "/vault", responseCode: 204 }),
    call(150_003, { method: "DELETE", urlPath: "/denied", responseCode: 403, statusId: STATUS.failure }),
    event("agent_finding", T + 150_004, { source: "monitor/x", findingThreat: "injection" }),
    call(150_005, { urlPath: "/dump", bytesIn: 90_000_000 }),
  ];
  const all = activityOf([...reads, ...grave]);
  expect(all).toHaveLength(305);
  const kept = selectActivity(all);
  expect(kept).toHaveLength(ACTIVITY_MAX);
  expect([kept[0], kept.at(-1)]).toEqual([all[0], all.at(-1)]);
  for (const one of grave) expect(kept.map(({ uid }) => uid)).toContain(one.uid);
  expect(texts(selectActivity(all, 16)).filter((text) => /DELETE|grant/.test(text))).toHaveLength(2 + 1);
});

test("a reading that is not whole takes nothing back, and counts the same stretch once", () => {
  const many = Array.from({ length: 10 }, (_, index) => call(index * 1_000));
  const deletion = call(500, { method: "DELETE", urlPath: "/vault" });
  const before = activityOf([...many.slice(0, 8), deletion]);
  const cut = mergeActivity(before, activityOf(many.slice(5)), false);
  expect(texts(cut)).toEqual(["called GET /ok/{id}: 200, 8 times until 12:00:09Z", "called DELETE /vault: 200"]);
  expect(texts(mergeActivity(before, activityOf(many), true))).toEqual(["called GET /ok/{id}: 200, 10 times until 12:00:09Z"]);
});

test("an incident tells it between its evidence, and counts what it has no line for", () => {
  const alarm = call(0, { urlPath: "/crit" });
  const alert = alertAt("1", 0, "critical", { evidence: [alarm.uid] });
  const kinds = Array.from({ length: 60 }, (_, index) => call(index * 10 + 1, { urlPath: `/k/${"y".repeat(index)}` }));
  const deletion = call(305, { method: "DELETE", urlPath: "/vault" });
  const events = [alarm, ...kinds, ...kinds.map((one, index) => ({ ...one, uid: `again ${index}`, time: one.time + 1 })), deletion];
  const findings = {
    evidence: new Map([[alarm.uid, alarm]]),
    sequences: new Map(),
    events,
    scope: { from: T, to: T + MINUTE, atLeast: false, readTime: T },
    recordUrls: new Map(),
    policy: incidentPolicy(),
  };
  const told = enrich(memory().step([alert], grouping())[0]!, findings);
  expect(told.timeline).toHaveLength(1 + ACTIVITY_MAX);
  expect(told.timeline[0]).toMatchObject({ uid: alarm.uid });
  expect(told.timeline[0]).not.toHaveProperty("activity");
  expect(told.timeline.find(({ uid }) => uid === deletion.uid)?.text).toBe("called DELETE /vault: 200");
  // 39 kinds of calls and the deletion have a line: of the other 21 there are two events each.
  expect(told.activityLeftOut).toBe(2 * 21);
  expect(told.timeline.map(({ time }) => time)).toEqual(told.timeline.map(({ time }) => time).toSorted((a, b) => a - b));
  // Without a new reading all of it stays.
  const kept = enrich(told, { ...findings, events: undefined, keepBlast: true });
  expect([kept.timeline, kept.activityLeftOut]).toEqual([told.timeline, told.activityLeftOut]);
  expect(blastOf(events, { ...findings.scope, basis: "evidence" }).events).toBe(events.length);
});
