/**
 * Events of many files -> final alerts, in one pass with bounded memory. Files are read side by side, always the one
 * that is furthest behind, so that the watermark can follow. A file that turns out to be less ordered than assumed
 * makes the pass run once more with the lateness that it needs: late events count in full.
 */
import type { Alert } from "../core/alert.ts";
import type { Watermarks } from "../core/correlation/types.ts";
import { CATEGORIES, type Category, type EpochMs } from "../core/event.ts";
import { canonicalJson } from "../core/record.ts";
import { openStream, type Converter, type Input, type InputReject, type Stream } from "./stream.ts";

/** The watermark is moved after this many events: often enough for memory, seldom enough for speed. */
const ADVANCE_EVERY = 20_000;
/** State is kept at least this far behind, so that a slightly unordered file needs no second pass. */
const SLACK_MS = 300_000;

/** The part of a backtest that differs between normalized and plain events. */
export interface Runner<E> extends Converter<E> {
  uid(event: E): string;
  category(event: E): Category | undefined;
  /** Starts over. Called once per pass, with the lateness that the pass assumes. */
  begin(latenessMs: number): Correlation<E>;
}
/** One pass's correlation. */
export interface Correlation<E> {
  push(events: readonly E[]): readonly Alert[];
  advance(watermarks: Watermarks): readonly Alert[];
  finish(): readonly Alert[];
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
}

/** Runs a backtest. `rejected` is told of every record that is no event, once. @throws {Failure} SOURCE_UNREADABLE */
export async function backtest<E>(
  inputs: readonly Input[],
  runner: Runner<E>,
  latenessMs: number,
  rejected: (reject: InputReject) => void,
): Promise<BacktestResult> {
  const assumed = Math.max(latenessMs, SLACK_MS);
  const first = await pass(inputs, runner, latenessMs, assumed, rejected);
  if (first.lagMax <= assumed) return { ...first.result, passes: 1 };
  const second = await pass(inputs, runner, latenessMs, first.lagMax, () => undefined);
  return { ...second.result, passes: 2 };
}

async function pass<E>(
  inputs: readonly Input[],
  runner: Runner<E>,
  latenessMs: number,
  assumedMs: number,
  rejected: (reject: InputReject) => void,
): Promise<{ result: Omit<BacktestResult, "passes">; lagMax: number }> {
  let rejects = 0;
  const onReject = (reject: InputReject): void => {
    rejects++;
    rejected(reject);
  };
  const streams = inputs.map((input) => openStream(input, runner, latenessMs, onReject));
  const correlation = runner.begin(assumedMs);
  const seen = new Set<string>();
  const finals = new Map<string, Alert>();
  const keep = (alerts: readonly Alert[]): void => {
    for (const alert of alerts) if (alert.final) finals.set(alert.id, alert);
  };
  let events = 0;
  let duplicates = 0;
  let sinceAdvance = 0;
  for (;;) {
    const stream = furthestBehind(streams);
    if (stream === undefined) break;
    const batch = await stream.next();
    if (batch === undefined) continue;
    const fresh: E[] = [];
    for (const event of batch) {
      const before = seen.size;
      seen.add(runner.uid(event));
      if (seen.size > before) fresh.push(event);
      else duplicates++;
    }
    events += fresh.length;
    keep(correlation.push(fresh));
    sinceAdvance += fresh.length;
    if (sinceAdvance >= ADVANCE_EVERY) {
      sinceAdvance = 0;
      keep(correlation.advance(watermarks(streams, assumedMs)));
    }
  }
  keep(correlation.finish());
  const late = streams.reduce((sum, stream) => sum + stream.late, 0);
  const lagMax = streams.reduce((max, stream) => Math.max(max, stream.lagMax), 0);
  return { result: { alerts: sorted([...finals.values()]), events, duplicates, rejected: rejects, late }, lagMax };
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
