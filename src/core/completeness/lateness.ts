/**
 * How late things are, as counts in fixed buckets: two of them add up by adding the counts, so that a day is the sum of
 * its batches and a week the sum of its days.
 */

/** Up to this everything counts as at once, milliseconds. */
const FIRST_MS = 100;
/** Each bucket ends at this many times the one before: a quantile is at most a quarter too large. */
const FACTOR = 1.25;
/** The last bucket with an end; 100 ms * 1.25^76 is 27 days. What is later counts in one more. */
const BOUNDS = 77;

/** Number of counts in a sketch. */
export const LATENESS_BUCKETS = BOUNDS + 1;

/** How late some records were. */
export interface LatenessSketch {
  /** Records per bucket, LATENESS_BUCKETS of them. */
  readonly counts: readonly number[];
  /** The latest of them, milliseconds. */
  readonly max: number;
}

/** Nothing counted yet. */
export const NO_LATENESS: LatenessSketch = { counts: Array.from({ length: LATENESS_BUCKETS }, () => 0), max: 0 };

/** Counts how late records were, milliseconds; negative is on time. */
export function sketchOf(latenesses: readonly number[]): LatenessSketch {
  const counts = [...NO_LATENESS.counts];
  let max = 0;
  for (const one of latenesses) {
    const bucket = bucketOf(one);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    if (one > max) max = one;
  }
  return { counts, max };
}

/** Both together. */
export function mergeLateness(a: LatenessSketch, b: LatenessSketch): LatenessSketch {
  return { counts: a.counts.map((count, bucket) => count + (b.counts[bucket] ?? 0)), max: Math.max(a.max, b.max) };
}

/** Milliseconds within which the share `q` (0 to 1) of the records came, at most a quarter too much; undefined without records. */
export function quantile({ counts, max }: LatenessSketch, q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let left = Math.max(1, Math.ceil(q * total));
  for (const [bucket, count] of counts.entries()) {
    left -= count;
    if (left <= 0) return bucket === BOUNDS ? max : Math.min(max, Math.round(FIRST_MS * FACTOR ** bucket));
  }
  return max;
}

function bucketOf(milliseconds: number): number {
  if (!(milliseconds > FIRST_MS)) return 0;
  // The small amount keeps a value that lies on a bound in the bucket that ends there.
  return Math.min(BOUNDS, Math.ceil(Math.log(milliseconds / FIRST_MS) / Math.log(FACTOR) - 1e-9));
}
