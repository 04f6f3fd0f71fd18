/**
 * Time-valid look-ups over the agent registry. A key that belongs to several agents at one time is shared:
 * nothing here ever picks one of them.
 */
import type { EpochMs } from "../event.ts";
import { isSameCluster } from "./clusters.ts";
import type { AgentProfile, IdentityKey, KeyKind, PodInterval } from "./profile.ts";
import { CLOCK_TOLERANCE_MS } from "./reach.ts";

/** Look-ups of agents by key, pod and address, as of a time. */
export interface Directory {
  readonly agents: readonly AgentProfile[];
  byId(id: string): AgentProfile | undefined;
  /** The agents that held a key at `time`. `cluster`: of whom it is asked; undefined: any. */
  byKey(kind: KeyKind, value: string, time: EpochMs, cluster?: string): readonly AgentProfile[];
  /** The agents that held a pod uid. */
  byPod(uid: string, cluster?: string): readonly AgentProfile[];
  /** The agents that held an address at `time`, give or take the clock tolerance. */
  byIp(ip: string, time: EpochMs, cluster?: string): readonly AgentProfile[];
}

interface Holder {
  readonly agent: AgentProfile;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** Undefined: any. */
  readonly cluster: string | undefined;
}

const NOBODY: readonly AgentProfile[] = [];

/** Builds the look-up tables of a registry. */
export function directory(agents: readonly AgentProfile[]): Directory {
  const ids = new Map(agents.map((agent) => [agent.id, agent]));
  const keys = new Map<KeyKind, Map<string, Holder[]>>();
  const pods = new Map<string, Holder[]>();
  const ips = new Map<string, Holder[]>();
  for (const agent of agents) {
    for (const key of agent.keys) addKey(keys, agent, key);
    for (const pod of agent.pods) addPod(pods, ips, agent, pod);
    for (const ip of agent.sharedIps) push(ips, ip, { agent, from: -Infinity, to: Infinity, cluster: undefined });
  }
  return {
    agents,
    byId: (id) => ids.get(id),
    byKey: (kind, value, time, cluster) => holdersAt(keys.get(kind)?.get(value), time, 0, cluster),
    byPod: (uid, cluster) => holdersAt(pods.get(uid), 0, 0, cluster),
    byIp: (ip, time, cluster) => holdersAt(ips.get(ip), time, CLOCK_TOLERANCE_MS, cluster),
  };
}

/** Whether an address was registered for the agent at `time`; undefined when the registry names no address of it. */
export function isRegisteredIp(agent: AgentProfile, ip: string, time: EpochMs, cluster?: string): boolean | undefined {
  if (agent.pods.length === 0 && agent.sharedIps.length === 0) return undefined;
  for (const pod of agent.pods) {
    if (pod.ip === ip && isSameCluster(pod.cluster, cluster) && time >= pod.from - CLOCK_TOLERANCE_MS && time < pod.to + CLOCK_TOLERANCE_MS)
      return true;
  }
  return agent.sharedIps.includes(ip);
}

function addKey(keys: Map<KeyKind, Map<string, Holder[]>>, agent: AgentProfile, key: IdentityKey): void {
  let table = keys.get(key.kind);
  if (table === undefined) keys.set(key.kind, (table = new Map()));
  push(table, key.value, { agent, from: key.from, to: key.to, cluster: key.cluster });
}

function addPod(pods: Map<string, Holder[]>, ips: Map<string, Holder[]>, agent: AgentProfile, pod: PodInterval): void {
  const { cluster } = pod;
  push(ips, pod.ip, { agent, from: pod.from, to: pod.to, cluster });
  if (pod.uid !== undefined) push(pods, pod.uid, { agent, from: -Infinity, to: Infinity, cluster });
}

function push<T>(table: Map<string, T[]>, key: string, value: T): void {
  const list = table.get(key);
  if (list === undefined) table.set(key, [value]);
  else list.push(value);
}

function holdersAt(holders: readonly Holder[] | undefined, time: EpochMs, tolerance: number, cluster?: string): readonly AgentProfile[] {
  if (holders === undefined) return NOBODY;
  const first = holders[0];
  if (holders.length === 1 && first !== undefined) return isHolder(first, time, tolerance, cluster) ? [first.agent] : NOBODY;
  const found: AgentProfile[] = [];
  for (const holder of holders) if (isHolder(holder, time, tolerance, cluster) && !found.includes(holder.agent)) found.push(holder.agent);
  return found;
}

function isHolder(one: Holder, time: EpochMs, tolerance: number, cluster: string | undefined): boolean {
  return time >= one.from - tolerance && time < one.to + tolerance && isSameCluster(one.cluster, cluster);
}
