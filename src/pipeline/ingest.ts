/**
 * Guards: the cursor moves in the transaction that stores the events, never before and never apart; a record is
 * an event, quarantined, or dropped on purpose by its connector.
 */
import { changeGaps, overlaps, type FoundGap, type GapChanges, type SourceGap, type Span } from "../core/completeness/gap.ts";
import { sketchOf } from "../core/completeness/lateness.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Connector, Cursor, Located, Normalize, Page, Receiver, Reject, Source } from "../ports/connector.ts";
import type { Meter } from "../ports/meter.ts";
import type { SourceState, Store, Transaction } from "../ports/store.ts";
import { signsOfLife } from "./beats.ts";
import type { FieldWatch } from "./gaps.ts";
import { normalizeRecords } from "./normalize.ts";

/** A source at work: its connector made ready. */
export interface RunningSource {
  readonly id: string;
  readonly connector: Connector;
  readonly source: Source | undefined;
  readonly receiver: Receiver | undefined;
  readonly normalize: Normalize;
  readonly latenessMs: number;
  readonly stallMs: number;
}

/** What ingesting needs. */
export interface IngestDeps {
  readonly store: Store;
  readonly registry: () => Directory;
  readonly meter: Meter;
  readonly now: () => EpochMs;
  readonly sha256: (text: string) => string;
  /** Told of every stored batch: which fields do sources supply? */
  readonly watch?: FieldWatch;
}

/** One batch on its way into the log. */
export interface Batch {
  readonly records: readonly Located[];
  readonly rejects: readonly Reject[];
  /** The source as it was read before the batch was pulled. */
  readonly before: SourceState | undefined;
  readonly next: Cursor | null;
  readonly completeTo: EpochMs | null;
  readonly readTo?: EpochMs;
  readonly inOrder?: boolean;
  readonly gaps?: readonly FoundGap[];
  readonly gone?: Page["gone"];
  readonly covered?: readonly Span[];
  /** It was pushed: its source proves nothing by it. */
  readonly pushed?: boolean;
}

/** What became of a batch. */
export interface Ingested {
  readonly stored: number;
  readonly duplicates: number;
  readonly quarantined: number;
}

/** Normalizes, attributes and stores one batch with its cursor, all or nothing. @throws {Failure} of the store */
export async function ingest(deps: IngestDeps, source: RunningSource, batch: Batch): Promise<Ingested> {
  const received = deps.now();
  const context = { source: source.id, received, sha256: deps.sha256 };
  const { events, rejects } = normalizeRecords(batch.records, source.normalize, context, deps.registry());
  const allRejects = [...batch.rejects, ...rejects];
  const { newest, late } = order(events, source, batch);
  const from = batch.before?.cursor ?? null;
  const completeTo = provenBy(batch, events, source, received);
  const result = await deps.store.transaction(async (tx) => {
    const { stored, duplicates, fresh } = await tx.appendEvents(source.id, events);
    // What comes again is not late: it was there in time, or was counted then.
    const lateMs = fresh.map((event) => late.get(event) ?? 0);
    const lateCount = fresh.reduce((count, event) => count + (isLate(event, late, source, batch) ? 1 : 0), 0);
    if (allRejects.length > 0) await tx.appendQuarantine(source.id, allRejects, received);
    await tx.moveCursor({
      source: source.id,
      from,
      to: batch.next,
      watermark: completeTo,
      newestTime: newest,
      now: received,
      progress: comesFurther(source, { ...batch, completeTo }, fresh, received),
      stored,
      duplicates,
      quarantined: allRejects.length,
      late: lateCount,
    });
    // With the watermark, so that nobody is silent whose words are stored.
    const signs = signsOfLife(deps.registry(), source.id, fresh);
    if (signs.length > 0) await tx.saveAgentsSeen(signs);
    if (fresh.length > 0 && isLive(source, batch.before, received)) {
      const lag = sketchOf(fresh.map((event) => received - event.time));
      await tx.addLateness(received - (received % DAY_MS), { source: source.id, lag, late: sketchOf(lateMs) });
    }
    const gaps = await noteGaps(deps, tx, source, { ...batch, completeTo }, { events, fresh, rejects: allRejects.length, received });
    return { stored, duplicates, quarantined: allRejects.length, late: lateCount, gaps };
  });
  deps.watch?.note(source.id, events);
  const labels = { source: source.id };
  deps.meter.count("source_records_total", labels, batch.records.length + batch.rejects.length);
  deps.meter.count("source_events_total", labels, result.stored);
  deps.meter.count("source_duplicates_total", labels, result.duplicates);
  deps.meter.count("source_quarantined_total", labels, result.quarantined);
  deps.meter.count("source_late_events_total", labels, result.late);
  if (result.gaps.proven > 0) deps.meter.count("source_gaps_total", { ...labels, result: "proven" }, result.gaps.proven);
  if (result.gaps.healed > 0) deps.meter.count("source_gaps_total", { ...labels, result: "healed" }, result.gaps.healed);
  if (completeTo !== null) deps.meter.gauge("source_watermark_seconds", labels, completeTo / 1000);
  return result;
}

const DAY_MS = 86_400_000;

/**
 * Whether a source came further: it proved more, or gave new events of a time that is long over, as in a backfill. What it
 * has just written says nothing: a source that is never read to its end has that, too.
 */
function comesFurther({ stallMs }: RunningSource, batch: Batch, fresh: readonly Event[], now: EpochMs): boolean {
  if (batch.completeTo !== null && batch.completeTo > (batch.before?.watermark ?? -Infinity)) return true;
  const old = fresh.reduce((count, event) => count + (event.time < now - stallMs ? 1 : 0), 0);
  return batch.pushed !== true && old > 0 && old * 2 >= fresh.length;
}

/**
 * A source that was complete up to a short while ago: how long its records take now says something of the source. In a
 * backfill, or after an outage, it would say something of us.
 */
function isLive(source: RunningSource, before: SourceState | undefined, now: EpochMs): boolean {
  const watermark = before?.watermark ?? null;
  return watermark !== null && now - watermark <= source.latenessMs + source.stallMs;
}

/** A batch of this many records or more of which most are refused is more than a bad record. */
const POISON_MIN = 20;
/** Share of refused records from which on a batch is a gap. */
const POISON_SHARE = 0.5;

interface Seen {
  readonly events: readonly Event[];
  readonly fresh: readonly Event[];
  readonly rejects: number;
  readonly received: EpochMs;
}

/** Stores what the batch says about gaps: what its source proved, and what was found where nothing should have been left. */
async function noteGaps(deps: IngestDeps, tx: Transaction, source: RunningSource, batch: Batch, seen: Seen): Promise<GapChanges> {
  const { received } = seen;
  const watermark = batch.before?.watermark ?? null;
  const lost = goneBefore(batch, received);
  const news =
    batch.gaps !== undefined || lost.length > 0 || missedBefore(source, batch, seen, []).length > 0 || poisoned(batch, seen).length > 0;
  // A gap that the watch opens meanwhile is for the next batch.
  if (!news && batch.before?.openGaps === 0) return { changed: [], proven: 0, healed: 0 };
  const open = await tx.openGaps(source.id);
  const found = [...(batch.gaps ?? []), ...lost, ...missedBefore(source, batch, seen, open), ...poisoned(batch, seen)];
  const covered = batch.covered ?? [];
  // What was proven before says nothing of an outage.
  const isFurther = batch.completeTo !== null && batch.completeTo > (watermark ?? -Infinity);
  // Silence of senders is over with the first push: that they are heard is all that can be known of them.
  const heardTo = batch.pushed === true && source.source === undefined ? received : batch.completeTo;
  const proof = isFurther && heardTo !== null ? { from: watermark ?? -Infinity, to: heardTo } : undefined;
  if (found.length === 0 && open.length === 0) return { changed: [], proven: 0, healed: 0 };
  const idOf = (text: string): string => deps.sha256(text).slice(0, 32);
  const changes = changeGaps(source.id, open, { found, covered, reached: proof, now: received }, idOf);
  if (changes.changed.length > 0) await tx.saveGaps(changes.changed);
  return changes;
}

/** New records of a time that had been taken as complete: an earlier read had missed them, and this one brought them. */
function missedBefore(source: RunningSource, batch: Batch, { fresh }: Seen, open: readonly SourceGap[]): FoundGap[] {
  const watermark = batch.before?.watermark ?? null;
  // Only a source that proves its completeness by reading can have been wrong about it.
  if (watermark === null || batch.inOrder === true || source.source === undefined || batch.pushed === true) return [];
  const times = fresh.map((event) => event.time).filter((time) => time <= watermark && !open.some((gap) => overlaps(gap, time, time)));
  if (times.length === 0) return [];
  const from = times.reduce((least, time) => Math.min(least, time), Infinity);
  const to = times.reduce((most, time) => Math.max(most, time), -Infinity);
  return [{ from, to, why: "late", detail: `${times.length} records came after their time had been read`, state: "healed" }];
}

/** What is gone happened after the source was last complete, or else after what was read of it. */
function goneBefore({ before, gone }: Batch, received: EpochMs): FoundGap[] {
  const from = Math.min(before?.watermark ?? before?.newestTime ?? received, received);
  return (gone ?? []).map((one) => ({ ...one, from, to: received }));
}

function poisoned(batch: Batch, { events, rejects, received }: Seen): FoundGap[] {
  const all = batch.records.length + batch.rejects.length;
  if (all < POISON_MIN || rejects < all * POISON_SHARE) return [];
  const times = events.map((event) => event.time);
  const known = batch.before?.watermark ?? batch.before?.newestTime ?? received;
  const from = Math.min(known, received, ...times.slice(0, POISON_MIN));
  return [{ from, to: received, why: "quarantine", detail: `${rejects} of ${all} records could not be understood; see the quarantine` }];
}

/** What the batch proves: what its source says, else what was read to the end, else what was read in order. */
function provenBy(batch: Batch, events: readonly Event[], { latenessMs }: RunningSource, received: EpochMs): EpochMs | null {
  if (batch.completeTo !== null) return batch.completeTo;
  if (batch.readTo !== undefined) return Math.min(batch.readTo, received) - latenessMs;
  return batch.inOrder === true ? reached(events, latenessMs, received) : null;
}

/** Fewer events do not say how far a log was read: one of them may have a wrong time. */
const REACHED_MIN = 100;

/**
 * How far a log that is read in order is complete before its end. By the time in the middle of the batch, not by the
 * newest: a single event from the future would make everything after it late.
 */
function reached(events: readonly Event[], latenessMs: number, now: EpochMs): EpochMs | null {
  if (events.length < REACHED_MIN) return null;
  const times = events.map(({ time }) => time).sort((a, b) => a - b);
  return Math.min(times[Math.floor(times.length / 2)]!, now) - latenessMs;
}

/**
 * Newest event time with this batch, and how far behind it or, where a source proves its completeness by reading, behind
 * the watermark each event came, milliseconds. Pages of such a source may come in any order: only what comes behind a
 * proof is late.
 */
function order(
  events: readonly Event[],
  source: RunningSource,
  batch: Batch,
): { readonly newest: EpochMs | null; readonly late: ReadonlyMap<Event, number> } {
  const proven = provenBefore(source, batch);
  let newest = batch.before?.newestTime ?? null;
  const late = new Map<Event, number>();
  for (const event of events) {
    const reference = proven ?? newest;
    if (reference !== null && event.time < reference) late.set(event, reference - event.time);
    if (newest === null || event.time > newest) newest = event.time;
  }
  return { newest, late };
}

function isLate(event: Event, late: ReadonlyMap<Event, number>, source: RunningSource, batch: Batch): boolean {
  const behind = late.get(event);
  return behind !== undefined && (provenBefore(source, batch) !== undefined || behind > source.latenessMs);
}

/** The watermark that reading has proven before this batch. */
function provenBefore(source: RunningSource, { before, inOrder, pushed }: Batch): EpochMs | undefined {
  return source.source === undefined || inOrder === true || pushed === true ? undefined : (before?.watermark ?? undefined);
}
