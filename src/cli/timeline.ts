import type { Alert } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import type { TimelineEntry } from "../core/incident.ts";
import { selectActivity } from "../core/incident/activity.ts";
import { select } from "../core/incident/select.ts";
import { safeText } from "../core/safe-text.ts";

/** Widths of a line for a terminal, characters. */
const SOURCE_WIDTH = 24;
const TEXT_MAX = 160;
/** What of a line's text stays, however much stands behind it. */
const TEXT_MIN = 20;
/** Before a line that an alert rests on, and before all others. */
const EVIDENCE_MARK = "*";
const NO_MARK = " ";
/** How much came back, at the end of a text. */
const SIZE = /, [\d.]+ [kMGT]?B returned$/;
/** An address, and the outcome. */
const END = /(?: from \S+)?(?:: \d+| \([^()]+\)|: failed)?(?:, [\d.]+ [kMGT]?B returned)?$/;
/** Of the lines that are shown, those that are kept for what the agent did beside. */
const ACTIVITY_SHARE = 1 / 3;

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

/** Entries on one line. */
interface Line {
  readonly key: string | undefined;
  readonly first: TimelineEntry;
  readonly time: EpochMs;
  readonly uids: string[];
  last: EpochMs;
}

/**
 * A timeline for a terminal: entries that differ only in the object of a call become one line with their number. Of too
 * many lines the first, the last, those of the gravest alerts and the gravest beside them stay, and it says where others
 * were left out.
 */
export function timelineLines(
  timeline: readonly TimelineEntry[],
  { linesMax, alerts, show = clock, textMax = TEXT_MAX }: TimelineView,
): string[] {
  const groups = grouped(timeline);
  const kept = keptOf(groups, alerts, linesMax);
  const lines: string[] = [];
  let hidden = 0;
  const tellHidden = (): void => {
    if (hidden > 0) lines.push(`  … ${hidden} more`);
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
    const text = textOf(first, uids.length > 1, Math.max(TEXT_MIN, textMax - more.length));
    const mark = first.activity === undefined ? EVIDENCE_MARK : NO_MARK;
    lines.push(`${mark} ${show(first.time)} ${safeText(first.source, 40).padEnd(SOURCE_WIDTH)} ${text}${more}`);
  }
  tellHidden();
  return lines;
}

/** What the agent did beside is grouped already. */
function grouped(timeline: readonly TimelineEntry[]): Line[] {
  const lines: Line[] = [];
  for (const entry of timeline) {
    const key = entry.activity === undefined ? `${entry.source} ${kindOf(entry.text)}` : undefined;
    const newest = lines.at(-1);
    if (key !== undefined && newest?.key === key) {
      newest.uids.push(entry.uid);
      newest.last = entry.time;
    } else lines.push({ key, first: entry, time: entry.time, uids: [entry.uid], last: entry.time });
  }
  return lines;
}

function keptOf(lines: readonly Line[], alerts: readonly Alert[], max: number): ReadonlySet<Line> {
  if (lines.length <= max) return new Set(lines);
  const [beside, evidence] = [
    lines.filter(({ first }) => first.activity !== undefined),
    lines.filter(({ first }) => first.activity === undefined),
  ];
  const room = Math.max(Math.floor(max * ACTIVITY_SHARE), max - evidence.length);
  const grave = new Set(
    selectActivity(
      beside.map(({ first }) => first),
      room,
    ),
  );
  const kept = beside.filter(({ first }) => grave.has(first));
  return new Set([...kept, ...select(evidence, alerts, max - kept.length)]);
}

/** How often and how much is not cut off; of several that are alike the size of the first says nothing. */
function textOf({ text, activity }: TimelineEntry, isFirstOfMany: boolean, max: number): string {
  if (activity === undefined) return middleCut(isFirstOfMany ? text.replace(SIZE, "") : text, max);
  const rest = safeText(text.slice(activity.kind.length), max);
  return middleCut(activity.kind, Math.max(TEXT_MIN, max - rest.length)) + rest;
}

/** From where and how it ended say more than the object of a call, of which the middle is left out. */
function middleCut(text: string, max: number): string {
  if (text.length <= max) return safeText(text, max);
  const tail = END.exec(text)?.[0].length ?? 0;
  const end = tail > 0 && tail <= (max * 2) / 3 ? tail : Math.floor(max / 3);
  return `${safeText(text.slice(0, max - end - 1), max)}…${safeText(text.slice(text.length - end), max)}`;
}

/** What happened and how it ended, without ids in paths and without how much came back. */
function kindOf(text: string): string {
  return text.replace(/([/=])\d+/g, "$1#").replace(SIZE, "");
}

function clock(time: EpochMs): string {
  return new Date(time).toISOString().slice(11, 19);
}
