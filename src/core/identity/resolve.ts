/**
 * From the keys of an event over bindings to agents of the registry, as of a time. Keys of different kinds say each of
 * the same actor who it is, so each narrows what the one before it says; several holders of one key are several candidates.
 */
import type { EpochMs } from "../event.ts";
import { bareKey, clusterOf } from "./clusters.ts";
import type { Directory } from "./directory.ts";
import type { BindingsAt, Node, Step } from "./graph.ts";
import { LINK_KINDS, type KeyText, type LinkKind } from "./links.ts";
import type { AgentProfile, KeyKind } from "./profile.ts";
import { HANDED_OUT_MS } from "./reach.ts";

/** Bindings of one path: pod address -> pod -> service account is two, a chain of delegations a few more. */
export const HOPS_MAX = 4;
/** Look-ups for one key; one that leads to more has so many holders that it names nobody. */
const LOOKUPS_MAX = 256;
/** Candidates of one key; one of more agents, or with more holders, names nobody. */
const CANDIDATES_MAX = 64;

/** Confidence of one binding by how it is known, 0 to 100: what was seen together is less sure than what was issued. */
export const CONFIDENCE_BY = { registry: 95, issued: 80, delegated: 70, observed: 60 } as const;
/** Each further binding of a path takes so much away. */
const HOP_COST = 5;
/** No path to a single agent is less sure than this: it is always surer than a shared key. */
const CONFIDENCE_MIN = 30;

/** How an agent was found. */
export interface Found {
  readonly agent: AgentProfile;
  readonly confidence: number;
  /** From a key of the event to the agent. */
  readonly path: readonly Step[];
  /** It may as well be somebody who is no agent. */
  readonly doubtful?: boolean;
}

const REGISTERED: Readonly<Partial<Record<LinkKind, KeyKind>>> = {
  agent: "agent",
  client: "client",
  cred: "credential",
  role: "role",
  sa: "serviceAccount",
  spiffe: "spiffe",
  user: "user",
};

/**
 * The agents of the registry that held a key; none for addresses, which name somebody only where attribution looks for them.
 * `cluster`: where it is asked, unless the key itself names one.
 */
export function registered(node: Node, time: EpochMs, registry: Directory, cluster?: string): readonly AgentProfile[] {
  if (node.startsWith("=")) return one(registry.byId(node.slice(1)));
  const at = node.indexOf(":");
  const kind = node.slice(0, at) as LinkKind;
  const value = bareKey(node).slice(at + 1);
  const where = clusterOf(node) ?? cluster;
  if (kind === "pod") return registry.byPod(value, where);
  const registeredKind = REGISTERED[kind];
  if (registeredKind === undefined) return [];
  const found = registry.byKey(registeredKind, value, time, where);
  return found.length === 0 && kind === "agent" ? one(registry.byId(value)) : found;
}

function one(agent: AgentProfile | undefined): readonly AgentProfile[] {
  return agent === undefined ? [] : [agent];
}

/**
 * The candidates of keys, by id; empty when nothing leads to an agent. `keys`: the strongest first. A key that leads to too
 * many says nothing, and leaves it to the others. `cluster`: of the event; no path goes through another one.
 */
export function resolve(keys: readonly KeyText[], time: EpochMs, registry: Directory, at: BindingsAt, cluster?: string): readonly Found[] {
  let found: Candidates = new Map();
  for (const key of keys) {
    const search: Search = { registry, at, earliest: time - HANDED_OUT_MS, lookups: 0 };
    const more = candidatesOf(search, { node: key, cluster }, time, []);
    if (search.lookups <= LOOKUPS_MAX && more.size <= CANDIDATES_MAX) found = narrowed(found, more);
    // One cannot be narrowed.
    if (found.size === 1) break;
  }
  return [...found.values()].sort((a, b) => (a.agent.id < b.agent.id ? -1 : 1));
}

type Candidates = ReadonlyMap<string, Found>;

interface Search {
  /** No question goes back further. */
  readonly earliest: EpochMs;
  readonly registry: Directory;
  readonly at: BindingsAt;
  lookups: number;
}

/** A key, and the cluster in which a path has come to it. */
interface Place {
  readonly node: Node;
  readonly cluster: string | undefined;
}

function candidatesOf(search: Search, { node, cluster }: Place, time: EpochMs, path: readonly Step[]): Candidates {
  const found = new Map<string, Found>();
  if (++search.lookups > LOOKUPS_MAX) return found;
  const agents = registered(node, time, search.registry, cluster);
  for (const agent of agents) found.set(agent.id, { agent, confidence: confidenceOf(path), path: endingWith(path, node, agent) });
  if (agents.length > 0 || path.length >= HOPS_MAX) return found;
  const groups = Map.groupBy(search.at(node, time, cluster), groupOf);
  let all: Candidates = found;
  // What was seen together comes last: it may narrow what was issued, and says something itself only where that says nothing.
  for (const group of ORDER) {
    const steps = groups.get(group) ?? [];
    if (steps.length === 0 || steps.length > CANDIDATES_MAX) continue;
    // One cannot be narrowed; but every holder of an address is asked whether he is nobody.
    if (all.size === 1 && !node.startsWith("ip:")) break;
    const holders = steps.filter((step) => step.to !== node && !path.some(({ from }) => from === step.to));
    const each = holders.map((step) => behind(search, { step, cluster: clusterOf(step.to) ?? cluster }, time, [...path, step]));
    // Of several holders one that is no agent may be the one: the others are not named for it.
    if (each.some(({ size }) => size === 0)) {
      // An address that is in other hands, too, or in those of somebody known to be no agent, names nobody, whoever was seen there.
      const isNobody = ({ size }: Candidates, index: number): boolean =>
        size === 0 && search.at(holders[index]!.to, time, cluster).length > 0;
      if (node.startsWith("ip:") && (each.length > 1 || each.some(isNobody))) return NOBODY;
      continue;
    }
    const same = new Map<string, Found>();
    for (const candidates of each) for (const [id, other] of candidates) keepBetter(same, id, other);
    all = narrowed(all, same);
  }
  return all;
}

const NOBODY: Candidates = new Map();

/**
 * What was handed out for a credential, or to a session, is of whoever had that when he asked: it may outlive what it was
 * asked for with, such as a role that was taken from a session that is over since.
 */
function behind(
  search: Search,
  on: { readonly step: Step; readonly cluster: string | undefined },
  time: EpochMs,
  path: readonly Step[],
): Candidates {
  const { from, to, by, since } = on.step;
  const place = { node: to, cluster: on.cluster };
  if (by !== "issued" || since === undefined || !isHandedOut(from) || !isHandedOut(to)) return candidatesOf(search, place, time, path);
  const asked = candidatesOf(search, place, Math.min(time, Math.max(since, search.earliest)), path);
  return asked.size > 0 ? asked : candidatesOf(search, place, time, path);
}

function isHandedOut(node: Node): boolean {
  return node.startsWith("cred:") || node.startsWith("role:");
}

/** Bindings of one group are holders of one kind, one of which it is; those of different groups hold together. */
function groupOf({ to, by }: Step): string {
  const kind = to.startsWith("=") ? "=" : to.slice(0, to.indexOf(":"));
  return by === "observed" ? `${kind} seen` : kind;
}

const ORDER = [...LINK_KINDS, ...LINK_KINDS.map((kind) => `${kind} seen`), "= seen"];

/** What both say; what the first says when they have nothing in common or the other says nothing. */
function narrowed(first: Candidates, other: Candidates | undefined): Candidates {
  if (other === undefined || other.size === 0) return first;
  if (first.size === 0) return other;
  const both = new Map([...first].filter(([id]) => other.has(id)));
  return both.size === 0 ? first : both;
}

function keepBetter(found: Map<string, Found>, id: string, other: Found): void {
  const known = found.get(id);
  if (known === undefined || isBetter(other, known)) found.set(id, other);
}

/** Surer, or as sure and shorter, or the first in the order of texts: any order of the bindings gives the same path. */
function isBetter(a: Found, b: Found): boolean {
  if (a.confidence !== b.confidence) return a.confidence > b.confidence;
  if (a.path.length !== b.path.length) return a.path.length < b.path.length;
  return pathKey(a) < pathKey(b);
}

function pathKey({ path }: Found): string {
  return path.map(({ to, origin }) => `${to}\t${origin ?? ""}`).join("\n");
}

/** How sure a path is, without its last step to the agent by the registry. */
export function confidenceOf(path: readonly Step[]): number {
  let weakest: number = CONFIDENCE_BY.registry;
  for (const { by } of path) weakest = Math.min(weakest, CONFIDENCE_BY[by]);
  return Math.max(CONFIDENCE_MIN, weakest - HOP_COST * Math.max(0, path.length - 1));
}

/** The last step is the registry's, unless the path ends at the agent itself. */
function endingWith(path: readonly Step[], node: Node, agent: AgentProfile): readonly Step[] {
  return node.startsWith("=") ? path : [...path, { from: node, to: `=${agent.id}`, by: "registry" }];
}
