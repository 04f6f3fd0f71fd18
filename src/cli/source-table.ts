import type { SourceGap } from "../core/completeness/gap.ts";
import { safeText } from "../core/safe-text.ts";
import type { SourceRow } from "../source-state.ts";
import { table } from "./output.ts";

/** Open gaps of one source that have a line of their own; `--json` has all. */
const LINES_MAX = 10;
/** A state is a sentence. */
const STATE_MAX = 100;

/** Sources as a table, then a line for each open gap and each field that rules read and nobody supplies. */
export function sourceLines(rows: readonly SourceRow[]): string[] {
  return [
    table([
      ["SOURCE", "EVENTS", "DUPLICATES", "QUARANTINED", "LATE", "WATERMARK", "LAG", "SETTLE p50/p99", "LATE p99", "GAPS", "STATE"],
      ...rows.map(sourceRow),
    ]),
    ...rows.flatMap(gapLines),
    ...rows.flatMap(fieldLines),
  ];
}

function sourceRow(row: SourceRow): string[] {
  const open = row.gaps.filter((gap) => gap.state === "open").length;
  return [
    row.source,
    ...[row.events, row.duplicates, row.quarantined, row.lateEvents].map(String),
    iso(row.watermark),
    span(row.lagMs),
    `${span(row.settleLagMs?.p50)}/${span(row.settleLagMs?.p99)}`,
    span(row.latenessMs?.p99),
    String(open),
    safeText(row.pausedReason ?? row.lastError ?? stalled(row) ?? "works", STATE_MAX),
  ];
}

/** Why nobody waits for the source any longer. */
function stalled({ gaps }: SourceRow): string | undefined {
  const lasts = gaps.find((gap) => gap.state === "open" && gap.to === null);
  return lasts === undefined ? undefined : `stalled: ${lasts.detail}`;
}

function gapLines(row: SourceRow): string[] {
  const open = row.gaps.filter((gap) => gap.state === "open");
  const lines = open.slice(0, LINES_MAX).map((gap) => `gap: ${row.source} ${gapText(gap)}`);
  return open.length > LINES_MAX ? [...lines, `gap: ${row.source} and ${open.length - LINES_MAX} more`] : lines;
}

function gapText({ from, to, why, detail }: SourceGap): string {
  return `${iso(from)} to ${to === null ? "now" : iso(to)}, ${why}: ${safeText(detail, STATE_MAX)}`;
}

/** What rules read and a source never says: a rule about it stays silent for that source. */
function fieldLines(row: SourceRow): string[] {
  const byCategory = Map.groupBy(row.neverSupplied ?? [], (gap) => gap.category);
  return [...byCategory].map(
    ([category, gaps]) =>
      `coverage gap: ${row.source} has not supplied ${gaps.map((gap) => gap.field).join(", ")} in ${gaps[0]?.events ?? 0} ${category} events`,
  );
}

function iso(time: number | null): string {
  return time === null ? "-" : new Date(time).toISOString();
}

/** Milliseconds for people: `0.4 s`, `35 s`, `12 m`, `3.5 h`. */
function span(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return "-";
  if (milliseconds < 10_000) return `${Math.round(milliseconds / 100) / 10} s`;
  if (milliseconds < 600_000) return `${Math.round(milliseconds / 1000)} s`;
  return milliseconds < 7_200_000 ? `${Math.round(milliseconds / 60_000)} m` : `${Math.round(milliseconds / 360_000) / 10} h`;
}
