/** True for the first call, and then for the first one after each `everyMs`: what repeats is told, but does not flood a log. */
export function seldom(everyMs: number): (now: number) => boolean {
  let told = Number.NEGATIVE_INFINITY;
  return (now) => {
    if (now - told < everyMs) return false;
    told = now;
    return true;
  };
}
