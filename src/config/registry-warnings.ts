import { isSameCluster } from "../core/identity/clusters.ts";
import type { AgentProfile } from "../core/identity/profile.ts";

/** Warnings of each kind that are told one by one; a fleet that shares keys on purpose has thousands. */
const TOLD_MAX = 20;

/** What a registry says that is allowed and is most likely a mistake: shared keys, parents that are nobody, empty intervals. */
export function registryWarnings(agents: readonly AgentProfile[]): string[] {
  return [sharedKeys(agents), unknownParents(agents), emptyIntervals(agents)].flatMap((list) =>
    list.length <= TOLD_MAX ? list : [...list.slice(0, TOLD_MAX), `and ${list.length - TOLD_MAX} more of this kind`],
  );
}

function sharedKeys(agents: readonly AgentProfile[]): string[] {
  const holders = Map.groupBy(
    agents.flatMap(({ id, keys }) => keys.map((key) => ({ ...key, id }))),
    ({ kind, value }) => `${kind} ${value}`,
  );
  const found: string[] = [];
  for (const [name, list] of holders) {
    const at = list.toSorted((a, b) => a.from - b.from);
    const both = at.find((one, index) =>
      at.slice(0, index).some((before) => before.id !== one.id && before.to > one.from && isSameCluster(before.cluster, one.cluster)),
    );
    if (both === undefined) continue;
    const ids = [...new Set(list.map(({ id }) => id))].sort();
    found.push(
      `${name} belongs to ${ids.slice(0, 3).join(", ")}${ids.length > 3 ? ", …" : ""} at one time: what it does belongs to none of them`,
    );
  }
  return found;
}

function unknownParents(agents: readonly AgentProfile[]): string[] {
  const ids = new Set(agents.map(({ id }) => id));
  return agents.flatMap(({ id, parent }) => (parent === undefined || ids.has(parent) ? [] : [`${id}: its parent ${parent} is no agent`]));
}

function emptyIntervals(agents: readonly AgentProfile[]): string[] {
  return agents.flatMap(({ id, keys, pods, createdTime, retiredTime }) => [
    ...keys
      .filter(({ from, to }) => from >= to)
      .map(({ kind, value }) => `${id}: ${kind} ${value} ends before it begins, and is never its own`),
    ...pods.filter(({ from, to }) => from >= to).map(({ ip }) => `${id}: its pod at ${ip} ends before it begins`),
    ...(createdTime !== undefined && retiredTime !== undefined && createdTime >= retiredTime
      ? [`${id} is retired before it is created`]
      : []),
  ]);
}
