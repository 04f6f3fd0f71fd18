import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/otlp-logs/config.ts";
import otlpLogs from "../../connectors/otlp-logs/otlp-logs.ts";
import type { Delivery, Destination, Outcome } from "../../src/ports/connector.ts";
import { connectorWide, destinationContract, reactionOf, renderedAlerts, type Reaction } from "../contract/destination.ts";
import { ocsfErrors, schemasPresent } from "../core/ocsf-validator.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject, storyEvents } from "../fixtures/subjects.ts";
import { startOtlpSimulator, type OtlpSimulator, type ReceivedLog } from "../simulators/otlp-logs.ts";

const NAME = "otlp-logs/collector";
const TOKEN = "Bearer planted-canary-otlp-token";

function settings(endpoint: string, changes: object = {}): Config {
  return otlpLogs.config.parse({ endpoint, headers: { authorization: testSecret(TOKEN) }, ...changes });
}
const destinationTo = (endpoint: string, changes: object = {}): Destination => otlpLogs.destination!(settings(endpoint, changes));

const refused: Reaction = { kind: "permanent", code: "HTTP_REJECTED", scope: "item" };
const unavailable = connectorWide("retryable", "HTTP_UNAVAILABLE");
const configured = connectorWide("permanent", "DESTINATION_CONFIG");
const STATUSES: Readonly<Record<number, Reaction>> = {
  301: configured,
  400: refused,
  401: connectorWide("permanent", "HTTP_DENIED"),
  403: connectorWide("permanent", "HTTP_DENIED"),
  404: configured,
  405: configured,
  408: refused,
  409: refused,
  413: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" },
  415: configured,
  425: refused,
  // The four that the specification lets us repeat, and 5xx that it does not.
  429: connectorWide("retryable", "HTTP_THROTTLED"),
  500: refused,
  501: refused,
  502: unavailable,
  503: unavailable,
  504: unavailable,
  507: refused,
};
const PARTIAL: Reaction = { kind: "permanent", code: "HTTP_REJECTED" };

destinationContract({
  name: NAME,
  secrets: [TOKEN],
  start: async () => {
    const simulator = await startOtlpSimulator({ token: TOKEN });
    return { ...simulator, destination: destinationTo(simulator.url, { timeoutMs: 5_000 }) };
  },
  reactions: [
    ...Object.entries(STATUSES).map(([status, expected]) => ({
      title: `status ${status}`,
      fault: { status: Number(status) },
      expect: expected,
    })),
    { title: "a partial success", fault: { body: '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}' }, expect: PARTIAL },
    { title: "a partial success with a number", fault: { body: '{"partialSuccess":{"rejectedLogRecords":1}}' }, expect: PARTIAL },
  ],
  malformed: [
    { status: 200, body: "<html>log in</html>" },
    { status: 200, body: "[]" },
    { status: 200, body: '{"partialSuccess":' },
    { status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"many"}}' },
    { status: 200, body: '{"partialSuccess":{"rejectedLogRecords":-1}}' },
  ],
  identity: (received) => String((received as ReceivedLog).attributes["log.record.uid"]),
  idempotent: false,
});

describe("the OTLP logs connector", () => {
  let simulator: OtlpSimulator;
  const restart = async (options: Parameters<typeof startOtlpSimulator>[0]): Promise<void> => {
    await simulator.close();
    simulator = await startOtlpSimulator({ token: TOKEN, ...options });
  };
  const deliver = (changes: object = {}, count = 4): Promise<readonly Outcome[]> => {
    const destination = destinationTo(simulator.url, changes);
    return destination.send(renderedAlerts(destination, NAME, count), testContext().context);
  };
  beforeEach(async () => {
    simulator = await startOtlpSimulator({ token: TOKEN });
  });
  afterEach(() => simulator.close());

  it.each(["none", "gzip"])(
    "delivers everything to a strict receiver, whatever the texts say, with compression %s",
    async (compression) => {
      const destination = destinationTo(simulator.url, { compression });
      const subjects = [alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident()].map((one) =>
        delivery(one, NAME),
      );
      const batch = [...subjects, ...[0, 1, 2].map((index) => eventDelivery(index, NAME))].map((one) => destination.render(one));
      expect(await reactionOf(destination.send(batch, testContext().context))).toBeUndefined();
      expect(simulator.received().map((log) => log.attributes["log.record.uid"])).toEqual(batch.map((item) => item.key));
    },
  );

  it.each([200, 201, 202, 204])("takes %i with an empty body for delivered", async (status) => {
    simulator.fail({ status });
    expect((await deliver({}, 1)).map((one) => one.status)).toEqual(["delivered"]);
  });

  it("makes dead letters of all when some are refused, and never sends them again", async () => {
    await restart({ refuse: (log) => String(log.attributes["custodes.id"]).endsWith("2") });
    const outcomes = await deliver();
    expect(outcomes.map((one) => (one.status === "failed" ? one.kind : one.status))).toEqual(Array(4).fill("permanent"));
    expect(outcomes[0]).toMatchObject({ message: "1 of 4 log records were refused, and which is not said" });
    expect(simulator.requests()).toBe(1);
  });

  it("says that a receiver complains, without its words", async () => {
    await restart({ warning: "planted-canary-warning" });
    const destination = destinationTo(simulator.url);
    const { context, logged } = testContext();
    expect((await destination.send(renderedAlerts(destination, NAME, 1), context)).map((one) => one.status)).toEqual(["delivered"]);
    expect(logged).toHaveLength(1);
    expect(logged[0]).not.toContain("canary");
  });

  it("has its batch halved when the receiver finds it too large", async () => {
    await restart({ bytesMax: 20_000 });
    expect(await reactionOf(deliver())).toMatchObject({ code: "HTTP_TOO_LARGE", scope: "item" });
    expect(await reactionOf(deliver({}, 1))).toBeUndefined();
  });

  it("stays below its own limit with a full batch", async () => {
    await restart({ bytesMax: 3_000_000 });
    const destination = destinationTo(simulator.url, { batchItems: 500 });
    const item = destination.render(delivery(hugeIncident(), NAME));
    const batch = Array(Math.floor(destination.limits.batchBytes / (item.bytes + 1))).fill(item) as (typeof item)[];
    expect(await reactionOf(destination.send(batch, testContext().context))).toBeUndefined();
  });

  it("ends an answer that trickles when its own time is over", async () => {
    simulator.fail({ connection: "trickle" });
    expect(await reactionOf(deliver({ timeoutMs: 120 }))).toMatchObject(connectorWide("retryable", "HTTP_TIMEOUT"));
  });

  it.each([
    { endpoint: "http://collector.mesh:4318" },
    { endpoint: "grpc://collector.example.com:4317" },
    { headers: { "Content-Type": testSecret("x") } },
    { headers: { "content-type": testSecret("x") } },
    { headers: { authorization: "in the clear" } },
    { serviceName: "a b" },
  ])("refuses the configuration %j", (changes) => {
    expect(otlpLogs.config.safeParse({ endpoint: "https://collector.example.com:4318", ...changes }).success).toBe(false);
  });

  it("checks the receiver with an empty request, and tells what is wrong", async () => {
    const verdict = async (changes: object = {}) =>
      (await otlpLogs.check(settings(simulator.url, changes), testContext({ timeoutMs: 500 }).context))[0]!;
    expect((await verdict()).ok).toBe(true);
    expect(simulator.received()).toEqual([]);
    expect(await verdict({ headers: {} })).toMatchObject({ ok: false, fix: expect.stringContaining("credential") as string });
    expect(await verdict({ endpoint: `${simulator.url}/v1` })).toMatchObject({ ok: false, fix: expect.stringContaining("4317") as string });
    await simulator.close();
    expect(await verdict()).toMatchObject({ ok: false, fix: expect.stringContaining("firewall") as string });
  });
});

describe("a log record", () => {
  const destination = destinationTo("https://collector.example.com:4318");
  const recordOf = (one: Delivery) => JSON.parse(destination.render(one).body) as Record<string, unknown>;

  it.each([
    ["alert", delivery(alertSubject(), NAME)],
    ["incident", delivery(incidentSubject(), NAME)],
    ["event", eventDelivery(1, NAME)],
  ])("looks like the sample: %s", async (kind, one) => {
    await expect(`${JSON.stringify(recordOf(one), null, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/otlp-logs/samples/${kind}.json.golden`,
    );
  });

  it("has the time of what happened, in nanoseconds, and the level's severity", () => {
    const levels = ["informational", "low", "medium", "high", "critical"] as const;
    const records = levels.map((level) => recordOf(delivery(incidentSubject({ level }), NAME)));
    expect(records.map((one) => one["severityNumber"])).toEqual([9, 10, 13, 17, 21]);
    expect(records[0]?.["timeUnixNano"]).toBe(`${incidentSubject().incident.lastTime}000000`);
  });

  it.each([
    ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"]],
    ["0af7651916cd43dd8448eb211c80319c", "no span", ["0af7651916cd43dd8448eb211c80319c", undefined]],
    ["0".repeat(32), "b7ad6b7169203331", [undefined, undefined]],
    ["Root=1-5e-1", "b7ad6b7169203331", [undefined, undefined]],
  ])("carries trace ids that are some, and no others: %s", (traceUid, spanUid, expected) => {
    const event = { ...storyEvents()[0]!, traceUid, spanUid };
    const record = recordOf({ ...eventDelivery(0, NAME), subject: { kind: "event", event } });
    expect([record["traceId"], record["spanId"]]).toEqual(expected);
  });

  it.runIf(schemasPresent)("holds valid OCSF, also when it had to be shortened", async () => {
    const simulator = await startOtlpSimulator();
    try {
      const small = otlpLogs.destination!(otlpLogs.config.parse({ endpoint: simulator.url, itemBytesMax: 60_000 }));
      const batch = [alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident()].map((one) =>
        small.render(delivery(one, NAME)),
      );
      for (const item of batch) expect(item.bytes).toBeLessThanOrEqual(60_000);
      await small.send(batch, testContext().context);
      expect(simulator.received()).toHaveLength(batch.length);
      for (const log of simulator.received()) expect(ocsfErrors(log.body as object, "1.8.0")).toEqual([]);
    } finally {
      await simulator.close();
    }
  });
});
