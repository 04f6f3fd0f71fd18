import type { Alert } from "./alert.ts";
import { STATUS, type Event } from "./event.ts";
import { safeText } from "./safe-text.ts";

/** A line of a timeline is at most this long, characters. */
const LINE_MAX = 200;
/** Parts of a line, UTF-16 units, so that how it ended is never cut off: names that vendors and agents choose, with and without tools beside. */
const NAME_MAX = 100;
const NAME_BESIDE_TOOLS_MAX = 56;
const TOOLS_TEXT_MAX = 44;
/** Methods and addresses of every vendor we know are shorter. */
const WORD_MAX = 45;
/** Tools of one turn that a line names. */
const TOOLS_MAX = 3;
/** Rules that a story names; the rest are counted. */
const RULES_MAX = 4;

/** What an event was, in words, safe for any terminal. */
export function describeEvent(event: Event): string {
  return safeText(words(event), LINE_MAX);
}

function words(event: Event): string {
  const failed = event.statusId === STATUS.failure ? " (failed)" : "";
  const from = event.srcIp === undefined ? "" : ` from ${safeText(event.srcIp, WORD_MAX)}`;
  switch (event.category) {
    case "agent_api": {
      const tool = toolsText(event);
      const target = safeText(
        (event.method === undefined ? event.operation : (event.url ?? event.operation)) ?? (event.method === undefined ? "call" : ""),
        tool === "" ? NAME_MAX : NAME_BESIDE_TOOLS_MAX,
      );
      const what = event.method === undefined ? target : `${safeText(event.method, WORD_MAX / 3)} ${target}`;
      const size = event.bytesIn === undefined ? "" : `, ${bytes(event.bytesIn)} returned`;
      return `called ${what}${tool}${from}${event.responseCode === undefined ? failed : `: ${event.responseCode}`}${size}`;
    }
    case "agent_finding":
      return `monitor reported ${event.findingThreat ?? "a finding"}: ${event.findingSignal ?? ""} (${event.findingSeverity ?? "no severity"})`;
    case "authentication":
      return `authentication ${event.statusId === STATUS.failure ? "failed" : "succeeded"}${from}: ${event.eventCode ?? event.operation ?? ""}`;
    case "egress":
      return `sent ${event.bytesOut === undefined ? "data" : bytes(event.bytesOut)} to ${safeText(event.dstHost ?? event.dstIp ?? "an unknown host", NAME_MAX)}${event.dstAllowed === false ? " (not allowed for this agent)" : ""}`;
    case "dns":
      return `looked up ${event.dnsQuery ?? "a name"}`;
    case "infra_change":
      return `${changeText(event)}${failed}`;
    case "process":
      return `started ${event.process ?? "a process"}`;
    case "file":
      return `opened ${event.filePath ?? "a file"}`;
    case "credential":
      return `credential ${event.credentialUid ?? ""}: ${event.operation ?? "changed"}`;
  }
}

function changeText({ infraAction, operation, resourceName = "", grant }: Event): string {
  const what = safeText(infraAction ?? operation ?? "infrastructure call", NAME_BESIDE_TOOLS_MAX);
  const to = resourceName === "" ? "" : ` ${safeText(resourceName, NAME_BESIDE_TOOLS_MAX)}`;
  return `${what}${to}${grant === undefined ? "" : ` granting ${safeText(grant, WORD_MAX)}`}`;
}

/** The tools of a call or a turn, the first of many. */
function toolsText({ toolName, toolNames = [] }: Event): string {
  const tools = [...new Set(toolName === undefined ? toolNames : [toolName, ...toolNames])].filter((tool) => tool !== "");
  if (tools.length === 0) return "";
  const more = tools.length > TOOLS_MAX ? ` and ${tools.length - TOOLS_MAX} more` : "";
  return ` with ${tools.length === 1 ? "tool" : "tools"} ${safeText(tools.slice(0, TOOLS_MAX).join(", "), TOOLS_TEXT_MAX)}${more}`;
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
