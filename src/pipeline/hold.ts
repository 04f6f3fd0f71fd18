/**
 * Guards: a destination that fails is left alone for longer and longer, tried again with little, and after its grace period given up
 * until somebody says that it works again. Nothing of it is lost meanwhile: its deliveries wait.
 */
import type { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import type { Context } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { DestinationState, Store } from "../ports/store.ts";
import type { RunningDestination } from "./route.ts";
import { PROBE_MS } from "./settle.ts";
import { askedWait, backoff } from "./wait.ts";

/** After the destination failed as a whole, everything waits at least this long and at most PROBE_MS. */
const HOLD_MS = 1000;
/** So much of a wait is left to chance, so that many instances do not come back in step. */
const JITTER = 0.25;

/** Why a destination is being left alone, and until when. */
export interface Hold {
  /** Infinity: until somebody enables it. */
  readonly until: EpochMs;
  readonly failures: number;
  readonly reason: string;
  /** A human must act. */
  readonly paused: boolean;
  /** When it began to fail; from before a restart too. */
  readonly since: EpochMs;
  /** Its grace period is over. */
  readonly disabled: boolean;
}

/** What holds need. */
export interface HoldDeps {
  readonly store: Pick<Store, "destinations" | "saveDestination" | "appendAudit">;
  readonly now: () => EpochMs;
  readonly meter: Meter;
  readonly context: Pick<Context, "log" | "random">;
}

/** Keeps destinations that fail. */
export interface Holds {
  of(destination: string): Hold | undefined;
  /** Whether a destination may be tried: `little` until it has shown that it works again. */
  gate(to: RunningDestination): Promise<"open" | "little" | "closed">;
  /** It failed as a whole. */
  failed(to: RunningDestination, failure: Failure): Promise<void>;
  /** It answered. True when it had failed before. */
  works(to: RunningDestination): Promise<boolean>;
}

/** No destination fails yet, but for what the store knows. */
export function holds({ store, now, meter, context }: HoldDeps): Holds {
  const held = new Map<string, Hold>();
  /** What the store knew at the first look; gone once it has been looked at. */
  let stored: Promise<Map<string, DestinationState>> | undefined;
  const known = new Set<string>();

  const recall = async (id: string): Promise<void> => {
    if (known.has(id)) return;
    const states = await (stored ??= store.destinations().then((all) => new Map(all.map((one) => [one.destination, one]))));
    known.add(id);
    const state = states.get(id);
    if (state === undefined) return;
    const { failingSince: since, disabledTime, reason } = state;
    // A restart tries once, also what was disabled: the configuration may be another one.
    held.set(id, { until: 0, failures: 1, reason, paused: false, since, disabled: disabledTime !== null });
    meter.gauge("destination_held", { destination: id }, 1);
  };

  return {
    of: (id) => held.get(id),
    async gate({ id }) {
      await recall(id);
      const hold = held.get(id);
      if (hold === undefined) return "open";
      if (hold.until !== Infinity) return now() < hold.until ? "closed" : "little";
      const state = (await store.destinations()).find((one) => one.destination === id);
      if (state !== undefined && state.disabledTime !== null) return "closed";
      // Somebody has enabled it; if it still fails, its grace period begins anew.
      held.delete(id);
      context.log.info({ destination: id }, "destination enabled");
      return "little";
    },
    async failed(to, failure) {
      const { id } = to;
      await recall(id);
      const before = held.get(id);
      const paused = failure.kind !== "retryable";
      const reason = `${failure.code}: ${failure.message}`;
      const since = before?.since ?? now();
      const failures = (before?.failures ?? 0) + 1;
      const disabled = before?.disabled === true || now() - since >= to.disableAfterMs;
      const wait = paused ? PROBE_MS : Math.max(askedWait(failure), backoff(HOLD_MS, failures, PROBE_MS));
      const until = disabled ? Infinity : now() + Math.round(wait * (1 - JITTER * context.random()));
      held.set(id, { until, failures, reason, paused, since, disabled });
      meter.gauge("destination_held", { destination: id }, 1);
      if (before === undefined) {
        const fields = { destination: id, code: failure.code, wait, error: failure.message };
        context.log.warn(fields, paused ? "destination paused" : "destination held");
      }
      if (before === undefined || disabled !== before.disabled)
        await store.saveDestination({ destination: id, failingSince: since, disabledTime: disabled ? now() : null, reason });
      if (!disabled || before?.disabled === true) return;
      context.log.error({ destination: id, since, error: reason }, "destination disabled: its deliveries wait until it is enabled");
      const details = { since, reason };
      await store.appendAudit({ time: now(), actor: "custodes", action: "destination.disabled", subject: id, details });
    },
    async works({ id }) {
      await recall(id);
      if (!held.delete(id)) return false;
      context.log.info({ destination: id }, "destination works again");
      meter.gauge("destination_held", { destination: id }, 0);
      await store.saveDestination({ destination: id, failingSince: null });
      return true;
    },
  };
}
