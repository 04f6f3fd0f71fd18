/**
 * Guards: a delivery keeps its key over all attempts; what becomes of each is decided here and nowhere else; a
 * destination that is down holds nobody else up.
 */
import type { RuleInfo } from "../core/alert.ts";
import { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import type { Delivery, Outcome, Rendered, Subject } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import type { Meter } from "../ports/meter.ts";
import type { OutboxRow, Settlement, Store } from "../ports/store.ts";
import type { RunningDestination } from "./route.ts";
import { takeBatches } from "./batch.ts";

/** Deliveries claimed at once; more would only wait under one lease. */
const CLAIM_MAX = 500;
/** A claim is given up after this: longer than any request with its time-out, short enough after a crash. */
export const LEASE_MS = 120_000;
/** First wait after a failed attempt; doubles with each attempt up to BACKOFF_MAX_MS. */
const BACKOFF_MS = 1000;
/** With this, the default of 24 attempts spans about a day. */
const BACKOFF_MAX_MS = 7_200_000;
/** A destination that refuses our credential is probed this often: a rotated secret heals it without a restart. */
const PROBE_MS = 300_000;
/** After the destination failed as a whole, everything waits at least this long and at most PROBE_MS. */
const HOLD_MS = 1000;
/** One job sends no longer than this. */
const SLICE_MS = 20_000;
/** Bytes of a refused delivery that are kept with its dead letter. */
const BODY_MAX = 1_048_576;

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

interface Sent {
  readonly settlements: Settlement[];
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
        const sent = await sendRows(deps, to, rows, { signal, until: now + LEASE_MS / 2 });
        await deps.store.settleDeliveries(sent.settlements, deps.now());
        countSettled(deps, to, sent.settlements);
        updateHold(deps, holds, to, sent.failure);
        if (rows.length < CLAIM_MAX) return false;
        if (deps.now() >= end) return true;
      }
      return false;
    },
  };
}

/** No request begins after `until`: half of the lease is left for the one under way. */
interface Limits {
  readonly signal: AbortSignal;
  readonly until: EpochMs;
}

async function sendRows(deps: DeliverDeps, to: RunningDestination, rows: readonly OutboxRow[], limits: Limits): Promise<Sent> {
  const sent: Sent = { settlements: [], failure: undefined };
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const rendered: Rendered[] = [];
  for (const row of rows) {
    const one = await renderRow(deps, to, row, sent);
    if (one !== undefined) rendered.push(one);
  }
  for (const batch of takeBatches(rendered, to.destination.limits)) {
    if (sent.failure !== undefined || limits.signal.aborted || deps.now() >= limits.until) {
      // The rest of the claim goes back untouched: no attempt was made.
      for (const item of batch) sent.settlements.push(again(byKey.get(item.key), deps.now(), sent.failure, deps, false));
      continue;
    }
    await sendBatch(deps, to, batch, byKey, sent, limits.signal);
  }
  return sent;
}

async function renderRow(deps: DeliverDeps, to: RunningDestination, row: OutboxRow, sent: Sent): Promise<Rendered | undefined> {
  const subject = await loadSubject(deps, row);
  if (subject === undefined) {
    sent.settlements.push(settled(row, "dead", deps.now(), "RENDER_CONTRACT: the revision is no longer in the store"));
    return undefined;
  }
  const delivery: Delivery = { key: row.key, destination: row.destination, subject, createdTime: row.createdTime, attempts: row.attempts };
  try {
    const rendered = to.destination.render(delivery);
    if (rendered.skip !== undefined) {
      sent.settlements.push(settled(row, "skipped", deps.now(), rendered.skip));
      return undefined;
    }
    if (rendered.bytes <= to.destination.limits.itemBytes) return rendered;
    sent.settlements.push(
      settled(row, "dead", deps.now(), `RENDER_CONTRACT: ${rendered.bytes} bytes exceed the item limit`, rendered.body),
    );
  } catch (error) {
    const note = error instanceof Failure ? `${error.code}: ${error.message}` : "RECORD_BUG: the connector failed to render it";
    sent.settlements.push(settled(row, "dead", deps.now(), note));
    deps.context.log.error({ destination: to.id, key: row.key, error: String(error) }, "delivery could not be rendered");
  }
  return undefined;
}

/** The alert or incident revision that a row refers to, with the evidence that is still stored. */
export async function loadSubject(deps: Pick<DeliverDeps, "store" | "rule">, row: OutboxRow): Promise<Subject | undefined> {
  if (row.kind === "alert") {
    const alert = await deps.store.alertRevision(row.subjectId, row.revision);
    const rule = alert === undefined ? undefined : (deps.rule(alert.ruleId) ?? unknownRule(alert.ruleId, alert.ruleTitle, alert.level));
    if (alert === undefined || rule === undefined) return undefined;
    return { kind: "alert", alert, rule, evidence: await deps.store.events(alert.evidence) };
  }
  const incident = await deps.store.incidentRevision(row.subjectId, row.revision);
  if (incident === undefined) return undefined;
  const rules = new Map(
    incident.alerts.map((alert) => [alert.ruleId, deps.rule(alert.ruleId) ?? unknownRule(alert.ruleId, alert.ruleTitle, alert.level)]),
  );
  const uids = [...new Set(incident.alerts.flatMap((alert) => alert.evidence))].slice(0, 200);
  return { kind: "incident", incident, rules: [...rules.values()], evidence: await deps.store.events(uids) };
}

/** A rule that was removed after it had raised an alert still names the alert. */
function unknownRule(id: string, title: string, level: RuleInfo["level"]): RuleInfo {
  return {
    id,
    title,
    level,
    description: "",
    path: "",
    line: 0,
    tags: [],
    status: "removed",
    schedule: undefined,
    entity: undefined,
    threat: undefined,
    risk: undefined,
    runbook: undefined,
    response: undefined,
    destinations: undefined,
    maps: [],
    falsePositives: [],
    references: [],
  };
}

/** Sends one batch; a batch that is refused as a whole for its content is halved until the bad item stands alone. */
async function sendBatch(
  deps: DeliverDeps,
  to: RunningDestination,
  batch: readonly Rendered[],
  byKey: ReadonlyMap<string, OutboxRow>,
  sent: Sent,
  signal: AbortSignal,
): Promise<void> {
  let outcomes: readonly Outcome[];
  const started = deps.now();
  try {
    outcomes = await to.destination.send(batch, { ...deps.context, signal });
    if (outcomes.length !== batch.length) throw new Error("the connector returned another number of outcomes than items");
  } catch (error) {
    const failure = asFailure(error);
    const [only] = batch;
    const splits =
      failure.scope === "item" && (failure.code === "HTTP_TOO_LARGE" || failure.kind === "permanent" || failure.kind === "poison");
    if (splits && batch.length > 1) {
      const half = Math.ceil(batch.length / 2);
      await sendBatch(deps, to, batch.slice(0, half), byKey, sent, signal);
      await sendBatch(deps, to, batch.slice(half), byKey, sent, signal);
      return;
    }
    if (splits && only !== undefined) {
      sent.settlements.push(dead(byKey.get(only.key), deps.now(), failure, only.body));
      return;
    }
    sent.failure = failure;
    for (const item of batch) sent.settlements.push(next(to, byKey.get(item.key), failure, item.body, deps));
    return;
  }
  deps.meter.observe("delivery_seconds", { destination: to.id }, (deps.now() - started) / 1000);
  batch.forEach((item, index) => {
    const outcome = outcomes[index];
    const row = byKey.get(item.key);
    if (outcome === undefined || row === undefined) return;
    if (outcome.status === "delivered") {
      sent.settlements.push(settled(row, "delivered", deps.now(), outcome.receipt));
      deps.meter.observe("incident_time_to_siem_seconds", { destination: to.id }, (deps.now() - row.createdTime) / 1000);
      return;
    }
    const failure = new Failure(outcome.message, {
      kind: outcome.kind,
      code: outcome.code,
      ...(outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs }),
    });
    sent.settlements.push(next(to, row, failure, item.body, deps));
    if (outcome.code === "HTTP_THROTTLED") sent.failure = failure;
  });
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

/** What becomes of one delivery after a failure. */
function next(to: RunningDestination, row: OutboxRow | undefined, failure: Failure, body: string, deps: DeliverDeps): Settlement {
  const itemForGood = failure.scope === "item" && (failure.kind === "permanent" || failure.kind === "poison");
  if (itemForGood) return dead(row, deps.now(), failure, body);
  const attempts = (row?.attempts ?? 0) + 1;
  if (failure.kind === "retryable" && failure.retryAfterMs === undefined && attempts >= to.maxAttempts)
    return dead(row, deps.now(), failure, body);
  return again(row, deps.now(), failure, deps, failure.kind === "retryable" && failure.retryAfterMs === undefined);
}

function again(row: OutboxRow | undefined, now: EpochMs, failure: Failure | undefined, deps: DeliverDeps, spent: boolean): Settlement {
  const attempts = (row?.attempts ?? 0) + (spent ? 1 : 0);
  const backoff = spent ? Math.min(BACKOFF_MS * 2 ** Math.min(attempts - 1, 20), BACKOFF_MAX_MS) * (0.5 + deps.context.random() / 2) : 0;
  const dueTime = now + Math.max(Math.round(backoff), failure?.retryAfterMs ?? 0);
  const note = failure === undefined ? (row?.note ?? "") : `${failure.code}: ${failure.message}`;
  return { key: row?.key ?? "", status: "pending", attempts, dueTime, note };
}

function dead(row: OutboxRow | undefined, now: EpochMs, failure: Failure, body: string): Settlement {
  return {
    key: row?.key ?? "",
    status: "dead",
    attempts: (row?.attempts ?? 0) + 1,
    dueTime: now,
    note: `${failure.code}: ${failure.message}`,
    body: body.slice(0, BODY_MAX),
  };
}

function settled(row: OutboxRow, status: Settlement["status"], now: EpochMs, note: string, body?: string): Settlement {
  const base = { key: row.key, status, attempts: row.attempts + 1, dueTime: now, note };
  return body === undefined ? base : { ...base, body: body.slice(0, BODY_MAX) };
}

function updateHold(deps: DeliverDeps, holds: Map<string, Hold>, to: RunningDestination, failure: Failure | undefined): void {
  if (failure === undefined) {
    if (holds.delete(to.id)) deps.context.log.info({ destination: to.id }, "destination works again");
    deps.meter.gauge("destination_held", { destination: to.id }, 0);
    return;
  }
  const failures = (holds.get(to.id)?.failures ?? 0) + 1;
  const paused = failure.kind !== "retryable";
  const backoff = Math.min(HOLD_MS * 2 ** Math.min(failures - 1, 16), PROBE_MS);
  const wait = paused ? PROBE_MS : Math.max(failure.retryAfterMs ?? 0, backoff);
  const reason = `${failure.code}: ${failure.message}`;
  if (failures === 1)
    deps.context.log.warn(
      { destination: to.id, code: failure.code, wait, error: failure.message },
      paused ? "destination paused" : "destination held",
    );
  holds.set(to.id, { until: deps.now() + wait, failures, reason, paused });
  deps.meter.gauge("destination_held", { destination: to.id }, 1);
}

function countSettled(deps: DeliverDeps, to: RunningDestination, settlements: readonly Settlement[]): void {
  for (const one of settlements) {
    deps.meter.count("deliveries_total", { destination: to.id, result: one.status === "pending" ? "retried" : one.status });
    if (one.status === "dead") deps.meter.count("dead_letters_total", { destination: to.id, code: one.note.split(":")[0] ?? "" });
  }
}
