/**
 * Which agent does an event belong to, and what does its registry entry say about what it did?
 * Only identities that the record itself carries, and addresses that exactly one agent holds, decide; an event
 * without either stays unattributed. A person behind an agent's address is not the agent: addresses count only
 * for sensors that cannot know identities.
 */
import { ATTRIBUTION, type Category, type EpochMs, type Event } from "../event.ts";
import { isRegisteredIp, type Directory } from "./directory.ts";
import type { AgentProfile, KeyKind } from "./profile.ts";

/** Calls up to this long after an agent was retired are the tail of its last task, not a zombie (mission B09). */
export const RETIREMENT_GRACE_MS = 600_000;
/** Confidence of each way of attribution, 0 to 100. */
export const CONFIDENCE = { direct: 95, registry: 85, observed: 60, shared: 20 } as const;

/** Categories whose sensors see addresses only. */
const BY_ADDRESS: ReadonlySet<Category> = new Set<Category>(["egress", "dns", "process", "file"]);

/** Which field carries which kind of key, strongest first. */
const DIRECT_KEYS: readonly (readonly [KeyKind, keyof Event])[] = [
  ["agent", "agentNative"],
  ["client", "clientUid"],
  ["role", "roleUid"],
  ["serviceAccount", "serviceAccount"],
  ["spiffe", "spiffeId"],
  ["credential", "credentialUid"],
  ["user", "userUid"],
];

/** Sets the attribution and policy fields of an event in place. Pure in the registry: no order matters. */
export function attribute(event: Event, registry: Directory): void {
  const direct = byIdentity(event, registry);
  if (direct !== undefined) {
    settle(event, direct, ATTRIBUTION.direct, CONFIDENCE.direct);
    return;
  }
  if (!BY_ADDRESS.has(event.category) || event.srcIp === undefined) return;
  const holders = registry.byIp(event.srcIp, event.time);
  if (holders.length > 0) settle(event, holders, ATTRIBUTION.registry, CONFIDENCE.registry);
}

/** As `attribute`, of an event that was attributed before, perhaps with another registry: nothing of that remains. */
export function attributeAgain(event: Event, registry: Directory): void {
  event.agentUid = undefined;
  event.agentName = undefined;
  event.agentRole = undefined;
  event.agentState = undefined;
  event.agents = undefined;
  event.attributionId = ATTRIBUTION.none;
  event.attributionConfidence = undefined;
  event.agentPerMinuteMax = undefined;
  event.agentBulkMbMax = undefined;
  event.srcRegistered = undefined;
  event.dstAllowed = undefined;
  event.regionDeclared = undefined;
  event.actionDeclared = undefined;
  event.dataClassAllowed = undefined;
  attribute(event, registry);
}

/** Gives an event to the one agent that was observed at its address; used where the registry knows none. */
export function attributeObserved(event: Event, agents: readonly AgentProfile[]): void {
  settle(event, agents, ATTRIBUTION.observed, CONFIDENCE.observed);
}

function byIdentity(event: Event, registry: Directory): readonly AgentProfile[] | undefined {
  for (const [kind, field] of DIRECT_KEYS) {
    const value = event[field];
    if (typeof value !== "string" || value === "") continue;
    const found = registry.byKey(kind, value, event.time);
    if (found.length > 0) return found;
  }
  if (event.podUid === undefined) return undefined;
  const found = registry.byPod(event.podUid);
  return found.length > 0 ? found : undefined;
}

function settle(event: Event, agents: readonly AgentProfile[], attributionId: number, confidence: number): void {
  const [agent] = agents;
  if (agent === undefined) return;
  if (agents.length > 1) {
    event.attributionId = ATTRIBUTION.shared;
    event.attributionConfidence = CONFIDENCE.shared;
    event.agents = agents.map((one) => one.id).sort();
    return;
  }
  event.attributionId = attributionId;
  event.attributionConfidence = confidence;
  event.agentUid = agent.id;
  event.agentName = agent.name;
  event.agentRole = agent.role;
  event.agentState = stateAt(agent, event.time);
  event.agentPerMinuteMax = perMinuteMaxAt(agent, event.time);
  event.agentBulkMbMax = agent.bulkMbMax;
  applyPolicy(event, agent);
}

/** Compares what was done with what the registry declares; a field that the registry does not declare stays undefined. */
export function applyPolicy(event: Event, agent: AgentProfile): void {
  if (event.srcIp !== undefined) event.srcRegistered = isRegisteredIp(agent, event.srcIp, event.time);
  if (event.dstHost !== undefined && event.category === "egress") event.dstAllowed = isAllowedHost(agent, event.dstHost);
  if (event.region !== undefined && agent.regions !== undefined) event.regionDeclared = agent.regions.includes(event.region);
  if (event.isChange === true && event.infraAction !== undefined && agent.infraVerbs !== undefined) {
    event.actionDeclared = agent.infraVerbs.includes(event.infraAction);
  }
  if (event.dataClasses !== undefined && agent.dataClasses !== undefined) {
    const declared = agent.dataClasses;
    event.dataClassAllowed = event.dataClasses.every((name) => name === "public" || name === "admin" || declared.includes(name));
  }
}

/** Whether the registry lets the agent talk to a host; undefined when it declares no hosts. Block beats allow, except a block of `*`. */
export function isAllowedHost(agent: AgentProfile, host: string): boolean | undefined {
  if (agent.blockedHosts.some((pattern) => pattern !== "*" && matchesHost(pattern, host))) return false;
  if (agent.allowedHosts?.some((pattern) => matchesHost(pattern, host)) === true) return true;
  return agent.allowedHosts === undefined && !agent.blockedHosts.includes("*") ? undefined : false;
}

function matchesHost(pattern: string, host: string): boolean {
  if (pattern === "*") return true;
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}

function stateAt(agent: AgentProfile, time: EpochMs): string {
  if (agent.retiredTime !== undefined && time > agent.retiredTime) {
    return time > agent.retiredTime + RETIREMENT_GRACE_MS ? "retired" : "grace";
  }
  return agent.createdTime !== undefined && time < agent.createdTime ? "future" : "active";
}

function perMinuteMaxAt(agent: AgentProfile, time: EpochMs): number | undefined {
  let max = agent.perMinuteMax;
  for (const exception of agent.volumeExceptions) {
    if (time >= exception.from && time < exception.to) max = Math.max(max ?? 0, exception.perMinuteMax);
  }
  return max;
}
