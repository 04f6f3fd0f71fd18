import type { Event } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { AgentSeen } from "../ports/store.ts";

// By the list of agents: the registry itself stays the same object when its files change.
const beating = new WeakMap<Directory["agents"], ReadonlySet<string>>();

/** When agents that declare a heartbeat were seen last in these events of a source. */
export function signsOfLife(registry: Directory, source: string, events: readonly Event[]): AgentSeen[] {
  const all = registry.agents;
  let agents = beating.get(all);
  if (agents === undefined) {
    agents = new Set(all.filter((agent) => agent.heartbeatMs !== undefined).map((agent) => agent.id));
    beating.set(all, agents);
  }
  if (agents.size === 0) return [];
  const latest = new Map<string, number>();
  for (const { agentUid, time } of events) {
    if (agentUid !== undefined && agents.has(agentUid) && (latest.get(agentUid) ?? -Infinity) < time) latest.set(agentUid, time);
  }
  return [...latest].map(([agent, last]) => ({ agent, source, last }));
}
