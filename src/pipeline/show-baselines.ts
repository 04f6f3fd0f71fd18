import type { BaselineHead, BaselineRow } from "../core/correlation/baseline.ts";
import { meanOf } from "../core/correlation/exact-sum.ts";
import type { EpochMs } from "../core/event.ts";
import type { Store } from "../ports/store.ts";

/** What one rule remembers of one group. */
export interface BaselineGroup {
  readonly group: readonly string[];
  /** First event ever, or the first window that is kept. */
  first: EpochMs | null;
  /** Latest event of a known value, or start of the last window. */
  last: EpochMs | null;
  /** Number of values, or of windows with events. */
  known: number;
  /** Values with their latest times, newest first; not all when there are many. */
  values: { value: string; last: EpochMs }[];
  /** Sum of the windows' measures, rounded. */
  total: number;
}

/** What one rule remembers. */
export interface BaselineSummary extends Omit<BaselineHead, "keepMs"> {
  /** Rows of all its groups, shown or not. */
  readonly rows: number;
  readonly groups: readonly BaselineGroup[];
}

/** Which baselines to show. */
export interface BaselineFilter {
  readonly rule: string | undefined;
  /** Only groups that this agent is part of. */
  readonly agent: string | undefined;
  /** Groups of one rule. */
  readonly limit: number;
}

const PAGE_ROWS = 5000;
/** Values that are listed for one group; the export has all. */
const VALUES_MAX = 200;

/** Summarizes the rows of each rule by group; groups by their values. */
export async function summarizeBaselines(store: Store, filter: BaselineFilter): Promise<readonly BaselineSummary[]> {
  const found: BaselineSummary[] = [];
  for (const { keepMs: _keepMs, ...head } of await store.baselineHeads()) {
    if (filter.rule !== undefined && head.rule !== filter.rule) continue;
    const groups = new Map<string, BaselineGroup>();
    let rows = 0;
    let after: string | null = null;
    do {
      const page = await store.baselineRows(head, after, PAGE_ROWS);
      rows += page.rows.length;
      for (const row of page.rows) {
        if (filter.agent !== undefined && !row.group.includes(filter.agent)) continue;
        const id = JSON.stringify(row.group);
        const group = groups.get(id);
        if (group !== undefined) add(group, row);
        else if (groups.size < filter.limit) {
          const fresh = { group: row.group, first: null, last: null, known: 0, values: [], total: 0 };
          add(fresh, row);
          groups.set(id, fresh);
        }
      }
      after = page.next;
    } while (after !== null);
    const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
    for (const group of sorted) group.values.sort((a, b) => b.last - a.last || (a.value < b.value ? -1 : 1)).splice(VALUES_MAX);
    found.push({ ...head, rows, groups: sorted });
  }
  return found;
}

function add(group: BaselineGroup, row: BaselineRow): void {
  if (row.kind !== "value") group.first = Math.min(group.first ?? row.time, row.time);
  if (row.kind === "first") return;
  group.last = Math.max(group.last ?? row.time, row.time);
  group.known++;
  if (row.kind === "window") group.total += meanOf({ whole: row.whole, units: row.units }, 1);
  else {
    group.values.push({ value: row.value, last: row.time });
    // Kept short while it grows, so that one group with a million values is no list of a million.
    if (group.values.length >= 4 * VALUES_MAX)
      group.values.sort((a, b) => b.last - a.last || (a.value < b.value ? -1 : 1)).splice(VALUES_MAX);
  }
}
