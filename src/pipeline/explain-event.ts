import type { Event } from "../core/event.ts";
import { LINK_FACT } from "../core/identity/bindings.ts";
import type { Directory } from "../core/identity/directory.ts";
import { explainEvent, type Explanation } from "../core/identity/explain.ts";
import { SEEN_FACT } from "../core/identity/graph.ts";
import { bareKey } from "../core/identity/clusters.ts";
import { keysOf } from "../core/identity/keys.ts";
import { HOPS_MAX } from "../core/identity/resolve.ts";
import type { Fact, Store } from "../ports/store.ts";
import { WATERMARK_JOB } from "./correlate.ts";

/** Keys whose facts are asked for at each hop; hostile links could name very many. */
const KEYS_MAX = 64;

/** An event with why it belongs to whom it belongs to. */
export interface ExplainedEvent {
  readonly event: Event;
  readonly explanation: Explanation;
}

/** Explains an event of the log; null when there is none with this uid. @throws {Failure} of the store */
export async function explainStored(store: Store, registry: Directory, uid: string): Promise<ExplainedEvent | null> {
  const [event] = await store.events([uid]);
  if (event === undefined) return null;
  const stored = await store.attributions([uid]);
  const watermark = await store.offset(WATERMARK_JOB);
  const facts = await factsAround(store, keysOf(event));
  return { event, explanation: explainEvent(event, { registry, facts, stored, watermark }) };
}

/** What is stored of keys and of the keys that these lead to. */
async function factsAround(store: Store, keys: readonly string[]): Promise<readonly Fact[]> {
  const found: Fact[] = [];
  const asked = new Set<string>();
  let next: readonly string[] = keys;
  for (let hop = 0; hop <= HOPS_MAX && next.length > 0; hop++) {
    const now = next
      .map(bareKey)
      .filter((key) => !asked.has(key))
      .slice(0, KEYS_MAX);
    for (const key of now) asked.add(key);
    if (now.length === 0) break;
    const facts = await store.facts(now.flatMap((key) => [`${LINK_FACT}${key}`, `${SEEN_FACT}${key}@`]));
    found.push(...facts);
    next = [...new Set(facts.map(({ value }) => value.split("\t")[0]!))];
  }
  return found;
}
