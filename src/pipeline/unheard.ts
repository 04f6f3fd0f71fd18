/**
 * Guards: a push source was watched only while it was heard. Remembers when it was not, in this process: what came before
 * its start counts as unheard.
 */
import type { EpochMs } from "../core/event.ts";
import type { SourceState } from "../ports/store.ts";
import type { RunningSource } from "./ingest.ts";

/** A shorter pause than this is that of the looks, which come every 10 seconds, and not that of the senders. */
const PAUSE_MIN_MS = 20_000;
/** Pauses that are remembered per source; of more the shortest is forgotten, which only short heartbeats miss. */
const PAUSES_MAX = 200;

/** A stretch of event time of which a source may not have heard. */
interface Pause {
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** How long nobody was heard, milliseconds; Infinity: we did not listen, however short that was. */
  readonly lengthMs: number;
}

/** When push sources were not heard of. */
export interface Unheard {
  /** Takes in what the store says now. */
  note(source: RunningSource, state: SourceState | undefined): void;
  /** Stretches in which nobody was heard for longer than a heartbeat, and those in which we did not listen. */
  of(source: string, heartbeatMs: number): readonly Pause[];
}

/** Nothing heard yet. `startTime` is when this process began to listen. */
export function unheard(startTime: EpochMs): Unheard {
  const heard = new Map<string, { last: EpochMs; pauses: Pause[] }>();
  return {
    note({ id, source, latenessMs }, state) {
      if (source !== undefined) return;
      const now = state?.lastSuccessTime ?? startTime;
      const known = heard.get(id);
      if (known === undefined) {
        // Heard already, and before our time nobody knows until when.
        const from = now >= startTime ? -Infinity : now - latenessMs;
        const last = Math.max(now, startTime);
        heard.set(id, { last, pauses: [{ from, to: last, lengthMs: Infinity }] });
        return;
      }
      const lengthMs = now - known.last;
      if (lengthMs > PAUSE_MIN_MS) known.pauses.push({ from: known.last - latenessMs, to: now, lengthMs });
      known.last = Math.max(now, known.last);
      if (known.pauses.length <= PAUSES_MAX) return;
      const shortest = known.pauses.reduce((least, pause) => (pause.lengthMs < least.lengthMs ? pause : least));
      known.pauses.splice(known.pauses.indexOf(shortest), 1);
    },
    of: (source, heartbeatMs) => (heard.get(source)?.pauses ?? []).filter(({ lengthMs }) => lengthMs > heartbeatMs),
  };
}
