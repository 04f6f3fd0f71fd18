import type { Incident } from "../core/incident.ts";
import { safeText } from "../core/safe-text.ts";
import { CONTINUOUS_JOB } from "../pipeline/correlate.ts";
import type { Service } from "../app.ts";
import { table } from "../cli/output.ts";
import { timelineLines } from "../cli/timeline.ts";
import type { RuleInfo } from "../core/alert.ts";
import type { DemoWorld } from "./world.ts";

/** Rows of evidence that the summary prints per incident. */
const EVIDENCE_SHOWN = 10;

/** A source that is read to its end proves itself complete up to now less its settle lag, which is below an hour for every connector. */
const READ_WITHIN_MS = 3_600_000;

/** What the demo did, from the store and from what the simulated SIEMs hold. */
export interface DemoSummary {
  readonly text: string;
  /** Every delivery was settled well, and each destination holds what the store says was delivered to it. */
  readonly complete: boolean;
}

/** The sources are read, the log is correlated to its end, and nothing waits in the outbox. */
export async function isDone(service: Service, now: number, sources: number): Promise<boolean> {
  const states = await service.store.sources();
  const read = states.length === sources && states.every((state) => state.watermark !== null && now - state.watermark < READ_WITHIN_MS);
  if (!read || (await service.store.offset(CONTINUOUS_JOB)) !== (await service.store.lastSequence())) return false;
  const watermark = await service.store.offset(`${CONTINUOUS_JOB}/watermark`);
  if (watermark === null || now - watermark > READ_WITHIN_MS) return false;
  return (await service.store.deliveries({ status: "pending", limit: 1 })).length === 0;
}

/** Builds the readable summary. */
export async function summarize(service: Service, world: DemoWorld, rule: (id: string) => RuleInfo | undefined): Promise<DemoSummary> {
  const { store } = service;
  const states = await store.sources();
  const alerts = await store.alerts({ limit: 10_000 });
  const incidents = [...(await store.incidents({ limit: 1000 }))].sort((a, b) => a.firstTime - b.firstTime);
  const deliveries = await store.deliveries({ limit: 100_000 });
  const lines = ["", "PULLED", table([["source", "records", "events", "duplicates", "quarantined"], ...states.map(sourceRow)])];
  const gaps = states.flatMap((state) => gapRows(service, state.source));
  if (gaps.length > 0) lines.push("", "COVERAGE GAPS (fields that rules read and a source never supplied)", table(gaps));
  lines.push("", "EVENTS PER AGENT", table(await agentRows(service)));
  const byRule = Map.groupBy(alerts, (alert) => alert.ruleId);
  const ruleRows = [...byRule].map(([id, list]) => [rule(id)?.level ?? "", codes(rule(id)), String(list.length), list[0]?.ruleTitle ?? id]);
  lines.push(
    "",
    "ALERTS BY RULE",
    table([["level", "code", "alerts", "rule"], ...ruleRows.sort((a, b) => ((a[3] ?? "") < (b[3] ?? "") ? -1 : 1))]),
  );
  lines.push("", `INCIDENTS (${incidents.length})`, ...incidents.flatMap(incidentLines));
  const rows = destinationRows(deliveries, world);
  lines.push(
    "",
    "DELIVERED",
    table([["destination", "delivered", "skipped", "dead", "held by the destination"], ...rows.map((row) => row.cells)]),
  );
  const dead = deliveries.filter((row) => row.status === "dead");
  for (const row of dead.slice(0, 10)) lines.push(`dead letter ${row.key}: ${row.note ?? ""}`);
  return { text: lines.join("\n"), complete: dead.length === 0 && rows.every((row) => row.whole) && incidents.length > 0 };
}

function sourceRow(state: { source: string; events: number; duplicates: number; quarantined: number }): string[] {
  return [
    state.source,
    String(state.events + state.duplicates + state.quarantined),
    String(state.events),
    String(state.duplicates),
    String(state.quarantined),
  ];
}

function gapRows(service: Service, source: string): string[][] {
  const byCategory = Map.groupBy(service.fieldGaps(source), (gap) => gap.category);
  return [...byCategory].map(([category, gaps]) => [source, category, gaps.map((gap) => gap.field).join(", ")]);
}

async function agentRows(service: Service): Promise<string[][]> {
  const counts = await service.store.eventCounts();
  const categories = [...new Set(counts.map((row) => row.category))].sort();
  const agents = [...new Set(counts.map((row) => row.agentUid))].sort((a, b) => (a ?? "~").localeCompare(b ?? "~"));
  const count = (agent: string | null, category: string) =>
    counts.find((row) => row.agentUid === agent && row.category === category)?.count ?? 0;
  return [
    ["agent", ...categories],
    ...agents.map((agent) => [agent ?? "(no agent)", ...categories.map((category) => String(count(agent, category)))]),
  ];
}

function codes(rule: RuleInfo | undefined): string {
  const tags = rule?.tags.filter((tag) => tag.startsWith("custodes.")) ?? [];
  return tags.map((tag) => tag.slice("custodes.".length).toUpperCase()).join(",");
}

function incidentLines(incident: Incident): string[] {
  const alerts = `${incident.alerts.length} ${incident.alerts.length === 1 ? "alert" : "alerts"}`;
  const who = `${safeText(incident.agentName ?? incident.entity, 40)} (owner ${safeText(incident.agentOwner ?? "unknown", 40)})`;
  return [
    `  ${incident.level.toUpperCase().padEnd(8)} ${who}, risk ${incident.risk}, ${alerts}`,
    `           ${safeText(incident.story, 300)}`,
    ...timelineLines(incident.timeline, { linesMax: EVIDENCE_SHOWN, alerts: incident.alerts }).map((line) => `           ${line}`),
  ];
}

interface DestinationRow {
  readonly cells: readonly string[];
  readonly whole: boolean;
}

/** What the store says was delivered, beside what the destination holds. */
function destinationRows(
  deliveries: readonly { destination: string; status: string; subjectId: string }[],
  world: DemoWorld,
): DestinationRow[] {
  const of = (destination: string, status: string) => deliveries.filter((row) => row.destination === destination && row.status === status);
  const subjects = (destination: string) => new Set(of(destination, "delivered").map((row) => row.subjectId)).size;
  const pages = world.pagerduty.received();
  const resolved = pages.filter((page) => page.status === "resolved").length;
  const held: readonly (readonly [string, number, string])[] = [
    ["elastic/soc", world.elastic.received().length, `${world.elastic.received().length} documents`],
    [
      "splunk/soc",
      world.splunk.received().length,
      `${world.splunk.received().length} subjects in ${world.splunk.accepted().length} events`,
    ],
    ["sentinel/soc", -1, `${world.sentinel.received().length} rows`],
    ["pagerduty/oncall", -1, `${pages.length} pages, ${resolved} resolved`],
  ];
  return held.map(([destination, count, text]) => {
    const delivered = of(destination, "delivered").length;
    const skipped = of(destination, "skipped").length;
    const dead = of(destination, "dead").length;
    const rows = destination === "sentinel/soc" ? world.sentinel.received().length : delivered;
    const whole = delivered > 0 && (count === -1 || count === subjects(destination)) && rows >= delivered;
    return { cells: [destination, String(delivered), String(skipped), String(dead), text], whole };
  });
}
