/**
 * Guards: a delivery keeps its key over all attempts; an accepted batch is settled as soon as its answer is there; what becomes of
 * each delivery is decided here and nowhere else.
 */
import { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import type { Outcome, Rendered, Subject } from "../ports/connector.ts";
import type { OutboxRow, Settlement } from "../ports/store.ts";
import { takeBatches } from "./batch.ts";
import type { Budget } from "./budget.ts";
import type { DeliverDeps } from "./deliver.ts";
import type { RunningDestination } from "./route.ts";
import { accepted, dead, delivered, failed, settled, untouched, type Sent } from "./settle.ts";
import { isFolded } from "./storm.ts";
import { loadSubject } from "./subject.ts";
import type { Window } from "./window.ts";

/** One claim of rows on its way to a destination. */
export interface Claim {
  readonly to: RunningDestination;
  readonly rows: ReadonlyMap<string, OutboxRow>;
  readonly signal: AbortSignal;
  /** No request begins after this: half of the lease is left for those under way. */
  readonly until: EpochMs;
  /** How many requests may be under way at once. */
  readonly window: Window;
  /** How many deliveries it may still get this minute; absent: as many as it bears. */
  readonly budget: Budget | undefined;
  /** What was decided and is not stored yet. */
  readonly settlements: Settlement[];
  /** The destination has answered at least one request with outcomes. */
  answered: boolean;
  /** The destination as a whole failed. */
  failure: Failure | undefined;
}

/** Renders and sends rows, as many batches at once as the window allows. */
export async function sendRows(deps: DeliverDeps, claim: Claim, rows: readonly OutboxRow[]): Promise<void> {
  const rendered: Rendered[] = [];
  for (const row of rows) {
    const one = await renderRow(deps, claim, row);
    if (one !== undefined) rendered.push(one);
  }
  const batches = takeBatches(rendered, claim.to.destination.limits);
  const underWay = new Set<Promise<void>>();
  for (const batch of batches) {
    while (underWay.size >= claim.window.size) await Promise.race(underWay);
    const one: Promise<void> = sendBatch(deps, claim, batch).finally(() => underWay.delete(one));
    underWay.add(one);
  }
  await Promise.all(underWay);
}

async function renderRow(deps: DeliverDeps, { to, settlements }: Claim, row: OutboxRow): Promise<Rendered | undefined> {
  const renderable = await load(deps, to, row);
  if (renderable === undefined) {
    settlements.push(settled(row, "dead", deps.now(), "RENDER_CONTRACT: the revision is no longer in the store"));
    return undefined;
  }
  const { subject, render } = renderable;
  let fitting: Rendered | undefined;
  try {
    const rendered = render();
    if (rendered.skip !== undefined) {
      settlements.push(settled(row, "skipped", deps.now(), rendered.skip));
      return undefined;
    }
    if (rendered.bytes <= to.destination.limits.itemBytes) fitting = rendered;
    else
      settlements.push(settled(row, "dead", deps.now(), `RENDER_CONTRACT: ${rendered.bytes} bytes exceed the item limit`, rendered.body));
  } catch (error) {
    const note = error instanceof Failure ? `${error.code}: ${error.message}` : "RECORD_BUG: the connector failed to render it";
    settlements.push(settled(row, "dead", deps.now(), note));
    deps.context.log.error({ destination: to.id, key: row.key, error: String(error) }, "delivery could not be rendered");
  }
  return fitting === undefined || (await isFolded(deps, to, row, subject, fitting)) ? undefined : fitting;
}

/** What a row refers to, and how it is rendered. */
async function load(
  deps: DeliverDeps,
  { destination }: RunningDestination,
  row: OutboxRow,
): Promise<{ readonly subject: Subject | undefined; readonly render: () => Rendered } | undefined> {
  const { key, createdTime, attempts, memory } = row;
  const head = { key, destination: row.destination, createdTime, attempts, time: deps.now() };
  const delivery = memory === null || memory === undefined || memory === "" ? head : { ...head, memory };
  if (row.kind === "digest") {
    const digest = await deps.store.digest(row.subjectId);
    const { storm } = destination;
    if (digest === undefined || storm === undefined) return undefined;
    return { subject: undefined, render: () => storm.render({ ...delivery, digest }) };
  }
  const subject = await loadSubject(deps, row);
  return subject === undefined ? undefined : { subject, render: () => destination.render({ ...delivery, subject }) };
}

/** Sends one batch; a batch that is refused as a whole for its content is halved until the bad item stands alone. */
async function sendBatch(deps: DeliverDeps, claim: Claim, batch: readonly Rendered[]): Promise<void> {
  if (claim.failure !== undefined || claim.signal.aborted || deps.now() >= claim.until) return giveBack(deps, claim, batch);
  let outcomes: readonly Outcome[];
  const started = deps.now();
  claim.budget?.take(started, batch.length);
  try {
    outcomes = await claim.to.destination.send(batch, { ...claim.to.context, signal: claim.signal });
    if (outcomes.length !== batch.length) throw new Error("the connector returned another number of outcomes than items");
  } catch (error) {
    // Cut off by our own shutdown: that says nothing about the destination.
    if (claim.signal.aborted) return giveBack(deps, claim, batch);
    return batchFailed(deps, claim, batch, asFailure(error));
  }
  claim.answered = true;
  const took = deps.now() - started;
  claim.window.answered(took);
  deps.meter.observe("delivery_seconds", { destination: claim.to.id }, took / 1000);
  batch.forEach((item, index) => settleItem(deps, claim, item, outcomes[index]));
  // At once: what a crash makes us send again is no more than the requests under way.
  await storeSettled(deps, claim);
}

/** Stores what was decided and counts it. */
export async function storeSettled(deps: DeliverDeps, { to, settlements }: Claim): Promise<void> {
  const decided = settlements.splice(0);
  if (decided.length === 0) return;
  await deps.store.settleDeliveries(decided, deps.now());
  countSettled(deps, to, decided);
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
  if (!splits) {
    claim.failure ??= failure;
    claim.window.failed();
  }
  for (const item of batch) {
    const row = claim.rows.get(item.key);
    if (row === undefined) continue;
    const sent = sentNow(deps, item);
    claim.settlements.push(
      splits ? dead(row, deps.now(), failure, item.body, sent) : failedItem(deps, claim, row, failure, item.body, sent),
    );
  }
}

function settleItem(deps: DeliverDeps, claim: Claim, item: Rendered, outcome: Outcome | undefined): void {
  const row = claim.rows.get(item.key);
  if (outcome === undefined || row === undefined) return;
  decide(deps, claim, row, outcome, item.body, sentNow(deps, item));
}

/** What an outcome makes of a row. `sent`: what was sent for it just now. */
export function decide(deps: DeliverDeps, claim: Claim, row: OutboxRow, outcome: Outcome, body: string | undefined, sent?: Sent): void {
  const { id } = claim.to;
  if (outcome.status === "delivered") {
    claim.settlements.push(delivered(row, outcome, deps.now(), sent));
    deps.meter.observe("incident_time_to_siem_seconds", { destination: id }, (deps.now() - row.createdTime) / 1000);
    return;
  }
  if (outcome.status === "accepted") {
    claim.settlements.push(accepted(row, outcome, deps.now(), sent));
    return;
  }
  const { kind, code, retryAfterMs } = outcome;
  const failure = new Failure(outcome.message, { kind, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  claim.settlements.push(failedItem(deps, claim, row, failure, body, sent));
  if (code !== "HTTP_THROTTLED") return;
  claim.failure ??= failure;
  claim.window.failed();
}

/** What becomes of a row whose attempt failed. */
export function failedItem(
  deps: DeliverDeps,
  claim: Claim,
  row: OutboxRow,
  failure: Failure,
  body: string | undefined,
  sent?: Sent,
): Settlement {
  return failed(row, failure, body, { now: deps.now(), maxAttempts: claim.to.maxAttempts, random: () => deps.context.random() }, sent);
}

function sentNow(deps: DeliverDeps, { body }: Rendered): Sent {
  return { hash: deps.sha256(body), time: deps.now() };
}

/** What a connector threw, as a Failure. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`the connector failed unexpectedly: ${error instanceof Error ? error.name : typeof error}`, {
    kind: "retryable",
    code: "RECORD_BUG",
    scope: "connector",
    cause: error,
  });
}

function countSettled(deps: DeliverDeps, to: RunningDestination, settlements: readonly Settlement[]): void {
  for (const one of settlements) {
    const result = one.status !== "pending" ? one.status : one.ticket === undefined ? "retried" : "accepted";
    deps.meter.count("deliveries_total", { destination: to.id, result });
    if (one.status !== "dead") continue;
    const code = one.note.split(":")[0] ?? "";
    deps.meter.count("dead_letters_total", { destination: to.id, code });
    deps.context.log.error({ destination: to.id, key: one.key, code, attempts: one.attempts }, "dead letter");
  }
}
