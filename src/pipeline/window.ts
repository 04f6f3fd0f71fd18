/**
 * How many requests to one destination may be under way at once: one more for each round of quick answers, half as many after a
 * failure (additive increase, multiplicative decrease, as TCP does: RFC 5681). What the other side can bear is found out, not configured.
 */

/** Requests under way. */
export interface Window {
  /** At least 1. */
  readonly size: number;
  /** A request was answered after so many milliseconds. */
  answered(ms: number): void;
  /** A request was throttled, or failed as a whole. */
  failed(): void;
}

/** An answer this many times slower than the quickest of late means that requests queue up over there. */
const SLOW = 2;
/** Below this, an answer is quick whatever the quickest was, milliseconds: scheduling alone takes as long. */
const QUICK_MS = 50;
/** The quickest answer is forgotten by so much with each: a server that has moved further away is not slow for ever. */
const FORGET = 1.02;

/** A window that begins with one request. `max`: never more at once. */
export function requestWindow(max: number): Window {
  let size = 1;
  let quickest = Infinity;
  return {
    get size() {
      return Math.floor(size);
    },
    answered(ms) {
      quickest = Math.min(ms, quickest * FORGET);
      const isSlow = ms > Math.max(QUICK_MS, quickest * SLOW);
      size = isSlow ? Math.max(1, size * 0.9) : Math.min(max, size + 1 / size);
    },
    failed() {
      size = Math.max(1, size / 2);
    },
  };
}
