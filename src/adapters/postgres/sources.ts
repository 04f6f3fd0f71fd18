/** Positions: cursors of sources and offsets of jobs move only from the value that was read. */
import { Failure } from "../../core/errors.ts";
import type { Cursor } from "../../ports/connector.ts";
import type { Fact, Sequence, SourceChange, SourceState, Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable, uidHash } from "./text.ts";

// A cursor is the vendor's text and must come back as it was; as JSON it holds nothing that PostgreSQL refuses.
function encodeCursor(cursor: Cursor | null): string | null {
  return cursor === null ? null : JSON.stringify(cursor);
}
function decodeCursor(text: string | null): Cursor | null {
  return text === null ? null : (JSON.parse(text) as Cursor);
}

/** See Transaction.moveCursor. */
export async function moveCursor(session: Session, change: SourceChange): Promise<void> {
  const moved = await session.query(
    `insert into custodes.source as old
       (source, cursor, watermark, newest_time, last_success_time, changed_time, events, duplicates, quarantined, late_events,
        progress_time)
     select $1::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $6::bigint
     where $2::text is null or exists (select 1 from custodes.source where source = $1)
     on conflict (source) do update set
       cursor = excluded.cursor,
       watermark = greatest(old.watermark, excluded.watermark),
       newest_time = greatest(old.newest_time, excluded.newest_time),
       last_success_time = excluded.last_success_time,
       progress_time = case when $11::boolean or old.progress_time is null then excluded.progress_time else old.progress_time end,
       changed_time = excluded.changed_time,
       last_error = null,
       events = old.events + excluded.events,
       duplicates = old.duplicates + excluded.duplicates,
       quarantined = old.quarantined + excluded.quarantined,
       late_events = old.late_events + excluded.late_events
     where old.cursor is not distinct from $2::text`,
    [
      storable(change.source),
      encodeCursor(change.from),
      encodeCursor(change.to),
      change.watermark,
      change.newestTime,
      change.now,
      change.stored,
      change.duplicates,
      change.quarantined,
      change.late,
      change.progress ?? false,
    ],
  );
  if (moved.count !== 1) throw overtaken("CURSOR_MOVED", `another worker moved the cursor of ${change.source} first`);
}

/** See Transaction.moveOffset. */
export async function moveOffset(session: Session, job: string, from: Sequence | null, to: Sequence): Promise<void> {
  const moved =
    from === null
      ? await session.query("insert into custodes.job_offset (job, sequence) values ($1, $2) on conflict do nothing", [storable(job), to])
      : await session.query("update custodes.job_offset set sequence = $3 where job = $1 and sequence = $2", [storable(job), from, to]);
  if (moved.count !== 1) throw overtaken("OFFSET_MOVED", `another worker moved the offset of ${job} first`);
}

/** See Store.offset. */
export async function offset(session: Session, job: string): Promise<Sequence | null> {
  const { rows } = await session.query<{ sequence: number }>("select sequence from custodes.job_offset where job = $1", [storable(job)]);
  return rows[0]?.sequence ?? null;
}

/** See Store.sources; sorted by name. With `source`, that one only. */
export async function sources(session: Session, source?: string): Promise<readonly SourceState[]> {
  const { rows } = await session.query<SourceState>(
    `select source, cursor, watermark, newest_time as "newestTime", last_success_time as "lastSuccessTime", progress_time as "progressTime",
       last_error as "lastError", paused_reason as "pausedReason", events, duplicates, quarantined, late_events as "lateEvents",
       (select count(*) from custodes.source_gap as gap where gap.source = one.source and gap.state = 'open') as "openGaps"
     from custodes.source as one where $1::text is null or source = $1 order by source`,
    [source === undefined ? null : storable(source)],
  );
  return rows.map((row) => ({ ...row, cursor: decodeCursor(row.cursor) }));
}

/** See Store.noteSource; what the note does not name stays as it is. */
export async function noteSource(session: Session, source: string, note: Parameters<Store["noteSource"]>[1]): Promise<void> {
  const text = (value: string | null | undefined): string | null => (typeof value === "string" ? storable(value) : null);
  await session.query(
    `insert into custodes.source as old (source, last_error, paused_reason, changed_time) values ($1, $2, $4, $6)
     on conflict (source) do update set
       last_error = case when $3::boolean then excluded.last_error else old.last_error end,
       paused_reason = case when $5::boolean then excluded.paused_reason else old.paused_reason end,
       changed_time = excluded.changed_time`,
    [storable(source), text(note.error), note.error !== undefined, text(note.pausedReason), note.pausedReason !== undefined, note.now],
  );
}

/** See Transaction.saveFacts. */
export async function saveFacts(session: Session, facts: readonly Fact[]): Promise<void> {
  if (facts.length === 0) return;
  const merged = new Map<string, Fact>();
  for (const fact of facts) {
    const key = storable(fact.key);
    const value = storable(fact.value);
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    const hash = uidHash(`${key.length}:${key}${value}`);
    const old = merged.get(hash);
    const { first, last } = fact;
    merged.set(hash, {
      key,
      value,
      first: Math.min(first, old?.first ?? first),
      last: Math.max(last, old?.last ?? last),
      ...originOf(fact, old),
    });
  }
  const rows = [...merged].map(([hash, fact]) => ({ hash, ...fact }));
  await session.query(
    `insert into custodes.fact as old (hash, key, value, first, last, origin)
     select hash, key, value, first, last, origin
     from json_to_recordset($1::json) as new(hash uuid, key text, value text, first bigint, last bigint, origin text) order by hash
     on conflict (hash) do update set first = least(old.first, excluded.first), last = greatest(old.last, excluded.last),
       origin = case when excluded.first < old.first then excluded.origin
                     when excluded.first > old.first then old.origin
                     else least(old.origin collate "C", excluded.origin collate "C") end
     where excluded.first < old.first or excluded.last > old.last
       or (excluded.first = old.first and excluded.origin collate "C" < old.origin collate "C")`,
    [JSON.stringify(rows)],
  );
}

/** Of the earlier one; of two at one time the smaller text. */
function originOf(fact: Fact, old: Fact | undefined): { readonly origin?: string } {
  const origin = fact.origin === undefined ? undefined : storable(fact.origin);
  const isNewer = old !== undefined && (old.first < fact.first || (old.first === fact.first && (old.origin ?? "") <= (origin ?? "")));
  const kept = isNewer ? old.origin : origin;
  return kept === undefined ? {} : { origin: kept };
}

/** See Store.facts; by key, then by first. */
export async function facts(session: Session, starts?: readonly string[]): Promise<readonly Fact[]> {
  const { rows } = await session.query<Omit<Fact, "origin"> & { origin: string | null }>(
    `select key, value, first, last, origin from custodes.fact
     where $1::json is null or exists (select 1 from json_array_elements_text($1::json) as start(text) where starts_with(key, start.text))
     order by key, first, value`,
    [starts === undefined ? null : JSON.stringify(starts.map(storable))],
  );
  return rows.map(({ origin, ...fact }) => (origin === null ? fact : { ...fact, origin }));
}

function overtaken(code: "CURSOR_MOVED" | "OFFSET_MOVED", message: string): Failure {
  return new Failure(message, { kind: "permanent", code });
}
