/** The join that made it suspicious, in words: what was seen where and when, and by which keys it is one agent's doing. */
import { LEVELS, type Alert } from "../alert.ts";
import { STATUS, type Event } from "../event.ts";
import { safeText } from "../safe-text.ts";
import { bytes, describeEvent } from "../story.ts";
import { endpointName, type BlastRadius } from "./blast.ts";
import { byTimeAndUid } from "./evidence.ts";
import { reversibilityOf } from "./reversibility.ts";
import { confidenceOf, isConfident, rank, byTime, type OpeningPolicy } from "./risk.ts";

/** Parts of one sentence: a join of more kinds of events than this is read in the timeline. */
const PARTS_MAX = 5;
/** Keys that the sentence names. */
const KEYS_MAX = 3;
/** Events behind inner alerts that an alert names at most (`Alert.behind`): of so many there may be more. */
const EVIDENCE_OF_ALERT_MAX = 25;
/** Longest sentence, UTF-16 units: PagerDuty's texts end there. */
const WHY_MAX = 1_000;

/** What telling needs beside the alerts. */
export interface Known {
  readonly evidence: ReadonlyMap<string, Event>;
  readonly policy: OpeningPolicy;
  /** What the agent did in all; numbers of an alert whose evidence is not whole are completed from it. */
  readonly blast?: BlastRadius | undefined;
  /** Uids of events that were known once and are no longer stored. */
  readonly lost?: ReadonlySet<string>;
}

/** The alert that says most, and what it says. */
export interface Why {
  readonly alert: Alert;
  readonly text: string;
}

/** The title of an incident that an alert leads. */
export function titleOf(alert: Alert, who: string): string {
  return `${alert.ruleTitle}: ${who}`;
}

/**
 * The sentence about the alert that says most, or undefined when none of the evidence is known, or when what is lost
 * might say more than what is left.
 */
export function tellWhy(who: string, alerts: readonly Alert[], { evidence, policy, blast, lost = new Set() }: Known): Why | undefined {
  const weigh = (alert: Alert): number => (isConfident(alert, policy) ? LEVELS.length : 0) + rank(alert.level);
  const isLost = (alert: Alert): boolean => [...alert.evidence, ...(alert.behind ?? [])].some((uid) => lost.has(uid));
  const gone = Math.max(-Infinity, ...alerts.filter(isLost).map(weigh));
  const told = alerts
    .map((alert) => ({ alert, events: eventsOf(alert, evidence) }))
    .filter(({ alert, events }) => events.length > 0 && weigh(alert) > gone)
    .map((one) => ({ ...one, sent: sentOf(one.events), joined: joinedOf(one.events) }));
  told.sort(
    (a, b) =>
      weigh(b.alert) - weigh(a.alert) ||
      Number(b.sent > 0) - Number(a.sent > 0) ||
      b.joined - a.joined ||
      b.sent - a.sent ||
      confidenceOf(b.alert) - confidenceOf(a.alert) ||
      byTime(a.alert, b.alert),
  );
  const best = told[0];
  if (best === undefined) return undefined;
  const parts = partsOf(best.events, { whole: isWhole(best.alert, best.events), lastTime: best.alert.lastTime, blast });
  const texts = parts.slice(0, PARTS_MAX).map(({ text }) => text);
  const more = parts.length > PARTS_MAX ? `, and ${parts.length - PARTS_MAX} more kinds of events` : "";
  const keys = [...new Set(parts.flatMap(({ key }) => (key === undefined ? [] : [key])))].slice(0, KEYS_MAX);
  const quantity = parts.length > 2 ? "all by " : parts.length === 2 ? "both by " : "by ";
  const by = `${quantity}${who} (${[...keys, `confidence ${confidenceOf(best.alert)}`].join(" / ")})`;
  return { alert: best.alert, text: safeText(`${texts.join(", then ")}${more}: ${by}`, WHY_MAX) };
}

/** Data that left outranks every other join: bytes to hosts, where nobody said that they are allowed; 1 when nobody counted. */
function sentOf(events: readonly Event[]): number {
  const out = events.filter((event) => event.category === "egress" && event.dstAllowed !== true && event.statusId !== STATUS.failure);
  return out.length === 0
    ? 0
    : Math.max(
        1,
        total(out, (event) => event.bytesOut),
      );
}

/** What several sources saw says more than several kinds of events of one, and those more than one kind. */
function joinedOf(events: readonly Event[]): number {
  if (new Set(events.map((event) => event.source)).size > 1) return 2;
  return new Set(events.map((event) => event.category)).size > 1 ? 1 : 0;
}

/** All that the alert rests on is here: an alert names no more than 25 of its events, and 25 behind other alerts. */
function isWhole(alert: Alert, events: readonly Event[]): boolean {
  const behind = alert.behind ?? [];
  // An inner alert is counted as one, and stands among the evidence without being a stored event.
  if (alert.count > alert.evidence.length || behind.length >= EVIDENCE_OF_ALERT_MAX) return false;
  const known = new Set(events.map(({ uid }) => uid));
  return behind.length > 0 ? behind.every((uid) => known.has(uid)) : alert.evidence.every((uid) => known.has(uid));
}

function eventsOf(alert: Alert, evidence: ReadonlyMap<string, Event>): Event[] {
  const uids = new Set([...alert.evidence, ...(alert.behind ?? [])]);
  const events = [...uids].map((uid) => evidence.get(uid)).filter((event) => event !== undefined);
  return events.sort(byTimeAndUid);
}

interface Part {
  readonly text: string;
  readonly key: string | undefined;
}

/** How far the events speak for all that the alert rests on. */
interface Extent {
  readonly whole: boolean;
  /** Last event of the alert. */
  readonly lastTime: number;
  readonly blast: BlastRadius | undefined;
}

/** One part for each kind of event and outcome, in the order in which they began; a call that changes something is no read. */
function partsOf(events: readonly Event[], extent: Extent): Part[] {
  const kinds = Map.groupBy(events, (event) => `${event.category} ${event.statusId === STATUS.failure} ${isRead(event)}`);
  const groups = [...kinds.values()];
  // Of several kinds nobody knows which of them went on.
  const last = groups.length === 1 && !extent.whole ? extent.lastTime : undefined;
  return groups.map((group) => ({ text: `${wordsOf(group, extent)} ${when(group, last)}`, key: keyOf(group) }));
}

function isRead(event: Event): boolean {
  return event.category === "agent_api" && reversibilityOf(event) === "read";
}

function wordsOf(events: readonly Event[], extent: Extent): string {
  const [first] = events;
  const event = first!;
  const least = extent.whole ? "" : "at least ";
  if (event.category === "agent_api" && event.statusId !== STATUS.failure) return callWords(events, extent);
  if (event.category === "egress") {
    const out = total(events, (one) => one.bytesOut);
    const hosts = events.map((one) => one.dstHost ?? one.dstIp);
    const all = extent.whole ? [] : (extent.blast?.hosts ?? []).filter(({ name }) => hosts.includes(name));
    const inAll = total(all, ({ bytesOut }) => bytesOut);
    return `sent ${out === 0 ? "data" : `${least}${bytes(out)}`} to ${some(hosts)}${inAll > out ? ` (in all ${lower(extent)}${bytes(inAll)})` : ""}`;
  }
  if (event.category === "authentication") {
    const many =
      events.length === 1 && extent.whole
        ? "authentication"
        : `${least}${events.length} ${events.length === 1 ? "authentication" : "authentications"}`;
    const from = some(events.map((one) => one.srcIp));
    return `${many} ${event.statusId === STATUS.failure ? "failed" : "succeeded"}${from === "" ? "" : ` from ${from}`}`;
  }
  if (events.length === 1) return describeEvent(event);
  return `${least}${events.length} times ${describeEvent(event)}`;
}

/** What came back says more than how often it was asked for, when it is known. */
function callWords(events: readonly Event[], extent: Extent): string {
  const least = extent.whole ? "" : "at least ";
  const size = total(events, (event) => event.bytesIn);
  const through = some(events.map((event) => event.source));
  const names = events.map(endpointName);
  const calls = `${least}${events.length} ${events.length === 1 ? "call" : "calls"} of ${some(names)}`;
  const rows = extent.whole ? [] : (extent.blast?.endpoints ?? []).filter(({ name }) => names.includes(name));
  const count = total(rows, (row) => row.count - row.failed);
  const inAll = count > events.length ? `; in all ${lower(extent)}${count} calls` : "";
  if (size === 0 || !isRead(events[0]!)) return `made ${calls}${inAll} through ${through}`;
  const data = some(events.flatMap((event) => event.dataClasses ?? []));
  const allBytes = total(rows, (row) => row.bytesIn);
  const more = allBytes > size ? `${inAll}${inAll === "" ? "; in all " : ", "}${bytes(allBytes)}` : inAll;
  return `read ${least}${bytes(size)}${data === "" ? "" : ` of ${data} data`} (${calls}${more}) through ${through}`;
}

/** Before a number of the blast radius. */
function lower({ blast }: Extent): string {
  return blast?.atLeast === true ? "at least " : "";
}

function when(events: readonly Event[], last = events.at(-1)!.time): string {
  const from = clock(events[0]!.time);
  const to = clock(last);
  return from === to ? `at ${from}` : `from ${from} to ${to}`;
}

/** The key by which the record is the agent's; a sensor knows the address alone. */
function keyOf(events: readonly Event[]): string | undefined {
  const named = (label: string, read: (event: Event) => string | undefined): string | undefined => {
    const values = some(events.map(read));
    return values === "" ? undefined : `${label} ${values}`;
  };
  if (events[0]?.category === "egress") return named("pod", (event) => event.podName) ?? named("address", (event) => event.srcIp);
  return (
    named("credential", (event) => event.credentialUid) ??
    named("client", (event) => event.clientUid) ??
    named("role", (event) => event.roleUid) ??
    named("service account", (event) => event.serviceAccount) ??
    named("address", (event) => event.srcIp)
  );
}

/** The first two of them, and how many more. */
function some(values: readonly (string | undefined)[]): string {
  const distinct = [...new Set(values.filter((value) => value !== undefined && value !== ""))];
  const more = distinct.length - 2;
  return distinct.slice(0, 2).join(" and ") + (more > 0 ? ` and ${more} more` : "");
}

function total<T>(values: readonly T[], read: (value: T) => number | undefined): number {
  return values.reduce((sum, value) => sum + (read(value) ?? 0), 0);
}

function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 19);
}
