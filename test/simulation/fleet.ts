/**
 * A fleet of agents for some hours: pods that come and go and hand their addresses on, offices behind one address, keys
 * that are rotated in the middle of an attack, tokens that are passed on to sub-agents. Everything that happens is told
 * to the world with the truth about it. What the registry knows is what an operator writes down once: names of agents in
 * gateway, identity provider and monitor, and service accounts; no pods, addresses, sessions, keys or sub-agents.
 */
import type { EpochMs } from "../../src/core/event.ts";
import { livePod } from "./activity.ts";
import { playOffice } from "./office.ts";
import { schedulePods, type Slot } from "./pods.ts";
import { kong, oktaPerson, type Consumer } from "./records.ts";
import { CLUSTERS, HOUR, MINUTE, START, type World } from "./world.ts";

/** One agent and what it is called where. */
export interface Agent {
  readonly id: string;
  /** Where there are two. */
  readonly cluster: string | undefined;
  readonly namespace: string;
  readonly account: string;
  readonly monitor: string;
  readonly client: string | undefined;
  /** Its key is rotated: what a call uses is asked for at its time. */
  consumer(time: EpochMs): Consumer;
  /** Takes a role of AWS by its service account. */
  readonly aws: boolean;
  readonly vault: boolean;
  /** Its sidecar shows a certificate to the egress gateway. */
  readonly mesh: boolean;
  /** Hands work to agents that nobody registered. */
  readonly spawns: boolean;
  /** The address of its office; undefined: it runs in the cluster. */
  readonly office: string | undefined;
  /** When its attack begins, and which one it is. */
  readonly attack: { readonly index: number; readonly from: EpochMs } | undefined;
}

/** A fleet's story, and the registry that an operator wrote for it. */
export interface Fleet {
  readonly agents: readonly Agent[];
  /** Text of the registry file. */
  readonly registry: string;
}

/** Members of an office behind one address. */
const OFFICE = 5;

/** Plays a fleet of so many agents. */
export function fleet(world: World, count: number): Fleet {
  const agents: Agent[] = [];
  let inOffices = 0;
  for (let index = 0; index < count; index++) {
    const office = world.chance(15) ? `10.9.${Math.floor(inOffices++ / OFFICE)}.4` : undefined;
    agents.push(newAgent(world, index, office));
  }
  for (const life of schedulePods(world, slotsOf(world, agents))) livePod(world, life);
  for (const [address, members] of Map.groupBy(agents, ({ office }) => office))
    if (address !== undefined) playOffice(world, address, members);
  people(world, count, Math.ceil(inOffices / OFFICE));
  return { agents, registry: registryText(world, agents) };
}

function newAgent(world: World, index: number, office: string | undefined): Agent {
  const { dice } = world;
  const names = { id: dice.uuid(), customId: `ag_${dice.hex(8)}` };
  const keys = [dice.uuid(), dice.uuid()] as const;
  const last = Math.max(31 * MINUTE, world.end - START - HOUR);
  const from = START + dice.between(30 * MINUTE, last);
  const attack = office === undefined && world.chance(8) ? { index, from } : undefined;
  const cluster = world.twins ? CLUSTERS[index % CLUSTERS.length] : undefined;
  // One of each cluster has the same names.
  const number = cluster === undefined ? index : Math.floor(index / CLUSTERS.length);
  return {
    id: `agt-${String(index).padStart(4, "0")}`,
    cluster,
    namespace: `agents-${number % 12}`,
    account: `bot-${String(number).padStart(4, "0")}`,
    monitor: `bot-${index}-v${dice.between(1, 4)}`,
    client: world.chance(70) ? `0oa${dice.hex(17)}` : undefined,
    consumer: (time) => ({ ...names, credential: attack !== undefined && time > attack.from + 5 * MINUTE ? keys[1] : keys[0] }),
    aws: world.chance(40),
    vault: world.chance(30),
    mesh: world.chance(30),
    spawns: world.chance(15),
    office,
    attack,
  };
}

function slotsOf(world: World, agents: readonly Agent[]): Slot[] {
  const { dice } = world;
  const slots: Slot[] = [];
  for (const agent of agents) {
    if (agent.office !== undefined) continue;
    // One in ten runs in a cluster whose audit log has no bodies: nothing says whose an address is.
    const bodies = !world.chance(10);
    // In the middle of an attack the pod is restarted: everything that names it changes.
    const restartAt = agent.attack === undefined ? undefined : agent.attack.from + dice.between(4 * MINUTE, 7 * MINUTE);
    const { cluster, namespace, account } = agent;
    for (let replica = world.chance(25) ? 2 : 1; replica > 0; replica--)
      slots.push({ agent, cluster, namespace, account, bodies, restartAt });
    // Pods of no agent share the nodes, and the addresses.
    if (world.chance(80))
      slots.push({ agent: undefined, cluster, namespace: "web", account: `web-${agent.id}`, bodies, restartAt: undefined });
  }
  return slots;
}

/** People sign in and call through the portal, also from the agents' offices: none of it is an agent's. */
function people(world: World, count: number, offices: number): void {
  const { dice } = world;
  const calls = Math.floor((count * (world.end - START)) / HOUR) * 3;
  for (let call = 0; call < calls; call++) {
    const time = START + dice.between(0, world.end - START);
    const ip = offices > 0 && world.chance(20) ? `10.9.${dice.between(0, offices - 1)}.4` : `198.51.100.${dice.between(1, 90)}`;
    const person = `00u${dice.between(1, count * 5)}`;
    if (world.chance(70))
      world.tell("kong", time, { agent: undefined, cluster: world.twins ? CLUSTERS[0] : undefined }, (at) =>
        kong(at, dice.hex(32), { ip }),
      );
    else world.tell("okta", time, { agent: undefined }, (at) => oktaPerson(at, dice.uuid(), person, ip));
  }
}

function accountOf({ cluster, namespace, account }: Agent): unknown {
  const id = `system:serviceaccount:${namespace}:${account}`;
  return cluster === undefined ? id : { id, cluster };
}

/** JSON is YAML. */
function registryText(world: World, agents: readonly Agent[]): string {
  const entries = agents.map((agent) => {
    const { id, customId } = agent.consumer(START);
    const isWritten = agent.office !== undefined && Number(agent.office.split(".")[2]) % 2 === 0;
    const identities = {
      // Tokens name who spawned whom by the custom id.
      ...(world.chance(50) ? { kong_custom_id: customId } : { kong_consumer_id: id }),
      cp_security_agent_id: agent.monitor,
      ...(agent.client === undefined ? {} : { okta_client_id: agent.client }),
      ...(agent.office === undefined ? { k8s_service_account: accountOf(agent) } : {}),
      // Every second office is written down.
      ...(isWritten ? { nat_private_ips: [agent.office] } : {}),
    };
    return { id: agent.id, identities };
  });
  return JSON.stringify({ version: 1, agents: entries });
}
