import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import type { BaselineHead, BaselineRow } from "./baseline.ts";
import { baselineWindows } from "./baseline-ratio.ts";
import { alignDown } from "./group.ts";

/** How the past of one place becomes the past of another. */
export interface Promotion {
  /** When production begins: everything that is promoted counts as having been before. */
  readonly at: EpochMs;
  /** Old agent -> new one. Empty: all agents are promoted as they are; else rows of agents that are not named are left out. */
  readonly agents: ReadonlyMap<string, string>;
}

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** Paths whose value is an agent. */
const AGENT_PATHS: readonly string[] = ["ai_agent.uid", "ai_agent.name"];
/** Copies of one window: 14 days of minutes, twice over. */
const COPIES_MAX = 50_000;

/**
 * Rows of a sandbox as rows of production. A value counts as seen last right before `at`, so that all that the sandbox did
 * is known for a whole lookback. A group counts as old enough. What the windows from the first to the
 * last one say is repeated, by whole seasons, over the days before `at`, as if the sandbox had always run: a mean over days
 * on which it did not would be too low.
 */
export function promoted<E>(
  head: BaselineHead,
  rows: readonly BaselineRow[],
  rule: Pick<Correlation<E>, "newValue" | "baseline">,
  { at, agents }: Promotion,
): BaselineRow[] {
  const renamed = rows.flatMap((row) => renameAgents(head, row, agents) ?? []);
  const { newValue, baseline } = rule;
  if (newValue !== undefined) {
    return renamed.flatMap((row): BaselineRow[] => {
      if (row.kind === "value") return [{ ...row, time: at - 1 }];
      return row.kind === "first" ? [{ ...row, time: at - Math.max(newValue.minHistoryMs, head.until - row.time, 1) }] : [];
    });
  }
  if (baseline === undefined) return [];
  return moveWindows(head, renamed, at, baseline);
}

/** A row of the agent's new name; undefined when it is of an agent that is not promoted. */
function renameAgents(head: BaselineHead, row: BaselineRow, agents: ReadonlyMap<string, string>): BaselineRow | undefined {
  if (agents.size === 0) return row;
  let left = false;
  const rename = (path: string | undefined, text: string): string => {
    if (path === undefined || !AGENT_PATHS.includes(path)) return text;
    const name = agents.get(text);
    if (name === undefined) left = true;
    return name ?? text;
  };
  const group = row.group.map((text, index) => rename(head.groupBy[index], text));
  // A counted tuple is one text and keeps the names in it.
  const made =
    row.kind === "value"
      ? { ...row, group, value: rename(head.fields.length === 1 ? head.fields[0] : undefined, row.value) }
      : { ...row, group };
  return left ? undefined : made;
}

function moveWindows(
  head: BaselineHead,
  rows: readonly BaselineRow[],
  at: EpochMs,
  baseline: Pick<NonNullable<Correlation<unknown>["baseline"]>, "baselineDays" | "seasonality">,
): BaselineRow[] {
  const { timespanMs } = head;
  const windows = rows.filter((row) => row.kind === "window");
  if (windows.length === 0) return [];
  const seasonMs =
    baseline.seasonality === "none" ? timespanMs : leastMultiple(timespanMs, baseline.seasonality === "hour_of_day" ? DAY_MS : WEEK_MS);
  const begin = windows.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY);
  const end = windows.reduce((most, { time }) => Math.max(most, time + timespanMs), Number.NEGATIVE_INFINITY);
  const lengthMs = -alignDown(begin - end, seasonMs);
  const last = alignDown(at, timespanMs) - timespanMs;
  const oldest = last - baselineWindows({ baselineDays: baseline.baselineDays, timespanMs }) * timespanMs;
  const moved: BaselineRow[] = [];
  for (const row of windows) {
    let time = row.time + alignDown(last - row.time, lengthMs);
    for (let copies = 0; time > oldest && copies < COPIES_MAX; time -= lengthMs, copies++) moved.push({ ...row, time });
  }
  const first = moved.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY);
  return [...moved, ...rows.flatMap((row): BaselineRow[] => (row.kind === "first" ? [{ ...row, time: first }] : []))];
}

/** Least common multiple of two whole numbers. */
function leastMultiple(one: number, other: number): number {
  let [a, b] = [one, other];
  while (b !== 0) [a, b] = [b, a % b];
  return (one / a) * other;
}
