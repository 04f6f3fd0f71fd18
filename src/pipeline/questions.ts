/** The two questions that an investigation begins with: what belongs to this run, and what did this agent touch? */
import type { EpochMs, Event } from "../core/event.ts";
import { linkIds, traceOf, type Trace } from "../core/trace.ts";
import { touchedBy, type Touched } from "../core/touched.ts";
import type { Store } from "../ports/store.ts";

/** Events of a run: more are no run that a person follows, and as many are read in a fraction of a second. */
const TRACE_EVENTS_MAX = 5000;
/** From the id that was asked for over the ids of its events to those of theirs: further, everything is linked to everything. */
const HOPS_MAX = 2;
/** Ids that are followed in one hop; the store takes no more at once. */
const FOLLOW_MAX = 32;
/** Events of one agent that are summed up: as many are read and decoded well within a second. */
const TOUCHED_EVENTS_MAX = 20_000;

/** One run over all sources; null when no event carries the id. */
export async function trace(store: Store, id: string): Promise<Trace | null> {
  const found = new Map<string, { readonly event: Event; readonly hop: number }>();
  const near = { first: Number.MAX_SAFE_INTEGER, last: 0 };
  const asked = new Set([id]);
  let ids = [id];
  let complete = true;
  for (let hop = 0; hop <= HOPS_MAX && ids.length > 0; hop++) {
    // What carries the id is looked for everywhere; what is linked to that, in the days around it: so a run is found.
    const answer = await store.eventsByRefs(ids, TRACE_EVENTS_MAX, hop === 0 ? undefined : near);
    const fresh = answer.events.filter(({ event }) => !found.has(event.uid));
    const taken = fresh.slice(0, TRACE_EVENTS_MAX - found.size);
    for (const { sequence, event } of taken) {
      found.set(event.uid, { event, hop });
      near.first = Math.min(near.first, sequence);
      near.last = Math.max(near.last, sequence);
    }
    complete &&= answer.complete && taken.length === fresh.length;
    if (hop === HOPS_MAX) break;
    const linked = [...new Set(fresh.flatMap(({ event }) => linkIds(event)))].filter((one) => !asked.has(one)).sort();
    if (linked.length > FOLLOW_MAX) complete = false;
    ids = linked.slice(0, FOLLOW_MAX);
    for (const one of ids) asked.add(one);
  }
  asked.delete(id);
  return found.size === 0 ? null : traceOf(id, [...found.values()], { followed: [...asked].sort(), complete });
}

/** What an agent touched, and what it may have touched. */
export interface AgentTouched {
  readonly agent: string;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** Its own events. */
  readonly direct: Touched;
  /** Events that it shares with others: each was caused by one of them. */
  readonly possible: Touched;
  /** Events of its own that there are; more than `direct.events` when only the newest were read. */
  readonly total: number;
  readonly complete: boolean;
}

/** What an agent (by id) touched with from <= time <= to; null when nothing stored has ever heard of it. */
export async function touched(store: Store, agent: string, from: EpochMs, to: EpochMs): Promise<AgentTouched | null> {
  const { direct, possible, total, complete } = await store.activityOf(agent, from, to, TOUCHED_EVENTS_MAX);
  if (direct.length + possible.length === 0 && !(await store.knowsAgent(agent))) return null;
  return { agent, from, to, direct: touchedBy(direct), possible: touchedBy(possible.map(({ event }) => event)), total, complete };
}
