import { describe, expect, test } from "vitest";
import { locate, play, type Kind } from "./vendor-history.ts";

/** Histories of each kind; `CUSTODES_HISTORIES` gives another number for a long run. */
const HISTORIES = Number(process.env["CUSTODES_HISTORIES"] ?? 75);

/** A capped answer takes many reads, and with them time. */
const FEWER: Partial<Readonly<Record<Kind, number>>> = { capped: 0.5 };

/** Seeds of histories that once broke the property, for ever. */
const SEEDS: readonly (readonly [Kind, number])[] = [
  // A hole that was filled took the time of another one with it.
  ["numbered", 1060],
  // The cursor of an empty page led past what came next.
  ["numbered", 1194],
];

/** What each kind must have met, or the test tests nothing. */
const TROUBLE = ["overlap", "repeat", "empty", "throttle", "fail", "reset", "cut", "token", "oldest", "late", "skew"];
const MET: Readonly<Record<Kind, readonly string[]>> = {
  counted: ["drop", "ties", "hide", "newest", ...TROUBLE],
  capped: ["newest", ...TROUBLE],
  unaided: ["drop", "ties", "newest", ...TROUBLE],
  numbered: ["drop", "ties", "hide", ...TROUBLE],
  skewed: ["newest", ...TROUBLE],
};
const REASON: Readonly<Record<Kind, string>> = {
  counted: "count",
  capped: "truncated",
  unaided: "late",
  numbered: "sequence",
  skewed: "clock",
};

describe("a vendor that misbehaves: every loss is told and located, and none remains once it is well", () => {
  test.each(Object.keys(MET) as Kind[])("%s", async (kind) => {
    const met = new Map<string, number>();
    let found = 0;
    let lost = 0;
    const count = Math.ceil(HISTORIES * (FEWER[kind] ?? 1));
    for (const seed of [
      ...SEEDS.filter(([of]) => of === kind).map(([, seed]) => seed),
      ...Array.from({ length: count }, (_, at) => at + 1),
    ]) {
      const outcome = await play(kind, seed);
      expect(outcome.problems, `${kind}, seed ${seed}: add it to SEEDS`).toEqual([]);
      for (const [habit, times] of outcome.done) met.set(habit, (met.get(habit) ?? 0) + times);
      found += outcome.gaps.get(REASON[kind]) ?? 0;
      lost += outcome.lost;
    }
    expect(MET[kind].filter((habit) => (met.get(habit) ?? 0) === 0)).toEqual([]);
    expect(found).toBeGreaterThan(count / 5);
    expect(lost).toBeGreaterThan(count / 5);
  });
});

test("what a vendor counts and never gives is located to a second, each loss in a gap of its own time", async () => {
  let found = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const { gaps, hidden, soon } = await locate(seed);
    for (const time of soon) expect(gaps.filter(({ from, to }) => from <= time && to >= time)).not.toEqual([]);
    for (const { from, to } of gaps) {
      // Neighbouring stretches of a second are one gap.
      const inside = hidden.filter((time) => from <= time && to >= time);
      expect(inside, `seed ${seed}, ${from} to ${to}`).not.toEqual([]);
      expect(to - from, `seed ${seed}`).toBeLessThanOrEqual(1000 * (inside.length + 1));
    }
    found += hidden.length;
  }
  expect(found).toBeGreaterThan(20);
});
