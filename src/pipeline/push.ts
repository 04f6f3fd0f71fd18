/**
 * Guards: nothing is acknowledged that is not durable. Requests that arrive while a transaction runs share the next one.
 */
import { Failure } from "../core/errors.ts";
import type { Located, PushRequest, Pushed, Reject } from "../ports/connector.ts";
import { ingest, type Ingested, type IngestDeps, type RunningSource } from "./ingest.ts";

/** Records waiting per source before senders are told to slow down (429): about 100 MB of small records. */
const WAITING_MAX = 50_000;
/** Records of one shared transaction. */
const BATCH_MAX = 5000;
/** Lost races with the source's own pull before the sender is told to come back: one pull page is one race. */
const ATTEMPTS_MAX = 10;

interface Waiting {
  readonly pushed: Pushed;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Takes pushed requests of all push sources. */
export interface Pusher {
  /**
   * Resolves with the reply once the request's records are durable.
   * @throws {Failure} poison (answer 400), retryable HTTP_THROTTLED (429), STORE_UNAVAILABLE (503)
   */
  push(source: RunningSource, request: PushRequest): Promise<Pushed["reply"]>;
}

/** A pusher with a group commit per source. `stored` is told after each commit that stored something new. */
export function pusher(deps: IngestDeps, stored: () => void): Pusher {
  const lines = new Map<string, { waiting: Waiting[]; records: number; running: boolean }>();
  const drain = async (source: RunningSource, line: { waiting: Waiting[]; records: number; running: boolean }): Promise<void> => {
    line.running = true;
    while (line.waiting.length > 0) {
      const { batch, records, rejects } = takeBatch(line);
      try {
        const result = await store(deps, source, records, rejects);
        for (const one of batch) one.done();
        if (result.stored > 0) stored();
      } catch (error) {
        for (const one of batch) one.failed(error);
      }
    }
    line.running = false;
  };
  return {
    async push(source, request) {
      if (source.receiver === undefined) throw new Failure("this source takes no pushes", { kind: "poison", code: "RECORD_FIELD_INVALID" });
      let line = lines.get(source.id);
      if (line === undefined) lines.set(source.id, (line = { waiting: [], records: 0, running: false }));
      if (line.records > WAITING_MAX) {
        throw new Failure("too many records wait to be stored", { kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 1000 });
      }
      const pushed = source.receiver.receive(request);
      const place = line;
      await new Promise<void>((done, failed) => {
        place.waiting.push({ pushed, done, failed });
        place.records += pushed.records.length + pushed.rejects.length;
        if (!place.running) void drain(source, place);
      });
      return pushed.reply;
    },
  };
}

/** A push moves no cursor, but the source's own pull may move it meanwhile: then the same batch is tried again. */
async function store(deps: IngestDeps, source: RunningSource, records: readonly Located[], rejects: readonly Reject[]): Promise<Ingested> {
  for (let attempt = 1; ; attempt++) {
    try {
      const before = await deps.store.source(source.id);
      // A source that is also pulled is complete up to where its pull says.
      const completeTo = source.source === undefined ? deps.now() - source.latenessMs : null;
      return await ingest(deps, source, { records, rejects, before, next: before?.cursor ?? null, completeTo, pushed: true });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "CURSOR_MOVED" || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}

function takeBatch(line: { waiting: Waiting[]; records: number }): { batch: Waiting[]; records: Located[]; rejects: Reject[] } {
  const batch: Waiting[] = [];
  const records: Located[] = [];
  const rejects: Reject[] = [];
  while (line.waiting.length > 0 && records.length < BATCH_MAX) {
    const one = line.waiting.shift();
    if (one === undefined) break;
    batch.push(one);
    // One by one: a large body holds more records than a function may have arguments.
    for (const record of one.pushed.records) records.push(record);
    for (const reject of one.pushed.rejects) rejects.push(reject);
    line.records -= one.pushed.records.length + one.pushed.rejects.length;
  }
  return { batch, records, rejects };
}
