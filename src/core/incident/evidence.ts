/** The evidence that an incident lists: lines of its timeline, and their proof. */
import type { Alert } from "../alert.ts";
import type { Event } from "../event.ts";
import type { TimelineEntry } from "../incident.ts";
import { describeEvent } from "../story.ts";
import { select } from "./select.ts";

/** Lines of an incident's timeline that are evidence, and records that it leads back to. */
export const EVIDENCE_MAX = 50;

/** Events in order of time. */
export function byTimeAndUid(
  a: { readonly time: number; readonly uid: string },
  b: { readonly time: number; readonly uid: string },
): number {
  return a.time - b.time || (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);
}

/** An event in words. */
export function timelineEntry(event: Event): TimelineEntry {
  return { time: event.time, uid: event.uid, source: event.source, text: describeEvent(event) };
}

/** The timeline with more events of its alerts; what the agent did beside stays as it is. */
export function mergeTimeline(before: readonly TimelineEntry[], now: readonly TimelineEntry[], alerts: readonly Alert[]): TimelineEntry[] {
  const wanted = new Set(alerts.flatMap((alert) => [...alert.evidence, ...(alert.behind ?? [])]));
  const byUid = new Map<string, TimelineEntry>();
  // The first words stay: later its event may be read back without the name that was known then.
  const evidence = [...before.filter(({ activity }) => activity === undefined), ...now];
  for (const entry of evidence) if (wanted.has(entry.uid) && !byUid.has(entry.uid)) byUid.set(entry.uid, entry);
  const beside = before.filter(({ activity }) => activity !== undefined);
  return [...selectEvidence([...byUid.values()], alerts), ...beside].sort(byTimeAndUid);
}

/** As many as an incident lists, in order of time. */
export function selectEvidence<T extends { readonly time: number; readonly uid: string }>(
  all: readonly T[],
  alerts: readonly Alert[],
): T[] {
  const lines = all.toSorted(byTimeAndUid).map((one) => ({ time: one.time, uids: [one.uid], one }));
  return select(lines, alerts, EVIDENCE_MAX).map(({ one }) => one);
}
