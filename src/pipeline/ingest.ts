/**
 * Guards: the cursor moves in the transaction that stores the events, never before and never apart; a record is
 * an event, quarantined, or dropped on purpose by its connector.
 */
import type { EpochMs, Event } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Connector, Cursor, Located, Normalize, Receiver, Reject, Source } from "../ports/connector.ts";
import type { Meter } from "../ports/meter.ts";
import type { SourceState, Store } from "../ports/store.ts";
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
  readonly inOrder?: boolean;
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
  const { newest, late } = lateness(events, batch.before?.newestTime ?? null, source.latenessMs);
  const from = batch.before?.cursor ?? null;
  const completeTo = batch.completeTo ?? (batch.inOrder === true ? reached(events, source.latenessMs, received) : null);
  const result = await deps.store.transaction(async (tx) => {
    const { stored, duplicates, fresh } = await tx.appendEvents(source.id, events);
    // What comes again is not late: it was there in time, or was counted then.
    const lateCount = fresh.reduce((count, event) => count + (late.has(event) ? 1 : 0), 0);
    if (allRejects.length > 0) await tx.appendQuarantine(source.id, allRejects, received);
    await tx.moveCursor({
      source: source.id,
      from,
      to: batch.next,
      watermark: completeTo,
      newestTime: newest,
      now: received,
      stored,
      duplicates,
      quarantined: allRejects.length,
      late: lateCount,
    });
    return { stored, duplicates, quarantined: allRejects.length, late: lateCount };
  });
  deps.watch?.note(source.id, events);
  const labels = { source: source.id };
  deps.meter.count("source_records_total", labels, batch.records.length + batch.rejects.length);
  deps.meter.count("source_events_total", labels, result.stored);
  deps.meter.count("source_duplicates_total", labels, result.duplicates);
  deps.meter.count("source_quarantined_total", labels, result.quarantined);
  deps.meter.count("source_late_events_total", labels, result.late);
  if (completeTo !== null) deps.meter.gauge("source_watermark_seconds", labels, completeTo / 1000);
  return result;
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

/** Newest event time with this batch, and the events that came later than the source's lateness allows. */
function lateness(
  events: readonly Event[],
  newestBefore: EpochMs | null,
  latenessMs: number,
): { readonly newest: EpochMs | null; readonly late: ReadonlySet<Event> } {
  let newest = newestBefore;
  const late = new Set<Event>();
  for (const event of events) {
    if (newest !== null && event.time < newest - latenessMs) late.add(event);
    if (newest === null || event.time > newest) newest = event.time;
  }
  return { newest, late };
}
