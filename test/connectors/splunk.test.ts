import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CODE_VERDICTS } from "../../connectors/splunk/answers.ts";
import splunk from "../../connectors/splunk/splunk.ts";
import type { Config } from "../../connectors/splunk/config.ts";
import type { Destination, Outcome, Rendered } from "../../src/ports/connector.ts";
import { HEC_CODES } from "../../src/simulators/splunk-codes.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator } from "../../src/simulators/splunk.ts";
import { connectorWide, destinationContract, reactionOf, renderedAlerts, type Reaction } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hugeIncident } from "../fixtures/hostile.ts";
import { referenceJson } from "../fixtures/reference.ts";
import { delivery, incidentSubject } from "../fixtures/subjects.ts";

const NAME = "splunk/main";

function settings(url: string, changes: object = {}): Config {
  return splunk.config.parse({ url, token: testSecret(SPLUNK_DEMO_TOKEN), ...changes });
}

function destinationTo(url: string, changes: object = {}): Destination {
  return splunk.destination!(settings(url, changes));
}

const alerts = (destination: Destination, count: number): Rendered[] => renderedAlerts(destination, NAME, count);

const EXPECTED: Readonly<Record<number, Reaction>> = {
  1: connectorWide("permanent", "HTTP_DENIED"),
  2: connectorWide("permanent", "HTTP_DENIED"),
  3: connectorWide("permanent", "HTTP_DENIED"),
  4: connectorWide("permanent", "HTTP_DENIED"),
  5: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  6: { kind: "poison", code: "HTTP_REJECTED" },
  7: connectorWide("permanent", "DESTINATION_CONFIG"),
  8: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  9: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  10: connectorWide("permanent", "DESTINATION_CONFIG"),
  11: connectorWide("permanent", "DESTINATION_CONFIG"),
  12: { kind: "poison", code: "HTTP_REJECTED" },
  13: { kind: "poison", code: "HTTP_REJECTED" },
  14: connectorWide("permanent", "DESTINATION_CONFIG"),
  15: { kind: "poison", code: "HTTP_REJECTED" },
  16: connectorWide("permanent", "DESTINATION_CONFIG"),
  // A health code in answer to events is not HEC's answer to them.
  17: connectorWide("retryable", "HTTP_MALFORMED"),
  18: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  19: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  20: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  21: connectorWide("permanent", "DESTINATION_CONFIG"),
  22: connectorWide("permanent", "DESTINATION_CONFIG"),
  23: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  26: connectorWide("retryable", "HTTP_THROTTLED"),
  27: connectorWide("retryable", "HTTP_THROTTLED"),
};
const STATUSES: Readonly<Record<number, Reaction>> = {
  301: connectorWide("permanent", "DESTINATION_CONFIG"),
  303: connectorWide("permanent", "DESTINATION_CONFIG"),
  400: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  401: connectorWide("permanent", "HTTP_DENIED"),
  403: connectorWide("permanent", "HTTP_DENIED"),
  404: connectorWide("permanent", "DESTINATION_CONFIG"),
  405: connectorWide("permanent", "DESTINATION_CONFIG"),
  408: connectorWide("retryable", "HTTP_TIMEOUT"),
  413: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" },
  415: connectorWide("permanent", "DESTINATION_CONFIG"),
  425: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  429: connectorWide("retryable", "HTTP_THROTTLED"),
  500: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  502: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  503: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  504: connectorWide("retryable", "HTTP_UNAVAILABLE"),
};
const HTML = { headers: { "content-type": "text/html" }, body: "<!doctype html><html><body>no</body></html>" };

destinationContract({
  name: NAME,
  secrets: [SPLUNK_DEMO_TOKEN],
  start: async () => {
    const simulator = await startSplunkSimulator();
    return { ...simulator, destination: destinationTo(simulator.url, { timeoutMs: 5_000 }) };
  },
  reactions: [
    ...Object.entries(EXPECTED).map(([code, expected]) => ({
      title: `code ${code}`,
      // What the simulator would answer for the code, as a body, so that the fault works for any destination.
      fault: {
        status: HEC_CODES.get(Number(code))![0],
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: HEC_CODES.get(Number(code))![1], code: Number(code), "invalid-event-number": 0 }),
      },
      expect: expected,
    })),
    ...Object.entries(STATUSES).map(([status, expected]) => ({
      title: `status ${status} without a code`,
      fault: { status: Number(status), ...HTML },
      expect: expected,
    })),
  ],
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "OK" },
    { status: 200, body: '{"text":"Success","co' },
    { status: 200, body: "[]" },
    { status: 200, body: "null" },
    { status: 200, body: "{}" },
    { status: 200, body: '{"text":"Success","code":"0"}' },
    { status: 200, body: '{"text":"Server is busy","code":9}' },
    { status: 204 },
  ],
  identity: (received) => (received as { fields: { custodes_dedup: string } }).fields.custodes_dedup,
  idempotent: false,
});

describe("the Splunk connector", () => {
  let simulator: SplunkSimulator;
  beforeEach(async () => {
    simulator = await startSplunkSimulator();
  });
  afterEach(() => simulator.close());

  it("has a reaction for every code of the documented table", () => {
    for (const [code, [status]] of HEC_CODES) {
      if (code === 17) continue;
      expect(CODE_VERDICTS.get(code)?.[0], `code ${code}`).toBe(status);
      expect(code in EXPECTED || [0, 24, 25].includes(code)).toBe(true);
    }
    const reference = referenceJson<{ codes: readonly { code: number; http: number; text: string }[] }>(
      "contracts/data/splunk/hec-codes.json",
    );
    if (reference === undefined) return;
    expect(reference.codes.map(({ code, http, text }) => [code, [http, text]])).toEqual([...HEC_CODES]);
  });

  it.each([24, 25])("delivers with code %i and slows down, because the collector fills up", async (code) => {
    const destination = destinationTo(simulator.url);
    const { context, logged } = testContext();
    simulator.fail({ code });
    const outcomes = await destination.send(alerts(destination, 2), context);
    expect(outcomes).toEqual(Array(2).fill({ status: "delivered", receipt: `hec:${code}`, busy: true }));
    expect(await destination.send(alerts(destination, 1), context)).toEqual([{ status: "delivered", receipt: "hec:0" }]);
    expect(logged).toHaveLength(1);
  });

  it.each([6, 12, 13, 15])("isolates the event that code %i names; the others are sent again", async (code) => {
    const destination = destinationTo(simulator.url);
    const batch = alerts(destination, 4);
    simulator.fail({ code, invalidEventNumber: 2 });
    const outcomes = await destination.send(batch, testContext().context);
    expect(outcomes.map(kindOf)).toEqual(["retryable", "retryable", "poison", "retryable"]);
    expect(simulator.accepted()).toHaveLength(2);
    const rest = batch.filter((_, index) => index !== 2);
    const again = await destination.send(rest, testContext().context);
    expect(again.map(kindOf)).toEqual(["delivered", "delivered", "delivered"]);
    expect(simulator.accepted()).toHaveLength(5);
    expect(simulator.received()).toHaveLength(3);
  });

  it("isolates an event that the collector itself finds to be bad", async () => {
    const destination = destinationTo(simulator.url);
    const [good, other] = alerts(destination, 2);
    const bad: Rendered = { key: "bad", body: '{"time":1.5,"event":""}', bytes: 23 };
    const outcomes = await destination.send([good!, bad, other!], testContext().context);
    expect(outcomes.map(kindOf)).toEqual(["retryable", "poison", "retryable"]);
  });

  it.each([-1, 4, 1.5, "2", null])("has the batch bisected when the named event cannot be (%j)", async (number) => {
    const destination = destinationTo(simulator.url);
    const body = JSON.stringify({ text: "Invalid data format", code: 6, "invalid-event-number": number });
    simulator.fail({ status: 400, body });
    const reaction = await reactionOf(destination.send(alerts(destination, 4), testContext().context));
    expect(reaction).toMatchObject({ kind: "permanent", code: "HTTP_REJECTED", scope: "item" });
  });

  it("does not delay what was only caught up with a bad event", async () => {
    const destination = destinationTo(simulator.url);
    simulator.fail({ code: 6, invalidEventNumber: 0 });
    const [, second] = await destination.send(alerts(destination, 2), testContext().context);
    expect(second).toMatchObject({ kind: "retryable", retryAfterMs: 0 });
  });

  it("keeps every copy of a repeated delivery under one key", async () => {
    const destination = destinationTo(simulator.url);
    const batch = alerts(destination, 1);
    simulator.fail({ connection: "reset", stored: true });
    await reactionOf(destination.send(batch, testContext().context));
    await destination.send(batch, testContext().context);
    const keys = simulator.accepted().map((event) => event.fields?.["custodes_dedup"]);
    expect(keys).toEqual([batch[0]!.key, batch[0]!.key]);
  });

  it("lets a reader find the latest revision whatever the order of arrival", async () => {
    const destination = destinationTo(simulator.url);
    const revisions = [3, 1, 2].map((revision) => destination.render(delivery(incidentSubject({ revision }), NAME)));
    for (const one of revisions) await destination.send([one], testContext().context);
    expect(simulator.received()).toMatchObject([{ fields: { custodes_revision: "3" } }]);
    expect(simulator.accepted()).toHaveLength(3);
  });

  it("sends the channel, so that a token with acknowledgement takes the events too", async () => {
    await simulator.close();
    simulator = await startSplunkSimulator({ useAck: true });
    const destination = destinationTo(simulator.url);
    expect((await destination.send(alerts(destination, 2), testContext().context)).map(kindOf)).toEqual(["delivered", "delivered"]);
  });

  it("stops at an index that the token may not write to", async () => {
    await simulator.close();
    simulator = await startSplunkSimulator({ indexes: ["security"] });
    const wrong = destinationTo(simulator.url, { index: "main" });
    expect(await reactionOf(wrong.send(alerts(wrong, 1), testContext().context))).toMatchObject({
      code: "DESTINATION_CONFIG",
      scope: "connector",
    });
    // Code 7 counts one too far: no event may be taken for the bad one.
    simulator.fail({ code: 7, invalidEventNumber: 1 });
    expect(await reactionOf(wrong.send(alerts(wrong, 3), testContext().context))).toMatchObject({
      code: "DESTINATION_CONFIG",
      scope: "connector",
    });
    const right = destinationTo(simulator.url, { index: "security" });
    expect((await right.send(alerts(right, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
    expect(simulator.received().at(-1)).toMatchObject({ index: "security" });
  });

  it("ends an answer that trickles when its own time is over", async () => {
    const destination = destinationTo(simulator.url, { timeoutMs: 120 });
    simulator.fail({ connection: "trickle" });
    const reaction = await reactionOf(destination.send(alerts(destination, 1), testContext({ timeoutMs: 60_000 }).context));
    expect(reaction).toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT", scope: "connector" });
  });

  it("names the wrong port when Splunk Web redirects", async () => {
    const destination = destinationTo(simulator.url);
    simulator.fail({ status: 303, headers: { location: "/en-US/account/login" } });
    const text = await destination.send(alerts(destination, 1), testContext().context).then(everythingIn, everythingIn);
    expect(text).toContain("DESTINATION_CONFIG");
    expect(text).toContain("8088");
  });

  it("has its batch halved when the collector finds it too large", async () => {
    await simulator.close();
    simulator = await startSplunkSimulator({ bodyBytesMax: 4_000 });
    const destination = destinationTo(simulator.url);
    const batch = alerts(destination, 4);
    expect(await reactionOf(destination.send(batch, testContext().context))).toMatchObject({ code: "HTTP_TOO_LARGE", scope: "item" });
    expect((await destination.send(batch.slice(0, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
  });

  it("takes a full batch of the largest events", async () => {
    const destination = destinationTo(simulator.url);
    const { batchBytes, batchItems, itemBytes } = destination.limits;
    const item = destination.render(delivery(hugeIncident(300), NAME));
    const count = Math.min(batchItems, Math.floor(batchBytes / itemBytes));
    const outcomes = await destination.send(Array<Rendered>(count).fill(item), testContext().context);
    expect(outcomes.every((outcome) => outcome.status === "delivered")).toBe(true);
    expect(count).toBeGreaterThan(50);
  });
});

function kindOf(outcome: Outcome): string {
  return outcome.status === "failed" ? outcome.kind : outcome.status;
}
