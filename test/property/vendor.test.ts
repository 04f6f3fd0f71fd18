import { describe, expect, test } from "vitest";
import { play, type Kind } from "./vendor-history.ts";

/** Histories of each kind; `CUSTODES_HISTORIES` gives another number for a long run. */
const HISTORIES = Number(process.env["CUSTODES_HISTORIES"] ?? 75);

/** Seeds of histories that once broke the property, for ever. */
const SEEDS: readonly (readonly [Kind, number])[] = [
  // A hole that was filled took the time of another one with it.
  ["numbered", 1060],
  // The cursor of an empty page led past what came next.
  ["numbered", 1194],
];

/** What each kind must have met, or the test tests nothing. */
const MET: Readonly<Record<Kind, readonly string[]>> = {
  counted: ["drop", "ties", "overlap", "repeat", "empty", "throttle", "fail", "reset", "cut", "token"],
  capped: ["overlap", "repeat", "empty", "throttle", "fail", "reset", "cut", "token"],
  unaided: ["drop", "ties", "overlap", "repeat", "empty", "throttle", "fail", "reset", "cut", "token"],
  numbered: ["drop", "ties", "overlap", "repeat", "empty", "throttle", "fail", "reset", "cut", "token"],
};
const REASON: Readonly<Record<Kind, string>> = { counted: "count", capped: "truncated", unaided: "late", numbered: "sequence" };

describe("a vendor that misbehaves: every loss is told and located, and none remains once it is well", () => {
  test.each(Object.keys(MET) as Kind[])("%s", async (kind) => {
    const met = new Map<string, number>();
    let found = 0;
    let lost = 0;
    for (const seed of [
      ...SEEDS.filter(([of]) => of === kind).map(([, seed]) => seed),
      ...Array.from({ length: HISTORIES }, (_, at) => at + 1),
    ]) {
      const outcome = await play(kind, seed);
      expect(outcome.problems, `${kind}, seed ${seed}: add it to SEEDS`).toEqual([]);
      for (const [habit, times] of outcome.done) met.set(habit, (met.get(habit) ?? 0) + times);
      found += outcome.gaps.get(REASON[kind]) ?? 0;
      lost += outcome.lost;
    }
    expect(MET[kind].filter((habit) => !met.has(habit))).toEqual([]);
    expect(found).toBeGreaterThan(HISTORIES / 5);
    expect(lost).toBeGreaterThan(HISTORIES / 5);
  });
});
