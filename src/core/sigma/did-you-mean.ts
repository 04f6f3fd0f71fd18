import { nearest } from "../nearest.ts";

/** Names are compared up to this length; longer ones are typing accidents, not typing errors. */
const COMPARED_MAX = 96;

/** The known name that is most like `word`; undefined when there are none. */
export function nearestName(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  const wanted = word.slice(0, COMPARED_MAX).toLowerCase();
  for (const name of known) {
    const score = unlikeness(wanted, name.slice(0, COMPARED_MAX).toLowerCase());
    if (score < bestScore) {
      best = name;
      bestScore = score;
    }
  }
  return best;
}

/** `; did you mean "x"?` for the nearest known name, or nothing when there is none. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const name = nearestName(word, known);
  return name === undefined ? "" : `; did you mean "${name}"?`;
}

/**
 * As `didYouMean`, but silent unless the name is close:
 * for ids, of which any two have something in common.
 */
export function didYouMeanId(word: string, known: Iterable<string>): string {
  const name = nearest(word, [...known]);
  return name === undefined ? "" : `; did you mean "${name}"?`;
}

/**
 * Edits from one to the other; a name that contains the other counts as near, the nearer the more it
 * covers.
 */
function unlikeness(a: string, b: string): number {
  const edits = editDistance(a, b);
  if (a.length > 2 && b.length > 2 && (a.includes(b) || b.includes(a))) return Math.min(edits, 1 + Math.abs(a.length - b.length) / 100);
  return edits;
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
