import type { Alert } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import type { TimelineEntry } from "../core/incident.ts";
import { select } from "../core/incident/select.ts";
import { safeText } from "../core/safe-text.ts";

/** Widths of a line for a terminal, characters. */
const SOURCE_WIDTH = 24;
const TEXT_MAX = 160;
/** What stands behind the first of several alike. */
const MORE_WIDTH = 45;

/** How a timeline is shown. */
export interface TimelineView {
  readonly linesMax: number;
  /** Whose evidence it is: of too many lines those of the gravest stay. */
  readonly alerts: readonly Alert[];
  /** Writes a time; the default is the time of day. */
  readonly show?: (time: EpochMs) => string;
  /** What of a line is left for its text. */
  readonly textMax?: number;
}

/**
 * A timeline for a terminal: entries that differ only in the object of a call become one line with their number. Of too
 * many lines the first, the last and those of the gravest alerts stay, and it says where others were left out.
 */
export function timelineLines(
  timeline: readonly TimelineEntry[],
  { linesMax, alerts, show = clock, textMax = TEXT_MAX }: TimelineView,
): string[] {
  const groups: { readonly key: string; readonly first: TimelineEntry; readonly time: EpochMs; readonly uids: string[]; last: EpochMs }[] =
    [];
  for (const entry of timeline) {
    const key = `${entry.source} ${kindOf(entry.text)}`;
    const newest = groups.at(-1);
    if (newest?.key === key) {
      newest.uids.push(entry.uid);
      newest.last = entry.time;
    } else groups.push({ key, first: entry, time: entry.time, uids: [entry.uid], last: entry.time });
  }
  const kept = new Set(select(groups, alerts, linesMax));
  const lines: string[] = [];
  let hidden = 0;
  const tellHidden = (): void => {
    if (hidden > 0) lines.push(`… ${hidden} more`);
    hidden = 0;
  };
  for (const group of groups) {
    if (!kept.has(group)) {
      hidden++;
      continue;
    }
    tellHidden();
    const { first, uids, last } = group;
    const more = uids.length === 1 ? "" : `  (and ${uids.length - 1} more like it until ${show(last)})`;
    const text = safeText(first.text, uids.length === 1 ? textMax : Math.max(20, textMax - MORE_WIDTH));
    lines.push(`${show(first.time)} ${safeText(first.source, 40).padEnd(SOURCE_WIDTH)} ${text}${more}`);
  }
  tellHidden();
  return lines;
}

/** What happened and how it ended, without ids in paths and without how much came back. */
function kindOf(text: string): string {
  return text.replace(/([/=])\d+/g, "$1#").replace(/, [\d.]+ [kMGT]?B returned$/, "");
}

function clock(time: EpochMs): string {
  return new Date(time).toISOString().slice(11, 19);
}
