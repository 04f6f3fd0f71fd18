import type { Alert } from "./alert.ts";
import { STATUS, type Event } from "./event.ts";
import { safeText } from "./safe-text.ts";

/** A line of a timeline is at most this long, characters. */
const LINE_MAX = 200;
/** Rules that a story names; the rest are counted. */
const RULES_MAX = 4;

/** What an event was, in words, safe for any terminal. */
export function describeEvent(event: Event): string {
  return safeText(words(event), LINE_MAX);
}

function words(event: Event): string {
  const failed = event.statusId === STATUS.failure ? " (failed)" : "";
  const from = event.srcIp === undefined ? "" : ` from ${event.srcIp}`;
  switch (event.category) {
    case "agent_api": {
      const what = event.method === undefined ? (event.operation ?? "call") : `${event.method} ${event.url ?? event.operation ?? ""}`;
      const tool = event.toolName === undefined ? "" : ` with tool ${event.toolName}`;
      const size = event.bytesIn === undefined ? "" : `, ${bytes(event.bytesIn)} returned`;
      return `called ${what}${tool}${from}${event.responseCode === undefined ? failed : `: ${event.responseCode}`}${size}`;
    }
    case "agent_finding":
      return `monitor reported ${event.findingThreat ?? "a finding"}: ${event.findingSignal ?? ""} (${event.findingSeverity ?? "no severity"})`;
    case "authentication":
      return `authentication ${event.statusId === STATUS.failure ? "failed" : "succeeded"}${from}: ${event.eventCode ?? event.operation ?? ""}`;
    case "egress":
      return `sent ${event.bytesOut === undefined ? "data" : bytes(event.bytesOut)} to ${event.dstHost ?? event.dstIp ?? "an unknown host"}${event.dstAllowed === false ? " (not allowed for this agent)" : ""}`;
    case "dns":
      return `looked up ${event.dnsQuery ?? "a name"}`;
    case "infra_change":
      return `${event.infraAction ?? event.operation ?? "infrastructure call"} ${event.resourceName ?? ""}${event.grant === undefined ? "" : ` granting ${event.grant}`}${failed}`;
    case "process":
      return `started ${event.process ?? "a process"}`;
    case "file":
      return `opened ${event.filePath ?? "a file"}`;
    case "credential":
      return `credential ${event.credentialUid ?? ""}: ${event.operation ?? "changed"}`;
  }
}

/**
 * The alerts in one sentence, in the order in which they happened; `total`: how many there are at least. Several alerts may
 * rest on the same events, so of more than one the alerts are counted.
 */
export function tellStory(who: string, alerts: readonly Alert[], total: number = alerts.length): string {
  const titles = [...new Set(alerts.map((alert) => alert.ruleTitle))];
  const named = titles.slice(0, RULES_MAX).join("; then ");
  const more = titles.length > RULES_MAX ? `; and ${titles.length - RULES_MAX} more` : "";
  const [only] = alerts;
  const count =
    total > 1 || only === undefined
      ? `${total > alerts.length ? "at least " : ""}${total} alerts`
      : `${only.count} ${only.count === 1 ? "event" : "events"}`;
  return safeText(`${who}: ${named}${more} (${count}).`, 500);
}

/** How often, in words. */
export function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** Bytes for people: decimal units, one digit. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = count / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
