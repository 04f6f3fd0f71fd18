import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import pagerduty from "../../connectors/pagerduty/pagerduty.ts";
import { PAGERDUTY_DEMO_KEY, startPagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { testContext, testSecret } from "../fixtures/context.ts";

const HOUR = 3_600_000;

const schemaFile = (name: string) => resolve(import.meta.dirname, `../../../shared/contracts/data/derived/${name}.schema.json`);
const schemasPresent = existsSync(schemaFile("pagerduty-enqueue"));
if (!schemasPresent && process.env["CI"] === "true") throw new Error("../shared/contracts/data/derived is missing");

/** Complaints of the vendor's published schema about a body as it is sent. */
function schemaErrors(name: string, value: unknown): string[] {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync(schemaFile(name), "utf8")) as object);
  return validate(value) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

describe("pagerduty's simulator", () => {
  const trigger = { routing_key: PAGERDUTY_DEMO_KEY, event_action: "trigger", payload: { summary: "s", source: "h", severity: "error" } };
  async function post(events: readonly unknown[], options = {}) {
    const simulator = await startPagerdutySimulator(options);
    try {
      const { http } = testContext().context;
      const answers = [];
      for (const event of events) {
        const { status, data } = await http.post<string>(`${simulator.url}/v2/enqueue`, event);
        answers.push({ status, data: JSON.parse(data) as Record<string, unknown> });
      }
      return { answers, alerts: simulator.received(), dropped: simulator.dropped() };
    } finally {
      await simulator.close();
    }
  }
  const keyed = (event_action: string, dedup_key = "k") => ({ ...trigger, event_action, dedup_key });

  it.skipIf(!schemasPresent)("answers in the published form", async () => {
    const { answers } = await post([trigger, { ...trigger, event_action: "snooze" }, "{"]);
    expect(answers.map((answer) => answer.status)).toEqual([202, 400, 400]);
    expect(schemaErrors("pagerduty-202", answers[0]!.data)).toEqual([]);
    for (const answer of answers.slice(1)) expect(schemaErrors("pagerduty-error", answer.data)).toEqual([]);
  });

  it.each([
    ["a short routing key", { ...trigger, routing_key: "short" }, /routing_key/],
    ["an unknown routing key", { ...trigger, routing_key: "f".repeat(32) }, /routing key/],
    ["a long summary", { ...trigger, payload: { ...trigger.payload, summary: "x".repeat(1025) } }, /summary/],
    ["an unknown severity", { ...trigger, payload: { ...trigger.payload, severity: "Critical" } }, /severity/],
    ["no source", { ...trigger, payload: { summary: "s", severity: "info" } }, /source/],
    ["details that are a list", { ...trigger, payload: { ...trigger.payload, custom_details: [] } }, /custom_details/],
    ["a time in words", { ...trigger, payload: { ...trigger.payload, timestamp: "yesterday" } }, /timestamp/],
    ["a long dedup_key", { ...trigger, dedup_key: "x".repeat(256) }, /dedup_key/],
    ["a resolve without dedup_key", { routing_key: PAGERDUTY_DEMO_KEY, event_action: "resolve" }, /dedup_key/],
    ["an insecure image", { ...trigger, images: [{ src: "http://x.example/a.png" }] }, /images/],
    ["more than 512 KB", { ...trigger, payload: { ...trigger.payload, custom_details: { x: "x".repeat(512_000) } } }, /size/],
  ])("refuses %s", async (_, event, error) => {
    const { answers, alerts } = await post([event]);
    expect(answers[0]!.status).toBe(400);
    expect(JSON.stringify(answers[0]!.data["errors"])).toMatch(error);
    expect(alerts).toEqual([]);
  });

  it("folds triggers into the open alert, and opens a new one after it was resolved", async () => {
    const { alerts, dropped } = await post(
      ["trigger", "trigger", "acknowledge", "resolve", "resolve", "trigger"].map((action) => keyed(action)),
    );
    expect(alerts.map((alert) => `${alert.status} ${alert.triggers}`)).toEqual(["resolved 2", "triggered 1"]);
    expect(dropped).toBe(1);
  });

  it("takes changes, which belong to no alert, and refuses those of ruleset keys", async () => {
    const ruleset = `R${"0".repeat(31)}`;
    const simulator = await startPagerdutySimulator({ routingKeys: [PAGERDUTY_DEMO_KEY, ruleset] });
    try {
      const { http } = testContext().context;
      const post = async (event: object) => (await http.post<unknown>(`${simulator.url}/v2/change/enqueue`, event)).status;
      const change = { routing_key: PAGERDUTY_DEMO_KEY, payload: { summary: "rule pack 14" } };
      expect(await post(change)).toBe(202);
      expect(await post({ ...change, routing_key: ruleset })).toBe(400);
      expect(await post({ ...change, payload: {} })).toBe(400);
      expect(await post({ ...change, payload: { summary: "x".repeat(1025) } })).toBe(400);
      expect(simulator.received()).toEqual([]);
    } finally {
      await simulator.close();
    }
  });

  it("drops what is sent with another routing key than the alert was opened with", async () => {
    const other = "f".repeat(32);
    const { alerts, dropped } = await post([keyed("trigger"), { ...keyed("resolve"), routing_key: other }], {
      routingKeys: [PAGERDUTY_DEMO_KEY, other],
    });
    expect([alerts[0]!.status, dropped]).toEqual(["triggered", 1]);
  });

  it("takes 120 events a minute and key, in a window that slides", async () => {
    let now = 0;
    const simulator = await startPagerdutySimulator({ now: () => now });
    try {
      const { http } = testContext().context;
      const status = async () => (await http.post<unknown>(`${simulator.url}/v2/enqueue`, keyed("trigger"))).status;
      for (let index = 0; index < 120; index++) expect(await status()).toBe(202);
      expect(await status()).toBe(429);
      now = 59_999;
      expect(await status()).toBe(429);
      now = 60_000;
      expect(await status()).toBe(202);
    } finally {
      await simulator.close();
    }
  });
});

describe("pagerduty's configuration", () => {
  const valid = { routingKey: testSecret("x") };
  it("has the documented defaults", () => {
    expect(pagerduty.config.parse(valid)).toMatchObject({ region: "us", minLevel: "high", maxAge: 2 * HOUR, client: "Custodes" });
  });

  it("describes every key", () => {
    const { shape } = pagerduty.config as unknown as { readonly shape: Readonly<Record<string, { readonly description?: string }>> };
    for (const [key, schema] of Object.entries(shape)) expect(schema.description, key).toBeTruthy();
  });

  it.each([
    ["a key in clear text", { routingKey: PAGERDUTY_DEMO_KEY }],
    ["an unknown region", { region: "apac" }],
    ["another host in PagerDuty's place", { endpoint: "https://events.example.com" }],
    ["an age without a unit", { maxAge: "3600" }],
    ["an unknown level", { minLevel: "urgent" }],
    ["a page that is no web address", { incidentUrl: "javascript:alert(1)" }],
    ["an unknown key", { routingkey: "x" }],
  ])("refuses %s", (_, changes) => {
    expect(pagerduty.config.safeParse({ ...valid, ...changes }).success).toBe(false);
  });
});
