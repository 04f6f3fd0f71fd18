/** What becomes of one delivery: settled, tried again, or a dead letter. */
import type { Failure } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import { MEMORY_MAX, TICKET_MAX, type Outcome } from "../ports/connector.ts";
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
  /** The destination had failed before: that it still does says nothing about a delivery. */
  readonly probing: boolean;
  /** 0 <= x < 1. */
  readonly random: () => number;
}

/** What was sent in an attempt. */
export type Sent = NonNullable<Settlement["sent"]>;

/** A delivery that is done for good. `note` is the receipt or the reason. */
export function settled(
  row: OutboxRow,
  status: "delivered" | "skipped" | "dead",
  now: EpochMs,
  note: string,
  body?: string,
  sent?: Sent,
): Settlement {
  // The attempt was counted when it was sent.
  const attempts = row.ticket === null ? row.attempts + 1 : row.attempts;
  const base = { key: row.key, status, attempts, dueTime: now, note, ...(sent === undefined ? {} : { sent }) };
  return body === undefined ? base : { ...base, body: body.slice(0, BODY_MAX) };
}

/** A delivery that arrived, with what it leaves for the next revision. */
export function delivered(row: OutboxRow, { receipt, memory }: Delivered, now: EpochMs, sent?: Sent): Settlement {
  const done = settled(row, "delivered", now, receipt, undefined, sent);
  return memory === undefined ? done : { ...done, memory: memory.slice(0, MEMORY_MAX) };
}

type Delivered = Extract<Outcome, { status: "delivered" }>;

/** A delivery that the destination has taken and will confirm. */
export function accepted(row: OutboxRow, outcome: Accepted, now: EpochMs, sent?: Sent): Settlement {
  const ticket = { text: outcome.ticket.slice(0, TICKET_MAX), time: now };
  const { dueTime, note } = waitsFor(outcome, now);
  return { key: row.key, status: "pending", attempts: row.attempts + 1, dueTime, note, ticket, ...(sent === undefined ? {} : { sent }) };
}

/** One that was asked about and is not confirmed yet: it waits since it was accepted. */
export function stillAccepted(row: OutboxRow, outcome: Accepted, now: EpochMs): Settlement {
  const ticket = { text: outcome.ticket.slice(0, TICKET_MAX), time: row.ticketTime ?? now };
  return { key: row.key, status: "pending", attempts: row.attempts, ...waitsFor(outcome, now), ticket };
}

type Accepted = Extract<Outcome, { status: "accepted" }>;

function waitsFor({ askAfterMs }: Accepted, now: EpochMs): Pick<Settlement, "dueTime" | "note"> {
  return { dueTime: now + Math.min(Math.max(0, Math.round(askAfterMs)), PROBE_MS), note: "accepted, not confirmed yet" };
}

/** A dead letter with the reason and the bytes that were refused. */
export function dead(row: OutboxRow, now: EpochMs, failure: Failure, body: string | undefined, sent?: Sent): Settlement {
  return settled(row, "dead", now, noteOf(failure), body, sent);
}

/** A delivery that was claimed and not tried: nothing of it is spent. */
export function untouched(row: OutboxRow, now: EpochMs): Settlement {
  const { key, attempts, note, ticket, ticketTime } = row;
  const base = { key, status: "pending", attempts, dueTime: now, note: note ?? "" } as const;
  return ticket === null ? base : { ...base, ticket: { text: ticket, time: ticketTime ?? now } };
}

/**
 * A delivery after a failed attempt. Refusals of the item itself end it; what an operator must repair, and waits that
 * the other side asked for, spend no attempt.
 */
export function failed(row: OutboxRow, failure: Failure, body: string | undefined, rules: RetryRules, sent?: Sent): Settlement {
  const { now } = rules;
  const { kind, scope } = failure;
  if (scope === "item" && (kind === "permanent" || kind === "poison")) return dead(row, now, failure, body, sent);
  const waiting = { key: row.key, status: "pending" as const, note: noteOf(failure), ...(sent === undefined ? {} : { sent }) };
  // When everything through the connector waits, its hold does the waiting.
  if (kind !== "retryable") return { ...waiting, attempts: row.attempts, dueTime: scope === "connector" ? now : now + PROBE_MS };
  if (failure.retryAfterMs !== undefined) return { ...waiting, attempts: row.attempts, dueTime: now + askedWait(failure) };
  // An outage may last for days, and makes no dead letters; its hold does the waiting.
  if (scope === "connector" && rules.probing) return { ...waiting, attempts: row.attempts, dueTime: now };
  const attempts = row.attempts + 1;
  if (attempts >= rules.maxAttempts) return dead(row, now, failure, body, sent);
  const waitMs = Math.round(backoff(BACKOFF_MS, attempts, BACKOFF_MAX_MS) * (0.5 + rules.random() / 2));
  return { ...waiting, attempts, dueTime: now + waitMs };
}

function noteOf(failure: Failure): string {
  return `${failure.code}: ${failure.message}`;
}
