import { z } from "zod";
import type { AgentProfile, RateLimit } from "../core/identity/profile.ts";

/** Milliseconds of the units that a rate limit may name. */
const RATE_UNITS: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const MINUTE_MS = 60_000;

/** `1000_requests_per_hour`. */
const rateLimit = z.string().transform((text, context): RateLimit => {
  const match = /^(\d{1,12})_requests_per_(second|minute|hour|day)$/.exec(text);
  const requests = Number(match?.[1]);
  const perMs = RATE_UNITS[match?.[2] ?? ""];
  if (perMs !== undefined && requests > 0) return { requests, perMs };
  context.addIssue({ code: "custom", message: `"${text}" is no rate limit; write it as 1000_requests_per_hour` });
  return z.NEVER;
});

const apiKeys = z.strictObject({
  rotation_days: z.number().int().positive().optional().describe("Keys are exchanged after so many days"),
  scope: z.array(z.string()).optional().describe("Scopes that its keys should have"),
  rate_limit: rateLimit.optional().describe("e.g. 1000_requests_per_hour"),
});
const externalCalls = z.strictObject({
  allowed_domains: z.array(z.string()).optional(),
  blocked_domains: z.array(z.string()).optional().describe("A name beats allowed_domains, a bare * does not"),
});
const monitoring = z.strictObject({ alert_on_anomaly: z.boolean().optional(), track_token_usage: z.boolean().optional() });
const security = z.strictObject({ api_keys: apiKeys.optional() });
const agentConfig = z.strictObject({
  name: z.string().min(1).describe("Name and id of the agent; its own agent id in every source"),
  security: security.optional(),
  external_calls: externalCalls.optional(),
  monitoring: monitoring.optional(),
});

/** A file that holds the policy of one agent: what it may call, and with what. */
export const agentConfigSchema = z.strictObject({ agent_config: agentConfig });

/** Every key of such a file, for suggestions. */
export const agentConfigFields: readonly string[] = [agentConfigSchema, agentConfig, security, apiKeys, externalCalls, monitoring].flatMap(
  (one) => Object.keys(one.shape),
);

/** The agent as the registry knows it: the name is its id, and what sources call it. */
export function agentConfigProfile({ agent_config: given }: z.output<typeof agentConfigSchema>): AgentProfile {
  const keys = given.security?.api_keys;
  const hosts = given.external_calls;
  const limit = keys?.rate_limit;
  return {
    id: given.name,
    name: given.name,
    owner: undefined,
    contacts: undefined,
    team: undefined,
    role: undefined,
    purpose: undefined,
    parent: undefined,
    runbook: undefined,
    dataClasses: undefined,
    scopes: keys?.scope,
    allowedHosts: hosts?.allowed_domains?.map((host) => host.toLowerCase()),
    blockedHosts: hosts?.blocked_domains?.map((host) => host.toLowerCase()) ?? [],
    regions: undefined,
    infraVerbs: undefined,
    approval: undefined,
    // A limit per hour allows all of its calls within one minute: it declares no volume per minute.
    perMinuteMax: limit !== undefined && limit.perMs <= MINUTE_MS ? limit.requests * (MINUTE_MS / limit.perMs) : undefined,
    perDay: undefined,
    rateLimit: limit,
    volumeExceptions: [],
    bulkMbMax: undefined,
    createdTime: undefined,
    retiredTime: undefined,
    taskTtlMs: undefined,
    rotationDays: keys?.rotation_days,
    monitoring:
      given.monitoring === undefined
        ? undefined
        : { alertOnAnomaly: given.monitoring.alert_on_anomaly, trackTokenUsage: given.monitoring.track_token_usage },
    keys: [{ kind: "agent", value: given.name, from: -Infinity, to: Infinity }],
    pods: [],
    sharedIps: [],
  };
}
