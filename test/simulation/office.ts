/** Agents that share one address with each other, and with people: nothing tells their connections apart. */
import type { Agent } from "./fleet.ts";
import { egress, gateway } from "./activity.ts";
import * as record from "./records.ts";
import { SECOND, START, type World } from "./world.ts";

/** Between two things that a member does, on average about half of it. */
const PAUSE_MAX = 200 * SECOND;

/** Plays the members of one office. */
export function playOffice(world: World, address: string, members: readonly Agent[]): void {
  const { dice } = world;
  for (const agent of members) {
    for (let time = START + dice.between(0, PAUSE_MAX); time < world.end; time += dice.between(1 * SECOND, PAUSE_MAX)) {
      const way = dice.between(1, 100);
      const truth = { agent: agent.id };
      if (way <= 45) gateway(world, time, { ...truth, cluster: agent.cluster }, agent, address);
      else if (way <= 80) egress(world, time, { ...truth, undecidable: members.length > 1 }, address, agent);
      else world.tell("agent-findings", time, truth, (at) => record.turn(at, dice.uuid(), agent.monitor, `s-${agent.id}`));
    }
  }
}
