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
import { loadSubjects } from "./subject.ts";
import type { Window } from "./window.ts";

/** Accepted deliveries that may wait for their settlement to be stored: what a crash repeats at most, beside one batch. */
const UNSETTLED_MAX = 64;
/** Rows whose subjects are loaded at once: an incident may bring 200 events. */
const LOADED_MAX = 50;

/** One claim of rows on its way to a destination. */
export interface Claim {
  readonly to: RunningDestination;
  readonly rows: Map<string, OutboxRow>;
  readonly signal: AbortSignal;
  /** No request begins after this: half of the lease is left for those under way. */
  readonly until: EpochMs;
  /** How many requests may be under way at once. */
  readonly window: Window;
  /** How many deliveries it may still get this minute; absent: as many as it bears. */
  readonly budget: Budget | undefined;
  /** It failed before, and is asked whether it works again. */
  readonly probing: boolean;
  /** What was decided and is not stored yet. */
  readonly settlements: Settlement[];
  /** Accepted deliveries whose settlements are being stored. */
  unsettled: number;
  /** These stores. */
  readonly storing: Promise<unknown>[];
  /** The last one that was begun. */
  flush?: Promise<void> | undefined;
  /** One of them failed. */
  broken?: { readonly error: unknown } | undefined;
  /** The destination has answered at least one request with outcomes. */
  answered: boolean;
  /** The destination as a whole failed. */
  failure: Failure | undefined;
}

/** Renders and sends rows, as many batches at once as the window allows. */
export async function sendRows(deps: DeliverDeps, claim: Claim, rows: readonly OutboxRow[]): Promise<void> {
  const rendered: Rendered[] = [];
  for (let at = 0; at < rows.length; at += LOADED_MAX) {
    const some = rows.slice(at, at + LOADED_MAX);
    const subjects = await loadSubjects(deps, some);
    for (const row of some) {
      const one = await renderRow(deps, claim, row, subjects.get(row.key));
      if (one !== undefined) rendered.push(one);
    }
  }
  const batches = takeBatches(rendered, claim.to.destination.limits);
  const underWay = new Set<Promise<void>>();
  for (const batch of batches) {
    while (underWay.size >= claim.window.size) await Promise.race(underWay);
    const one: Promise<void> = sendBatch(deps, claim, batch).finally(() => underWay.delete(one));
    underWay.add(one);
  }
  await Promise.all(underWay);
  await Promise.all(claim.storing.splice(0));
  if (claim.broken !== undefined) throw claim.broken.error;
}

/** Exact bytes for a row; undefined when it was settled because there are none, or because a digest shows it. */
export async function renderRow(
  deps: DeliverDeps,
  { to, settlements }: Claim,
  row: OutboxRow,
  subject: Subject | undefined,
): Promise<Rendered | undefined> {
  const render = await rendererOf(deps, to, row, subject);
  if (render === undefined) {
    settlements.push(settled(row, "dead", deps.now(), "RENDER_CONTRACT: the revision is no longer in the store"));
    return undefined;
  }
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

/** How a row is rendered; undefined when what it refers to is no longer stored. */
async function rendererOf(
  deps: DeliverDeps,
  { destination }: RunningDestination,
  row: OutboxRow,
  subject: Subject | undefined,
): Promise<(() => Rendered) | undefined> {
  const { key, createdTime, attempts, memory } = row;
  const head = { key, destination: row.destination, createdTime, attempts, time: deps.now() };
  const delivery = memory === null || memory === undefined || memory === "" ? head : { ...head, memory };
  if (row.kind !== "digest") return subject === undefined ? undefined : () => destination.render({ ...delivery, subject });
  const digest = await deps.store.digest(row.subjectId);
  const { storm } = destination;
  return digest === undefined || storm === undefined ? undefined : () => storm.render({ ...delivery, digest });
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
    return batchFailed(deps, claim, batch, asFailure(error), started);
  }
  claim.answered = true;
  const took = deps.now() - started;
  if (outcomes.some(asksForLess)) claim.window.failed();
  else claim.window.answered(took);
  deps.meter.observe("delivery_seconds", { destination: claim.to.id }, took / 1000);
  batch.forEach((item, index) => settleItem(deps, claim, item, outcomes[index], started));
  // What a crash makes us send again is bounded: the requests under way, and what is being stored.
  const storing = storeSettled(deps, claim);
  claim.unsettled += batch.length;
  const stored = storing.finally(() => (claim.unsettled -= batch.length));
  if (claim.unsettled > UNSETTLED_MAX) await stored;
  else claim.storing.push(stored.catch((error: unknown) => void (claim.broken ??= { error })));
  if (claim.broken !== undefined) throw claim.broken.error;
}

/**
 * Stores what was decided and counts it. What is decided while that runs is stored together next: a statement costs as much as fifty
 * of its rows.
 */
export async function storeSettled(deps: DeliverDeps, claim: Claim): Promise<void> {
  claim.flush = (claim.flush ?? Promise.resolve()).then(async () => {
    const decided = claim.settlements.splice(0);
    if (decided.length === 0) return;
    await deps.store.settleDeliveries(decided, deps.now());
    countSettled(deps, claim.to, decided);
  });
  await claim.flush;
}

/** What was not tried goes back as it was. */
function giveBack(deps: DeliverDeps, claim: Claim, batch: readonly Rendered[]): void {
  for (const item of batch) {
    const row = claim.rows.get(item.key);
    if (row !== undefined) claim.settlements.push(untouched(row, deps.now()));
  }
}

async function batchFailed(deps: DeliverDeps, claim: Claim, batch: readonly Rendered[], failure: Failure, time: EpochMs): Promise<void> {
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
    const sent = { hash: deps.sha256(item.body), time };
    claim.settlements.push(
      splits ? dead(row, deps.now(), failure, item.body, sent) : failedItem(deps, claim, row, failure, item.body, sent),
    );
  }
}

function settleItem(deps: DeliverDeps, claim: Claim, item: Rendered, outcome: Outcome | undefined, time: EpochMs): void {
  const row = claim.rows.get(item.key);
  if (outcome === undefined || row === undefined) return;
  decide(deps, claim, row, outcome, item.body, { hash: deps.sha256(item.body), time });
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
  if (code === "HTTP_THROTTLED") claim.failure ??= failure;
}

/** Once per answer, however many of its items say so. */
function asksForLess(outcome: Outcome | undefined): boolean {
  return outcome?.status === "failed" ? outcome.code === "HTTP_THROTTLED" : outcome?.busy === true;
}

/** What becomes of a row whose attempt failed. */
function failedItem(deps: DeliverDeps, claim: Claim, row: OutboxRow, failure: Failure, body: string | undefined, sent?: Sent): Settlement {
  return failed(
    row,
    failure,
    body,
    { now: deps.now(), maxAttempts: claim.to.maxAttempts, probing: claim.probing, random: () => deps.context.random() },
    sent,
  );
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
