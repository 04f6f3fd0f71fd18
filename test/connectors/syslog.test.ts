import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { syslogMessage } from "../../connectors/syslog/frame.ts";
import syslog from "../../connectors/syslog/syslog.ts";
import { reactionOf, renderedAlerts } from "../contract/destination.ts";
import { testCertificates } from "../fixtures/certificates.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { readCef, startSyslogSimulator, type SyslogSimulator } from "../simulators/syslog.ts";
import { destinationTo, NAME, settings, subjects } from "./syslog-world.ts";

describe("the syslog connector", () => {
  let simulator: SyslogSimulator;
  beforeEach(async () => {
    simulator = await startSyslogSimulator({ bytesMax: 65_536 });
  });
  afterEach(() => simulator.close());

  it.each([{ format: "cef" }, { format: "cef", enterpriseId: 32_473 }, { format: "ocsf" }, { format: "ocsf", enterpriseId: 32_473 }])(
    "sends everything so that a strict server reads it, whatever the texts say: %j",
    async (changes) => {
      const destination = destinationTo(simulator.port, changes);
      const batch = subjects.map((one) => destination.render(one));
      for (const item of batch) {
        expect(item.bytes).toBe(Buffer.byteLength(item.body));
        expect(item.bytes).toBeLessThanOrEqual(destination.limits.itemBytes);
      }
      const outcomes = await destination.send(batch, testContext().context);
      expect(simulator.errors()).toEqual([]);
      expect(outcomes).toEqual(batch.map(() => ({ status: "delivered", receipt: "written, connection ended in order" })));
      expect(simulator.received()).toHaveLength(batch.length);
      expect(new Set(simulator.received().map((one) => one.messageId))).toEqual(new Set(["alert", "incident", "event"]));
      for (const one of simulator.received()) {
        expect([one.facility, one.host, one.app]).toEqual([16, "custodes", "custodes"]);
        expect(one.data.size).toBe(changes.enterpriseId === undefined ? 0 : 1);
        if (changes.format === "cef") readCef(one.text);
        else expect(JSON.parse(one.text)).toHaveProperty("ocsf.class_uid");
      }
      expect(simulator.connections()).toBe(1);
    },
  );

  it("gives each level its severity, and the delivery's time", () => {
    const severity = (level: "informational" | "low" | "medium" | "high" | "critical"): string =>
      destinationTo(1)
        .render(delivery(incidentSubject({ level }), NAME))
        .body.slice(0, 5);
    const levels = ["informational", "low", "medium", "high", "critical"] as const;
    expect(levels.map(severity)).toEqual(["<134>", "<133>", "<132>", "<131>", "<130>"]);
    const one = destinationTo(1, { facility: 13 }).render(delivery(alertSubject(), NAME)).body;
    expect(one.startsWith("<107>1 2026-08-22T09:16:13.512Z custodes custodes - alert - CEF:0|Custodes|Custodes|1.0|")).toBe(true);
  });

  it("escapes structured data as RFC 5424 wants it", () => {
    const header = { facility: 1, severity: 2, time: 0, hostName: "h", appName: "a", messageId: "m", enterpriseId: 32_473 };
    expect(syslogMessage({ ...header, data: { key: 'a"b\\c]d' } }, "x")).toBe(
      '<10>1 1970-01-01T00:00:00.000Z h a - m [custodes@32473 key="a\\"b\\\\c\\]d"] x',
    );
  });

  it.each(["reset", "early-end", "reset-at-end"] as const)("sends again what a connection that is %s took or not", async (fault) => {
    const destination = destinationTo(simulator.port);
    const batch = renderedAlerts(destination, NAME, 3);
    simulator.fail(fault);
    const reaction = await reactionOf(destination.send(batch, testContext().context));
    expect(reaction).toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE", scope: "connector" });
    expect(simulator.connections()).toBe(1);
    expect(await reactionOf(destination.send(batch, testContext().context))).toBeUndefined();
    const keys = simulator.received().map((one) => readCef(one.text).extension["cs2"]);
    expect(new Set(keys)).toEqual(new Set(batch.map((item) => item.key)));
  });

  it("takes a server that never ends the connection for delivered, and says so", async () => {
    const destination = destinationTo(simulator.port, { closeWaitMs: 100 });
    simulator.fail("keep-open");
    const outcomes = await destination.send(renderedAlerts(destination, NAME, 1), testContext().context);
    expect(outcomes).toEqual([{ status: "delivered", receipt: "written, connection still open" }]);
    expect(simulator.received()).toHaveLength(1);
  });

  it("gives up a server that reads nothing", async () => {
    const destination = destinationTo(simulator.port, { timeoutMs: 150, messageBytesMax: 1_000_000, format: "ocsf" });
    simulator.fail("deaf");
    const body = "x".repeat(20_000_000);
    const sending = destination.send([{ key: "k", body, bytes: body.length }], testContext().context);
    expect(await reactionOf(sending)).toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT", scope: "connector" });
  });

  it("stops at shutdown, and finds nobody there", async () => {
    const destination = destinationTo(simulator.port, { closeWaitMs: 60_000 });
    const { context, abort } = testContext();
    simulator.fail("keep-open");
    const sending = reactionOf(destination.send(renderedAlerts(destination, NAME, 1), context));
    abort();
    expect(await sending).toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
    await simulator.close();
    expect(await reactionOf(destination.send(renderedAlerts(destination, NAME, 1), testContext().context))).toMatchObject({
      kind: "retryable",
      code: "HTTP_UNREACHABLE",
    });
  });

  it("connects for nothing but messages, and keeps batches that are sent at once apart", async () => {
    const destination = destinationTo(simulator.port);
    expect(await destination.send([], testContext().context)).toEqual([]);
    expect(simulator.connections()).toBe(0);
    const batch = renderedAlerts(destination, NAME, 40);
    await Promise.all([0, 10, 20, 30].map((at) => destination.send(batch.slice(at, at + 10), testContext().context)));
    expect(new Set(simulator.received().map((one) => one.text)).size).toBe(40);
  });

  const certificates = testCertificates();
  describe.runIf(certificates !== undefined)("over TLS", () => {
    const { ca, certificate, key } = certificates ?? { ca: "", certificate: "", key: "" };
    const secure = { tls: true, ca: testSecret(ca) };
    const startTls = async (more: object = {}): Promise<void> => {
      await simulator.close();
      simulator = await startSyslogSimulator({ tls: { cert: certificate, key, ...more } });
    };

    it("delivers to a server whose authority is named, and to no other", async () => {
      await startTls();
      const good = destinationTo(simulator.port, secure);
      expect(await reactionOf(good.send(renderedAlerts(good, NAME, 2), testContext().context))).toBeUndefined();
      expect(simulator.received()).toHaveLength(2);
      for (const changes of [{ tls: true }, { ...secure, serverName: "siem.example.com" }]) {
        const bad = destinationTo(simulator.port, changes);
        const reaction = await reactionOf(bad.send(renderedAlerts(bad, NAME, 1), testContext().context));
        expect(reaction).toMatchObject({ kind: "permanent", code: "HTTP_DENIED", scope: "connector" });
      }
      expect(simulator.received()).toHaveLength(2);
    });

    it("shows its certificate where one is asked for, and counts nothing as delivered without", async () => {
      await startTls({ ca, requestCert: true, rejectUnauthorized: true });
      const good = destinationTo(simulator.port, { ...secure, certificate: testSecret(certificate), key: testSecret(key) });
      expect(await reactionOf(good.send(renderedAlerts(good, NAME, 1), testContext().context))).toBeUndefined();
      const bad = destinationTo(simulator.port, secure);
      const reaction = await reactionOf(bad.send(renderedAlerts(bad, NAME, 1), testContext().context));
      expect(reaction?.scope).toBe("connector");
      expect(simulator.received()).toHaveLength(1);
    });

    it("checks reach and certificate without a message", async () => {
      await startTls();
      expect(await syslog.check(settings(simulator.port, secure), testContext().context)).toMatchObject([{ name: "reach", ok: true }]);
      const untrusted = await syslog.check(settings(simulator.port, { tls: true }), testContext().context);
      expect(untrusted).toMatchObject([{ name: "reach", ok: false, fix: expect.stringContaining("ca") as string }]);
      await simulator.close();
      simulator = await startSyslogSimulator();
      const plain = await syslog.check(settings(simulator.port, { ...secure, timeoutMs: 500 }), testContext().context);
      expect(plain[0]?.ok).toBe(false);
      expect(simulator.received()).toEqual([]);
    });

    it("never shows a key", async () => {
      await startTls();
      const canary = "-----BEGIN PRIVATE KEY-----\nplanted-canary-syslog-key\n-----END PRIVATE KEY-----";
      const bad = destinationTo(simulator.port, { ...secure, certificate: testSecret(certificate), key: testSecret(canary) });
      const { context, logged } = testContext();
      const seen = await bad.send(renderedAlerts(bad, NAME, 1), context).then(everythingIn, everythingIn);
      expect(seen).toContain("HTTP_DENIED");
      expect(`${seen}${logged.join("")}`).not.toContain("canary");
    });
  });

  it("tells a host that is not there", async () => {
    await simulator.close();
    const checks = await syslog.check(settings(simulator.port), testContext().context);
    expect(checks).toMatchObject([{ name: "reach", ok: false, fix: expect.stringContaining("firewall") as string }]);
  });

  it.each([
    { tls: false, ca: testSecret("x") },
    { certificate: testSecret("x") },
    { key: testSecret("x") },
    { host: "https://siem.example.com" },
    { host: "siem example" },
    { hostName: "a b" },
    { appName: "é" },
    { format: "ocsf", messageBytesMax: 8_000 },
  ])("refuses the configuration %j", (changes) => {
    expect(syslog.config.safeParse({ host: "siem.example.com", ...changes }).success).toBe(false);
  });
});
