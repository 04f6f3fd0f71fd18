/** Pods that come and go, and hand their addresses on within seconds; what the API server's audit log tells of it. */
import type { EpochMs } from "../../src/core/event.ts";
import type { Agent } from "./fleet.ts";
import { podCreated, podDeleted, podStatus, type PodSpec } from "./records.ts";
import { MINUTE, SECOND, START, WARM_UP, type World } from "./world.ts";

/** A place in the cluster that always has a pod; without an agent it serves something else. */
export interface Slot {
  readonly agent: Agent | undefined;
  /** Where there are two. */
  readonly cluster: string | undefined;
  readonly namespace: string;
  readonly account: string;
  /** The cluster's audit log has bodies. */
  readonly bodies: boolean;
  /** Its pod of that time is restarted. */
  readonly restartAt: EpochMs | undefined;
}

/** One pod's life: it holds its address from `from` to `to`, both excluded for others. */
export interface Life {
  readonly slot: Slot;
  readonly pod: PodSpec;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

interface Free {
  readonly ip: string;
  readonly since: EpochMs;
}

/** All pods of all slots, with their audit records told. */
export function schedulePods(world: World, slots: readonly Slot[]): readonly Life[] {
  const { dice } = world;
  const lives: Life[] = [];
  // Networks, each with few more addresses than pods. Those of two clusters have the same.
  const pools = [...Map.groupBy(slots, networkOf)].map(([network, own]) => ({ network, free: addresses(own[0]!.bodies, own.length) }));
  const due = slots.map((slot) => ({ slot, at: START - dice.between(0, WARM_UP) }));
  for (;;) {
    due.sort((a, b) => a.at - b.at);
    const next = due[0];
    if (next === undefined || next.at >= world.end) return lives;
    const { slot, at } = next;
    const { free } = pools.find(({ network }) => network === networkOf(slot))!;
    const from = at + dice.between(1 * SECOND, 4 * SECOND);
    const ip = takeAddress(world, free, from);
    const suffix = `${dice.hex(9)}-${dice.hex(5)}`;
    const pod = {
      name: `${slot.account}-${suffix}`,
      uid: dice.uuid(),
      namespace: slot.namespace,
      account: slot.account,
      ip,
      node: "node-1",
      cluster: slot.cluster,
    };
    const life = { slot, pod, from, to: endOf(world, slot, from) };
    lives.push(life);
    const freed = tellLife(world, life, at);
    free.push({ ip, since: freed });
    next.at = freed + dice.between(1 * SECOND, 20 * SECOND);
  }
}

function networkOf({ bodies, cluster }: Slot): string {
  return `${cluster} ${bodies}`;
}

function addresses(bodies: boolean, count: number): Free[] {
  const size = Math.ceil(count * 1.1) + 4;
  return Array.from({ length: size }, (_, n) => ({
    ip: `10.${bodies ? 20 : 30}.${Math.floor(n / 250)}.${(n % 250) + 2}`,
    since: -Infinity,
  }));
}

/** Mostly the one that was given back last: a node has few. */
function takeAddress(world: World, free: Free[], time: EpochMs): string {
  const { dice } = world;
  const rest = dice.between(1 * SECOND, 30 * SECOND);
  const usable = free.map((one, index) => ({ ...one, index })).filter(({ since }) => since + rest <= time);
  const latest = usable.toSorted((a, b) => b.since - a.since)[0];
  const taken = latest !== undefined && world.chance(60) ? latest : usable[dice.between(0, usable.length - 1)];
  if (taken === undefined) throw new Error("the cluster has no address left");
  free.splice(taken.index, 1);
  return taken.ip;
}

function endOf({ dice }: World, { restartAt }: Slot, from: EpochMs): EpochMs {
  const end = from + dice.between(12 * MINUTE, 110 * MINUTE);
  return restartAt !== undefined && from < restartAt && restartAt < end ? restartAt : end;
}

/** Tells the records of a pod; when others may have its address. */
function tellLife(world: World, { slot, pod, from, to }: Life, created: EpochMs): EpochMs {
  const { dice } = world;
  const truth = { agent: undefined, cluster: slot.cluster };
  const tell = (time: EpochMs, make: (at: EpochMs, id: string) => unknown): void =>
    world.tell("kubernetes", time, truth, (at) => make(at, dice.uuid()));
  tell(created, (at, id) => podCreated(at, id, pod, slot.bodies));
  tell(from + dice.between(100, 3 * SECOND), (at, id) => podStatus(at, id, pod, slot.bodies));
  if (world.chance(10)) {
    // A job that is done keeps its record, and its address in it, until somebody cleans up.
    tell(to + dice.between(100, 1 * SECOND), (at, id) => podStatus(at, id, pod, slot.bodies, "Succeeded"));
    tell(to + 10 * MINUTE, (at, id) => podDeleted(at, id, pod, slot.bodies, true));
    return to;
  }
  const asked = Math.max(from, to - dice.between(1 * SECOND, 25 * SECOND));
  tell(asked, (at, id) => podDeleted(at, id, pod, slot.bodies, false));
  tell(to + dice.between(100, 2 * SECOND), (at, id) => podDeleted(at, id, pod, slot.bodies, true));
  return to;
}
