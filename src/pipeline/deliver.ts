/** Guards: a destination that is down holds nobody else up, is asked with little whether it works again, and then gets all that waited. */
import type { RuleInfo } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Context } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { Store } from "../ports/store.ts";
import type { RunningDestination } from "./route.ts";
import { budgetOf, type Budget } from "./budget.ts";
import { confirmRows } from "./confirm.ts";
import { holds, type Hold } from "./hold.ts";
import { sendRows, storeSettled, type Claim } from "./send.ts";
import { requestWindow, type Window } from "./window.ts";

/** Deliveries claimed at once; more would only wait under one lease. */
const CLAIM_MAX = 500;
/** A claim is given up after this: longer than any request with its time-out, short enough after a crash. */
export const LEASE_MS = 120_000;
/** After a failure so few go first to find out whether the destination works again. */
const PROBE_ITEMS = 10;
/** One job sends no longer than this. */
const SLICE_MS = 20_000;

/** What delivering needs. */
export interface DeliverDeps {
  readonly store: Store;
  readonly now: () => EpochMs;
  readonly meter: Meter;
  readonly context: Pick<Context, "log" | "random">;
  /** Lower-case hex of the UTF-8 text. */
  readonly sha256: (text: string) => string;
  readonly rule: (id: string) => RuleInfo | undefined;
  readonly registry: () => Directory;
}

/** Sends what is due to destinations and settles it. */
export interface Deliverer {
  /** One job: everything due now, within the time slice. Resolves with true when more is due. */
  run(to: RunningDestination, signal: AbortSignal): Promise<boolean>;
  hold(destination: string): Hold | undefined;
}

/** A deliverer over the outbox. */
export function deliverer(deps: DeliverDeps): Deliverer {
  const held = holds(deps);
  const windows = new Map<string, Window>();
  const budgets = new Map<string, Budget>();
  return {
    hold: (destination) => held.of(destination),
    async run(to, signal) {
      const end = deps.now() + SLICE_MS;
      while (!signal.aborted) {
        const gate = await held.gate(to);
        if (gate === "closed") return false;
        const now = deps.now();
        const budget = budgetOf(budgets, to);
        const most = Math.min(gate === "open" ? CLAIM_MAX : PROBE_ITEMS, budget?.left(now) ?? CLAIM_MAX);
        if (most < 1) return false;
        const rows = await deps.store.claimDeliveries(to.id, most, now, now + LEASE_MS);
        if (rows.length === 0) return false;
        const window = windowOf(windows, to);
        const byKey = new Map(rows.map((row) => [row.key, row]));
        const until = now + LEASE_MS / 2;
        const claim: Claim = {
          to,
          rows: byKey,
          signal,
          until,
          window,
          budget,
          probing: gate === "little",
          settlements: [],
          unsettled: 0,
          storing: [],
          answered: false,
          failure: undefined,
        };
        const again = await confirmRows(
          deps,
          claim,
          rows.filter(({ ticket }) => ticket !== null),
        );
        await sendRows(deps, claim, [...again, ...rows.filter(({ ticket }) => ticket === null)]);
        await storeSettled(deps, claim);
        if (claim.failure !== undefined) await held.failed(to, claim.failure);
        // Rows that were skipped, dead before they were sent, or given back say nothing about the destination.
        const isBack = claim.failure === undefined && claim.answered && (await held.works(to));
        // What waits out the back-off of an outage that is over goes now, not in two hours.
        const hastened = isBack ? await deps.store.hastenDeliveries(to.id, deps.now()) : 0;
        if (hastened > 0) continue;
        if (rows.length < most) return false;
        if (deps.now() >= end) return true;
      }
      return false;
    },
  };
}

function windowOf(windows: Map<string, Window>, { id, concurrency }: RunningDestination): Window {
  let window = windows.get(id);
  if (window === undefined) windows.set(id, (window = requestWindow(concurrency)));
  return window;
}
