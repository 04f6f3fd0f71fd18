/** Which of many pieces of evidence are shown: the first, the last, and something of every grave alert. */
import type { Alert } from "../alert.ts";
import { confidenceOf, rank } from "./risk.ts";

/** What stands for one or several events on a line of its own. */
export interface Selectable {
  readonly time: number;
  readonly uids: readonly string[];
}

/** Of the lines that are kept, each of the first and of the last: how it began and where it stands. */
const END_SHARE = 1 / 4;

/**
 * At most `max` of the lines (in order of time), in their order. The gravest alert's evidence stays before that of all
 * others, one line of each alert in turn, so that the many lines of one alert do not hide the one line of another.
 */
export function select<T extends Selectable>(lines: readonly T[], alerts: readonly Alert[], max: number): T[] {
  if (lines.length <= max) return [...lines];
  const kept = new Set<T>();
  const ends = Math.floor(max * END_SHARE);
  for (const line of [...lines.slice(0, ends), ...lines.slice(lines.length - ends)]) kept.add(line);
  const byUid = new Map(lines.flatMap((line) => line.uids.map((uid) => [uid, line] as const)));
  const queues = alerts
    .toSorted((a, b) => gravity(b) - gravity(a) || b.lastTime - a.lastTime || (a.id < b.id ? -1 : 1))
    .map((alert) => [...new Set([...alert.evidence, ...(alert.behind ?? [])].flatMap((uid) => byUid.get(uid) ?? []))]);
  const longest = queues.reduce((most, own) => Math.max(most, own.length), 0);
  for (let turn = 0; turn < longest; turn++) {
    for (const own of queues) {
      const line = own[turn];
      if (line !== undefined && kept.size < max) kept.add(line);
    }
  }
  for (const line of lines) if (kept.size < max) kept.add(line);
  return lines.filter((line) => kept.has(line));
}

/** An alert that is hardly sure of its agent is no grave one. */
function gravity(alert: Alert): number {
  return ((rank(alert.level) + 1) * confidenceOf(alert)) / 100;
}
