import { Failure } from "../core/errors.ts";
import { CATEGORIES, type Category, type EpochMs, type Event } from "../core/event.ts";
import { attribute } from "../core/identity/attribute.ts";
import type { Directory } from "../core/identity/directory.ts";
import { FUTURE_MAX_MS } from "../core/record.ts";
import type { Located, Normalize, NormalizeContext, Reject } from "../ports/connector.ts";

/** Raw text kept with a quarantined record, characters. */
export const RAW_MAX = 65_536;
/** A uid longer than this is a bug of its connector: it would not fit an index. */
const UID_MAX = 512;
const KNOWN: ReadonlySet<Category> = new Set(CATEGORIES);

/** What a batch of records became. */
export interface Normalized {
  readonly events: readonly Event[];
  readonly rejects: readonly Reject[];
}

/** Turns records into attributed events. Never throws: what fails is rejected with its reason and place. */
export function normalizeRecords(
  records: readonly Located[],
  normalize: Normalize,
  context: NormalizeContext,
  registry: Directory | undefined,
): Normalized {
  const events: Event[] = [];
  const rejects: Reject[] = [];
  for (const located of records) {
    try {
      const made = normalize(located.record, context);
      // All of them first: a record is stored in full or quarantined, never both.
      for (const event of made) checkEvent(event, context.received);
      for (const event of made) {
        event.receivedTime = context.received;
        if (event.source === "") event.source = context.source;
        if (registry !== undefined) attribute(event, registry);
        events.push(event);
      }
    } catch (error) {
      rejects.push(toReject(error, located));
    }
  }
  return { events, rejects };
}

/** Connectors are checked where their events enter: a wrong one must not reach the log. */
function checkEvent(event: Event, received: EpochMs): void {
  if (
    !isTime(event.time) ||
    event.time > received + FUTURE_MAX_MS ||
    event.uid === "" ||
    event.uid.length > UID_MAX ||
    !KNOWN.has(event.category)
  ) {
    throw new Failure("the connector made an event without a proper uid, time or category", { kind: "poison", code: "RECORD_BUG" });
  }
}

function isTime(time: EpochMs): boolean {
  return Number.isSafeInteger(time) && time > 0;
}

function toReject(error: unknown, located: Located): Reject {
  const raw = rawText(located.record);
  if (error instanceof Failure && error.kind === "poison") {
    return { code: error.code, message: error.message, position: located.position, raw };
  }
  const kind = error instanceof Error ? error.name : typeof error;
  return { code: "RECORD_BUG", message: `the connector failed on this record (${kind})`, position: located.position, raw };
}

function rawText(record: unknown): string {
  if (typeof record === "string") return record.slice(0, RAW_MAX);
  try {
    return (JSON.stringify(record) ?? "").slice(0, RAW_MAX);
  } catch {
    // Too deep or not JSON: the position still says where the record is.
    return "";
  }
}
