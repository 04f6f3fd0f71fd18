/** The join that made it suspicious, in words: what was seen where and when, and by which keys it is one agent's doing. */
import type { Alert } from "../alert.ts";
import { STATUS, type Event } from "../event.ts";
import { safeText } from "../safe-text.ts";
import { bytes, describeEvent } from "../story.ts";
import { endpointName } from "./blast.ts";
import { byTimeAndUid } from "./build.ts";
import { confidenceOf, isConfident, rank, byTime, type OpeningPolicy } from "./risk.ts";

/** Parts of one sentence: a join of more kinds of events than this is read in the timeline. */
const PARTS_MAX = 5;
/** Keys that the sentence names. */
const KEYS_MAX = 3;
/** Longest sentence, UTF-16 units: PagerDuty's texts end there. */
const WHY_MAX = 1_000;

/** The sentence about the alert that says most, or undefined when none of the evidence is known. */
export function tellWhy(
  who: string,
  alerts: readonly Alert[],
  evidence: ReadonlyMap<string, Event>,
  policy: OpeningPolicy,
): string | undefined {
  const told = alerts
    .map((alert) => ({ alert, events: eventsOf(alert, evidence) }))
    .filter(({ events }) => events.length > 0)
    .map((one) => ({ ...one, joined: joinedOf(one.events) }));
  const sure = (alert: Alert): number => (isConfident(alert, policy) ? 1 : 0);
  told.sort(
    (a, b) => sure(b.alert) - sure(a.alert) || rank(b.alert.level) - rank(a.alert.level) || b.joined - a.joined || byTime(a.alert, b.alert),
  );
  const best = told[0];
  if (best === undefined) return undefined;
  const parts = partsOf(best.events);
  const texts = parts.slice(0, PARTS_MAX).map(({ text }) => text);
  const more = parts.length > PARTS_MAX ? `, and ${parts.length - PARTS_MAX} more kinds of events` : "";
  const keys = [...new Set(parts.flatMap(({ key }) => (key === undefined ? [] : [key])))].slice(0, KEYS_MAX);
  const quantity = parts.length > 2 ? "all by " : parts.length === 2 ? "both by " : "by ";
  const by = `${quantity}${who} (${[...keys, `confidence ${confidenceOf(best.alert)}`].join(" / ")})`;
  return safeText(`${texts.join(", then ")}${more}: ${by}`, WHY_MAX);
}

/** What several sources saw says more than several kinds of events of one, and those more than one kind. */
function joinedOf(events: readonly Event[]): number {
  if (new Set(events.map((event) => event.source)).size > 1) return 2;
  return new Set(events.map((event) => event.category)).size > 1 ? 1 : 0;
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

/** One part for each kind of event and outcome, in the order in which they began. */
function partsOf(events: readonly Event[]): Part[] {
  const kinds = Map.groupBy(events, (event) => `${event.category} ${event.statusId === STATUS.failure}`);
  return [...kinds.values()].map((group) => ({ text: `${wordsOf(group)} ${when(group)}`, key: keyOf(group) }));
}

function wordsOf(events: readonly Event[]): string {
  const [first] = events;
  const event = first!;
  if (event.category === "agent_api" && event.statusId !== STATUS.failure) return readWords(events);
  if (event.category === "egress") {
    const out = total(events, (one) => one.bytesOut);
    return `sent ${out === 0 ? "data" : bytes(out)} to ${some(events.map((one) => one.dstHost ?? one.dstIp))}`;
  }
  if (event.category === "authentication") {
    const many = events.length === 1 ? "authentication" : `${events.length} authentications`;
    const from = some(events.map((one) => one.srcIp));
    return `${many} ${event.statusId === STATUS.failure ? "failed" : "succeeded"}${from === "" ? "" : ` from ${from}`}`;
  }
  if (events.length === 1) return describeEvent(event);
  return `${events.length} times ${describeEvent(event)}`;
}

/** What came back says more than how often it was asked for, when it is known. */
function readWords(events: readonly Event[]): string {
  const size = total(events, (event) => event.bytesIn);
  const through = some(events.map((event) => event.source));
  const calls = `${events.length} ${events.length === 1 ? "call" : "calls"} of ${some(events.map(endpointName))}`;
  if (size === 0) return `made ${calls} through ${through}`;
  const data = some(events.flatMap((event) => event.dataClasses ?? []));
  return `read ${bytes(size)}${data === "" ? "" : ` of ${data} data`} (${calls}) through ${through}`;
}

function when(events: readonly Event[]): string {
  const from = clock(events[0]!.time);
  const to = clock(events.at(-1)!.time);
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

function total(events: readonly Event[], read: (event: Event) => number | undefined): number {
  return events.reduce((sum, event) => sum + (read(event) ?? 0), 0);
}

function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 19);
}
