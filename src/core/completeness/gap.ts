/**
 * Gaps: stretches of event time for which it can be shown that records of a source are, were or may be missing. Pure
 * arithmetic over them: what a read proves missing opens or widens gaps, what a later read covers heals them.
 */
import type { EpochMs } from "../event.ts";

/**
 * Why records are missing:
 * `unreachable` no success, or no progress, for the source's stall budget; `silent` nobody pushed for it; `retention` the vendor had
 * deleted records before they were read; `truncated` the vendor says that its answer is not whole, or a file was cut before
 * it was read to its end; `removed` a file went away before; `paging` a page does
 * not connect to the next one; `count` the vendor counts more records than its pages had; `sequence` numbers are left out;
 * `clock` the vendor's clock is so wrong that nobody
 * knows of which time it has shown everything; `late` a second read found what the first one had not; `quarantine` most records of a batch could not be understood.
 */
export const GAP_REASONS = [
  "unreachable",
  "silent",
  "retention",
  "truncated",
  "removed",
  "paging",
  "count",
  "sequence",
  "clock",
  "late",
  "quarantine",
] as const;
/** One reason. */
export type GapReason = (typeof GAP_REASONS)[number];

/** A stretch of event time, both ends included. */
export interface Span {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** A gap as a source or the pipeline finds it. */
export interface FoundGap {
  readonly from: EpochMs;
  /** Null: it goes on. */
  readonly to: EpochMs | null;
  readonly why: GapReason;
  /** In words, without any content of records. */
  readonly detail: string;
  /** `healed`: the read that proved it brought the records. `lost`: no read can bring them any more. Default `open`. */
  readonly state?: "open" | "healed" | "lost";
}

/** A gap as it is stored. */
export interface SourceGap extends Required<FoundGap> {
  /** The same for its whole life. */
  readonly id: string;
  readonly source: string;
  readonly foundTime: EpochMs;
  /** When it was healed or given up; null while it is open. */
  readonly endTime: EpochMs | null;
  /** The stretch that it was before a part of it was read; null: as it is. A healed gap has its whole stretch again. */
  readonly whole: Span | null;
}

/** What a batch says about gaps. */
export interface GapNews {
  readonly found: readonly FoundGap[];
  /** Stretches whose records have all been read now, as far as the source itself can tell. */
  readonly covered: readonly Span[];
  /** The source works and is complete up to here from where it was before: ends its outages. */
  readonly reached: Span | undefined;
  readonly now: EpochMs;
}

/** Open gaps of one source: of more, the newest joins the nearest of its kind. A vendor that loses more is lost itself. */
const OPEN_MAX = 100;
/** A detail is a sentence. */
const DETAIL_MAX = 300;
/** Reasons that end when the source works again: nothing says that records are missing once it has caught up. */
const OUTAGES: ReadonlySet<GapReason> = new Set(["unreachable", "silent"]);
/** Reasons that no read heals: the records were read, and not understood, or are gone. */
const UNREADABLE: ReadonlySet<GapReason> = new Set(["quarantine", "removed"]);

/** Gaps that changed, and how many began and ended among them. */
export interface GapChanges {
  readonly changed: readonly SourceGap[];
  readonly proven: number;
  readonly healed: number;
}

/** Applies what a batch says to the open gaps of its source. `idOf` gives a stable id for a text. */
export function changeGaps(source: string, open: readonly SourceGap[], news: GapNews, idOf: (text: string) => string): GapChanges {
  const now = new Map(open.map((gap) => [gap.id, gap]));
  let proven = 0;
  for (const gap of open) {
    for (const [index, part] of afterReading(gap, news, OPEN_MAX - now.size).entries()) {
      const id = index === 0 ? gap.id : idOf(`gap\n${gap.id}\n${part.from}\n${news.now}`);
      now.set(id, { ...part, id });
    }
  }
  for (const found of news.found) {
    const detail = found.detail.slice(0, DETAIL_MAX);
    const state = found.state ?? "open";
    const known = state === "open" ? homeOf([...now.values()], found) : undefined;
    if (known === undefined) {
      const id = idOf(`gap\n${source}\n${found.why}\n${found.from}\n${found.to}\n${news.now}`);
      now.set(id, { ...found, detail, state, id, source, foundTime: news.now, endTime: state === "open" ? null : news.now, whole: null });
      proven++;
    } else now.set(known.id, { ...known, detail, ...widened(known, found) });
  }
  const before = new Map(open.map((gap) => [gap.id, gap]));
  const changed = [...now.values()].filter((gap) => !same(before.get(gap.id), gap));
  return { changed, proven, healed: changed.filter((gap) => gap.state === "healed").length };
}

/** Whether a stretch of time has anything to do with a gap. */
export function overlaps(gap: Pick<SourceGap, "from" | "to">, from: EpochMs, to: EpochMs): boolean {
  return gap.from <= to && (gap.to ?? Infinity) >= from;
}

/** What is left of a gap: nothing (it is healed), or its parts, at most `more` of them beside the first. */
function afterReading(gap: SourceGap, { covered, reached, now }: GapNews, more: number): readonly SourceGap[] {
  if (OUTAGES.has(gap.why)) {
    if (reached === undefined) return [gap];
    // It works again: what the outage may have hidden ends now.
    const ended = { ...gap, to: Math.max(gap.from, gap.to ?? now) };
    return without(ended, { from: Math.min(reached.from, ended.from), to: reached.to }, now);
  }
  if (UNREADABLE.has(gap.why)) return [gap];
  let parts: readonly SourceGap[] = [gap];
  for (const span of covered) {
    const next = parts.flatMap((part) => (part.state === "open" ? without(part, span, now) : [part]));
    if (next.length - 1 <= more) parts = next;
  }
  const left = parts.filter((part) => part.state === "open");
  const [first, ...others] = left;
  if (first === undefined) return parts.slice(0, 1).map((part) => ({ ...part, ...wholeOf(gap) }));
  // Of what was split, the parts that are left say together what it was.
  const [next] = others;
  const begin = { from: wholeOf(gap).from, to: next === undefined ? wholeOf(gap).to : wholeOf(next).from };
  return first === gap ? left : [{ ...first, whole: begin }, ...others];
}

/** What is left of a gap beside one stretch that was read. */
function without(gap: SourceGap, span: Span, now: EpochMs): readonly SourceGap[] {
  const to = gap.to ?? Infinity;
  const whole = wholeOf(gap);
  if (span.from <= gap.from && span.to >= to) return [{ ...gap, ...whole, whole: null, state: "healed", endTime: now }];
  if (span.to <= gap.from || span.from >= to) return [gap];
  const split = span.from > gap.from && span.to < to;
  const head = span.from > gap.from ? [{ ...gap, to: span.from, whole: split ? { ...whole, to: span.to } : whole }] : [];
  const tail = span.to < to ? [{ ...gap, from: span.to, whole: split ? { ...whole, from: span.to } : whole }] : [];
  return [...head, ...tail];
}

function wholeOf({ from, to, whole }: SourceGap): Span {
  return whole ?? { from, to: to ?? Infinity };
}

/** The open gap that a found one belongs to: of the same kind, and touching; when there are too many, the nearest. */
function homeOf(gaps: readonly SourceGap[], found: FoundGap): SourceGap | undefined {
  const open = gaps.filter((gap) => gap.state === "open" && gap.why === found.why);
  const touching = open.find((gap) => overlaps(gap, found.from, found.to ?? Infinity));
  if (touching !== undefined || gaps.filter((gap) => gap.state === "open").length < OPEN_MAX) return touching;
  return open.toSorted((a, b) => Math.abs(a.from - found.from) - Math.abs(b.from - found.from))[0];
}

function widened({ from, to, whole }: SourceGap, found: FoundGap): Pick<SourceGap, "from" | "to" | "whole"> {
  const after = { from: Math.min(from, found.from), to: later(to, found.to) };
  return {
    ...after,
    whole: whole === null ? null : { from: Math.min(whole.from, after.from), to: Math.max(whole.to, after.to ?? -Infinity) },
  };
}

function later(a: EpochMs | null, b: EpochMs | null): EpochMs | null {
  return a === null || b === null ? null : Math.max(a, b);
}

function same(a: SourceGap | undefined, b: SourceGap): boolean {
  return a !== undefined && a.from === b.from && a.to === b.to && a.state === b.state && a.detail === b.detail;
}
