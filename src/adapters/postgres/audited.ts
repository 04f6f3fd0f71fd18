/** What is done to the store and belongs into the audit log, with its entry in one transaction. */
import type { EpochMs } from "../../core/event.ts";
import type { Store } from "../../ports/store.ts";
import { appendAudit } from "./audit.ts";
import type { Session } from "./database.ts";
import { enableDestination } from "./destinations.ts";
import { replayDeadLetters } from "./outbox.ts";
import { noteSource } from "./sources.ts";
import { storable, storableCut } from "./text.ts";

/** A reason is a code and a sentence. */
const REASON_BYTES_MAX = 500;

/** See Store.noteSource; a pause that begins or ends is an entry. */
export async function noteSourceAudited(session: Session, source: string, note: Parameters<Store["noteSource"]>[1]): Promise<void> {
  if (note.pausedReason === undefined) return noteSource(session, source, note);
  const sql = "select paused_reason as reason from custodes.source where source = $1 for update";
  const before = (await session.query<{ reason: string | null }>(sql, [storable(source)])).rows[0]?.reason ?? null;
  await noteSource(session, source, note);
  if ((before === null) === (note.pausedReason === null)) return;
  const paused = note.pausedReason !== null;
  await appendAudit(session, {
    time: note.now,
    actor: "custodes",
    action: paused ? "source.paused" : "source.resumed",
    subject: source,
    details: paused ? { reason: storableCut(note.pausedReason, REASON_BYTES_MAX) } : {},
  });
}

/** See Store.replayDeadLetters. */
export async function replayDeadLettersAudited(
  session: Session,
  keys: readonly string[],
  now: EpochMs,
  by: string | undefined,
): Promise<number> {
  const replayed = await replayDeadLetters(session, keys, now);
  await appendAudit(session, {
    time: now,
    actor: by ?? "unknown",
    action: "deadletters.replayed",
    subject: keys.length === 1 ? keys[0]! : "",
    details: { asked: keys.length, replayed },
  });
  return replayed;
}

/** See Store.enableDestination. */
export async function enableDestinationAudited(
  session: Session,
  destination: string,
  now: EpochMs,
  by: string | undefined,
): Promise<boolean> {
  const enabled = await enableDestination(session, destination);
  if (enabled)
    await appendAudit(session, { time: now, actor: by ?? "unknown", action: "destination.enabled", subject: destination, details: {} });
  return enabled;
}
