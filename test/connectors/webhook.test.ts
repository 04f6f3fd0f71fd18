import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/webhook/config.ts";
import { signatureHeaders } from "../../connectors/webhook/sign.ts";
import webhook from "../../connectors/webhook/webhook.ts";
import { hmacSha256, sha256 } from "../../src/adapters/system/system.ts";
import type { Delivery, Destination } from "../../src/ports/connector.ts";
import { connectorWide, destinationContract, reactionOf, renderedAlerts, type Reaction } from "../contract/destination.ts";
import { ocsfErrors, schemasPresent } from "../core/ocsf-validator.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject } from "../fixtures/subjects.ts";
import { startWebhookSimulator, type WebhookSimulator } from "../simulators/webhook.ts";

const NAME = "webhook/soc";
const KEY = "whsec_cGxhbnRlZC1jYW5hcnkta2V5LW9mLTMyLWJ5dGVzISE=";
const NEXT_KEY = "whsec_YW5vdGhlci1wbGFudGVkLWNhbmFyeS1rZXktMzItYnk=";
const AUTHORIZATION = "Bearer planted-canary-hook-token";
const now = (): number => testContext().context.clock.now();

function settings(url: string, changes: object = {}): Config {
  return webhook.config.parse({ url, secrets: [testSecret(KEY)], authorization: testSecret(AUTHORIZATION), ...changes });
}
const destinationTo = (url: string, changes: object = {}): Destination => webhook.destination!(settings(url, changes));
const start = (): Promise<WebhookSimulator> => startWebhookSimulator({ key: KEY, now, authorization: AUTHORIZATION });

/** What statuses mean to destinations of this kind; shared with tests of others. */
const STATUSES: Readonly<Record<number, Reaction>> = {
  300: connectorWide("permanent", "DESTINATION_CONFIG"),
  301: connectorWide("permanent", "DESTINATION_CONFIG"),
  304: connectorWide("permanent", "DESTINATION_CONFIG"),
  400: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  401: connectorWide("permanent", "HTTP_DENIED"),
  403: connectorWide("permanent", "HTTP_DENIED"),
  404: connectorWide("permanent", "DESTINATION_CONFIG"),
  405: connectorWide("permanent", "DESTINATION_CONFIG"),
  408: connectorWide("retryable", "HTTP_TIMEOUT"),
  409: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  410: connectorWide("permanent", "DESTINATION_CONFIG"),
  413: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" },
  415: connectorWide("permanent", "DESTINATION_CONFIG"),
  422: { kind: "permanent", code: "HTTP_REJECTED", scope: "item" },
  425: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  429: connectorWide("retryable", "HTTP_THROTTLED"),
  500: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  501: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  502: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  503: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  504: connectorWide("retryable", "HTTP_UNAVAILABLE"),
};

destinationContract({
  name: NAME,
  secrets: [KEY, KEY.slice("whsec_".length), AUTHORIZATION],
  start: async () => {
    const simulator = await start();
    return { ...simulator, destination: destinationTo(simulator.url, { timeoutMs: 5_000, batchItems: 10 }) };
  },
  reactions: Object.entries(STATUSES).map(([status, expected]) => ({
    title: `status ${status}`,
    fault: { status: Number(status) },
    expect: expected,
  })),
  malformed: [],
  identity: (received) => (received as { data: { key: string } }).data.key,
  idempotent: true,
});

describe("the webhook connector", () => {
  let simulator: WebhookSimulator;
  beforeEach(async () => {
    simulator = await start();
  });
  afterEach(() => simulator.close());

  it("signs as the specification's own example is signed", () => {
    // The vector in the specification's reference libraries, computed anew with openssl.
    const headers = signatureHeaders(
      { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: '{"test": 2432232314}' },
      [testSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
      { sha256, hmacSha256 },
    );
    expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it.each([200, 201, 202, 204, 299])("takes %i for delivered, whatever the body", async (status) => {
    const destination = destinationTo(simulator.url);
    simulator.fail({ status, body: "<html>thanks" });
    expect(await destination.send(renderedAlerts(destination, NAME, 1), testContext().context)).toMatchObject([{ status: "delivered" }]);
  });

  it("sends each message by itself, under an id that stays over attempts and signatures that do not", async () => {
    const destination = destinationTo(simulator.url);
    expect(destination.limits.batchItems).toBe(1);
    const [one] = renderedAlerts(destination, NAME, 1);
    await destination.send([one!], testContext().context);
    const first = simulator.last();
    await destination.send([one!], testContext({ now: now() + 60_000 }).context);
    expect(new Set(simulator.ids())).toEqual(new Set([`msg_${sha256(one!.key)}`]));
    expect(simulator.ids()).toHaveLength(2);
    expect(simulator.last()?.["webhook-signature"]).not.toBe(first?.["webhook-signature"]);
    expect(simulator.received()).toHaveLength(1);
    expect(simulator.sizes()).toEqual(["single", "single"]);
  });

  it("signs with every key, so that either side may exchange it first", async () => {
    const both = destinationTo(simulator.url, { secrets: [testSecret(NEXT_KEY), testSecret(KEY)] });
    expect(await reactionOf(both.send(renderedAlerts(both, NAME, 1), testContext().context))).toBeUndefined();
    const other = destinationTo(simulator.url, { secrets: [testSecret(NEXT_KEY)] });
    expect(await reactionOf(other.send(renderedAlerts(other, NAME, 1), testContext().context))).toMatchObject({ code: "HTTP_DENIED" });
  });

  it.each(["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, though it is long enough", `whsec_${btoa("x".repeat(65))}`])(
    "stops at a signing key that is none (%j) and does not show it",
    async (bad) => {
      const destination = destinationTo(simulator.url, { secrets: [testSecret(bad)] });
      const sending = destination.send(renderedAlerts(destination, NAME, 1), testContext().context);
      const seen = await sending.then(everythingIn, everythingIn);
      expect(seen).toContain("DESTINATION_CONFIG");
      if (bad.length > 10) expect(seen).not.toContain(bad.slice("whsec_".length));
      expect(simulator.requests()).toBe(0);
    },
  );

  it("may have a secret for an address, and never shows it", async () => {
    const url = `${simulator.url}/planted-canary-path?sig=planted-canary-query`;
    const destination = destinationTo("", { url: testSecret(url) });
    for (const status of [204, 302, 404, 500]) {
      simulator.fail({ status, headers: { location: `${url}&x` } });
      const seen = await destination.send(renderedAlerts(destination, NAME, 1), testContext().context).then(everythingIn, everythingIn);
      expect(seen).not.toContain("canary");
    }
    const wrong = destinationTo("", { url: testSecret("ftp://planted-canary.example.com") });
    const seen = await wrong.send(renderedAlerts(wrong, NAME, 1), testContext().context).then(everythingIn, everythingIn);
    expect(seen).toContain("DESTINATION_CONFIG");
    expect(seen).not.toContain("canary");
  });

  it.each(["http://hooks.example.com/x", "ftp://x.example.com", "hooks.example.com", "https://user:pw@hooks.example.com"])(
    "refuses the address %s",
    (url) => expect(webhook.config.safeParse({ url, secrets: [testSecret(KEY)] }).success).toBe(false),
  );

  it("permits http to another machine only when told to", () => {
    const parse = (allowHttp: boolean) => webhook.config.safeParse({ url: "http://hooks.mesh/x", secrets: [testSecret(KEY)], allowHttp });
    expect([parse(true).success, parse(false).success]).toEqual([true, false]);
  });

  it("sends a batch as one message of messages, halved when it is too large", async () => {
    const destination = destinationTo(simulator.url, { batchItems: 50 });
    const batch = renderedAlerts(destination, NAME, 50);
    expect(await reactionOf(destination.send(batch, testContext().context))).toBeUndefined();
    expect(simulator.received()).toHaveLength(50);
    await destination.send(batch.slice(0, 1), testContext().context);
    expect(simulator.sizes()).toEqual([50, 1]);
    simulator.fail({ status: 413 });
    expect(await reactionOf(destination.send(batch, testContext().context))).toMatchObject({ code: "HTTP_TOO_LARGE", scope: "item" });
  });

  it("keeps its requests within its limits", async () => {
    const destination = destinationTo(simulator.url, { batchItems: 500, itemBytesMax: 1_000_000 });
    const { batchBytes, itemBytes } = destination.limits;
    expect(itemBytes).toBeLessThanOrEqual(batchBytes);
    const batch = renderedAlerts(destination, NAME, 500);
    let bytes = 0;
    const fitting = batch.filter((item) => (bytes += item.bytes) <= batchBytes);
    await destination.send(fitting, testContext().context);
    expect(Number(simulator.last()?.["content-length"])).toBeLessThanOrEqual(1_000_000);
  });

  it("ends an answer that trickles when its own time is over", async () => {
    const destination = destinationTo(simulator.url, { timeoutMs: 120 });
    simulator.fail({ connection: "trickle" });
    const sending = destination.send(renderedAlerts(destination, NAME, 1), testContext({ timeoutMs: 60_000 }).context);
    expect(await reactionOf(sending)).toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT", scope: "connector" });
  });

  describe("a message", () => {
    const destination = destinationTo("https://hooks.example.com/custodes");
    const message = (one: Delivery, to = destination) =>
      JSON.parse(to.render(one).body) as { type: string; data: { ocsf: { unmapped: { shortened?: number } } } };

    it.each([
      ["alert", delivery(alertSubject(), NAME)],
      ["incident", delivery(incidentSubject(), NAME)],
      ["event", eventDelivery(0, NAME)],
    ])("looks like the sample: %s", async (kind, one) => {
      await expect(`${JSON.stringify(message(one), null, 2)}\n`).toMatchFileSnapshot(
        `../../connectors/webhook/samples/${kind}.json.golden`,
      );
    });

    it("says what happened in its type", () => {
      const type = (one: Delivery): string => message(one).type;
      expect(type(delivery(alertSubject({ revision: 1 }), NAME))).toBe("alert.opened");
      expect(type(delivery(alertSubject({ revision: 2 }), NAME))).toBe("alert.updated");
      expect(type(delivery(incidentSubject({ revision: 1 }), NAME))).toBe("incident.opened");
      expect(type(delivery(incidentSubject({ status: 5 }), NAME))).toBe("incident.closed");
      expect(type(eventDelivery(1, NAME))).toBe("event.observed");
    });

    const subjects = [
      ...[alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident()].map((one) => delivery(one, NAME)),
      ...[0, 1, 2].map((index) => eventDelivery(index, NAME)),
    ];
    it.runIf(schemasPresent).each(["1.8.0", "1.9.0"] as const)("is valid OCSF %s, also when it had to be shortened", (ocsf) => {
      const steps = new Set<number | undefined>();
      for (const itemBytesMax of [1_000_000, 60_000, 20_000]) {
        const to = destinationTo("https://hooks.example.com", { ocsf, itemBytesMax });
        for (const one of subjects) {
          const finding = message(one, to).data.ocsf;
          steps.add(finding.unmapped.shortened);
          expect(ocsfErrors(finding, ocsf)).toEqual([]);
        }
      }
      expect(steps.size, "several steps were needed").toBeGreaterThan(2);
    });

    it.each([Number.NaN, -1, 1.5, Infinity])("refuses a time that is none: %d", (lastTime) => {
      expect(() => destination.render(delivery(alertSubject({ lastTime }), NAME))).toThrowError(
        expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }),
      );
    });
  });

  describe("check", () => {
    const verdicts = async (url: string, changes: object = {}): Promise<Record<string, boolean>> => {
      const checks = await webhook.check(settings(url, changes), testContext({ timeoutMs: 500 }).context);
      for (const one of checks.filter((item) => !item.ok)) expect(one.fix).toBeTruthy();
      return Object.fromEntries(checks.map((one) => [one.name, one.ok]));
    };

    it("passes without sending a message", async () => {
      expect(await verdicts(simulator.url)).toEqual({ "key 1": true, address: true, reach: true });
      expect(simulator.received()).toEqual([]);
      expect(simulator.last()?.["webhook-id"]).toBeUndefined();
      expect(simulator.last()?.authorization).toBeUndefined();
    });

    it("tells a bad key, a bad address and a bad host apart", async () => {
      expect(await verdicts(simulator.url, { secrets: [testSecret(KEY), testSecret("short")] })).toMatchObject({
        "key 1": true,
        "key 2": false,
      });
      expect(await verdicts("", { url: testSecret("nowhere") })).toEqual({ "key 1": true, address: false });
      await simulator.close();
      expect(await verdicts(simulator.url)).toEqual({ "key 1": true, address: true, reach: false });
    });
  });
});
