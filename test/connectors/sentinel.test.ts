import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import { SENTINEL_DEMO, startSentinelSimulator, type SentinelSimulatorOptions } from "../../src/simulators/sentinel.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject, STORY_TIME } from "../fixtures/subjects.ts";

const NAME = "sentinel/soc";

const contracts = resolve(import.meta.dirname, "../../../shared/contracts/data/derived");
const contractsPresent = existsSync(contracts);
if (!contractsPresent && process.env["CI"] === "true") throw new Error("../shared/contracts/data is missing");

/** Whether a body is what Microsoft's swagger says. */
function fits(schema: string, body: unknown): boolean {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  return ajv.validate(JSON.parse(readFileSync(resolve(contracts, `${schema}.schema.json`), "utf8")) as object, body);
}

describe("sentinel's simulator and check", () => {
  const settings = { tenantId: SENTINEL_DEMO.tenantId, clientId: SENTINEL_DEMO.clientId, dcrImmutableId: SENTINEL_DEMO.dcrImmutableId };
  async function checked(options: SentinelSimulatorOptions, changes: Readonly<Record<string, unknown>> = {}) {
    const simulator = await startSentinelSimulator(options);
    try {
      const { url: endpoint, authority } = simulator;
      const clientSecret = testSecret(SENTINEL_DEMO.clientSecret);
      const config = sentinel.config.parse({ ...settings, endpoint, authority, clientSecret, ...changes });
      const checks = await sentinel.check(config, testContext({ now: Date.now() }).context);
      expect(simulator.received()).toEqual([]);
      for (const one of checks) if (!one.ok) expect(one.fix, one.name).toBeTruthy();
      return checks.map((one) => `${one.name} ${one.ok ? "ok" : "failed"}`);
    } finally {
      await simulator.close();
    }
  }

  it("loses nothing of any subject", async () => {
    const simulator = await startSentinelSimulator({ now: () => STORY_TIME + 600_000 });
    try {
      const { url: endpoint, authority } = simulator;
      const config = sentinel.config.parse({ ...settings, endpoint, authority, clientSecret: testSecret(SENTINEL_DEMO.clientSecret) });
      const destination = sentinel.destination!(config);
      const all = [alertSubject(), incidentSubject(), hugeIncident(), hostileAlert(), hostileIncident()];
      const batch = all.map((subject) => destination.render(delivery(subject, NAME)));
      expect((await destination.send(batch, testContext().context)).every((outcome) => outcome.status === "delivered")).toBe(true);
      expect(simulator.losses()).toEqual([]);
      if (contractsPresent) expect(fits("logs-ingestion-body", JSON.parse(`[${batch.map((one) => one.body).join(",")}]`))).toBe(true);
      expect(simulator.received()).toEqual(batch.map((one) => JSON.parse(one.body) as unknown));
    } finally {
      await simulator.close();
    }
  });

  it("tells a wrong secret, a wrong rule, a wrong stream and a missing role apart, without sending a row", async () => {
    expect(await checked({})).toEqual(["token ok", "endpoint ok", "rule ok", "events ok"]);
    expect(await checked({ clientSecret: "other" })).toEqual(["token failed"]);
    expect(await checked({}, { dcrImmutableId: `dcr-${"f".repeat(32)}` })).toEqual(["token ok", "endpoint ok", "rule failed"]);
    expect(await checked({}, { stream: "Custom-Other" })).toEqual(["token ok", "endpoint ok", "rule failed"]);
    expect(await checked({ roleFrom: Infinity })).toEqual(["token ok", "endpoint ok", "rule failed"]);
    expect(await checked({ audience: "https://monitor.azure.us" })).toEqual(["token ok", "endpoint ok", "rule failed"]);
    expect(await checked({}, { endpoint: "http://127.0.0.1:1" })).toEqual(["token ok", "endpoint failed"]);
    expect(await checked({}, { authority: "http://127.0.0.1:1" })).toEqual(["token failed"]);
  });

  it.each([
    ["without a token", { authorization: undefined }, 401, "InvalidAuthenticationToken"],
    ["without api-version", { query: "" }, 400, "MissingApiVersionParameter"],
    ["with an unknown api-version", { query: "?api-version=2099-01-01" }, 400, "InvalidApiVersion"],
    ["as text", { type: "text/plain" }, 400, "InvalidContentType"],
    ["as one object", { body: "{}" }, 400, "InvalidRequestContent"],
    ["as an array of texts", { body: '["a"]' }, 400, "InvalidRequestContent"],
    ["as broken JSON", { body: "[{]" }, 400, "InvalidRequestContent"],
    ["to a stream without prefix", { stream: "ASimAlertEventLogs" }, 400, "InvalidStream"],
    ["to an undeclared stream", { stream: "Custom-Nope" }, 404, "NotFound"],
    ["larger than a call may be", { body: `[{"EventMessage":"${"x".repeat(1_000_000)}"}]` }, 413, "ContentLengthLimitExceeded"],
    ["well formed", {}, 204, null],
    ["with an encoded query key", { query: "?api%2Dversion=2023-01-01" }, 204, null],
  ])("answers a body sent %s as documented", async (_, changes: Partial<Record<string, string | undefined>>, status, code) => {
    const simulator = await startSentinelSimulator();
    try {
      const form = { client_id: settings.clientId, client_secret: SENTINEL_DEMO.clientSecret, grant_type: "client_credentials" };
      const http = testContext().context.http;
      const token = await http.post<string>(
        `${simulator.authority}/${settings.tenantId}/oauth2/v2.0/token`,
        new URLSearchParams({ ...form, scope: "https://monitor.azure.com/.default" }),
      );
      const authorization =
        "authorization" in changes ? undefined : `Bearer ${(JSON.parse(token.data) as { access_token: string }).access_token}`;
      const path = `/dataCollectionRules/${settings.dcrImmutableId}/streams/${changes["stream"] ?? SENTINEL_DEMO.stream}`;
      const answer = await http.request<unknown>({
        method: "POST",
        url: `${simulator.url}${path}${changes["query"] ?? "?api-version=2023-01-01"}`,
        headers: { "content-type": changes["type"] ?? "application/json", ...(authorization === undefined ? {} : { authorization }) },
        data: changes["body"] ?? '[{"TimeGenerated":"2026-08-22T09:14:03.512Z"}]',
        transformRequest: [(data: unknown) => data],
      });
      expect(answer.status).toBe(status);
      if (contractsPresent && status >= 400) expect(fits("logs-ingestion-error", JSON.parse(String(answer.data)))).toBe(true);
      expect(answer.headers["x-ms-error-code"] ?? null).toBe(code);
    } finally {
      await simulator.close();
    }
  });
});

describe("sentinel's configuration", () => {
  const valid = {
    tenantId: "contoso.onmicrosoft.com",
    clientId: SENTINEL_DEMO.clientId,
    clientSecret: testSecret("x"),
    endpoint: "https://acme-ab12.westeurope-1.ingest.monitor.azure.com",
    dcrImmutableId: SENTINEL_DEMO.dcrImmutableId,
  };
  it("has the documented defaults", () => {
    expect(sentinel.config.parse(valid)).toMatchObject({
      stream: "Custom-ASimAlertEventLogs",
      cloud: "public",
      freshRoleGraceMs: 1_800_000,
    });
  });

  it("describes every key", () => {
    const { shape } = sentinel.config as unknown as { readonly shape: Readonly<Record<string, { readonly description?: string }>> };
    for (const [key, schema] of Object.entries(shape)) expect(schema.description, key).toBeTruthy();
  });

  it.each([
    ["a secret in clear text", { clientSecret: "hunter2" }],
    ["a foreign host", { endpoint: "https://ingest.monitor.azure.com.evil.example" }],
    ["a host that only ends alike", { endpoint: "https://evilingest.monitor.azure.com" }],
    ["plain HTTP to another machine", { endpoint: "http://acme.westeurope-1.ingest.monitor.azure.com" }],
    ["an address with a path", { endpoint: `${valid.endpoint}/x` }],
    ["an address with a user", { endpoint: "https://u:p@acme.westeurope-1.ingest.monitor.azure.com" }],
    ["a foreign authority", { authority: "https://login.example.com" }],
    ["the rule's resource name", { dcrImmutableId: "my-rule" }],
    ["a stream without prefix", { stream: "ASimAlertEventLogs" }],
    ["a stream with a path", { stream: "Custom-x/../y" }],
    ["a tenant with a path", { tenantId: "a/../b" }],
    ["an unknown key", { endpiont: "x" }],
    ["no credential", { clientSecret: undefined }],
    ["two credentials", { managedIdentity: true }],
    ["a secret without a client", { clientId: undefined }],
    ["a secret without a tenant", { tenantId: undefined }],
    ["an endpoint of another cloud", { cloud: "usgov" }],
    ["incidents without a workspace", { incidents: "api" }],
    [
      "a workspace with a path in its name",
      { workspace: { subscriptionId: SENTINEL_DEMO.clientId, resourceGroup: "a/b", name: "soc-ws" } },
    ],
  ])("refuses %s", (_, changes) => {
    expect(sentinel.config.safeParse({ ...valid, ...changes }).success).toBe(false);
  });
});
