/**
 * Chains of numbered records: a number that is left out is a record that is missing. The chain goes on, and later is read
 * again from the page before the first hole, until the hole is filled.
 */
import type { FoundGap, Span } from "../../src/core/completeness/gap.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Chain, Hole, PullState } from "./cursor.ts";

/** Holes that are remembered; of more, the last two become one. */
const HOLES_MAX = 8;
/** First wait before the chain is read again; doubles up to the longest. */
const REWIND_FIRST_MS = 30_000;
const REWIND_LONGEST_MS = 3_600_000;

/** A record as far as the chain looks at it. */
export interface Numbered {
  readonly number: number;
  readonly time: EpochMs;
}

/**
 * What a page adds to the chain. `position` is the cursor that the page was asked for with. A missing record may have
 * happened up to `lagMs` before its neighbours, or after them when these are that late.
 */
export function connect(
  chain: Chain,
  records: readonly Numbered[],
  position: PullState["next"],
  lagMs: number,
  now: EpochMs,
): { readonly chain: Chain; readonly gaps: readonly FoundGap[]; readonly covered: readonly Span[] } {
  let { last, lastTime, rewind, due, holes } = chain;
  const gaps: FoundGap[] = [];
  const covered: Span[] = [];
  for (const { number, time } of records) {
    if (last !== null && number <= last) continue;
    const missing = last === null || number === last + 1 ? undefined : ([last + 1, number - 1] as const);
    const passed = last === null ? [] : holes.filter(([, end]) => end === last);
    if (missing === undefined) {
      covered.push(...passed.map(([, , from, to]) => ({ from, to })));
      holes = holes.filter((hole) => !passed.includes(hole));
    } else {
      const [first, end] = missing;
      const old = holes.filter((hole) => hole[0] <= end && hole[1] >= first);
      const hole: Hole = [
        first,
        end,
        Math.min(lastTime - lagMs, time - lagMs, ...old.map((one) => one[2])),
        Math.max(lastTime + lagMs, time + lagMs, ...old.map((one) => one[3])),
      ];
      if (holes.length === 0) {
        rewind = chain.previous;
        due = now + REWIND_FIRST_MS;
      }
      holes = merged([...holes.filter((one) => !old.includes(one)), hole]);
      const what = first === end ? `number ${first} is` : `numbers ${first} to ${end} are`;
      gaps.push({ from: hole[2], to: hole[3], why: "sequence", detail: `${what} missing` });
    }
    last = number;
    lastTime = time;
  }
  const tries = holes.length === 0 ? 0 : chain.tries;
  // A page without the last number may have been asked for with a cursor that already leads past the hole.
  const previous = records.some(({ number }) => number === last) ? position : chain.previous;
  return {
    chain: { ...chain, last, lastTime, rewind, tries, due, holes, previous },
    gaps,
    covered: covered.flatMap((span) => outside(span, holes)),
  };
}

/** The parts of a filled hole's time in which no other hole lies. */
function outside(span: Span, holes: readonly Hole[]): Span[] {
  return holes.reduce<Span[]>(
    (parts, [, , from, to]) =>
      parts.flatMap((part) => {
        if (to < part.from || from > part.to) return [part];
        const before = from > part.from ? [{ from: part.from, to: from }] : [];
        return to < part.to ? [...before, { from: to, to: part.to }] : before;
      }),
    [span],
  );
}

/** Where a chain that ended goes on when its first hole is due to be read again; undefined when none is. */
export function rewound(chain: Chain, now: EpochMs): { readonly next: PullState["next"]; readonly chain: Chain } | undefined {
  const [hole] = chain.holes;
  if (hole === undefined || chain.due > now) return undefined;
  const tries = chain.tries + 1;
  const due = now + Math.min(REWIND_FIRST_MS * 2 ** Math.min(tries, 20), REWIND_LONGEST_MS);
  return { next: chain.rewind, chain: { ...chain, last: hole[0] - 1, lastTime: hole[2], previous: chain.rewind, tries, due } };
}

function merged(holes: readonly Hole[]): readonly Hole[] {
  const sorted = holes.toSorted((a, b) => a[0] - b[0]);
  while (sorted.length > HOLES_MAX) {
    const [a, b] = sorted.splice(-2);
    if (a !== undefined && b !== undefined) sorted.push([a[0], b[1], Math.min(a[2], b[2]), Math.max(a[3], b[3])]);
  }
  return sorted;
}
