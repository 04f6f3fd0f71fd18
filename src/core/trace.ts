/** One run as it shows in every source: what its events have in common, in the order of their times. */
import type { Category, EpochMs, Event } from "./event.ts";
import { safeText } from "./safe-text.ts";
import { describeEvent } from "./story.ts";
import { nameOfEndpoint } from "./touched.ts";

/** Names of one kind that are listed. */
const NAMES_MAX = 100;
/** Longest name, UTF-16 units. */
const NAME_MAX = 200;

/** One step of a run. Texts are escaped. */
export interface TraceStep {
  readonly time: EpochMs;
  readonly uid: string;
  readonly source: string;
  readonly category: Category;
  readonly agent: string | null;
  /** 0: it carries the id that was asked for; 1 and 2: it is linked to one that does, over so many ids. */
  readonly hop: number;
  readonly text: string;
}

/** A run. */
export interface Trace {
  readonly id: string;
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly steps: readonly TraceStep[];
  readonly sources: readonly string[];
  readonly agents: readonly string[];
  readonly tools: readonly string[];
  readonly endpoints: readonly string[];
  readonly hosts: readonly string[];
  readonly findings: readonly string[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Run, session, trace and conversation ids that were followed. */
  readonly followed: readonly string[];
  /** False: there are more events than were read, or more ids than were followed. */
  readonly complete: boolean;
}

/** The ids over which a run goes on in other sources; a request id is of one call only. */
export function linkIds(event: Event): readonly string[] {
  const ids = [event.runUid, event.sessionUid, event.traceUid, event.conversationUid];
  return ids.filter((id) => id !== undefined && id !== "") as string[];
}

/** Puts a run together; the result does not depend on the order of the events. */
export function traceOf(
  id: string,
  found: readonly { readonly event: Event; readonly hop: number }[],
  more: Pick<Trace, "followed" | "complete">,
): Trace {
  const ordered = found.toSorted((a, b) => a.event.time - b.event.time || (a.event.uid < b.event.uid ? -1 : 1));
  const events = ordered.map(({ event }) => event);
  const sum = (of: (event: Event) => number | undefined): number => events.reduce((total, event) => total + (of(event) ?? 0), 0);
  return {
    id: safeText(id, NAME_MAX),
    from: events[0]?.time ?? 0,
    to: events.at(-1)?.time ?? 0,
    steps: ordered.map(({ event, hop }) => ({
      time: event.time,
      uid: safeText(event.uid, NAME_MAX),
      source: event.source,
      category: event.category,
      agent: event.agentUid === undefined ? null : safeText(event.agentUid, NAME_MAX),
      hop,
      text: describeEvent(event),
    })),
    sources: names(events.map((event) => event.source)),
    agents: names(events.flatMap((event) => [event.agentUid, ...(event.agents ?? [])])),
    tools: names(events.flatMap((event) => [event.toolName, ...(event.toolNames ?? [])])),
    endpoints: names(events.map(nameOfEndpoint)),
    hosts: names(
      events
        .filter(({ category }) => category === "egress" || category === "dns")
        .map((event) => event.dstHost ?? event.dnsQuery ?? event.dstIp),
    ),
    findings: names(events.map((event) => event.findingThreat)),
    bytesIn: sum((event) => event.bytesIn),
    bytesOut: sum((event) => event.bytesOut),
    followed: more.followed.map((one) => safeText(one, NAME_MAX)),
    complete: more.complete,
  };
}

function names(given: readonly (string | undefined)[]): string[] {
  const distinct = [...new Set(given)].filter((one) => one !== undefined && one !== "") as string[];
  return distinct
    .sort()
    .slice(0, NAMES_MAX)
    .map((one) => safeText(one, NAME_MAX));
}
