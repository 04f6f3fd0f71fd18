import { describe, expect, test } from "vitest";
import { changeGaps, overlaps, type FoundGap, type GapNews, type SourceGap } from "../../../src/core/completeness/gap.ts";

const NOW = 10_000;
const found = (from: number, to: number | null, more: Partial<FoundGap> = {}): FoundGap => ({
  from,
  to,
  why: "count",
  detail: "d",
  ...more,
});
const open = (id: string, from: number, to: number | null, more: Partial<SourceGap> = {}): SourceGap => ({
  id,
  source: "s/1",
  from,
  to,
  why: "count",
  detail: "d",
  state: "open",
  foundTime: 1,
  endTime: null,
  whole: null,
  ...more,
});
const change = (gaps: readonly SourceGap[], news: Partial<GapNews>) =>
  changeGaps("s/1", gaps, { found: [], covered: [], reached: undefined, now: NOW, ...news }, (text) => `#${text}`);
const spans = (gaps: readonly SourceGap[]) => gaps.filter((gap) => gap.state === "open").map(({ from, to }) => [from, to]);

describe("what is found", () => {
  test("is a gap of its own, open from now", () => {
    const { changed, proven, healed } = change([], { found: [found(10, 20)] });
    expect(changed).toMatchObject([
      { source: "s/1", from: 10, to: 20, why: "count", state: "open", foundTime: NOW, endTime: null, whole: null },
    ]);
    expect([proven, healed]).toEqual([1, 0]);
  });
  test("widens the gap that it touches, of the same kind alone, and is counted once", () => {
    const { changed, proven } = change([open("a", 10, 20), open("b", 15, 16, { why: "truncated" })], { found: [found(20, 30)] });
    expect(changed).toMatchObject([{ id: "a", from: 10, to: 30 }]);
    expect(proven).toBe(0);
  });
  test("again, as it is, changes nothing", () => {
    expect(change([open("a", 10, 20)], { found: [found(10, 20)] }).changed).toEqual([]);
  });
  test("healed at once or lost for good is kept with its end", () => {
    const { changed, proven, healed } = change([], {
      found: [found(1, 2, { state: "healed", why: "late" }), found(3, 4, { state: "lost" })],
    });
    expect(changed).toMatchObject([
      { state: "healed", endTime: NOW },
      { state: "lost", endTime: NOW },
    ]);
    expect([proven, healed]).toEqual([2, 1]);
  });
  test("is added to the nearest of its kind when there are too many", () => {
    const many = Array.from({ length: 100 }, (_, index) => open(`g${index}`, index * 100, index * 100 + 1));
    const { changed, proven } = change(many, { found: [found(5040, 5060)] });
    expect(changed).toMatchObject([{ id: "g50", from: 5000, to: 5060 }]);
    expect(proven).toBe(0);
  });
});

describe("what is read", () => {
  test.each([
    ["all of it", [{ from: 10, to: 20 }], []],
    ["more than it", [{ from: 0, to: 99 }], []],
    ["its beginning", [{ from: 0, to: 14 }], [[14, 20]]],
    ["its end", [{ from: 14, to: 99 }], [[10, 14]]],
    [
      "its middle",
      [{ from: 12, to: 14 }],
      [
        [10, 12],
        [14, 20],
      ],
    ],
    ["what lies beside it", [{ from: 0, to: 10 }], [[10, 20]]],
    [
      "its two halves",
      [
        { from: 10, to: 15 },
        { from: 15, to: 20 },
      ],
      [],
    ],
  ])("%s", (_, covered, left) => {
    const { changed, healed } = change([open("a", 10, 20)], { covered });
    expect(spans(changed.length === 0 ? [open("a", 10, 20)] : changed)).toEqual(left);
    expect(healed).toBe(left.length === 0 ? 1 : 0);
    if (left.length === 0) expect(changed).toMatchObject([{ id: "a", from: 10, to: 20, state: "healed", endTime: NOW, whole: null }]);
  });
  test("piece by piece: what is healed at last is the whole stretch", () => {
    let gaps = [open("a", 10, 20)];
    for (const [from, to] of [
      [10, 12],
      [18, 25],
      [12, 17],
    ] as const) {
      gaps = [...change(gaps, { covered: [{ from, to }] }).changed];
      expect(gaps).toMatchObject([{ state: "open", whole: { from: 10, to: 20 } }]);
    }
    expect(change(gaps, { covered: [{ from: 16, to: 19 }] }).changed).toMatchObject([{ from: 10, to: 20, state: "healed", whole: null }]);
    const wider = change(gaps, { found: [found(18, 30)] }).changed;
    expect(wider).toMatchObject([{ from: 17, to: 30, whole: { from: 10, to: 30 } }]);
  });
  test("from its middle on: its parts together are what it was, each as it is healed", () => {
    const parts = change([open("a", 10, 20, { whole: { from: 5, to: 25 } })], { covered: [{ from: 12, to: 14 }] }).changed;
    expect(parts).toMatchObject([
      { from: 10, to: 12, whole: { from: 5, to: 14 } },
      { from: 14, to: 20, whole: { from: 14, to: 25 } },
    ]);
    expect(change(parts, { covered: [{ from: 0, to: 99 }] }).changed).toMatchObject([
      { from: 5, to: 14, state: "healed" },
      { from: 14, to: 25, state: "healed" },
    ]);
  });
  test("a gap of one moment is not healed by a read that ends there", () => {
    expect(spans(change([open("a", 10, 10)], { covered: [{ from: 0, to: 10 }] }).changed)).toEqual([]);
    expect(change([open("a", 10, 12)], { covered: [{ from: 0, to: 10 }] }).changed).toEqual([]);
  });
  test("keeps one id and gives the other part another", () => {
    const { changed } = change([open("a", 10, 20)], { covered: [{ from: 12, to: 14 }] });
    expect(changed.map(({ id }) => id)[0]).toBe("a");
    expect(new Set(changed.map(({ id }) => id)).size).toBe(2);
  });
  test("says nothing of an outage, nor of what could not be understood", () => {
    const gaps = [open("a", 10, null, { why: "unreachable" }), open("b", 10, 20, { why: "quarantine" })];
    expect(change(gaps, { covered: [{ from: 0, to: 99 }] }).changed).toEqual([]);
  });
});

describe("an outage", () => {
  const outage = open("a", 10, null, { why: "unreachable" });
  test("ends when the source has caught up with the moment in which it worked again", () => {
    const back = change([outage], { reached: { from: 5, to: 50 }, now: 100 }).changed;
    expect(back).toMatchObject([{ from: 50, to: 100, state: "open" }]);
    expect(change(back, { reached: { from: 50, to: 100 }, now: 101 }).changed).toMatchObject([
      { from: 10, to: 100, state: "healed", endTime: 101 },
    ]);
  });
  test("goes on while nothing is proven", () => {
    expect(change([outage], {}).changed).toEqual([]);
  });
  test("is over for its beginning, too, when the source had proven nothing before", () => {
    expect(change([outage], { reached: { from: 100, to: 100 }, now: 100 }).changed).toMatchObject([{ state: "healed" }]);
  });
});

test("a gap that goes on overlaps everything after its beginning", () => {
  expect([overlaps({ from: 5, to: null }, 6, 7), overlaps({ from: 5, to: null }, 1, 4), overlaps({ from: 5, to: 6 }, 6, 9)]).toEqual([
    true,
    false,
    true,
  ]);
});
