import { ATTRIBUTION, type Event } from "../core/event.ts";
import type { ExplainedAgent, ExplainedKey, Explanation } from "../core/identity/explain.ts";
import type { Node, Step } from "../core/identity/graph.ts";
import { safeText } from "../core/safe-text.ts";
import type { ExplainedEvent } from "../pipeline/explain-event.ts";

/** Characters of one key on a terminal; `--json` has all. */
const KEY_CHARS_MAX = 120;
/** Earlier bindings of one key on a terminal. */
const EVER_LINES_MAX = 5;

const HOW: Readonly<Record<Explanation["how"], string>> = {
  record: "by its own identity",
  address: "by its address, which the registry knows",
  bindings: "over bindings that the log showed",
  none: "",
  waits: "",
};
const BY: Readonly<Record<Step["by"], string>> = {
  registry: "registry",
  issued: "issued",
  delegated: "delegated",
  observed: "seen together",
};

/** An event and why it belongs to whom it belongs to, as lines for a terminal. */
export function explanationLines({ event, explanation }: ExplainedEvent): readonly string[] {
  const { candidates, keys } = explanation;
  return [
    eventLine(event),
    `  ${verdict(explanation)}`,
    ...behalfLines(event),
    `  keys: ${keys.length === 0 ? "none by which bindings could find an agent" : keys.map(({ key }) => shown(key)).join(", ")}`,
    ...candidates.flatMap(candidateLines),
    ...(candidates.length > 0 ? [] : keys.flatMap((key) => whyNot(key, event.time))),
  ];
}

/** Who handed the work on, and for whom the whole chain was begun: the user of a call is whom it is made for. */
function behalfLines({ onBehalfOf, userUid, category }: Event): readonly string[] {
  if (onBehalfOf === undefined || onBehalfOf === "") return [];
  const isOther = category === "agent_api" && userUid !== undefined && userUid !== "" && userUid !== onBehalfOf;
  const begun = isOther ? `, for the user ${safeText(userUid, KEY_CHARS_MAX)}` : "";
  return [`  on behalf of ${safeText(onBehalfOf, KEY_CHARS_MAX)}${begun}`];
}

function eventLine(event: Event): string {
  const what = event.operation ?? event.infraAction ?? event.dstHost ?? event.dstIp ?? event.dnsQuery ?? event.eventCode ?? "";
  const words = [event.uid, iso(event.time), event.category, event.source, event.srcIp ?? "", what === "" ? "" : `-> ${what}`];
  return words
    .filter((word) => word !== "")
    .map((word) => safeText(word, KEY_CHARS_MAX))
    .join("  ");
}

function verdict({ how, candidates, confidence, attributionId }: Explanation): string {
  if (how === "waits") return "not decided yet: it waits until every source has told what happened up to its time";
  if (how === "none") return "belongs to no agent that is known";
  const sure = `confidence ${confidence ?? "unknown"}`;
  const [first, ...others] = candidates.map(name);
  if (attributionId === ATTRIBUTION.shared && others.length === 0)
    return `may belong to ${first ?? "an agent"}, or to people at its address; ${HOW[how]}, shared, ${sure}`;
  if (others.length === 0) return `belongs to ${first ?? "an agent"}, ${HOW[how]}, ${sure}`;
  return `may belong to any of ${candidates.length}: ${candidates.map(name).join(", ")}; ${HOW[how]}, shared, ${sure}`;
}

function name({ agentUid, agentName }: ExplainedAgent): string {
  const uid = safeText(agentUid, KEY_CHARS_MAX);
  return agentName === undefined || agentName === agentUid ? uid : `${uid} (${safeText(agentName, KEY_CHARS_MAX)})`;
}

function candidateLines(candidate: ExplainedAgent): readonly string[] {
  const { path, confidence } = candidate;
  const sure = confidence === undefined ? "" : `, confidence ${confidence}`;
  if (path.length === 0) return [`  path to ${name(candidate)}: the registry says it no longer`];
  return [`  path to ${name(candidate)}${sure}`, ...path.map((step) => `    ${stepText(step)}`)];
}

function stepText(step: Step): string {
  const { from, to, by, origin } = step;
  return `${shown(from)} -> ${shown(to)}  ${BY[by]}${span(step)}${origin === undefined ? "" : `, told by ${safeText(origin, KEY_CHARS_MAX)}`}`;
}

function span({ since, until }: Step): string {
  const end = until === undefined ? "" : ` until ${iso(until)}`;
  return since === undefined ? end : ` from ${iso(since)}${end}`;
}

function whyNot({ key, ever, ends }: ExplainedKey, time: number): readonly string[] {
  const agents = ends.filter((node) => node.startsWith("="));
  const keys = ends.filter((node) => !node.startsWith("="));
  const lines = [
    agents.length > 0
      ? `  ${shown(key)} leads to ${agents.map(shown).join(", ")} by what came after the event was decided`
      : keys.length > 0
        ? `  ${shown(key)} leads to ${keys.map(shown).join(", ")} at ${iso(time)}, and nobody is registered for that`
        : `  no binding reaches ${shown(key)} at ${iso(time)}`,
  ];
  for (const step of ever.slice(-EVER_LINES_MAX)) lines.push(`    it was bound to ${shown(step.to)}, ${BY[step.by]}${span(step)}`);
  return lines;
}

function shown(node: Node): string {
  return safeText(node.startsWith("=") ? `agent ${node.slice(1)}` : node, KEY_CHARS_MAX);
}

function iso(time: number): string {
  // Times come out of records: a link may say that it holds until the year 300000.
  return Math.abs(time) > 8.64e15 ? String(time) : new Date(time).toISOString();
}
