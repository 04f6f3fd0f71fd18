/**
 * The bindings that the log showed: links that records prove, and agents seen with an address, a credential, a session or
 * a run. Asked as of a time; see reach.ts for how far each goes.
 */
import { ATTRIBUTION, type EpochMs, type Event } from "../event.ts";
import { isPrivateIp } from "../ip.ts";
import { bindings, type Bindings, type Told } from "./bindings.ts";
import { clusterNames, clusterOf, inCluster, isSameCluster } from "./clusters.ts";
import { reachOf, type Held } from "./pairs.ts";
import type { Directory } from "./directory.ts";
import { facts, type Facts, type Observed, type ObservedFact } from "./facts.ts";
import { isPerson } from "./keys.ts";
import { keyText, LINKS_MAX, parseLink, type KeyText, type LinkKind } from "./links.ts";
import { CLOCK_TOLERANCE_MS, HANDED_OUT_MS, OBSERVED_KEY_MS, OBSERVED_MS } from "./reach.ts";
import type { KeyKind } from "./profile.ts";

/** A key, or an agent of the registry by its id: what an observation binds a key to. */
export type Node = KeyText | `=${string}`;

/** One binding as it holds at a time: a step of a path. */
export interface Step {
  readonly from: Node;
  readonly to: Node;
  /** How it is known: a key of the registry, told by a record, told of another agent (delegation), or seen together. */
  readonly by: "registry" | "issued" | "delegated" | "observed";
  readonly since?: EpochMs;
  readonly until?: EpochMs;
  /** Uid of the event that showed it; absent for the registry. */
  readonly origin?: string;
}

/** The bindings of a key at a time; `cluster`: as of where, unless the key names one. None leads into another. */
export type BindingsAt = (node: Node, time: EpochMs, cluster?: string) => readonly Step[];

/** What the log showed. */
export interface Graph {
  /** Takes what an event proves. */
  learn(event: Event): void;
  /** The bindings of a key at a time. */
  readonly at: BindingsAt;
  /** Every link of a key, whenever it held: to explain why none does. */
  ever(node: Node, cluster?: string): readonly Step[];
  /** The watermark has moved: drops what says nothing more, forgets what reaches nothing any more, notes what is to be stored. */
  advance(watermark: EpochMs): void;
  /** Facts to be stored since the last call. */
  changed(): ObservedFact[];
  restore(fact: ObservedFact): void;
  readonly size: number;
  readonly evicted: number;
}

/** Facts kept of each kind of observation; those first seen longest ago go first (about 400 bytes each). */
const FACTS_MAX = 200_000;
/** Of one agent: sessions and runs of a day and a half of a busy one. */
const FACTS_OF_ONE_MAX = 20_000;
/** Facts that no waiting event can need any more are kept this long for events that come late. */
const LATE_MS = 900_000;
/** How the keys of stored sights of credentials, sessions and runs begin. */
export const SEEN_FACT = "seen:";
/** Links are settled this often, in event time: well within what a replay reads again (OBSERVED_MS). */
const SETTLE_EVERY_MS = 60_000;
/** Old facts are looked for this often, in event time: each look walks over all links, which are kept for half a day and more. */
const PRUNE_EVERY_MS = 3_600_000;
/** Addresses change hands: within so much the first and the last sight of an agent say enough of when. Not longer than the reach of one. */
const SIGHT_SLOT_MS = OBSERVED_MS;
/** Whoever was seen at an address and is no agent: one for all people, who are many. */
const SOMEBODY: KeyText = "person:somebody";
/** Which keys of a call by a known agent are its own. */
const SEEN: readonly (readonly [LinkKind, "agentNative" | "credentialUid" | "sessionUid" | "runUid", KeyKind | undefined])[] = [
  ["agent", "agentNative", "agent"],
  ["cred", "credentialUid", "credential"],
  ["session", "sessionUid", undefined],
  ["run", "runUid", undefined],
];

/** An empty graph. The registry says which keys need not be learned. `stores`: somebody asks for what changed. */
export function graph(registry: Directory, stores: boolean): Graph {
  const links = bindings();
  const limits = { max: FACTS_MAX, maxOfOne: FACTS_OF_ONE_MAX };
  const sights = facts({ kind: "ip", beforeMs: OBSERVED_MS, afterMs: OBSERVED_MS, ...limits, stored: false, slotMs: SIGHT_SLOT_MS });
  const seen = facts({ kind: "seen", beforeMs: CLOCK_TOLERANCE_MS, afterMs: OBSERVED_KEY_MS, ...limits, stored: stores });
  const clusters = clusterNames();
  let changedLinks: ObservedFact[] = [];
  let prunedAt = -Infinity;
  let settledAt = -Infinity;

  const learnLink = (text: string, event: Event): void => {
    const told = toldBy(text, event);
    if (told === undefined) return;
    if (!isSight(told)) links.add(told, event.time, event.uid, tellerOf(event));
    else if (!told.ends) sights.observe(told.from.slice("ip:".length), told.to, event.time, event.uid);
  };

  return {
    learn(event) {
      clusters.note(event.cluster);
      if (event.links !== undefined) for (const text of event.links.slice(0, LINKS_MAX)) learnLink(text, event);
      const { agentUid, srcIp, category } = event;
      if (event.attributionId === ATTRIBUTION.none && isPerson(event) && srcIp !== undefined && isPrivateIp(srcIp))
        sights.observe(addressOf(srcIp, event), SOMEBODY, event.time, event.uid);
      if (agentUid === undefined || event.attributionId !== ATTRIBUTION.direct) return;
      if (srcIp !== undefined && isPrivateIp(srcIp)) sights.observe(addressOf(srcIp, event), `=${agentUid}`, event.time, event.uid);
      if (category !== "agent_api" && category !== "agent_finding") return;
      for (const key of ownKeys(event, agentUid, registry)) seen.observe(key, `=${agentUid}`, event.time, event.uid);
    },
    at(node, time, cluster) {
      if (!isKey(node)) return [];
      if (node.startsWith("agent:")) {
        const own = stepsOf(node, seen.factsAt(node, time));
        // Who is known needs no spawner to be found by.
        if (own.length > 0) return own;
      }
      const keys = clusters.meantBy(node, cluster);
      const steps = keys.flatMap((key) => [
        ...links.at(key, time).map((held) => toldStep(key, held)),
        ...(key.startsWith("ip:") ? sightsAt(key, time, sights, links) : stepsOf(key, seen.factsAt(key, time))),
      ]);
      const own = clusterOf(node) ?? cluster;
      return own === undefined ? steps : steps.filter(({ to }) => isSameCluster(clusterOf(to), own));
    },
    ever: (node, cluster) =>
      isKey(node)
        ? clusters
            .meantBy(node, cluster)
            .flatMap((key) => [...links.all(key).map((life) => toldStep(key, life)), ...seen.ever(key).map(sightOf(key))])
        : [],
    advance(watermark) {
      if (watermark - settledAt >= SETTLE_EVERY_MS) {
        settledAt = watermark;
        const settled = links.settle(watermark);
        if (stores) changedLinks.push(...settled);
      }
      if (watermark - prunedAt < PRUNE_EVERY_MS) return;
      prunedAt = watermark;
      const oldest = watermark - OBSERVED_MS - LATE_MS;
      // Of an event's time, and of when its session or credential was handed out.
      links.prune(oldest - HANDED_OUT_MS);
      sights.prune(oldest);
      seen.prune(oldest - HANDED_OUT_MS);
    },
    changed() {
      const list = [...changedLinks, ...seen.changed()];
      changedLinks = [];
      return list;
    },
    restore(fact) {
      clusters.note(clusterOf(fact.key.slice(fact.key.indexOf(":") + 1)));
      if (!links.restore(fact)) seen.restore(fact);
    },
    get size() {
      return links.size + sights.size + seen.size;
    },
    get evicted() {
      return links.evicted + sights.evicted + seen.evicted;
    },
  };
}

/** What a link of an event tells; undefined when it tells nothing that can be used. */
function toldBy(text: string, { time, cluster }: Event): Told | undefined {
  const link = parseLink(text);
  // An address is never whom something belongs to: it would let an address stand for an agent everywhere.
  if (link === undefined || link.to.startsWith("ip:") || link.from === link.to) return undefined;
  const { from, to, since = time, until = Infinity, ends = false } = link;
  // Nothing is told so long before that it would be over by itself; it would have to be remembered until then.
  if (since > time + reachOf(from).maxMs) return undefined;
  // It may have held before its record, but who asks about that time has been answered.
  return { from: inCluster(from, cluster), to: inCluster(to, cluster), until, ends, since: Math.max(since, time) };
}

/** Who was seen at an address near a time, as long as it did not change hands in between. */
function sightsAt(key: KeyText, time: EpochMs, sights: Facts, links: Bindings): Step[] {
  const near = sights.factsAt(key.slice("ip:".length), time).filter(({ first, last }) => {
    const reaches = (at: EpochMs): boolean => Math.abs(at - time) <= OBSERVED_MS && !links.isParted(key, at, time);
    return reaches(first) || reaches(last);
  });
  return stepsOf(key, near);
}

/** An address as sights have it. */
function addressOf(ip: string, { cluster }: Event): string {
  return cluster === undefined ? ip : inCluster(`ip:${ip}`, cluster).slice("ip:".length);
}

/** Keys of a call by a known agent that are its own, and that the registry does not know. */
function ownKeys(event: Event, agentUid: string, registry: Directory): KeyText[] {
  const keys: KeyText[] = [];
  for (const [kind, field, registered] of SEEN) {
    const value = event[field];
    if (value === undefined || value === "") continue;
    if (registered !== undefined && registry.byKey(registered, value, event.time).length > 0) continue;
    const key = kind === "agent" && !isOwnName(event, agentUid, registry) ? undefined : keyText(kind, value);
    if (key !== undefined) keys.push(key);
  }
  return keys;
}

/** A gateway that knows its caller as the agent's client says how it calls that client. */
function isOwnName({ category, clientUid, time }: Event, agentUid: string, registry: Directory): boolean {
  return category === "agent_api" && clientUid !== undefined && registry.byKey("client", clientUid, time).some(({ id }) => id === agentUid);
}

/** Whose call it was: an agent of the registry, else who was let in. */
function tellerOf({ agentUid, credentialUid, clientUid, agentNative }: Event): string | undefined {
  return agentUid ?? credentialUid ?? clientUid ?? agentNative;
}

/** A pod is given its address; any other workload behind an address was seen there. */
function isSight({ from, to }: Told): boolean {
  return from.startsWith("ip:") && !to.startsWith("pod:");
}

function isKey(node: Node): node is KeyText {
  return !node.startsWith("=");
}

function toldStep(from: KeyText, { to, since, until, origin }: Held): Step {
  const by = from.startsWith("agent:") ? "delegated" : "issued";
  return { from, to, by, since, ...(until === undefined ? {} : { until }), origin };
}

/** One step for each that was seen, from the first sight that reaches. */
function stepsOf(from: KeyText, near: readonly Observed[]): Step[] {
  const steps = new Map<string, Step>();
  for (const { value, first, origin } of near)
    if (!steps.has(value))
      steps.set(value, { from, to: value as Node, by: "observed", since: first, ...(origin === undefined ? {} : { origin }) });
  return [...steps.values()];
}

/** A sight as it was, without how far it reaches. */
function sightOf(from: KeyText): (seen: Observed) => Step {
  return ({ value, first, last, origin }) => ({
    from,
    to: value as Node,
    by: "observed",
    since: first,
    until: last,
    ...(origin === undefined ? {} : { origin }),
  });
}
