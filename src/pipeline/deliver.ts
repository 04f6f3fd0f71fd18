/**
 * Guards: a delivery keeps its key over all attempts; an accepted batch is settled before the next one is sent; what becomes of each is decided here and nowhere else; a
 * destination that is down holds nobody else up.
 */
import type { RuleInfo } from "../core/alert.ts";
import { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import type { Delivery, Outcome, Rendered } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { OutboxRow, Settlement, Store } from "../ports/store.ts";
import type { RunningDestination } from "./route.ts";
import { takeBatches } from "./batch.ts";
import { dead, failed, PROBE_MS, settled, untouched } from "./settle.ts";
import { loadSubject } from "./subject.ts";
import { askedWait, backoff } from "./wait.ts";

/** Deliveries claimed at once; more would only wait under one lease. */
const CLAIM_MAX = 500;
/** A claim is given up after this: longer than any request with its time-out, short enough after a crash. */
export const LEASE_MS = 120_000;
/** After the destination failed as a whole, everything waits at least this long and at most PROBE_MS. */
const HOLD_MS = 1000;
/** One job sends no longer than this. */
const SLICE_MS = 20_000;

/** What delivering needs. */
export interface DeliverDeps {
  readonly store: Store;
  readonly now: () => EpochMs;
  readonly meter: Meter;
  readonly context: Context;
  readonly rule: (id: string) => RuleInfo | undefined;
}

/** Why a destination is being left alone, and until when. */
export interface Hold {
  readonly until: EpochMs;
  readonly failures: number;
  readonly reason: string;
  /** A human must act. */
  readonly paused: boolean;
}

/** Sends what is due to destinations and settles it. */
export interface Deliverer {
  /** One job: everything due now, within the time slice. Resolves with true when more is due. */
  run(to: RunningDestination, signal: AbortSignal): Promise<boolean>;
  hold(destination: string): Hold | undefined;
}

/** One claim of rows on its way to a destination. */
interface Claim {
  readonly to: RunningDestination;
  readonly rows: ReadonlyMap<string, OutboxRow>;
  readonly signal: AbortSignal;
  /** No request begins after this: half of the lease is left for the one under way. */
  readonly until: EpochMs;
  /** What was decided and is not stored yet. */
  readonly settlements: Settlement[];
  /** The destination has answered at least one request with outcomes. */
  answered: boolean;
  /** The destination as a whole failed. */
  failure: Failure | undefined;
}

/** A deliverer over the outbox. */
export function deliverer(deps: DeliverDeps): Deliverer {
  const holds = new Map<string, Hold>();
  return {
    hold: (destination) => holds.get(destination),
    async run(to, signal) {
      const end = deps.now() + SLICE_MS;
      while (!signal.aborted) {
        const hold = holds.get(to.id);
        const now = deps.now();
        if (hold !== undefined && now < hold.until) return false;
        const rows = await deps.store.claimDeliveries(to.id, CLAIM_MAX, now, now + LEASE_MS);
        if (rows.length === 0) return false;
        const byKey = new Map(rows.map((row) => [row.key, row]));
        const claim: Claim = { to, rows: byKey, signal, until: now + LEASE_MS / 2, settlements: [], answered: false, failure: undefined };
        await sendRows(deps, claim);
        await storeSettled(deps, claim);
        // What waits out the back-off of an outage that is over goes now, not in two hours.
        const hastened = updateHold(deps, holds, claim) ? await deps.store.hastenDeliveries(to.id, deps.now()) : 0;
        if (hastened > 0) continue;
        if (rows.length < CLAIM_MAX) return false;
        if (deps.now() >= end) return true;
      }
      return false;
    },
  };
}

async function sendRows(deps: DeliverDeps, claim: Claim): Promise<void> {
  const rendered: Rendered[] = [];
  for (const row of claim.rows.values()) {
    const one = await renderRow(deps, claim, row);
    if (one !== undefined) rendered.push(one);
  }
  for (const batch of takeBatches(rendered, claim.to.destination.limits)) await sendBatch(deps, claim, batch);
}

async function renderRow(deps: DeliverDeps, { to, settlements }: Claim, row: OutboxRow): Promise<Rendered | undefined> {
  const subject = await loadSubject(deps, row);
  if (subject === undefined) {
    settlements.push(settled(row, "dead", deps.now(), "RENDER_CONTRACT: the revision is no longer in the store"));
    return undefined;
  }
  const delivery: Delivery = { key: row.key, destination: row.destination, subject, createdTime: row.createdTime, attempts: row.attempts };
  try {
    const rendered = to.destination.render(delivery);
    if (rendered.skip !== undefined) {
      settlements.push(settled(row, "skipped", deps.now(), rendered.skip));
      return undefined;
    }
    if (rendered.bytes <= to.destination.limits.itemBytes) return rendered;
    settlements.push(settled(row, "dead", deps.now(), `RENDER_CONTRACT: ${rendered.bytes} bytes exceed the item limit`, rendered.body));
  } catch (error) {
    const note = error instanceof Failure ? `${error.code}: ${error.message}` : "RECORD_BUG: the connector failed to render it";
    settlements.push(settled(row, "dead", deps.now(), note));
    deps.context.log.error({ destination: to.id, key: row.key, error: String(error) }, "delivery could not be rendered");
  }
  return undefined;
}

/** Sends one batch; a batch that is refused as a whole for its content is halved until the bad item stands alone. */
async function sendBatch(deps: DeliverDeps, claim: Claim, batch: readonly Rendered[]): Promise<void> {
  if (claim.failure !== undefined || claim.signal.aborted || deps.now() >= claim.until) return giveBack(deps, claim, batch);
  let outcomes: readonly Outcome[];
  const started = deps.now();
  try {
    outcomes = await claim.to.destination.send(batch, { ...deps.context, signal: claim.signal });
    if (outcomes.length !== batch.length) throw new Error("the connector returned another number of outcomes than items");
  } catch (error) {
    // Cut off by our own shutdown: that says nothing about the destination.
    if (claim.signal.aborted) return giveBack(deps, claim, batch);
    return batchFailed(deps, claim, batch, asFailure(error));
  }
  claim.answered = true;
  deps.meter.observe("delivery_seconds", { destination: claim.to.id }, (deps.now() - started) / 1000);
  batch.forEach((item, index) => settleItem(deps, claim, item, outcomes[index]));
  // At once: what a crash makes us send again is no more than the request under way.
  await storeSettled(deps, claim);
}

async function storeSettled(deps: DeliverDeps, { to, settlements }: Claim): Promise<void> {
  const settled = settlements.splice(0);
  if (settled.length === 0) return;
  await deps.store.settleDeliveries(settled, deps.now());
  countSettled(deps, to, settled);
}

/** What was not tried goes back as it was. */
function giveBack(deps: DeliverDeps, claim: Claim, batch: readonly Rendered[]): void {
  for (const item of batch) {
    const row = claim.rows.get(item.key);
    if (row !== undefined) claim.settlements.push(untouched(row, deps.now()));
  }
}

async function batchFailed(deps: DeliverDeps, claim: Claim, batch: readonly Rendered[], failure: Failure): Promise<void> {
  const forContent = failure.scope === "item" && (failure.kind === "permanent" || failure.kind === "poison");
  const splits = forContent || failure.code === "HTTP_TOO_LARGE";
  if (splits && batch.length > 1) {
    const half = Math.ceil(batch.length / 2);
    await sendBatch(deps, claim, batch.slice(0, half));
    await sendBatch(deps, claim, batch.slice(half));
    return;
  }
  if (!splits) claim.failure = failure;
  for (const item of batch) {
    const row = claim.rows.get(item.key);
    if (row === undefined) continue;
    claim.settlements.push(splits ? dead(row, deps.now(), failure, item.body) : failedItem(deps, claim, row, failure, item.body));
  }
}

function settleItem(deps: DeliverDeps, claim: Claim, item: Rendered, outcome: Outcome | undefined): void {
  const row = claim.rows.get(item.key);
  if (outcome === undefined || row === undefined) return;
  const { id } = claim.to;
  if (outcome.status === "delivered") {
    claim.settlements.push(settled(row, "delivered", deps.now(), outcome.receipt));
    deps.meter.observe("incident_time_to_siem_seconds", { destination: id }, (deps.now() - row.createdTime) / 1000);
    return;
  }
  const { kind, code, retryAfterMs } = outcome;
  const failure = new Failure(outcome.message, { kind, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  claim.settlements.push(failedItem(deps, claim, row, failure, item.body));
  if (code === "HTTP_THROTTLED") claim.failure = failure;
}

function failedItem(deps: DeliverDeps, claim: Claim, row: OutboxRow, failure: Failure, body: string): Settlement {
  return failed(row, failure, body, { now: deps.now(), maxAttempts: claim.to.maxAttempts, random: () => deps.context.random() });
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`the connector failed unexpectedly: ${error instanceof Error ? error.name : typeof error}`, {
    kind: "retryable",
    code: "RECORD_BUG",
    scope: "connector",
    cause: error,
  });
}

/** True when the destination works again after it had been held. */
function updateHold(deps: DeliverDeps, holds: Map<string, Hold>, { to, failure, answered }: Claim): boolean {
  const { log } = deps.context;
  if (failure === undefined) {
    // Rows that were skipped, dead before they were sent, or given back say nothing about the destination.
    if (!answered) return false;
    const ended = holds.delete(to.id);
    if (ended) log.info({ destination: to.id }, "destination works again");
    deps.meter.gauge("destination_held", { destination: to.id }, 0);
    return ended;
  }
  const failures = (holds.get(to.id)?.failures ?? 0) + 1;
  const paused = failure.kind !== "retryable";
  const wait = paused ? PROBE_MS : Math.max(askedWait(failure), backoff(HOLD_MS, failures, PROBE_MS));
  const reason = `${failure.code}: ${failure.message}`;
  if (failures === 1) {
    const fields = { destination: to.id, code: failure.code, wait, error: failure.message };
    log.warn(fields, paused ? "destination paused" : "destination held");
  }
  holds.set(to.id, { until: deps.now() + wait, failures, reason, paused });
  deps.meter.gauge("destination_held", { destination: to.id }, 1);
  return false;
}

function countSettled(deps: DeliverDeps, to: RunningDestination, settlements: readonly Settlement[]): void {
  for (const one of settlements) {
    deps.meter.count("deliveries_total", { destination: to.id, result: one.status === "pending" ? "retried" : one.status });
    if (one.status !== "dead") continue;
    const code = one.note.split(":")[0] ?? "";
    deps.meter.count("dead_letters_total", { destination: to.id, code });
    deps.context.log.error({ destination: to.id, key: one.key, code, attempts: one.attempts }, "dead letter");
  }
}
