import { afterEach, beforeEach, describe, expect, it } from "vitest";
import elastic from "../../connectors/elastic/elastic.ts";
import {
  ELASTIC_DEMO_KEY,
  startElasticSimulator,
  type ElasticSimulator,
  type ElasticSimulatorOptions,
} from "../../src/simulators/elastic.ts";
import { testContext, testSecret } from "../fixtures/context.ts";

describe("the check of the Elastic connector", () => {
  let simulator: ElasticSimulator;
  const restart = async (options: ElasticSimulatorOptions): Promise<void> => {
    await simulator.close();
    simulator = await startElasticSimulator(options);
  };
  beforeEach(async () => {
    simulator = await startElasticSimulator();
  });
  afterEach(() => simulator.close());

  const checks = (changes: object = {}) =>
    elastic.check(
      elastic.config.parse({ url: simulator.url, apiKey: testSecret(ELASTIC_DEMO_KEY), ...changes }),
      testContext({ timeoutMs: 500 }).context,
    );
  const verdicts = async (changes: object = {}) => Object.fromEntries((await checks(changes)).map((one) => [one.name, one.ok]));
  const GOOD = {
    reach: true,
    key: true,
    privileges: true,
    "privileges for events": true,
    "index custodes-alerts": true,
    "template of custodes-alerts": true,
    "index custodes-incidents": true,
    "template of custodes-incidents": true,
    "template of logs-custodes.event-default": true,
    "data stream logs-custodes.event-default": true,
  };
  const messageOf = async (name: string) => (await checks()).find((one) => one.name === name)?.message;

  it("passes without writing anything", async () => {
    expect(await verdicts()).toEqual(GOOD);
    expect(simulator.documents()).toEqual([]);
  });

  it("passes when the key may not see the cluster", async () => {
    await restart({ noMonitor: true });
    expect(await verdicts()).toEqual(GOOD);
  });

  it("tells a bad key from a bad host, each with a fix", async () => {
    const badKey = await checks({ apiKey: testSecret("c3RhbGU6c3RhbGU=") });
    expect(badKey.filter((one) => !one.ok).map((one) => one.name)).toEqual(["key"]);
    await simulator.close();
    const badHost = await checks();
    expect(badHost).toMatchObject([{ name: "reach", ok: false }]);
    for (const one of [...badKey, ...badHost]) if (!one.ok) expect(one.fix).toBeTruthy();
  });

  it("finds missing privileges and a data stream in the way", async () => {
    await restart({ writable: ["custodes-alerts"], dataStreams: ["custodes-incidents"] });
    expect(await verdicts()).toEqual({ ...GOOD, privileges: false, "index custodes-incidents": false });
  });

  it("says when the key ends, and warns a week before", async () => {
    const { clock } = testContext().context;
    expect(await messageOf("key")).toBe("the API key is valid");
    await restart({ keyExpiration: clock.now() + 8 * 86_400_000 });
    expect(await messageOf("key")).toBe(`the API key is valid until ${new Date(clock.now() + 8 * 86_400_000).toISOString().slice(0, 10)}`);
    for (const keyExpiration of [clock.now() + 6 * 86_400_000, clock.now() - 1, 1e300]) {
      await restart({ keyExpiration });
      expect(await verdicts()).toEqual({ ...GOOD, key: keyExpiration === 1e300 });
    }
  });

  it("finds that the setup was not made, and that events may not be created, which few need", async () => {
    await restart({ template: () => ({ mappings: {} }), writable: ["custodes-*"] });
    expect(await verdicts()).toEqual({ ...GOOD, "template of custodes-alerts": false, "template of custodes-incidents": false });
    expect(await messageOf("privileges for events")).toContain("create_doc, auto_configure on logs-custodes.event-default");
    for (const one of await checks()) expect(one.ok || (one.fix ?? "").length > 0).toBe(true);
    await restart({ dataStreams: ["logs-*"] });
    expect(await messageOf("data stream logs-custodes.event-default")).toBe("status GREEN, with a failure store");
  });
});
