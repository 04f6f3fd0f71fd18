/** How many deliveries a minute a destination gets. Guards: in no 60 seconds does one process send more than the limit. */
import type { EpochMs } from "../core/event.ts";
import type { RunningDestination } from "./route.ts";

/** A bucket that fills up again. */
export interface Budget {
  /** Whole deliveries that may be sent now; may be 0. */
  left(now: EpochMs): number;
  /** Takes so many, also below 0: halves of a refused batch were not foreseen. */
  take(now: EpochMs, deliveries: number): void;
}

/** Of the limit so much may go at once, and the rest over the minute: together they are never more than the limit. */
const AT_ONCE = 1 / 6;
const MINUTE_MS = 60_000;

/** A full bucket for a limit of so many in any 60 seconds. */
export function minuteBudget(perMinute: number): Budget {
  const most = Math.max(1, Math.floor(perMinute * AT_ONCE));
  const perMs = Math.max(perMinute - most, 1) / MINUTE_MS;
  let tokens = most;
  let filled = -Infinity;
  const fill = (now: EpochMs): void => {
    // A clock that was set back fills nothing, and does not stop the filling for long.
    if (now > filled) tokens = Math.min(most, tokens + (filled === -Infinity ? 0 : (now - filled) * perMs));
    filled = now;
  };
  return {
    left(now) {
      fill(now);
      return Math.max(0, Math.floor(tokens));
    },
    take(now, deliveries) {
      fill(now);
      tokens -= deliveries;
    },
  };
}

/** The budget of a destination that has a limit. */
export function budgetOf(budgets: Map<string, Budget>, { id, destination }: RunningDestination): Budget | undefined {
  const { perMinute } = destination.limits;
  if (perMinute === undefined) return undefined;
  let budget = budgets.get(id);
  if (budget === undefined) budgets.set(id, (budget = minuteBudget(perMinute)));
  return budget;
}
