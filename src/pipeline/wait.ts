import type { Failure } from "../core/errors.ts";

/** No server makes us wait longer than this at a time: its clock may be wrong, or it may want to blind us. */
const WAIT_MAX_MS = 3_600_000;

/** The wait that the other side asked for, made sane; 0 when it asked for none or for nonsense. */
export function askedWait(failure: Failure | undefined): number {
  const asked = failure?.retryAfterMs;
  if (asked === undefined || Number.isNaN(asked)) return 0;
  return Math.min(WAIT_MAX_MS, Math.max(0, Math.round(asked)));
}

/** Doubles with each failure from `firstMs` up to `maxMs`; `failures` counts from 1. */
export function backoff(firstMs: number, failures: number, maxMs: number): number {
  return Math.min(firstMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30), maxMs);
}
