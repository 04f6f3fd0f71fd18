/** An incident for a person at a terminal: what, who, how sure, blast radius, what to do now, timeline, proof. */
import { isClosed, type Incident } from "../core/incident.ts";
import type { BlastRadius, DoneAction } from "../core/incident/blast.ts";
import { isTried } from "../core/incident/blast-order.ts";
import { actionText, credentialText, reachTexts } from "../core/incident/texts.ts";
import { safeText } from "../core/safe-text.ts";
import { bytes, times } from "../core/story.ts";
import type { Answered } from "../pipeline/close.ts";
import { activityLeftOutLines, leftOutLines, proofLines } from "./proof.ts";
import { timelineLines } from "./timeline.ts";

/** Width of the text when nobody says how wide the terminal is, and its limits: shorter lines break, longer ones are hard to follow. */
const WIDTH = { usual: 120, min: 100, max: 160 } as const;
/** Width of the labels at the left. */
const LABEL = 16;
/** Between a label and its text, until the lines are broken; no safe text has one. */
const ROW = "\t";
/** Rows of each list and lines of the timeline: more than a screen shows help nobody; `--json` has all. */
const ROWS_MAX = 6;
const TIMELINE_LINES = 32;
/** Longest name in a list, and longest sentence, characters. */
const NAME_MAX = 90;
const SENTENCE_MAX = 1_200;

const LADDER = { 1: "L1: watch, warn", 2: "L2: throttle, tell the operator", 3: "L3: emergency, stop it now" } as const;

/** Rows of the list of incidents, with their heads. */
export function incidentRows(incidents: readonly Incident[]): string[][] {
  return [
    ["ID", "LEVEL", "RISK", "SURE", "STATUS", "REV", "ENTITY", "OPENED", "TITLE"],
    ...incidents.map((row) => [
      safeText(row.id, 40),
      row.level,
      String(row.risk),
      row.confidence === undefined ? "-" : String(row.confidence),
      statusName(row),
      String(row.revision),
      safeText(row.entity, 40),
      iso(row.openedTime),
      safeText(row.title, 100),
    ]),
  ];
}

/** The whole of it. `columns` is the width of the terminal. */
export function incidentText(incident: Incident, columns: number = process.stdout.columns ?? WIDTH.usual): string {
  const width = Math.min(WIDTH.max, Math.max(WIDTH.min, columns));
  const clock = clockOf(incident);
  const lines = [
    ...whatLines(incident),
    ...section("WHO", whoLines(incident)),
    ...section("HOW SURE", sureLines(incident)),
    ...(incident.blast === undefined ? [] : section(blastTitle(incident.blast), blastLines(incident, incident.blast, clock))),
    ...section("DO THIS NOW", doLines(incident)),
    "",
    "TIMELINE (UTC; * is evidence of an alert)",
    ...timelineLines(incident.timeline, {
      linesMax: TIMELINE_LINES,
      alerts: incident.alerts,
      show: clock,
      textMax: width - clock(incident.firstTime).length - 30,
    }).map((line) => `  ${line}`),
    ...leftOutLines(incident),
    ...activityLeftOutLines(incident),
    "",
    "PROOF",
    ...proofLines(incident),
  ];
  return lines.flatMap((line) => wrapped(line, width)).join("\n");
}

/** What became of closing one. */
export function closedText(answered: Answered | null): string {
  const incident = answered?.incident;
  if (answered === null || incident === undefined) return "there is no such incident";
  const id = safeText(incident.id, 40);
  if (answered.outcome === "changed") return `${id} is closed, revision ${incident.revision}; its destinations are being told`;
  return `${id} was ${incident.closure === undefined ? "closed" : closureText(incident.closure)} before`;
}

function whatLines(incident: Incident): string[] {
  const { closure, reopened } = incident;
  const state = closure === undefined ? statusName(incident) : closureText(closure);
  const again = reopened === undefined ? "" : `, reopened ${times(reopened.count)}, the last time for ${iso(reopened.time)}`;
  return [
    `${incident.level.toUpperCase()}  ${safeText(incident.title, SENTENCE_MAX)}`,
    ...(incident.why === undefined ? [] : [`  ${sentence(incident.why)}`]),
    `  ${sentence(incident.story)}`,
    `  ${span(incident.firstTime, incident.lastTime)}; ${state}${again}`,
    ...(incident.history ?? []).map((one) => `  before: ${closureText(one)}`),
    `  incident ${safeText(incident.id, 40)}, revision ${incident.revision}`,
  ];
}

function whoLines({ agentUid, agentName, agentOwner, entity, profile = {}, users, credentials }: Incident): string[] {
  const { team, purpose, role, parent, runbook, scopes, dataClasses } = profile;
  const agent = agentUid === undefined ? entity : agentName === undefined ? `${agentUid} (not registered)` : `${agentName} (${agentUid})`;
  const answers = [agentOwner, team === undefined ? undefined : `team ${team}`].filter((one) => one !== undefined);
  return [
    ...row(agentUid === undefined ? "about" : "agent", [agent]),
    ...row("owner", answers),
    ...row(
      "role, purpose",
      [role, purpose].filter((one) => one !== undefined),
    ),
    ...row("started by", parent === undefined ? [] : [parent]),
    ...row("may use data", dataClasses ?? []),
    ...row("scopes", scopes ?? []),
    ...row("users", users),
    ...row("credentials", credentials),
    ...row("its runbook", runbook === undefined ? [] : [runbook]),
  ];
}

function sureLines(incident: Incident): string[] {
  const { confidence, risk, final, coverage, opened, alerts, alertsAtLeast, maps } = incident;
  const sure =
    confidence === undefined
      ? "not said"
      : `${confidence} of 100 that this is ${incident.agentUid === undefined ? "about it" : "this agent's doing"}`;
  const why = opened?.by === "risk" ? `the risk of many small alerts, which came to ${opened.risk}` : "the level of an alert";
  const sources = (coverage.sources ?? []).map(
    (one) => `${one.source} to ${one.watermark === undefined ? "nothing yet" : iso(one.watermark)}`,
  );
  const complete = coverage.watermark === undefined ? "nothing proven yet" : `all that happened up to ${iso(coverage.watermark)} is in`;
  const missing = coverage.missing.length === 0 ? "" : `; MISSING: ${coverage.missing.map((one) => safeText(one, NAME_MAX)).join(", ")}`;
  return [
    ...row("confidence", [`${sure}; risk ${risk} of 100`]),
    ...row("opened by", [why]),
    ...row("state", [final ? "final: no alert of it will change" : "provisional: late records may still change it"]),
    ...row("coverage", [`${coverage.state}, ${complete}${missing}`]),
    ...row("sources", sources),
    ...row("alerts", [
      ...alertTexts(alerts),
      ...(alertsAtLeast === undefined ? [] : [`at least ${alertsAtLeast} in all, of which ${alerts.length} are listed`]),
    ]),
    ...row(
      "mappings",
      maps.map((map) => `${map.framework} ${map.version} ${map.id}`),
      12,
    ),
  ];
}

function alertTexts(alerts: Incident["alerts"]): string[] {
  const byRule = Map.groupBy(alerts, (alert) => `${alert.level} ${alert.ruleTitle}`);
  return [...byRule].map(([title, group]) => `${title} (${times(group.length)})`);
}

function blastTitle({ basis, events, atLeast, from, to, readTime }: BlastRadius): string {
  const count = `${atLeast ? "at least " : ""}${events} ${events === 1 ? "event" : "events"}`;
  return `BLAST RADIUS (${count}${basis === "evidence" ? " of its evidence alone" : " of the agent"}, ${span(from, to)}; read ${iso(readTime)})`;
}

function blastLines(incident: Incident, blast: BlastRadius, clock: (time: number) => string): string[] {
  const { totals, byReversibility } = blast;
  const told = (one: DoneAction): string => actionText(one, clock);
  const of = (name: DoneAction["reversibility"]): string[] =>
    blast.actions.filter((one) => one.reversibility === name && !isTried(one)).map(told);
  return [
    ...row("CANNOT BE UNDONE", of("irreversible"), ROWS_MAX),
    ...row("undone by hand", of("by hand"), ROWS_MAX),
    ...row("easily undone", of("reversible"), ROWS_MAX),
    ...row("tried, failed", blast.actions.filter(isTried).map(told), ROWS_MAX),
    ...row("reads", byReversibility.read === 0 ? [] : [times(byReversibility.read)]),
    ...row(
      "sent out",
      blast.hosts.map(
        (host) => `${bytes(host.bytesOut)} to ${host.name}${host.allowed === false ? " NOT ALLOWED" : ""} (${times(host.count)})`,
      ),
      ROWS_MAX,
      totals.hosts,
    ),
    ...row(
      "data",
      blast.data.map((one) => `${one.name} (${bytes(one.bytesIn)}, ${times(one.count)})`),
      ROWS_MAX,
      totals.data,
    ),
    ...row(
      "endpoints",
      blast.endpoints.map(
        (one) =>
          `${one.name}${one.service === undefined ? "" : ` of ${one.service}`} (${times(one.count)}${one.failed > 0 ? `, ${one.failed} failed` : ""}, ${bytes(one.bytesIn)})`,
      ),
      ROWS_MAX,
      totals.endpoints,
    ),
    ...row("infrastructure", blast.infrastructure.map(told), ROWS_MAX, totals.infrastructure),
    ...row("credentials", blast.credentials.map(credentialText), ROWS_MAX, totals.credentials),
    ...row("users", blast.users, ROWS_MAX, totals.users),
    ...row("can still reach", reachTexts(incident, " (seen in use, not registered)"), 12),
  ];
}

function doLines({ response, recommended = [], runbooks, actions }: Incident): string[] {
  const steps =
    recommended.length > 0
      ? recommended.map(({ action, runbook }) => `${action.replaceAll("_", " ")}${runbook === undefined ? "" : `: ${runbook}`}`)
      : actions.map((action) => action.replaceAll("_", " "));
  const more = runbooks.filter((one) => !recommended.some(({ runbook }) => runbook === one));
  return [
    ...row("response", response === undefined ? [] : [LADDER[response]]),
    ...steps.slice(0, ROWS_MAX * 2).map((step, index) => `  ${`${index + 1}.`.padEnd(4)}${safeText(step, NAME_MAX * 2)}`),
    ...row("also read", more),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

/** A label and its values; of more than `max` the number of the rest. */
function row(label: string, values: readonly string[], max = ROWS_MAX * 2, total = values.length): string[] {
  if (values.length === 0) return [];
  const shown = values.slice(0, max).map((value) => safeText(value, values.length === 1 ? SENTENCE_MAX : NAME_MAX * 2));
  const more = total - shown.length;
  return [`  ${label.padEnd(LABEL)}${ROW}${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}`];
}

/** Breaks at spaces; what follows stands under the text, not under the label. */
function wrapped(line: string, width: number): string[] {
  const indent = " ".repeat(line.includes(ROW) ? LABEL + 3 : 4);
  const lines: string[] = [];
  let rest = line.replace(ROW, " ");
  while (rest.length > width) {
    const at = rest.lastIndexOf(" ", width);
    const end = at > indent.length ? at : width;
    lines.push(rest.slice(0, end).trimEnd());
    rest = indent + rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

function closureText({ how, by, reason, time }: NonNullable<Incident["closure"]>): string {
  const ended = {
    quiet: "closed: quiet",
    person: "closed by a person",
    pager: "closed from the pager",
    merged: "part of another incident",
    ended: "closed: what was wrong is over",
  }[how];
  const who = by === undefined ? "" : ` (${safeText(by, NAME_MAX)})`;
  return `${ended}${who} at ${iso(time)}${reason === undefined || how === "merged" ? "" : `: ${safeText(reason, SENTENCE_MAX)}`}`;
}

function statusName(incident: Pick<Incident, "status">): string {
  return ["unknown", "new", "in progress", "on hold", "resolved", "closed"][incident.status] ?? (isClosed(incident) ? "closed" : "unknown");
}

function sentence(text: string): string {
  return safeText(text, SENTENCE_MAX);
}

function span(from: number, to: number): string {
  return `${iso(from)} to ${sameDay(from, to) ? iso(to).slice(11) : iso(to)}`;
}

/** The time of day is enough where all is of one day. */
function clockOf({ timeline }: Incident): (time: number) => string {
  const [first] = timeline;
  const last = timeline.at(-1);
  const short = first !== undefined && last !== undefined && sameDay(first.time, last.time);
  return (time) => (short ? iso(time).slice(11, 19) : iso(time));
}

function sameDay(a: number, b: number): boolean {
  return iso(a).slice(0, 10) === iso(b).slice(0, 10);
}

function iso(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
}
