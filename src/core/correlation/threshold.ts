import type { Threshold } from "../sigma/rules.ts";

/** Sign of (what was measured) - `limit`; NaN when they do not compare. */
export type CompareTo = (limit: number) => number;

/** Whether a measured number meets every operator of the condition. */
export function meets(threshold: Threshold, measured: number): boolean {
  const { gt, gte, lt, lte, eq, neq } = threshold;
  return (
    (gt === undefined || measured > gt) &&
    (gte === undefined || measured >= gte) &&
    (lt === undefined || measured < lt) &&
    (lte === undefined || measured <= lte) &&
    (eq === undefined || measured === eq) &&
    (neq === undefined || measured !== neq)
  );
}

/** As `meets`, for a quantity that no single number holds exactly. */
export function meetsExactly(threshold: Threshold, compare: CompareTo): boolean {
  const { gt, gte, lt, lte, eq, neq } = threshold;
  return (
    (gt === undefined || compare(gt) > 0) &&
    (gte === undefined || compare(gte) >= 0) &&
    (lt === undefined || compare(lt) < 0) &&
    (lte === undefined || compare(lte) <= 0) &&
    (eq === undefined || compare(eq) === 0) &&
    (neq === undefined || compare(neq) !== 0)
  );
}

/** Has a lower bound, so that its windows slide. */
export function slides(threshold: Threshold): boolean {
  return threshold.gt !== undefined || threshold.gte !== undefined;
}

/** More events can never make it false: alerts may be emitted before their windows are complete. */
export function onlyGrows(threshold: Threshold): boolean {
  const { lt, lte, eq, neq } = threshold;
  return slides(threshold) && lt === undefined && lte === undefined && eq === undefined && neq === undefined;
}

/** Smallest whole number, at least 1, that meets the lower bounds. */
export function leastCount(threshold: Threshold): number {
  const fromGte = threshold.gte === undefined ? 1 : Math.ceil(threshold.gte);
  const fromGt = threshold.gt === undefined ? 1 : Math.floor(threshold.gt) + 1;
  return Math.max(1, fromGte, fromGt);
}
