/** A name further away than this many edits is no typing error of the other. */
const EDITS_MAX = 3;
/** Longer names are not compared: the cost grows with the product of the lengths. */
const NAME_MAX = 64;

/** The known name with the fewest edits to `name`, if it is close enough for a "did you mean". */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = EDITS_MAX + 1;
  if (name.length > NAME_MAX) return undefined;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) > EDITS_MAX) continue;
    const distance = edits(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestEdits && distance < Math.max(name.length, 2)) {
      best = candidate;
      bestEdits = distance;
    }
  }
  return best;
}

/** Levenshtein distance. */
function edits(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
