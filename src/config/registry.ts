import { z } from "zod";
import { asObject, parseTime } from "../core/record.ts";
import { isTimezone } from "../core/completeness/active-hours.ts";
import type { AgentProfile, IdentityKey, KeyKind } from "../core/identity/profile.ts";
import { agentConfigFields, agentConfigProfile, agentConfigSchema } from "./agent-config.ts";
import { schemaProblems } from "./issues.ts";
import { activeHours, hours } from "./hours.ts";
import { clusterName } from "../archetypes/cluster.ts";
import { duration } from "../archetypes/settings.ts";
import { parseYamlFile, type Problem, type YamlFile } from "./yaml.ts";

const DAY_MS = 86_400_000;
const time = z
  .union([z.string(), z.number()])
  .nullable()
  .transform((value, context) => {
    if (value === null) return undefined;
    const parsed = parseTime(value) ?? (typeof value === "string" ? parseTime(`${value}T00:00:00Z`) : undefined);
    if (parsed === undefined) context.addIssue({ code: "custom", message: `"${value}" is not a time; write it as 2026-03-31T00:00:00Z` });
    return parsed;
  });
const ONE_DAY = /^\d{4}-\d\d-\d\d$/;
/** A day given as the end of an interval includes that day; a moment given as the end does not. */
const end = z
  .union([z.string(), z.number()])
  .nullable()
  .transform((value, context) => {
    const parsed = time.safeParse(value);
    if (parsed.success) return typeof value === "string" && ONE_DAY.test(value) ? (parsed.data ?? 0) + DAY_MS : parsed.data;
    for (const issue of parsed.error.issues) context.addIssue({ code: "custom", message: issue.message });
    return z.NEVER;
  });
const texts = z.array(z.string());
const interval = { from: time.optional(), to: time.optional() };
const timedKey = z.union([z.string(), z.looseObject({ id: z.string(), ...interval, cluster: clusterName.optional() })]);
/** What every cluster gives out for itself: elsewhere the name of one would say nothing. */
const OF_CLUSTER: ReadonlySet<KeyKind> = new Set<KeyKind>(["serviceAccount", "spiffe"]);

/** Which keys under `identities` name which kind of identity. Lists and `{id, from, to}` objects are accepted for each. */
const IDENTITY_KINDS: Readonly<Record<string, KeyKind | readonly KeyKind[]>> = {
  kong_custom_id: "agent",
  cp_security_agent_id: "agent",
  otel_agent_id: "agent",
  agent_ids: "agent",
  kong_consumer_id: "client",
  okta_client_id: "client",
  oauth_client_ids: "client",
  entra_app_ids: "client",
  // Entra names it as who signs in, and other logs as the client of a call.
  service_principals: ["client", "user"],
  managed_identities: "client",
  okta_service_user: "user",
  user_ids: "user",
  vault_entities: "user",
  kong_credentials: "credential",
  credentials: "credential",
  aws_role_session_arn: "role",
  aws_iam_user_arn: "role",
  role_arns: "role",
  k8s_service_account: "serviceAccount",
  service_accounts: "serviceAccount",
  spiffe_id: "spiffe",
  spiffe_ids: "spiffe",
};

const identities = z
  .strictObject({
    ...Object.fromEntries(Object.keys(IDENTITY_KINDS).map((name) => [name, z.union([timedKey, z.array(timedKey)]).nullish()])),
    egress: z.string().nullish(),
    nat_public_ips: texts.nullish(),
    nat_private_ips: texts.nullish(),
  })
  .superRefine((given, context) => {
    for (const [name, kinds] of Object.entries(IDENTITY_KINDS)) {
      const isNamed = [(given as Record<string, unknown>)[name]].flat().some((one) => asObject(one)?.["cluster"] !== undefined);
      if (!isNamed || [kinds].flat().some((kind) => OF_CLUSTER.has(kind))) continue;
      context.addIssue({ code: "custom", path: [name], message: `is the same in every cluster: leave "cluster" out` });
    }
  })
  .describe("What other systems call this agent");

/** `from` and `until` are other words for `created_at` and `retired_at`. */
const lifecycleFields = {
  created_at: time.optional(),
  from: time.optional(),
  retired_at: time.optional(),
  until: time.optional(),
  task_ttl: duration.nullish().describe("One task lasts no longer, e.g. 30m"),
};
const lifecycle = z.strictObject(lifecycleFields).superRefine((given, context) => {
  for (const [one, other] of [
    ["created_at", "from"],
    ["retired_at", "until"],
  ] as const) {
    if (given[one] === undefined || given[other] === undefined) continue;
    context.addIssue({ code: "custom", path: [other], message: `says the same as "${one}"; keep one of them` });
  }
});

const agentSchema = z.strictObject({
  id: z.string().min(1).describe("Stable id; alerts and incidents name the agent by it"),
  name: z.string().optional(),
  owner: z.string().nullish(),
  contacts: texts.nullish().describe("Whom to reach about it beside the owner"),
  team: z.string().nullish(),
  tenant: z.string().nullish(),
  role: z.string().nullish(),
  purpose: z.string().nullish(),
  parent: z.string().nullish().describe("Id of the agent that spawns this one"),
  runbook: z.string().nullish(),
  data_classes: texts.nullish(),
  scopes: texts.nullish(),
  allowed_hosts: texts.nullish().describe("Hosts it may talk to; *.example.com covers every name below"),
  blocked_hosts: texts.nullish(),
  regions: texts.nullish(),
  schedule: hours.nullish(),
  timezone: z.string().refine(isTimezone, "is not a time zone; write it as Europe/Berlin").nullish(),
  heartbeat: duration.nullish().describe("While it is scheduled to run it is heard of at least this often; silence raises an alert"),
  approval: texts.nullish().describe("Actions that need an approval: tool, operation or infrastructure change; * stands for any text"),
  infra_verbs: texts.nullish().describe("Infrastructure changes that it may make, e.g. k8s:create:deployments"),
  expected_volume: z
    .looseObject({
      per_day: z.number().optional(),
      per_minute_max: z.number().positive().optional(),
      bulk_mb_per_10m: z.number().positive().optional(),
      calendar: z.array(z.strictObject({ from: time, to: end, per_minute_max: z.number().positive() })).optional(),
    })
    .nullish(),
  lifecycle: lifecycle.nullish(),
  identities: identities.nullish(),
  pods: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        uid: z.string().optional(),
        ip: z.string(),
        cluster: clusterName.optional(),
        ...interval,
      }),
    )
    .nullish(),
});
/** Schema of the agent registry file (`agents.yaml`). */
export const registrySchema = z.strictObject({ version: z.literal(1), agents: z.array(agentSchema) });

/** A fleet of ten thousand agents is about 15 MB; what is larger is some other file. */
export const REGISTRY_BYTES_MAX = 16_777_216;

/** What a registry file says, or what is wrong with it. */
export interface ParsedRegistry {
  readonly agents: readonly AgentProfile[];
  /** Where each agent's id stands, 1-based. */
  readonly lines: readonly number[];
  readonly problems: readonly Problem[];
}

/** Reads an agent registry; all problems at once, and no agents when there is one. */
export function parseRegistry(file: string, source: string): ParsedRegistry {
  if (source.length > REGISTRY_BYTES_MAX) {
    const message = `the agent registry ${file} is larger than ${REGISTRY_BYTES_MAX} bytes: is it one?`;
    return { agents: [], lines: [], problems: [{ file, line: 0, key: "", message }] };
  }
  const yaml = parseYamlFile(file, source);
  if (yaml.problems.length > 0) return { agents: [], lines: [], problems: yaml.problems };
  if (asObject(yaml.value)?.["agent_config"] !== undefined) return parseAgentConfig(file, yaml);
  const parsed = registrySchema.safeParse(yaml.value);
  const problems = duplicateIds(file, yaml);
  if (!parsed.success) {
    const known = [...Object.keys(agentSchema.shape), ...Object.keys(IDENTITY_KINDS), ...Object.keys(lifecycleFields)];
    problems.push(...schemaProblems(file, yaml, parsed.error.issues, [], known));
  }
  return problems.length > 0 || !parsed.success ? { agents: [], lines: [], problems } : profilesOf(yaml, parsed.data.agents);
}

function profilesOf(yaml: YamlFile, given: readonly z.output<typeof agentSchema>[]): ParsedRegistry {
  return { agents: given.map(toProfile), lines: given.map((_, index) => yaml.lineOf(["agents", index, "id"])), problems: [] };
}

/** The other form of a file: the policy of one agent. */
function parseAgentConfig(file: string, yaml: YamlFile): ParsedRegistry {
  const parsed = agentConfigSchema.safeParse(yaml.value);
  if (!parsed.success) return { agents: [], lines: [], problems: schemaProblems(file, yaml, parsed.error.issues, [], agentConfigFields) };
  const lines = [yaml.lineOf(["agent_config", "name"])];
  return { agents: [agentConfigProfile(parsed.data)], lines, problems: [] };
}

/** Looks at the raw ids, so that another problem does not hide a duplicate. */
function duplicateIds(file: string, yaml: YamlFile): Problem[] {
  const agents = asObject(yaml.value)?.["agents"];
  const problems: Problem[] = [];
  const seen = new Set<unknown>();
  for (const [index, agent] of (Array.isArray(agents) ? agents : []).entries()) {
    const id = asObject(agent)?.["id"];
    if (typeof id !== "string") continue;
    const path = ["agents", index, "id"];
    const message = `the agent id "${id}" is used twice; give each agent its own`;
    if (seen.has(id)) problems.push({ file, line: yaml.lineOf(path), key: path.join("."), message });
    seen.add(id);
  }
  return problems;
}

function toProfile(agent: z.output<typeof agentSchema>): AgentProfile {
  const volume = agent.expected_volume;
  return {
    id: agent.id,
    name: agent.name ?? agent.id,
    owner: agent.owner ?? undefined,
    contacts: agent.contacts ?? undefined,
    team: agent.team ?? undefined,
    tenant: agent.tenant ?? undefined,
    role: agent.role ?? undefined,
    purpose: agent.purpose ?? undefined,
    parent: agent.parent ?? undefined,
    runbook: agent.runbook ?? undefined,
    dataClasses: agent.data_classes ?? undefined,
    scopes: agent.scopes ?? undefined,
    allowedHosts: agent.allowed_hosts?.map((host) => host.toLowerCase()),
    blockedHosts: agent.blocked_hosts?.map((host) => host.toLowerCase()) ?? [],
    regions: agent.regions ?? undefined,
    infraVerbs: agent.infra_verbs ?? undefined,
    approval: agent.approval ?? undefined,
    perMinuteMax: volume?.per_minute_max,
    perDay: volume?.per_day,
    rateLimit: undefined,
    volumeExceptions: (volume?.calendar ?? []).map((entry) => ({
      from: entry.from ?? -Infinity,
      to: entry.to ?? Infinity,
      perMinuteMax: entry.per_minute_max,
    })),
    bulkMbMax: volume?.bulk_mb_per_10m,
    createdTime: agent.lifecycle?.created_at ?? agent.lifecycle?.from,
    retiredTime: agent.lifecycle?.retired_at ?? agent.lifecycle?.until,
    taskTtlMs: agent.lifecycle?.task_ttl ?? undefined,
    rotationDays: undefined,
    monitoring: undefined,
    heartbeatMs: agent.heartbeat ?? undefined,
    activeHours: activeHours(agent.schedule ?? undefined, agent.timezone ?? undefined),
    keys: identityKeys(agent.identities ?? {}),
    pods: (agent.pods ?? []).map((pod) => ({
      name: pod.name,
      uid: pod.uid,
      ip: pod.ip,
      ...(pod.cluster === undefined ? {} : { cluster: pod.cluster }),
      from: pod.from ?? -Infinity,
      to: pod.to ?? Infinity,
    })),
    sharedIps: [...(agent.identities?.nat_public_ips ?? []), ...(agent.identities?.nat_private_ips ?? [])],
  };
}

function identityKeys(given: z.output<typeof identities> | Record<string, never>): IdentityKey[] {
  const keys: IdentityKey[] = [];
  for (const [name, kinds] of Object.entries(IDENTITY_KINDS)) {
    const value = (given as Record<string, z.output<typeof timedKey> | z.output<typeof timedKey>[] | null | undefined>)[name];
    for (const one of Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]) {
      const { id, from, to, cluster } = typeof one === "string" ? { id: one } : one;
      const where = cluster === undefined ? {} : { cluster };
      for (const kind of [kinds].flat()) keys.push({ kind, value: id, ...where, from: from ?? -Infinity, to: to ?? Infinity });
    }
  }
  return keys;
}
