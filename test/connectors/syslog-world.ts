/** What tests of the syslog connector share: settings, and subjects whose texts try to be more than text. */
import type { Config } from "../../connectors/syslog/config.ts";
import syslog from "../../connectors/syslog/syslog.ts";
import type { Delivery, Destination } from "../../src/ports/connector.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject, storyEvents } from "../fixtures/subjects.ts";

/** Name of the instance. */
export const NAME = "syslog/siem";

/** Plain TCP to this machine. */
export function settings(port: number, changes: object = {}): Config {
  return syslog.config.parse({ host: "127.0.0.1", port, tls: false, timeoutMs: 2_000, ...changes });
}
/** A destination with these settings. */
export const destinationTo = (port: number, changes: object = {}): Destination => syslog.destination!(settings(port, changes));

/** An event with the same hostile text in every field. */
function hostileEvent(text: string): Delivery {
  const event = storyEvents()[1]!;
  const fields = event as unknown as Record<string, unknown>;
  for (const key of Object.keys(event)) if (typeof fields[key] === "string" && key !== "category") fields[key] = text;
  return { key: `${NAME}:event:${text}:1`, destination: NAME, subject: { kind: "event", event }, createdTime: event.time, attempts: 0 };
}

/** Syntax of every layer. */
const INJECTION = 'a|b=c\\ d="e"] msg=forged\n<0>1 - - - - - - forged\r\n8 <0>1 -\u0000 src=6.6.6.6 \u202eend ';
/** The sixth has INJECTION in every text that CEF shows. */
export const subjects: readonly Delivery[] = [
  ...[alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident()].map((one) => delivery(one, NAME)),
  delivery(incidentSubject({ title: INJECTION, story: INJECTION, users: [INJECTION], hosts: [INJECTION], agentUid: INJECTION }), NAME),
  ...[0, 1, 2].map((index) => eventDelivery(index, NAME)),
  hostileEvent(INJECTION),
  hostileEvent("漢=".repeat(5_000)),
];
