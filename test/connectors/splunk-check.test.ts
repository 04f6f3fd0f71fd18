import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/splunk/config.ts";
import splunk from "../../connectors/splunk/splunk.ts";
import type { Check } from "../../src/ports/connector.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator, type SplunkSimulatorOptions } from "../../src/simulators/splunk.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";

const MANAGEMENT_TOKEN = "management-token-7f3a9c";
const OTHER_TOKEN = "00000000-0000-4000-8000-000000000000";

describe("the check of a Splunk destination", () => {
  let simulator: SplunkSimulator;
  beforeEach(async () => {
    simulator = await startSplunkSimulator();
  });
  afterEach(() => simulator.close());

  const restart = async (options: SplunkSimulatorOptions): Promise<void> => {
    await simulator.close();
    simulator = await startSplunkSimulator(options);
  };
  const settings = (changes: object): Config =>
    splunk.config.parse({ url: simulator.url, token: testSecret(SPLUNK_DEMO_TOKEN), ...changes });
  /** Findings by name; each that is not well has a fix, none a secret, and nothing was written. */
  async function checks(changes: object = {}): Promise<Record<string, Check>> {
    const { context, logged } = testContext({ timeoutMs: 500 });
    const found = await splunk.check(settings(changes), context);
    for (const one of found) if (!one.ok) expect(one.fix, one.message).toBeTruthy();
    const text = everythingIn(found) + logged.join();
    for (const secret of [SPLUNK_DEMO_TOKEN, MANAGEMENT_TOKEN, OTHER_TOKEN]) expect(text).not.toContain(secret);
    expect(simulator.accepted()).toEqual([]);
    return Object.fromEntries(found.map((one) => [one.name, one]));
  }
  const verdicts = async (changes: object = {}): Promise<Record<string, boolean>> =>
    Object.fromEntries(Object.entries(await checks(changes)).map(([name, { ok }]) => [name, ok]));

  it("passes without writing anything", async () => {
    expect(await verdicts()).toEqual({ reach: true, token: true, acknowledgement: true, index: true });
  });

  it("tells a bad token from a bad host", async () => {
    expect(await verdicts({ token: testSecret(OTHER_TOKEN) })).toEqual({ reach: true, token: false, index: true });
    await simulator.close();
    expect(Object.keys(await checks())).toEqual(["reach"]);
    expect(await verdicts()).toEqual({ reach: false });
  });

  it("names a disabled token", async () => {
    await restart({ tokenDisabled: true });
    expect((await checks())["token"]).toMatchObject({ ok: false, message: "HEC 403/1: the token is disabled" });
  });

  it.each([18, 19, 20, 23])("reports the unhealthy code %i", async (healthCode) => {
    await restart({ healthCode });
    expect((await checks())["reach"]).toMatchObject({ ok: false, message: expect.stringContaining(`code ${healthCode}`) });
  });

  it.each([21, 22])("takes code %i of the health endpoint for what it says of the token", async (healthCode) => {
    await restart({ healthCode });
    expect((await checks())["reach"]).toMatchObject({ ok: false, message: expect.stringContaining(`HEC 400/${healthCode}`) });
  });

  it.each([24, 25])("passes with the warning %i", async (healthCode) => {
    await restart({ healthCode });
    expect((await checks())["reach"]).toMatchObject({ ok: true, message: expect.stringContaining(`code ${healthCode}`) });
  });

  it("says that it found something else than a collector", async () => {
    expect((await checks({ url: `${simulator.url}/elsewhere` }))["reach"]).toMatchObject({
      ok: false,
      message: expect.stringContaining("HTTP 404"),
    });
  });

  it.each([
    [true, true, true, "enabled for the token"],
    [true, false, false, "has no indexer acknowledgement"],
    [false, true, true, "not used"],
    [false, false, true, "not asked for"],
  ])("compares acknowledge: %j with a token that has it: %j", async (acknowledge, useAck, ok, says) => {
    await restart({ useAck });
    expect((await checks({ acknowledge }))["acknowledgement"]).toMatchObject({ ok, message: expect.stringContaining(says) });
  });

  it.each([
    ["is refused", { status: 404, body: "<html></html>" }],
    ["fails", { code: 19 }],
    ["is garbage", { status: 200, body: "{}" }],
  ])("needs an answer about acknowledgement only where it is asked for: one that %s", async (_, fault) => {
    await restart({ useAck: true });
    simulator.failAck(fault, fault);
    expect((await verdicts({ acknowledge: true }))["acknowledgement"]).toBe(false);
    expect((await verdicts())["acknowledgement"]).toBe(true);
  });

  it("takes nobody's acknowledgement away", async () => {
    await restart({ useAck: true });
    const destination = splunk.destination!(settings({ acknowledge: true }));
    const batch = [{ key: "k", body: '{"event":"x"}', bytes: 13 }];
    const [sent] = await destination.send(batch, testContext().context);
    const { context } = testContext();
    await splunk.check(settings({ acknowledge: true }), context);
    const ticket = { key: "k", ticket: (sent as { ticket: string }).ticket, time: 0 };
    expect(await destination.confirm!([ticket], context)).toMatchObject([{ status: "delivered" }]);
  });

  describe("with the management port", () => {
    const management = (token = MANAGEMENT_TOKEN): object => ({
      management: { url: simulator.url, token: testSecret(token) },
      index: "security",
    });
    beforeEach(() => restart({ management: { token: MANAGEMENT_TOKEN, indexes: ["security", "old"], disabled: ["old"] } }));

    it("knows whether the index exists and is enabled", async () => {
      expect((await checks(management()))["index"]).toMatchObject({ ok: true, message: expect.stringContaining("exists") });
      expect((await checks({ ...management(), index: "old" }))["index"]).toMatchObject({
        ok: false,
        message: expect.stringContaining("disabled"),
      });
      expect((await checks({ ...management(), index: "none" }))["index"]).toMatchObject({
        ok: false,
        message: expect.stringContaining("does not exist"),
      });
    });

    it("says who was refused, and asks nothing without an index or a port", async () => {
      expect((await checks(management(OTHER_TOKEN)))["index"]).toMatchObject({
        ok: false,
        message: "HTTP 401: the management token was refused",
      });
      await restart({ management: { token: MANAGEMENT_TOKEN, indexes: [], forbidden: true } });
      expect((await checks(management()))["index"]).toMatchObject({ ok: false, message: "HTTP 403: the management token was refused" });
      expect((await checks({ ...management(), index: undefined }))["index"]).toMatchObject({
        ok: true,
        message: expect.stringContaining("default"),
      });
      expect((await checks({ index: "security" }))["index"]).toMatchObject({ ok: true, message: expect.stringContaining("not checked") });
    });

    it("tells another server from a management port, and one that is not there", async () => {
      expect((await checks({ ...management(), management: { url: "http://127.0.0.1:9", token: testSecret("m") } }))["index"]).toMatchObject(
        { ok: false },
      );
      const other = { url: `${simulator.url}/en-US`, token: testSecret("m") };
      expect((await checks({ ...management(), management: other }))["index"]).toMatchObject({ ok: false });
    });
  });
});
