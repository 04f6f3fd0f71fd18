import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseRegistry } from "../../src/config/registry.ts";
import { isAllowedHost } from "../../src/core/identity/attribute.ts";

const TEXT = `agent_config:
  name: "billing_bot"
  security:
    api_keys:
      rotation_days: 14
      scope: ["invoices"]
      rate_limit: "250_requests_per_minute"
  external_calls:
    allowed_domains: [API.pay.example]
    blocked_domains: ["*"]
  monitoring:
    alert_on_anomaly: true
    track_token_usage: false
`;
const read = (text: string) => parseRegistry("bot.yaml", text);
const problems = (text: string) => read(text).problems.map(({ line, key, message }) => `${line} ${key}: ${message}`);

test("a file with the policy of one agent is a registry of that agent", () => {
  const { agents, lines, problems: none } = read(TEXT);
  expect(none).toEqual([]);
  expect(lines).toEqual([2]);
  expect(agents).toHaveLength(1);
  expect(agents[0]).toMatchObject({
    id: "billing_bot",
    name: "billing_bot",
    scopes: ["invoices"],
    rotationDays: 14,
    rateLimit: { requests: 250, perMs: 60_000 },
    perMinuteMax: 250,
    allowedHosts: ["api.pay.example"],
    blockedHosts: ["*"],
    monitoring: { alertOnAnomaly: true, trackTokenUsage: false },
    keys: [{ kind: "agent", value: "billing_bot" }],
  });
});

test("an allowed domain beats the block of everything, and nothing else does", () => {
  const [agent] = read(TEXT).agents;
  expect(isAllowedHost(agent!, "api.pay.example")).toBe(true);
  expect(isAllowedHost(agent!, "paste.example")).toBe(false);
});

test.each([
  ["2_requests_per_second", { requests: 2, perMs: 1000 }, 120],
  ["1000_requests_per_hour", { requests: 1000, perMs: 3_600_000 }, undefined],
  ["5_requests_per_day", { requests: 5, perMs: 86_400_000 }, undefined],
])("the rate limit %s", (text, rateLimit, perMinuteMax) => {
  expect(read(TEXT.replace("250_requests_per_minute", text)).agents[0]).toMatchObject({ rateLimit, perMinuteMax });
});

test("what is wrong in it is told with its line", () => {
  expect(problems(TEXT.replace("250_requests_per_minute", "fast"))).toEqual([expect.stringMatching(/^7 .*rate_limit: "fast" is no rate/)]);
  expect(problems(TEXT.replace("250_r", "0_r"))).toEqual([expect.stringMatching(/^7 /)]);
  expect(problems(TEXT.replace("rotation_days", "rotation_day"))).toEqual([
    expect.stringMatching(/^5 .*unknown key; did you mean "rotation_days"\?/),
  ]);
  expect(problems(TEXT.replace(/ {2}name.*\n/, ""))).toEqual([expect.stringMatching(/agent_config\.name: is required/)]);
  expect(problems("agent_config: null")).toHaveLength(1);
  expect(problems(`${TEXT}version: 1\nagents: []\n`)).toHaveLength(2);
});

const SEEDS = join(import.meta.dirname, "../../../shared/seeds");
// The document that this form comes from is not part of the repository.
test.skipIf(!existsSync(SEEDS) && process.env["CI"] !== "true")("the published example loads as it is", () => {
  const name = readdirSync(SEEDS).find((one) => one.startsWith("001"));
  const [, block = ""] = /^(agent_config:\n(?: .*\n)+)/m.exec(readFileSync(join(SEEDS, name!), "utf8")) ?? [];
  const { agents, problems: none } = read(block);
  expect(none).toEqual([]);
  expect(agents[0]).toMatchObject({
    id: "customer_support_bot",
    scopes: ["customer_data", "knowledge_base"],
    rateLimit: { requests: 1000, perMs: 3_600_000 },
    rotationDays: 30,
    allowedHosts: ["api.ourservice.com", "knowledge.ourservice.com"],
    monitoring: { alertOnAnomaly: true, trackTokenUsage: true },
  });
});
