/** Destinations as a person sees them: what works, what waits, and how long deliveries take. */
import type { EpochMs } from "./core/event.ts";
import type { DestinationSummary, Store } from "./ports/store.ts";

/** Deliveries of so long ago count in the quantiles, milliseconds. */
const OF_LATE_MS = 86_400_000;

/** One destination. */
export interface DestinationRow extends Omit<DestinationSummary, "destination"> {
  readonly destination: string;
  /** `unknown`: no longer configured, but something of it is stored. */
  readonly state: "works" | "failing" | "disabled" | "idle" | "unknown";
  readonly since: EpochMs | null;
  readonly reason: string | null;
}

/** Configured destinations, and others that something is stored of, by id. */
export async function destinationRows(store: Store, configured: readonly string[], now: EpochMs): Promise<readonly DestinationRow[]> {
  const summaries = new Map((await store.destinationSummaries(now - OF_LATE_MS)).map((one) => [one.destination, one]));
  const failing = new Map((await store.destinations()).map((one) => [one.destination, one]));
  const ids = [...new Set([...configured, ...summaries.keys(), ...failing.keys()])].sort();
  return ids.map((destination) => {
    const summary = summaries.get(destination) ?? { ...NOTHING, destination };
    const { disabledTime = null, failingSince = null, reason = null } = failing.get(destination) ?? {};
    const known = configured.includes(destination);
    const idle = summary.lastDelivered === null ? "idle" : "works";
    const state = !known ? "unknown" : disabledTime !== null ? "disabled" : failingSince !== null ? "failing" : idle;
    return { ...summary, state, since: failingSince, reason };
  });
}

const NOTHING = { pending: 0, oldestPending: null, delivered: 0, dead: 0, lastDelivered: null, p50Ms: null, p99Ms: null } as const;
