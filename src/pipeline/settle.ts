/** What becomes of one delivery: settled, tried again, or a dead letter. */
import type { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import type { OutboxRow, Settlement } from "../ports/store.ts";
import { askedWait, backoff } from "./wait.ts";

/** First wait after a failed attempt; doubles with each attempt up to BACKOFF_MAX_MS. */
const BACKOFF_MS = 1000;
/** With this, the default of 24 attempts spans about a day. */
const BACKOFF_MAX_MS = 7_200_000;
/** What an operator must repair is tried again this often: a rotated secret or a mended setting heals it without a restart. */
export const PROBE_MS = 300_000;
/** Bytes of a refused delivery that are kept with its dead letter. */
const BODY_MAX = 1_048_576;

/** When a failed delivery is tried again, and when no more. */
export interface RetryRules {
  readonly now: EpochMs;
  readonly maxAttempts: number;
  /** 0 <= x < 1. */
  readonly random: () => number;
}

/** A delivery that is done for good. `note` is the receipt or the reason. */
export function settled(row: OutboxRow, status: "delivered" | "skipped" | "dead", now: EpochMs, note: string, body?: string): Settlement {
  const base = { key: row.key, status, attempts: row.attempts + 1, dueTime: now, note };
  return body === undefined ? base : { ...base, body: body.slice(0, BODY_MAX) };
}

/** A dead letter with the reason and the bytes that were refused. */
export function dead(row: OutboxRow, now: EpochMs, failure: Failure, body: string): Settlement {
  return settled(row, "dead", now, noteOf(failure), body);
}

/** A delivery that was claimed and not tried: nothing of it is spent. */
export function untouched(row: OutboxRow, now: EpochMs): Settlement {
  return { key: row.key, status: "pending", attempts: row.attempts, dueTime: now, note: row.note ?? "" };
}

/**
 * A delivery after a failed attempt. Refusals of the item itself end it; what an operator must repair, and waits that
 * the other side asked for, spend no attempt.
 */
export function failed(row: OutboxRow, failure: Failure, body: string, rules: RetryRules): Settlement {
  const { now } = rules;
  const { kind, scope } = failure;
  if (scope === "item" && (kind === "permanent" || kind === "poison")) return dead(row, now, failure, body);
  const waiting = { key: row.key, status: "pending" as const, note: noteOf(failure) };
  // When everything through the connector waits, its hold does the waiting.
  if (kind !== "retryable") return { ...waiting, attempts: row.attempts, dueTime: scope === "connector" ? now : now + PROBE_MS };
  if (failure.retryAfterMs !== undefined) return { ...waiting, attempts: row.attempts, dueTime: now + askedWait(failure) };
  const attempts = row.attempts + 1;
  if (attempts >= rules.maxAttempts) return dead(row, now, failure, body);
  const waitMs = Math.round(backoff(BACKOFF_MS, attempts, BACKOFF_MAX_MS) * (0.5 + rules.random() / 2));
  return { ...waiting, attempts, dueTime: now + waitMs };
}

function noteOf(failure: Failure): string {
  return `${failure.code}: ${failure.message}`;
}
