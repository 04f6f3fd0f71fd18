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
  const GOOD = { reach: true, key: true, privileges: true, "index custodes-alerts": true, "index custodes-incidents": true };

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
});
