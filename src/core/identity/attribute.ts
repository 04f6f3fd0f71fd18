/**
 * Which agent does an event belong to, and what does its registry entry say about what it did?
 * Only identities that the record itself carries, and addresses that exactly one agent holds, decide; an event
 * without either stays unattributed. A person behind an agent's address is not the agent: addresses count only
 * for sensors that cannot know identities.
 */
import { ATTRIBUTION, type EpochMs, type Event } from "../event.ts";
import { foundByItself, type Attribution } from "./attribution.ts";
import { isRegisteredIp, type Directory } from "./directory.ts";
import { BY_ADDRESS, isNoAgent } from "./keys.ts";
import type { AgentProfile, KeyKind } from "./profile.ts";
import type { Found } from "./resolve.ts";
import { sessionOf } from "./sessions.ts";

/** Calls up to this long after an agent was retired are the tail of its last task, not a zombie (mission B09). */
export const RETIREMENT_GRACE_MS = 600_000;
/** Confidence of what the registry decides, and of what is shared, 0 to 100; that of bindings follows their path (resolve.ts). */
export const CONFIDENCE = { direct: 95, registry: 85, shared: 20 } as const;

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
  // Who asked for its key may be told later.
  if (sessionOf(event) !== undefined && registry.byKey("role", event.roleUid!, event.time).length > 0) return;
  if (event.links !== undefined) {
    const found = foundByItself(event, registry);
    // Several candidates are left to the bindings of others, which may say more.
    if (found.length === 1) {
      attributeFound(event, found);
      return;
    }
  }
  if (!BY_ADDRESS.has(event.category) || event.srcIp === undefined) return;
  const holders = registry.byIp(event.srcIp, event.time, event.cluster);
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

/** Gives an event to the agent that bindings lead to; to all of them when they lead to several. */
export function attributeFound(event: Event, found: readonly Found[]): void {
  const agents = found.map(({ agent }) => agent);
  const [first] = found;
  if (first === undefined) return;
  // What only waited to see whether anything speaks against it.
  const isDirect = first.path.length === 1 && first.path[0]?.by === "registry" && first.confidence === CONFIDENCE.direct;
  const attributionId = first.doubtful === true ? ATTRIBUTION.shared : isDirect ? ATTRIBUTION.direct : ATTRIBUTION.observed;
  settle(event, agents, attributionId, first.confidence);
}

/** Gives an event that was read back from the log to whom it was given behind the watermark. */
export function attributeStored(event: Event, rows: readonly Attribution[], registry: Directory): void {
  const [first] = rows;
  if (first === undefined || event.attributionId !== ATTRIBUTION.none) return;
  const agents = rows.map(({ agentUid }) => registry.byId(agentUid)).filter((agent) => agent !== undefined);
  // An agent that has left the registry since is still the one.
  if (agents.length === rows.length) settle(event, agents, first.attributionId, first.confidence);
  else if (rows.length === 1 && first.attributionId !== ATTRIBUTION.shared) event.agentUid = first.agentUid;
  else event.agents = rows.map(({ agentUid }) => agentUid).sort();
  event.attributionId = first.attributionId;
  event.attributionConfidence = first.confidence;
}

/** The first key of the event that the registry knows, and whose it is. */
export function directKey(event: Event, registry: Directory): DirectKey | undefined {
  for (const [kind, field] of DIRECT_KEYS) {
    const value = event[field];
    if (typeof value !== "string" || value === "" || !tellsWhoActs(kind, event)) continue;
    const agents = registry.byKey(kind, value, event.time, event.cluster);
    if (agents.length > 0) return { kind, value, agents };
  }
  return undefined;
}

/** A key as the record has it, with the agents of the registry that held it. */
export interface DirectKey {
  readonly kind: KeyKind;
  readonly value: string;
  readonly agents: readonly AgentProfile[];
}

/**
 * A person who signs in through an agent's client is not the agent; and the user of a call is whom it was made for,
 * once the record names the caller besides: the caller says it himself. Nor is a session's name, which its taker chose, the taker.
 */
function tellsWhoActs(kind: KeyKind, event: Event): boolean {
  if (kind === "role" && sessionOf(event) !== undefined) return false;
  const isCall = event.category === "agent_api";
  if (kind === "client") return isCall || !isNoAgent(event);
  return kind !== "user" || !isCall || !isNamed(event);
}

function isNamed({ agentNative, clientUid, credentialUid }: Event): boolean {
  return [agentNative, clientUid, credentialUid].some((name) => name !== undefined && name !== "");
}

function byIdentity(event: Event, registry: Directory): readonly AgentProfile[] | undefined {
  const direct = directKey(event, registry);
  if (direct?.kind === "agent" && event.serviceAccount !== undefined) {
    // A name that an agent gives itself, in a workload of another: one of them it was.
    const others = registry.byKey("serviceAccount", event.serviceAccount, event.time, event.cluster);
    if (others.length > 0 && !others.some((one) => direct.agents.includes(one))) return [...direct.agents, ...others];
  }
  if (direct !== undefined) return direct.agents;
  if (event.podUid === undefined) return undefined;
  const found = registry.byPod(event.podUid, event.cluster);
  return found.length > 0 ? found : undefined;
}

function settle(event: Event, agents: readonly AgentProfile[], attributionId: number, confidence: number): void {
  const [agent] = agents;
  if (agent === undefined) return;
  if (agents.length > 1 || attributionId === ATTRIBUTION.shared) {
    event.attributionId = ATTRIBUTION.shared;
    event.attributionConfidence = CONFIDENCE.shared;
    event.agents = agents.map((one) => one.id).sort();
    applyAgreed(event, agents);
    return;
  }
  event.attributionId = attributionId;
  event.attributionConfidence = confidence;
  event.agentUid = agent.id;
  event.agentName = agent.name;
  applyProfile(event, agent);
}

function applyProfile(event: Event, agent: AgentProfile): void {
  event.agentRole = agent.role;
  event.agentState = stateAt(agent, event.time);
  event.agentPerMinuteMax = perMinuteMaxAt(agent, event.time);
  event.agentBulkMbMax = agent.bulkMbMax;
  applyPolicy(event, agent);
}

/** What the registry decides about an event with an agent. */
const VERDICTS = [
  ...(["agentRole", "agentState", "agentPerMinuteMax", "agentBulkMbMax", "srcRegistered"] as const),
  ...(["dstAllowed", "regionDeclared", "actionDeclared", "dataClassAllowed"] as const),
];

/** Sets what would be the same whichever of the candidates it was, and nothing else. */
export function applyAgreed(event: Event, agents: readonly AgentProfile[]): void {
  const agreed: unknown[] = [];
  for (const [index, agent] of agents.entries()) {
    for (const field of VERDICTS) event[field] = undefined;
    applyProfile(event, agent);
    for (const [at, field] of VERDICTS.entries())
      if (index === 0 || agreed[at] !== event[field]) agreed[at] = index === 0 ? event[field] : undefined;
  }
  for (const [at, field] of VERDICTS.entries()) (event as Record<typeof field, unknown>)[field] = agreed[at];
}

/** Compares what was done with what the registry declares; a field that the registry does not declare stays undefined. */
export function applyPolicy(event: Event, agent: AgentProfile): void {
  if (event.srcIp !== undefined) event.srcRegistered = isRegisteredIp(agent, event.srcIp, event.time, event.cluster);
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
