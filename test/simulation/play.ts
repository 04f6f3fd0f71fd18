/** Puts the records through the real connectors, the real attribution and the real resolver, in their order of arrival. */
import { createHash } from "node:crypto";
import { connectors } from "../../connectors/index.ts";
import { parseRegistry } from "../../src/config/registry.ts";
import type { Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { resolver, type ResolverStats } from "../../src/core/identity/resolver.ts";
import type { NormalizeContext } from "../../src/ports/connector.ts";
import { readLine, newBatch } from "../../src/core/framing.ts";
import { CLUSTERS, issuerOf, MINUTE, mountOf, SECOND, SOURCES, type SourceName, type Told } from "./world.ts";

/** An event, and the truth about it. */
export interface Seen extends Pick<Told, "truth" | "undecidable" | "attack" | "source" | "cluster"> {
  readonly event: Event;
}

/** What came of the records. */
export interface Played {
  readonly events: readonly Seen[];
  readonly stats: ResolverStats;
  /** CPU milliseconds of attribution and resolution alone. */
  readonly cpuMs: number;
}

/** What an operator would configure for sources that are up to ten minutes late. */
const LATENESS = 11 * MINUTE;
/** Arrivals of so long are one batch. */
const BATCH = 5 * SECOND;

/** Plays the records against a registry. `named`: sources are configured with the cluster that they belong to. */
export function play(told: readonly Told[], registryText: string, named = true): Played {
  const parsed = parseRegistry("agents.yaml", registryText);
  if (parsed.problems.length > 0) throw new Error(parsed.problems[0]!.message);
  const registry = directory(parsed.agents);
  const normalizers = new Map(
    [undefined, ...CLUSTERS].flatMap((cluster) =>
      SOURCES.map((source) => [`${source} ${cluster}`, reader(source, named ? cluster : undefined)]),
    ),
  );
  const events: Seen[] = [];
  const arrivals = told.toSorted((a, b) => a.arrival - b.arrival);
  const batches = Map.groupBy(arrivals, ({ arrival }) => Math.floor(arrival / BATCH));
  const graph = resolver(registry);
  let cpu = 0;
  for (const [batch, records] of batches) {
    const fresh = records.flatMap((one) => {
      const { truth, undecidable, attack, source, cluster } = one;
      const events = normalizers.get(`${source} ${cluster}`)!(one);
      return events.map((event): Seen => ({ event, truth, undecidable, attack, source, cluster }));
    });
    events.push(...fresh);
    const before = process.cpuUsage();
    for (const { event } of fresh) attribute(event, registry);
    graph.push(fresh.map(({ event }) => event));
    graph.advance(batch * BATCH - LATENESS);
    const { user, system } = process.cpuUsage(before);
    cpu += user + system;
  }
  graph.advance(Infinity);
  return { events, stats: graph.stats, cpuMs: cpu / 1000 };
}

/** What an operator configures beside the path: the fleet's gateway checks tokens and writes their claims itself. */
const SETTINGS: Partial<Record<SourceName, object>> = {
  kong: { trustClaims: true },
  "aws-cloudtrail": { clusters: Object.fromEntries(CLUSTERS.map((name) => [issuerOf(name), name])) },
  "hashicorp-vault": { clusters: Object.fromEntries(CLUSTERS.map((name) => [mountOf(name), name])) },
};

function reader(source: SourceName, cluster: string | undefined): (told: Told) => readonly Event[] {
  const connector = connectors.find(({ id }) => id === source)!;
  const settings = { path: "/nowhere", ...SETTINGS[source], ...(cluster === undefined ? {} : { cluster }) };
  const options = connector.config.safeParse(settings);
  // What all clusters share has no such setting, and tells nothing of one.
  const normalize = connector.normalize!(options.success ? options.data : undefined);
  const read = connector.format!().open();
  const sha256 = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex");
  return ({ record, arrival }) => {
    const context: NormalizeContext = { source: `${source}/sim`, received: arrival, sha256 };
    if (typeof record !== "string") return normalize(record, context);
    // What is no JSON is read as its files are.
    const batch = newBatch("sim");
    readLine(read, record, 1, batch);
    return batch.records.flatMap((one) => normalize(one, context));
  };
}
