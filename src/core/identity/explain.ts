/** Why an event belongs to an agent, to several, or to nobody. */
import { ATTRIBUTION, type EpochMs, type Event } from "../event.ts";
import { CONFIDENCE, directKey, type DirectKey } from "./attribute.ts";
import { foundByItself, type Attribution } from "./attribution.ts";
import { bareKey, clusterOf, inCluster, isSameCluster } from "./clusters.ts";
import type { Directory } from "./directory.ts";
import type { ObservedFact } from "./facts.ts";
import { graph, type Graph, type Node, type Step } from "./graph.ts";
import { decidableAt, keysOf } from "./keys.ts";
import { keyText, type KeyText, type LinkKind } from "./links.ts";
import type { AgentProfile, KeyKind } from "./profile.ts";
import { CLOCK_TOLERANCE_MS } from "./reach.ts";
import { confidenceOf, registered, resolve } from "./resolve.ts";

/** One agent that the event may belong to. */
export interface ExplainedAgent {
  readonly agentUid: string;
  readonly agentName: string | undefined;
  /** Of this way alone; the event's own is lower when there are several agents. */
  readonly confidence: number | undefined;
  /** From a key of the event to the agent. */
  readonly path: readonly Step[];
}

/** A key of the event, and whom else it led to at other times. */
export interface ExplainedKey {
  readonly key: KeyText;
  /** Bindings of the key itself, whenever they held, oldest first; at most `BINDINGS_MAX`. */
  readonly ever: readonly Step[];
  /** Where the key leads at the event's time without coming to an agent. */
  readonly ends: readonly Node[];
}

/** The explanation of one event. */
export interface Explanation {
  /** `record`: its own identities; `address`: of the registry; `bindings`: of the log; `none`; `waits`: not decided yet. */
  readonly how: "record" | "address" | "bindings" | "none" | "waits";
  /** One of `ATTRIBUTION`. */
  readonly attributionId: number;
  readonly confidence: number | undefined;
  /** More than one: shared. */
  readonly candidates: readonly ExplainedAgent[];
  /** The keys by which bindings could find an agent. */
  readonly keys: readonly ExplainedKey[];
}

/** What is known beside the event. */
export interface Known {
  readonly registry: Directory;
  /** Stored facts about its keys, and about what these lead to. */
  readonly facts: readonly ObservedFact[];
  /** Who it was given to behind the watermark. */
  readonly stored: readonly Attribution[];
  /** Up to where events have been decided; null: none has. */
  readonly watermark: EpochMs | null;
}

/** Bindings listed of one key. */
const BINDINGS_MAX = 20;

/** Explains an event as the log has it. */
export function explainEvent(event: Event, known: Known): Explanation {
  const { registry, stored, watermark } = known;
  const links = graph(registry, false);
  for (const fact of known.facts) links.restore(fact);
  const { attributionId } = event;
  if (attributionId === ATTRIBUTION.none && stored.length === 0) {
    const keys = keysOf(event);
    const waits = keys.length > 0 && (watermark === null || decidableAt(keys, event.time) > watermark);
    const explained = keys.map((key) => explainKey(key, event, registry, links));
    return { how: waits ? "waits" : "none", attributionId, confidence: undefined, candidates: [], keys: explained };
  }
  const keys = keysOf(event).map((key): ExplainedKey => ({ key, ever: [], ends: [] }));
  const [first] = stored;
  if (attributionId === ATTRIBUTION.none && first !== undefined) {
    const candidates = stored.map(({ agentUid, path }) => candidate(registry, agentUid, parsePath(path)));
    return { how: "bindings", attributionId: first.attributionId, confidence: first.confidence, candidates, keys };
  }
  const { how, candidates } = explainIngested(event, registry);
  return { how, attributionId, confidence: event.attributionConfidence, candidates, keys };
}

/** What was decided when the record was stored; by the registry as it is now, so it may no longer say the same. */
function explainIngested(event: Event, registry: Directory): Pick<Explanation, "how" | "candidates"> {
  const ids = event.agentUid === undefined ? (event.agents ?? []) : [event.agentUid];
  const direct = directKey(event, registry) ?? namedSession(event, registry);
  const own = foundByItself({ ...event, attributionId: ATTRIBUTION.none }, registry);
  if (event.attributionId === ATTRIBUTION.observed)
    return { how: "bindings", candidates: ids.map((id) => candidate(registry, id, own.find(({ agent }) => agent.id === id)?.path ?? [])) };
  const byAddress = event.attributionId === ATTRIBUTION.registry || (direct === undefined && event.podUid === undefined);
  const key = byAddress
    ? keyOf("ip", event.srcIp, event)
    : direct === undefined
      ? keyOf("pod", event.podUid, event)
      : keyOf(LINKED[direct.kind], direct.value, event);
  const sure = byAddress ? CONFIDENCE.registry : CONFIDENCE.direct;
  const candidates = ids.map((id) => {
    const agent = registry.byId(id);
    return candidate(registry, id, key === undefined || agent === undefined ? [] : [registryStep(key, agent, event.time)], sure);
  });
  return { how: byAddress ? "address" : "record", candidates };
}

/** What was attributed by the name of a session, before it was asked who took that. */
function namedSession({ roleUid, time, attributionId }: Event, registry: Directory): DirectKey | undefined {
  const agents = roleUid === undefined || attributionId !== ATTRIBUTION.direct ? [] : registry.byKey("role", roleUid, time);
  return agents.length === 0 ? undefined : { kind: "role", value: roleUid!, agents };
}

const LINKED: Readonly<Record<KeyKind, LinkKind>> = {
  agent: "agent",
  client: "client",
  user: "user",
  credential: "cred",
  role: "role",
  serviceAccount: "sa",
  spiffe: "spiffe",
};

function keyOf(kind: LinkKind, value: string | undefined, { cluster }: Event): KeyText | undefined {
  const key = keyText(kind, value);
  return key === undefined ? undefined : inCluster(key, cluster);
}

/** The registry's own interval of a key, where it gives one. */
function registryStep(key: KeyText, agent: AgentProfile, time: EpochMs): Step {
  const held = spansOf(key, agent).find(({ from, to }) => time >= from - CLOCK_TOLERANCE_MS && time < to + CLOCK_TOLERANCE_MS);
  return {
    from: key,
    to: `=${agent.id}`,
    by: "registry",
    ...(held === undefined || held.from === -Infinity ? {} : { since: held.from }),
    ...(held === undefined || held.to === Infinity ? {} : { until: held.to }),
  };
}

/** When the registry says that an agent has a key. */
function spansOf(key: KeyText, agent: AgentProfile): readonly { readonly from: EpochMs; readonly to: EpochMs }[] {
  const at = key.indexOf(":");
  const [kind, value] = [key.slice(0, at), bareKey(key).slice(at + 1)];
  const isThere = ({ cluster }: { readonly cluster?: string | undefined }): boolean => isSameCluster(cluster, clusterOf(key));
  return kind === "ip" || kind === "pod"
    ? agent.pods.filter((pod) => (kind === "ip" ? pod.ip : pod.uid) === value && isThere(pod))
    : agent.keys.filter((one) => LINKED[one.kind] === kind && one.value === value && isThere(one));
}

function candidate(registry: Directory, agentUid: string, path: readonly Step[], sure?: number): ExplainedAgent {
  const told = path.at(-1)?.by === "registry" ? path.slice(0, -1) : path;
  return {
    agentUid,
    agentName: registry.byId(agentUid)?.name,
    confidence: path.length === 0 ? undefined : (sure ?? confidenceOf(told)),
    path,
  };
}

/** A stored path; empty when it was cut. */
function parsePath(text: string): readonly Step[] {
  try {
    const path: unknown = JSON.parse(text);
    return Array.isArray(path) ? (path as Step[]) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function explainKey(key: KeyText, event: Event, registry: Directory, links: Graph): ExplainedKey {
  const held: Step[] = registry.agents.flatMap((agent) => everRegistered(key, agent));
  const ever = [...held, ...links.ever(key, event.cluster)].sort((a, b) => (a.since ?? -Infinity) - (b.since ?? -Infinity));
  return { key, ever: ever.slice(-BINDINGS_MAX), ends: deadEnds(key, event, registry, links) };
}

function everRegistered(key: KeyText, agent: AgentProfile): Step[] {
  return spansOf(key, agent).map((span) => registryStep(key, agent, Math.max(span.from, Math.min(span.to - 1, Number.MAX_SAFE_INTEGER))));
}

/** The last keys on the ways from a key that lead to no agent. */
function deadEnds(key: KeyText, { time, cluster }: Event, registry: Directory, links: Graph): Node[] {
  const seen = new Set<Node>([key]);
  const ends: Node[] = [];
  for (const node of seen) {
    if (registered(node, time, registry, cluster).length > 0) continue;
    const next = links.at(node, time, cluster).map(({ to }) => to);
    if (next.length === 0 && node !== key) ends.push(node);
    for (const one of next) if (seen.size < BINDINGS_MAX) seen.add(one);
  }
  // Keys that lead to agents by now led to none when the event was decided: what says so came too late.
  for (const { agent } of resolve([key], time, registry, links.at, cluster)) ends.push(`=${agent.id}`);
  return ends;
}
