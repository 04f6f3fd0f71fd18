/**
 * Time-valid look-ups over the agent registry. A key that belongs to several agents at one time is shared:
 * nothing here ever picks one of them.
 */
import type { EpochMs } from "../event.ts";
import type { AgentProfile, IdentityKey, KeyKind, PodInterval } from "./profile.ts";
import { CLOCK_TOLERANCE_MS } from "./reach.ts";

/** Look-ups of agents by key, pod and address, as of a time. */
export interface Directory {
  readonly agents: readonly AgentProfile[];
  byId(id: string): AgentProfile | undefined;
  /** The agents that held a key at `time`. */
  byKey(kind: KeyKind, value: string, time: EpochMs): readonly AgentProfile[];
  /** The agents that held a pod uid. */
  byPod(uid: string): readonly AgentProfile[];
  /** The agents that held an address at `time`, give or take the clock tolerance. */
  byIp(ip: string, time: EpochMs): readonly AgentProfile[];
}

interface Holder {
  readonly agent: AgentProfile;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

const NOBODY: readonly AgentProfile[] = [];

/** Builds the look-up tables of a registry. */
export function directory(agents: readonly AgentProfile[]): Directory {
  const ids = new Map(agents.map((agent) => [agent.id, agent]));
  const keys = new Map<KeyKind, Map<string, Holder[]>>();
  const pods = new Map<string, AgentProfile[]>();
  const ips = new Map<string, Holder[]>();
  for (const agent of agents) {
    for (const key of agent.keys) addKey(keys, agent, key);
    for (const pod of agent.pods) addPod(pods, ips, agent, pod);
    for (const ip of agent.sharedIps) push(ips, ip, { agent, from: -Infinity, to: Infinity });
  }
  return {
    agents,
    byId: (id) => ids.get(id),
    byKey: (kind, value, time) => holdersAt(keys.get(kind)?.get(value), time, 0),
    byPod: (uid) => pods.get(uid) ?? NOBODY,
    byIp: (ip, time) => holdersAt(ips.get(ip), time, CLOCK_TOLERANCE_MS),
  };
}

/** Whether an address was registered for the agent at `time`; undefined when the registry names no address of it. */
export function isRegisteredIp(agent: AgentProfile, ip: string, time: EpochMs): boolean | undefined {
  if (agent.pods.length === 0 && agent.sharedIps.length === 0) return undefined;
  for (const pod of agent.pods) {
    if (pod.ip === ip && time >= pod.from - CLOCK_TOLERANCE_MS && time < pod.to + CLOCK_TOLERANCE_MS) return true;
  }
  return agent.sharedIps.includes(ip);
}

function addKey(keys: Map<KeyKind, Map<string, Holder[]>>, agent: AgentProfile, key: IdentityKey): void {
  let table = keys.get(key.kind);
  if (table === undefined) keys.set(key.kind, (table = new Map()));
  push(table, key.value, { agent, from: key.from, to: key.to });
}

function addPod(pods: Map<string, AgentProfile[]>, ips: Map<string, Holder[]>, agent: AgentProfile, pod: PodInterval): void {
  push(ips, pod.ip, { agent, from: pod.from, to: pod.to });
  if (pod.uid !== undefined) push(pods, pod.uid, agent);
}

function push<T>(table: Map<string, T[]>, key: string, value: T): void {
  const list = table.get(key);
  if (list === undefined) table.set(key, [value]);
  else list.push(value);
}

function holdersAt(holders: readonly Holder[] | undefined, time: EpochMs, tolerance: number): readonly AgentProfile[] {
  if (holders === undefined) return NOBODY;
  const first = holders[0];
  if (holders.length === 1 && first !== undefined) {
    return time >= first.from - tolerance && time < first.to + tolerance ? [first.agent] : NOBODY;
  }
  const found: AgentProfile[] = [];
  for (const holder of holders) {
    if (time >= holder.from - tolerance && time < holder.to + tolerance && !found.includes(holder.agent)) found.push(holder.agent);
  }
  return found;
}
