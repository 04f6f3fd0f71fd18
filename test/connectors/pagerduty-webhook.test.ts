import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import pagerduty from "../../connectors/pagerduty/pagerduty.ts";
import { hmacSha256 } from "../../src/adapters/system/system.ts";
import type { PushRequest } from "../../src/ports/connector.ts";
import { testSecret } from "../fixtures/context.ts";

const options = pagerduty.config.parse({ routingKey: testSecret("k"), webhookSecret: testSecret("shared") });
const receiver = pagerduty.answers!(options)!;

/** A webhook as "Webhooks, Overview" shows it. */
const webhook = (type: unknown, changes: object = {}, data: object = { incident_key: "inc-1" }): string =>
  JSON.stringify({
    event: {
      id: "e",
      event_type: type,
      occurred_at: "2026-10-02T18:45:22.169Z",
      agent: { type: "user_reference", summary: "Tenex Engineer" },
      data,
      ...changes,
    },
  });
const sign = (body: string, key = "shared"): string => `v1=${createHmac("sha256", key).update(body).digest("hex")}`;
const request = (body: string, signature: string | undefined = sign(body)): PushRequest => ({
  path: "/push/pagerduty/x/webhook",
  contentType: "application/json",
  headers: { "x-pagerduty-signature": signature },
  body: new TextEncoder().encode(body),
});
const receive = (given: PushRequest) => receiver.receive(given, hmacSha256);
const denied = expect.objectContaining({ code: "HTTP_DENIED", kind: "permanent" }) as Error;

test.each([
  ["incident.resolved", "close", "resolved in PagerDuty"],
  ["incident.acknowledged", "acknowledge", undefined],
])("%s means: %s", (type, to, reason) => {
  expect(receive(request(webhook(type)))).toEqual([
    { incidentId: "inc-1", to, by: "Tenex Engineer", reason, time: Date.UTC(2026, 9, 2, 18, 45, 22, 169) },
  ]);
});

test.each(["incident.triggered", "incident.reopened", "pagey.ping", "service.updated", 7, null, "constructor"])(
  "%s is taken and means nothing",
  (type) => {
    expect(receive(request(webhook(type)))).toEqual([]);
  },
);

test("one right signature among several is enough, in any order and case", () => {
  const body = webhook("incident.resolved");
  for (const header of [
    `v1=${"0".repeat(64)}, ${sign(body)}`,
    `${sign(body)},v1=00`,
    sign(body).toUpperCase().replace("V1", "v1"),
    `v0=x, ${sign(body)}`,
  ])
    expect(receive(request(body, header))).toHaveLength(1);
});

test.each([
  ["none", ""],
  ["one of another secret", sign(webhook("incident.resolved"), "other")],
  ["one of another body", sign(webhook("incident.acknowledged"))],
  ["one of another version", sign(webhook("incident.resolved")).replace("v1", "v2")],
  ["a part of it", sign(webhook("incident.resolved")).slice(0, -1)],
  ["more than it", `${sign(webhook("incident.resolved"))}0`],
  ["too many", `${"v1=0,".repeat(10)}${sign(webhook("incident.resolved"))}`],
])("a signature that is wrong is denied: %s", (_, signature) => {
  expect(() => receive(request(webhook("incident.resolved"), signature))).toThrow(denied);
});

test("a signature is asked for before anything is read", () => {
  expect(() => receive(request("{", "v1=00"))).toThrow(denied);
  expect(() => receive(request("{"))).toThrow(expect.objectContaining({ kind: "poison" }) as Error);
  expect(() => receive(request("x".repeat(256_001)))).toThrow(
    expect.objectContaining({ kind: "poison", code: "RECORD_TOO_LONG" }) as Error,
  );
});

test.each([
  ["no key", webhook("incident.resolved", {}, {})],
  ["a key that is too long", webhook("incident.resolved", {}, { incident_key: "x".repeat(256) })],
  ["a key that is no text", webhook("incident.resolved", {}, { incident_key: { a: 1 } })],
  ["no event", "[]"],
  ["nothing", "null"],
])("what is genuine but not about an incident of ours means nothing: %s", (_, body) => {
  expect(receive(request(body))).toEqual([]);
});

test.each([
  ["PagerDuty itself", null],
  ["our own resolve", { type: "integration_reference", summary: "Custodes Events API v2" }],
  ["an integration of events", { type: "events_api_v2_inbound_integration_reference", summary: "Custodes Events API v2" }],
  ["a workflow", { type: "workflow_reference", summary: "Close at night" }],
  ["nobody that it names", { summary: "Ann" }],
])("what %s did is no person's answer", (_, agent) => {
  for (const type of ["incident.resolved", "incident.acknowledged"]) expect(receive(request(webhook(type, { agent })))).toEqual([]);
});

test("a name is escaped, a person without one is taken, a missing time is refused", () => {
  const by = (summary: unknown) => receive(request(webhook("incident.resolved", { agent: { type: "user_reference", summary } })))[0];
  expect(by("\u202ex")?.by).toBe("\\u{202e}x");
  expect(by(undefined)).toMatchObject({ to: "close", by: undefined });
  expect(() => receive(request(webhook("incident.resolved", { occurred_at: "yesterday" })))).toThrow(
    expect.objectContaining({ kind: "poison" }) as Error,
  );
});

test("without a secret there is no path for answers", () => {
  expect(pagerduty.answers!(pagerduty.config.parse({ routingKey: testSecret("k") }))).toBeUndefined();
});

test("while a secret is exchanged both are good, and no third", () => {
  const both = pagerduty.answers!({ ...options, previousWebhookSecret: testSecret("before") })!;
  const body = webhook("incident.resolved");
  for (const key of ["shared", "before"]) expect(both.receive(request(body, sign(body, key)), hmacSha256)).toHaveLength(1);
  expect(() => both.receive(request(body, sign(body, "other")), hmacSha256)).toThrow(denied);
  expect(() => receive(request(body, sign(body, "before")))).toThrow(denied);
});
