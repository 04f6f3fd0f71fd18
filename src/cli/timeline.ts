import type { EpochMs } from "../core/event.ts";
import type { TimelineEntry } from "../core/incident.ts";
import { safeText } from "../core/safe-text.ts";

/** Widths of a line for a terminal, characters. */
const SOURCE_WIDTH = 24;
const TEXT_MAX = 160;
/** What stands behind the first of several alike. */
const MORE_WIDTH = 45;

/**
 * A timeline for a terminal: entries that differ only in the object of a call become one line with their number.
 * `show` writes a time; the default is the time of day. `textMax` is what of a line is left for its text.
 */
export function timelineLines(
  timeline: readonly TimelineEntry[],
  linesMax: number,
  show: (time: EpochMs) => string = clock,
  textMax: number = TEXT_MAX,
): string[] {
  const groups: { readonly key: string; readonly first: TimelineEntry; count: number; last: number }[] = [];
  for (const entry of timeline) {
    const key = `${entry.source} ${kindOf(entry.text)}`;
    const newest = groups.at(-1);
    if (newest?.key === key) {
      newest.count++;
      newest.last = entry.time;
    } else groups.push({ key, first: entry, count: 1, last: entry.time });
  }
  const lines = groups.slice(0, linesMax).map(({ first, count, last }) => {
    const more = count === 1 ? "" : `  (and ${count - 1} more like it until ${show(last)})`;
    return `${show(first.time)} ${safeText(first.source, 40).padEnd(SOURCE_WIDTH)} ${safeText(first.text, count === 1 ? textMax : Math.max(20, textMax - MORE_WIDTH))}${more}`;
  });
  return groups.length > linesMax ? [...lines, `… and ${groups.length - linesMax} more`] : lines;
}

/** What happened, without ids in paths and without what came back. */
function kindOf(text: string): string {
  return text.replace(/([/=])\d+/g, "$1#").replace(/: .*$/, "");
}

function clock(time: EpochMs): string {
  return new Date(time).toISOString().slice(11, 19);
}
