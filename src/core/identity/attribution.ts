import { ATTRIBUTION, type EpochMs, type Event } from "../event.ts";
import type { BindingsAt, Step } from "./graph.ts";
import { CLOCK_TOLERANCE_MS } from "./reach.ts";
import { inCluster } from "./clusters.ts";
import { parseLink, type KeyText } from "./links.ts";
import { resolve, type Found } from "./resolve.ts";
import { keysOf } from "./keys.ts";
import type { Directory } from "./directory.ts";

/** One agent that an event was given to behind the watermark; a shared one has a row for each candidate. */
export interface Attribution {
  /** Of the event. */
  readonly uid: string;
  readonly time: EpochMs;
  readonly agentUid: string;
  readonly attributionId: number;
  /** 0 to 100. */
  readonly confidence: number;
  /** The bindings from a key of the event to the agent, as `pathText` writes them. */
  readonly path: string;
}

/** What is stored of an event that was decided; `found` by agent id. */
export function attributionsOf(event: Event, found: readonly Found[]): readonly Attribution[] {
  return found.map(({ agent, path }) => ({
    uid: event.uid,
    time: event.time,
    agentUid: agent.id,
    attributionId: event.attributionId,
    confidence: event.attributionConfidence ?? 0,
    path: pathText(path),
  }));
}

/** A path as it is stored: JSON, a list of steps. */
function pathText(path: readonly Step[]): string {
  return JSON.stringify(path);
}

/** What an event's own record proves of its keys, such as a token that names who spawned its bearer; nothing else is asked. */
export function foundByItself(event: Event, registry: Directory): readonly Found[] {
  const texts = event.links;
  if (texts === undefined || event.attributionId !== ATTRIBUTION.none) return [];
  const at: BindingsAt = (node) =>
    texts.flatMap((text): Step[] => {
      const link = parseLink(text);
      if (link === undefined || link.ends === true || link.to.startsWith("ip:")) return [];
      const [from, to] = [inCluster(link.from, event.cluster), inCluster(link.to, event.cluster)];
      if (from !== node) return [];
      const { since = event.time, until } = link;
      if (since > event.time + CLOCK_TOLERANCE_MS || (until ?? Infinity) + CLOCK_TOLERANCE_MS <= event.time) return [];
      const by = from.startsWith("agent:") ? "delegated" : "issued";
      return [{ from, to, by, since, ...(until === undefined ? {} : { until }), origin: event.uid }];
    });
  return resolve(keysOf(event).filter(isNoAddress), event.time, registry, at, event.cluster);
}

function isNoAddress(key: KeyText): boolean {
  return !key.startsWith("ip:");
}
