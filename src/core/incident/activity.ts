/**
 * What an agent did beside what its alerts rest on, for the timeline: calls that are alike and follow one another are one
 * line with their number, so that ten thousand reads do not hide the one deletion between them.
 */
import type { EpochMs, Event } from "../event.ts";
import { STATUS } from "../event.ts";
import type { Activity, TimelineEntry } from "../incident.ts";
import { safeText } from "../safe-text.ts";
import { bytes, describeEvent } from "../story.ts";
import { endpointName } from "./blast.ts";
import { byTimeAndUid } from "./evidence.ts";
import { reversibilityOf, type Reversibility } from "./reversibility.ts";

/** Lines that an incident's timeline holds beside those of its evidence. */
export const ACTIVITY_MAX = 40;
/** A pause longer than this begins a new line: what an agent does an hour later is told as something of its own. */
const PAUSE_MS = 5 * 60_000;
/** Longest line, UTF-16 units, and what of it says what was done. */
const LINE_MAX = 200;
const KIND_MAX = 140;

/** How grave what was done is; what was only tried is half as grave, and above everything that changed nothing. */
const WEIGHTS: Readonly<Record<Reversibility, number>> = { irreversible: 10, "by hand": 8, reversible: 3, read: 1 };
/** Of what is no action: a sign-in, a name looked up, allowed traffic. A monitor's finding is somebody's alarm. */
const WEIGHT_OTHER = 2;
const WEIGHT_FINDING = 8;

/** Lines for these events of one agent, in order of time; the same for any order of them. */
export function activityOf(events: readonly Event[]): TimelineEntry[] {
  const kinds = Map.groupBy(events.toSorted(byTimeAndUid), (event) => `${event.source}\n${kindOf(event)}`);
  return [...kinds.values()].flatMap((alike) => stretches(alike).map(lineOf)).sort(byTimeAndUid);
}

/**
 * The lines of a new reading with those of the one before. `isWhole`: the new one read everything that the old one did, and
 * so stands alone; else what was told stays, and of the same stretch the larger numbers.
 */
export function mergeActivity(before: readonly TimelineEntry[], now: readonly TimelineEntry[], isWhole: boolean): TimelineEntry[] {
  if (isWhole) return [...now];
  const kept = [...now];
  for (const old of before) {
    const same = kept.findIndex((one) => isSameStretch(one, old));
    if (same === -1) kept.push(old);
    else kept[same] = both(old, kept[same]!);
  }
  return kept.sort(byTimeAndUid);
}

/** The first, the last and the gravest of them, in order of time. */
export function selectActivity(lines: readonly TimelineEntry[], max: number = ACTIVITY_MAX): TimelineEntry[] {
  if (lines.length <= max) return [...lines];
  const kept = new Set([...lines.slice(0, Math.floor(max / 8)), ...lines.slice(lines.length - Math.floor(max / 4))]);
  const grave = lines.toSorted((a, b) => weightOf(b) - weightOf(a) || sizeOf(b) - sizeOf(a) || b.time - a.time || byTimeAndUid(a, b));
  for (const line of grave) if (kept.size < max) kept.add(line);
  return lines.filter((line) => kept.has(line));
}

/** Events that the lines stand for. */
export function eventsIn(lines: readonly TimelineEntry[]): number {
  return lines.reduce((sum, { activity }) => sum + (activity?.count ?? 0), 0);
}

function weightOf({ activity }: TimelineEntry): number {
  return activity?.weight ?? 0;
}

function sizeOf({ activity }: TimelineEntry): number {
  return (activity?.bytesIn ?? 0) + (activity?.bytesOut ?? 0);
}

/** What was done, from where and how it ended, without what differs from call to call. */
function kindOf(event: Event): string {
  const from = event.srcIp === undefined ? "" : ` from ${event.srcIp}`;
  switch (event.category) {
    case "agent_api": {
      const failed = event.statusId === STATUS.failure ? ": failed" : "";
      const outcome = event.responseCode === undefined ? failed : `: ${event.responseCode}`;
      const who = safeText(from, 50);
      return `called ${safeText(endpointName(event), KIND_MAX - 20 - who.length)}${who}${outcome}`;
    }
    case "egress":
      return safeText(describeEvent({ ...event, bytesOut: undefined }), KIND_MAX);
    default:
      return safeText(describeEvent(event), KIND_MAX);
  }
}

/** Events of one kind, in order of time, cut at every long pause. */
function stretches(alike: readonly Event[]): Event[][] {
  const parts: Event[][] = [];
  for (const event of alike) {
    const newest = parts.at(-1);
    if (newest !== undefined && event.time - newest.at(-1)!.time <= PAUSE_MS) newest.push(event);
    else parts.push([event]);
  }
  return parts;
}

function lineOf(events: readonly Event[]): TimelineEntry {
  const [first] = events;
  const sum = (read: (event: Event) => number | undefined): number => events.reduce((total, event) => total + (read(event) ?? 0), 0);
  const activity = {
    kind: kindOf(first!),
    count: events.length,
    lastTime: events.at(-1)!.time,
    bytesIn: sum((event) => event.bytesIn),
    bytesOut: first!.category === "egress" ? sum((event) => event.bytesOut) : 0,
    weight: gravityOf(first!),
  };
  return entryOf({ time: first!.time, uid: first!.uid, source: first!.source }, activity);
}

function entryOf(at: Pick<TimelineEntry, "time" | "uid" | "source">, activity: Activity): TimelineEntry {
  const { kind, count, lastTime, bytesIn, bytesOut } = activity;
  const many = count === 1 ? "" : `, ${count} times until ${clock(lastTime, at.time)}`;
  const size = `${bytesOut === 0 ? "" : `, ${bytes(bytesOut)} sent`}${bytesIn === 0 ? "" : `, ${bytes(bytesIn)} returned`}`;
  return { ...at, text: safeText(`${kind}${many}${size}`, LINE_MAX), activity };
}

function gravityOf(event: Event): number {
  if (event.category === "agent_finding") return WEIGHT_FINDING;
  const reversibility = reversibilityOf(event);
  const weight = reversibility === undefined ? WEIGHT_OTHER : WEIGHTS[reversibility];
  return event.statusId === STATUS.failure || event.errorFlag === 1 ? weight / 2 : weight;
}

function isSameStretch(a: TimelineEntry, b: TimelineEntry): boolean {
  if (a.activity === undefined || b.activity === undefined || a.source !== b.source || a.activity.kind !== b.activity.kind) return false;
  return a.time <= b.activity.lastTime + PAUSE_MS && b.time <= a.activity.lastTime + PAUSE_MS;
}

function both(a: TimelineEntry, b: TimelineEntry): TimelineEntry {
  const [first] = [a, b].sort(byTimeAndUid);
  const larger = (read: (activity: Activity) => number): number => Math.max(read(a.activity!), read(b.activity!));
  return entryOf(
    { time: first!.time, uid: first!.uid, source: first!.source },
    {
      kind: b.activity!.kind,
      count: larger(({ count }) => count),
      lastTime: larger(({ lastTime }) => lastTime),
      bytesIn: larger(({ bytesIn }) => bytesIn),
      bytesOut: larger(({ bytesOut }) => bytesOut),
      weight: larger(({ weight }) => weight),
    },
  );
}

/** The time of day where it is the same day. */
function clock(time: EpochMs, from: EpochMs): string {
  const text = new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
  return text.slice(0, 10) === new Date(from).toISOString().slice(0, 10) ? text.slice(11) : text;
}
