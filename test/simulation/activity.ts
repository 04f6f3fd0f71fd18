/** What a pod does in its life: calls, egress, turns, roles of AWS, secrets of Vault, sub-agents, and attacks. */
import type { EpochMs } from "../../src/core/event.ts";
import type { Agent } from "./fleet.ts";
import type { Life } from "./pods.ts";
import * as record from "./records.ts";
import { HOUR, issuerOf, MINUTE, SECOND, type Truth, type World } from "./world.ts";

/** Between two things that a pod does, on average about half of it. */
const PAUSE_MAX = 150 * SECOND;

/** Plays a pod of an agent, or of something else. */
export function livePod(world: World, life: Life): void {
  const { dice } = world;
  const { slot, pod } = life;
  const begin = life.from + dice.between(500, 5 * SECOND);
  const { agent } = slot;
  if (agent === undefined) {
    each(world, begin, life.to, (time) => {
      if (world.chance(80)) egress(world, time, { agent: undefined, cluster: slot.cluster }, pod.ip, undefined);
      else tellCall(world, time, pod, { agent: undefined, cluster: slot.cluster });
    });
    return;
  }
  const aws = agent.aws ? awsOf(world, life, begin, agent) : undefined;
  const vault = agent.vault ? vaultOf(world, life, begin, agent) : undefined;
  const sub = agent.spawns ? subAgents(world, life, agent) : undefined;
  if (agent.client !== undefined) for (let time = begin; time < life.to; time += HOUR) grant(world, time, agent);
  each(world, begin, life.to, (time) => {
    const attack = stepOf(agent, time);
    const truth = { agent: agent.id, attack, cluster: slot.cluster };
    const way = dice.between(1, 100);
    if (way <= 40) gateway(world, time, truth, agent, pod.ip);
    else if (way <= 72) egress(world, time, truth, pod.ip, agent);
    else if (way <= 82) world.tell("agent-findings", time, truth, (at) => record.turn(at, dice.uuid(), agent.monitor, `s-${pod.uid}`));
    else if (way <= 87) tellCall(world, time, pod, truth);
    else if (way <= 95) (aws ?? vault ?? gatewayOf)(time, truth);
    else (vault ?? aws ?? gatewayOf)(time, truth);
    sub?.(time, truth);
  });

  function gatewayOf(time: EpochMs, truth: Truth): void {
    gateway(world, time, truth, agent!, pod.ip);
  }
}

/** An attack goes on for twenty minutes, over the rotation of its keys and the restart of its pod. */
function stepOf({ attack }: Agent, time: EpochMs): number | undefined {
  return attack !== undefined && time >= attack.from && time < attack.from + 20 * MINUTE ? attack.index : undefined;
}

function each({ dice }: World, from: EpochMs, to: EpochMs, act: (time: EpochMs) => void): void {
  for (let time = from; time < to; time += dice.between(1 * SECOND, PAUSE_MAX)) act(time);
}

/** A call through the gateway. */
export function gateway(world: World, time: EpochMs, truth: Truth, agent: Agent, ip: string): void {
  world.tell("kong", time, truth, (at) => record.kong(at, world.dice.hex(32), { ip, consumer: agent.consumer(time) }));
}

/** A connection out of the network, as one of three sensors sees it. */
export function egress(world: World, time: EpochMs, truth: Truth, ip: string, agent: Agent | undefined): void {
  const { dice } = world;
  const host = dice.between(1, 60);
  const flow = {
    ip,
    port: dice.between(20_000, 60_000),
    host: `api${host}.saas.example`,
    peer: `203.0.113.${host}`,
    bytes: dice.between(500, 90_000),
  };
  const sensor = agent?.mesh === true ? 0 : dice.between(0, 2);
  if (sensor === 0) {
    const spiffe =
      agent?.mesh === true && agent.office === undefined ? `spiffe://corp.example/ns/${agent.namespace}/sa/${agent.account}` : undefined;
    world.tell("istio", time, truth, (at) => record.istio(at, flow, spiffe));
  } else if (sensor === 1) world.tell("zeek", time, truth, (at) => record.zeek(at, dice.hex(17), flow));
  else world.tell("aws-vpcflow", time, truth, (at) => record.vpcflow(at, dice.hex(8), flow));
}

function tellCall(world: World, time: EpochMs, pod: record.PodSpec, truth: Truth): void {
  world.tell("kubernetes", time, truth, (at) => record.podCall(at, world.dice.uuid(), pod, `jti-${pod.uid}`));
}

function grant(world: World, time: EpochMs, agent: Agent): void {
  const { dice } = world;
  const token = `AT.${dice.hex(40)}`;
  world.tell("okta", time, { agent: agent.id }, (at) => record.oktaGrant(at, dice.uuid(), agent.client!, token, at + HOUR));
}

type Act = (time: EpochMs, truth: Truth) => void;

/** Sessions by the pod's service account, renewed within the hour; now and then a role that all share, under one name. */
function awsOf(world: World, { pod }: Life, begin: EpochMs, agent: Agent): Act {
  const { dice } = world;
  const truth = { agent: agent.id };
  const account = `system:serviceaccount:${pod.namespace}:${pod.account}`;
  const issuer = pod.cluster === undefined ? undefined : issuerOf(pod.cluster);
  let own: record.AwsSession | undefined;
  let shared: record.AwsSession | undefined;
  const session = (arn: string, time: EpochMs, minutes: number): record.AwsSession => ({
    arn: `arn:aws:sts::111122223333:assumed-role/${arn}`,
    key: `ASIA${dice.hex(16).toUpperCase()}`,
    until: time + minutes * MINUTE,
  });
  const ownAt = (time: EpochMs): record.AwsSession => {
    if (own !== undefined && time < own.until - MINUTE) return own;
    const made = (own = session(`agent-${agent.account}/botocore-session-${dice.between(1e9, 2e9)}`, time, dice.between(20, 60)));
    world.tell("aws-cloudtrail", time, truth, (at) =>
      record.webIdentity(at, dice.uuid(), account, { ...made, until: made.until + at - time }, issuer),
    );
    return made;
  };
  ownAt(begin);
  return (time, done) => {
    const caller = ownAt(time);
    if (!world.chance(30)) {
      world.tell("aws-cloudtrail", time + SECOND, done, (at) => record.awsCall(at, dice.uuid(), caller));
      return;
    }
    if (shared === undefined || time >= shared.until - MINUTE) {
      const made = (shared = session("data-reader/agent", time, dice.between(15, 60)));
      world.tell("aws-cloudtrail", time + SECOND, done, (at) => record.assumeRole(at, dice.uuid(), caller, made));
    }
    const used = shared;
    world.tell("aws-cloudtrail", time + 2 * SECOND, done, (at) => record.awsCall(at, dice.uuid(), used));
  };
}

/** A token of Vault by the pod's service account; some get keys of AWS users by it. */
function vaultOf(world: World, { pod }: Life, begin: EpochMs, agent: Agent): Act {
  const { dice } = world;
  const truth = { agent: agent.id };
  let token: record.VaultToken | undefined;
  let renewAt = -Infinity;
  let user: record.AwsSession | undefined;
  const makesKeys = world.chance(40);
  const tokenAt = (time: EpochMs): record.VaultToken => {
    if (token !== undefined && time < renewAt) return token;
    const made = (token = { accessor: dice.hex(40), entity: `entity-${agent.id}`, pod });
    renewAt = time + 50 * MINUTE;
    // Keys that a token made end with it.
    user = undefined;
    world.tell("hashicorp-vault", time, truth, (at) => record.vaultLogin(at, dice.uuid(), made));
    return made;
  };
  tokenAt(begin);
  return (time, done) => {
    const used = tokenAt(time);
    if (makesKeys && user === undefined) {
      user = { arn: `arn:aws:iam::111122223333:user/vault-${dice.hex(12)}`, key: `AKIA${dice.hex(16).toUpperCase()}`, until: Infinity };
      const { key } = user;
      world.tell("hashicorp-vault", time, done, (at) => record.vaultRead(at, dice.uuid(), used, key));
    } else if (user !== undefined && world.chance(60)) {
      const { arn, key, until } = user;
      world.tell("aws-cloudtrail", time, done, (at) => record.awsCall(at, dice.uuid(), { arn, key, until }));
    } else world.tell("hashicorp-vault", time, done, (at) => record.vaultRead(at, dice.uuid(), used, undefined));
  };
}

/** Tasks for sub-agents, which have names, keys and sessions of their own and run in the pod of who spawned them. */
function subAgents(world: World, { pod }: Life, agent: Agent): Act {
  const { dice } = world;
  let chain: readonly string[] = [];
  let until = -Infinity;
  return (time, truth) => {
    if (time >= until) {
      if (!world.chance(15)) return;
      until = time + dice.between(4 * MINUTE, 20 * MINUTE);
      chain = [`sub_${dice.hex(10)}`];
      // A sub-agent may hand work on.
      if (world.chance(25)) chain = [`sub_${dice.hex(10)}`, ...chain];
    }
    const [name] = chain;
    const act = [...chain, agent.consumer(time).customId].reduceRight<object | undefined>(
      (inner, sub) => ({ sub, ...(inner === undefined ? {} : { act: inner }) }),
      undefined,
    );
    const headers = {
      "x-jwt-claim-sub": `00u${dice.between(1, 999)}`,
      "x-jwt-claim-act": JSON.stringify(act),
      "x-jwt-claim-exp": String(Math.floor(until / 1000) + 60),
    };
    const consumer = { id: `c-${name}`, customId: name!, credential: `k-${name}` };
    world.tell("kong", time + 300, truth, (at) => record.kong(at, dice.hex(32), { ip: pod.ip, consumer, headers }));
    if (world.chance(50)) world.tell("agent-findings", time + 800, truth, (at) => record.turn(at, dice.uuid(), name!, `s-${name}`));
  };
}
