import type { Event } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { AgentSeen } from "../ports/store.ts";

const beating = new WeakMap<Directory, ReadonlySet<string>>();

/** When agents that declare a heartbeat were seen last in these events, and by which source: one row for each pair. */
export function signsOfLife(registry: Directory, events: readonly Event[]): AgentSeen[] {
  let agents = beating.get(registry);
  if (agents === undefined) {
    agents = new Set(registry.agents.filter((agent) => agent.heartbeatMs !== undefined).map((agent) => agent.id));
    beating.set(registry, agents);
  }
  if (agents.size === 0) return [];
  const latest = new Map<string, AgentSeen>();
  for (const { agentUid, source, time } of events) {
    if (agentUid === undefined || !agents.has(agentUid)) continue;
    const key = `${source}\n${agentUid}`;
    if ((latest.get(key)?.last ?? -Infinity) < time) latest.set(key, { agent: agentUid, source, last: time });
  }
  return [...latest.values()];
}
