/**
 * Events of many files -> final alerts, in one pass with bounded memory. Files are read side by side, always the one
 * that is furthest behind, so that the watermark can follow. A file that turns out to be less ordered than assumed
 * makes the pass run once more with the lateness that it needs: late events count in full.
 */
import type { Alert } from "../core/alert.ts";
import type { Watermarks } from "../core/correlation/types.ts";
import { CATEGORIES, type Category, type EpochMs } from "../core/event.ts";
import { canonicalJson } from "../core/record.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { endsFile, openStream, type Converter, type Input, type InputReject, type Stream } from "./stream.ts";

/** The watermark is moved after this many events: often enough for memory, seldom enough for speed. */
const ADVANCE_EVERY = 20_000;
/** State is kept at least this far behind, so that a slightly unordered file needs no second pass. */
const SLACK_MS = 300_000;
/**
 * Up to so many files are simply begun together, at most a quarter of a gigabyte of text. Of more, the time of the first
 * event says when each has its turn; beginning each of them twice costs a tenth more.
 */
const BEGUN_TOGETHER_MAX = 1000;

/** The part of a backtest that differs between normalized and plain events. */
export interface Runner<E> extends Converter<E> {
  uid(event: E): string;
  category(event: E): Category | undefined;
  /** Starts over. Called once per pass, with the lateness that the pass assumes. */
  begin(latenessMs: number, other?: OtherRun<E>): Correlation<E>;
}
/** What can be different about a run. */
export interface OtherRun<E> {
  readonly rules?: RuleSet<E>;
  /** Told of the events as rules see them. */
  readonly tap?: (events: readonly E[]) => void;
}
/** One pass's correlation. */
export interface Correlation<E> {
  push(events: readonly E[]): readonly Alert[];
  advance(watermarks: Watermarks): readonly Alert[];
  finish(): readonly Alert[];
}

/** A file that could not be read to its end. */
export interface Fault {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  /** Its records that were used. */
  readonly records: number;
}

/** What a backtest found. */
export interface BacktestResult {
  /** Final alerts by (bucket, rule id, group). */
  readonly alerts: readonly Alert[];
  readonly events: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly late: number;
  /** 2 when a second pass was needed. */
  readonly passes: number;
  /** In the order in which they were met. */
  readonly faults: readonly Fault[];
}

/** Who is told what happens. */
export interface Hooks<E> {
  /** Every record that is no event, once. */
  readonly rejected?: (reject: InputReject) => void;
  /** Every event of the first pass with its place, and whether its uid was there before. */
  readonly seen?: (event: E, path: string, line: number, again: boolean) => void;
  /** After every batch. */
  readonly progress?: (at: { readonly pass: number; readonly events: number; readonly alerts: number }) => void;
}

/** Runs a backtest. A file that cannot be read to its end is a fault of the result. */
export async function backtest<E>(
  inputs: readonly Input[],
  runner: Runner<E>,
  latenessMs: number,
  hooks: Hooks<E> = {},
): Promise<BacktestResult> {
  const assumed = Math.max(latenessMs, SLACK_MS);
  const first = await pass(inputs, runner, { latenessMs, assumedMs: assumed, number: 1 }, hooks);
  if (first.lagMax <= assumed) return { ...first.result, passes: 1 };
  const { progress } = hooks;
  const quiet: Hooks<E> = progress === undefined ? {} : { progress };
  const second = await pass(inputs, runner, { latenessMs, assumedMs: first.lagMax, number: 2 }, quiet);
  return { ...second.result, passes: 2 };
}

interface Pass {
  readonly latenessMs: number;
  readonly assumedMs: number;
  readonly number: number;
}

async function pass<E>(
  inputs: readonly Input[],
  runner: Runner<E>,
  { latenessMs, assumedMs, number }: Pass,
  { rejected, seen: told, progress }: Hooks<E>,
): Promise<{ result: Omit<BacktestResult, "passes">; lagMax: number }> {
  let rejects = 0;
  const faults: Fault[] = [];
  const streams = inputs.map((input) => {
    const stream: Stream<E> = openStream(input, runner, latenessMs, (reject) => {
      rejects++;
      if (endsFile(reject.code)) faults.push({ path: reject.path, code: reject.code, message: reject.message, records: stream.records });
      rejected?.(reject);
    });
    return stream;
  });
  if (streams.length > BEGUN_TOGETHER_MAX) await lookAhead(streams);
  const correlation = runner.begin(assumedMs);
  const seen = new Set<string>();
  const finals = new Map<string, Alert>();
  const keep = (alerts: readonly Alert[]): void => {
    for (const alert of alerts) if (alert.final) finals.set(alert.id, alert);
  };
  let events = 0;
  let duplicates = 0;
  let sinceAdvance = 0;
  const open = [...streams];
  for (;;) {
    const stream = furthestBehind(open);
    if (stream === undefined) break;
    const piece = await stream.next();
    if (stream.done) open.splice(open.indexOf(stream), 1);
    if (piece === undefined) continue;
    const fresh: E[] = [];
    for (let index = 0; index < piece.events.length; index++) {
      const event = piece.events[index]!;
      const before = seen.size;
      seen.add(runner.uid(event));
      const again = seen.size === before;
      if (again) duplicates++;
      else fresh.push(event);
      told?.(event, stream.input.path, piece.lines[index] ?? 0, again);
    }
    events += fresh.length;
    keep(correlation.push(fresh));
    sinceAdvance += fresh.length;
    if (sinceAdvance >= ADVANCE_EVERY) {
      sinceAdvance = 0;
      keep(correlation.advance(watermarks(streams, assumedMs)));
    }
    progress?.({ pass: number, events, alerts: finals.size });
  }
  keep(correlation.finish());
  const late = streams.reduce((sum, stream) => sum + stream.late, 0);
  const lagMax = streams.reduce((max, stream) => Math.max(max, stream.lagMax), 0);
  return { result: { alerts: sorted([...finals.values()]), events, duplicates, rejected: rejects, late, faults }, lagMax };
}

/** Begins every file for the time of its first event only: what is far ahead then costs neither memory nor a handle. */
async function lookAhead<E>(streams: readonly Stream<E>[]): Promise<void> {
  for (const stream of streams) await stream.look();
}

function furthestBehind<E>(streams: readonly Stream<E>[]): Stream<E> | undefined {
  let behind: Stream<E> | undefined;
  for (const stream of streams) if (!stream.done && (behind === undefined || stream.newest < behind.newest)) behind = stream;
  return behind;
}

/** Complete up to the newest time of each file that is not at its end, less the lateness; files at their end hold nobody up. */
function watermarks<E>(streams: readonly Stream<E>[], latenessMs: number): Watermarks {
  let all = Infinity;
  let newest = -Infinity;
  const byCategory = new Map<Category, EpochMs>();
  for (const stream of streams) {
    newest = Math.max(newest, stream.newest);
    if (stream.done) continue;
    const watermark = stream.newest - latenessMs;
    all = Math.min(all, watermark);
    for (const category of stream.input.categories ?? [])
      byCategory.set(category, Math.min(byCategory.get(category) ?? Infinity, watermark));
  }
  all = Math.min(all, newest);
  // A file whose categories are not known may still bring any of them.
  if (streams.some((stream) => !stream.done && stream.input.categories === undefined)) return { all };
  for (const category of CATEGORIES) if (!byCategory.has(category)) byCategory.set(category, newest);
  return { all, byCategory };
}

function sorted(alerts: Alert[]): Alert[] {
  const key = (alert: Alert) => canonicalJson(alert.group);
  return alerts
    .map((alert) => ({ alert, group: key(alert) }))
    .sort((a, b) => a.alert.bucket - b.alert.bucket || compare(a.alert.ruleId, b.alert.ruleId) || compare(a.group, b.group))
    .map(({ alert }) => alert);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
