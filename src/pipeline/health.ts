import type { SourceGap } from "../core/completeness/gap.ts";
import type { EpochMs } from "../core/event.ts";
import type { SourceState, Store } from "../ports/store.ts";
import { stallOf } from "./coverage.ts";
import type { Deliverer } from "./deliver.ts";
import type { RunningSource } from "./ingest.ts";
import type { RunningDestination } from "./route.ts";

/** One part of the service. */
export interface PartHealth {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}
/** The service as it is now: `red` needs a human, `yellow` heals by itself or waits. */
export interface Health {
  readonly status: "green" | "yellow" | "red";
  readonly parts: readonly PartHealth[];
}

/** What a source that is stalled says. */
const STALLS = { silent: "no success within its stall budget", stuck: "no progress within its stall budget" } as const;

/** Looks at the store, every source and every destination. Never throws: a store that fails is red. */
export async function health(
  store: Store,
  sources: readonly RunningSource[],
  destinations: readonly RunningDestination[],
  deliverer: Deliverer,
  now: EpochMs,
  others: readonly PartHealth[] = [],
): Promise<Health> {
  let states: readonly SourceState[];
  let gaps: readonly SourceGap[];
  try {
    states = await store.sources();
    gaps = await store.gaps();
  } catch (error) {
    return { status: "red", parts: [{ name: "store", ok: false, message: error instanceof Error ? error.message : String(error) }] };
  }
  const parts: (PartHealth & { readonly red: boolean })[] = [{ name: "store", ok: true, message: "answers", red: false }];
  for (const part of others) parts.push({ ...part, red: false });
  for (const source of sources) {
    const state = states.find((one) => one.source === source.id);
    const paused = state?.pausedReason ?? null;
    const heard = state?.lastSuccessTime ?? null;
    // Never heard of: the watch has counted from when the service began to listen.
    const never = gaps.some((gap) => gap.source === source.id && gap.to === null) ? "silent" : undefined;
    const stall = heard === null ? never : stallOf(source, state, now, -Infinity, []);
    const stalled = stall !== undefined;
    const works = stall !== undefined ? STALLS[stall] : heard === null ? "not heard of yet" : "works";
    // Storing where a source begins is no success of the vendor's.
    const failing = (state?.watermark ?? null) === null && (state?.lastError ?? null) !== null;
    const message = paused ?? state?.lastError ?? works;
    const ok = paused === null && !stalled && !failing;
    // What was an outage is over when the source has caught up; until then it is told as such.
    const missing = gaps.filter((gap) => gap.source === source.id && gap.to !== null);
    const gap = missing.length === 0 ? "" : `; gaps: ${missing.length}, the newest: ${missing[0]?.why}, ${missing[0]?.detail}`;
    parts.push({ name: `source ${source.id}`, ok: ok && missing.length === 0, message: message + gap, red: paused !== null });
  }
  for (const destination of destinations) {
    const hold = deliverer.hold(destination.id);
    parts.push({
      name: `destination ${destination.id}`,
      ok: hold === undefined,
      message: hold === undefined ? "works" : hold.disabled ? `disabled: ${hold.reason}` : hold.reason,
      red: hold?.paused === true || hold?.disabled === true,
    });
  }
  const status = parts.some((part) => part.red) ? "red" : parts.some((part) => !part.ok) ? "yellow" : "green";
  return { status, parts: parts.map(({ name, ok, message }) => ({ name, ok, message })) };
}
