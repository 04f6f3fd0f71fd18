import { afterAll, beforeAll, expect, test } from "vitest";
import { sourceLines } from "../../src/cli/source-table.ts";
import { sketchOf } from "../../src/core/completeness/lateness.ts";
import type { SourceGap } from "../../src/core/completeness/gap.ts";
import { sourceRows } from "../../src/source-state.ts";
import { memoryStore, START, type TestStore } from "../pipeline/world.ts";

const SECOND = 1000;
const DAY = 86_400_000;
let memory: TestStore;
beforeAll(async () => void (memory = await memoryStore()));
afterAll(() => memory.store.close());

const gap = (id: string, more: Partial<SourceGap> = {}): SourceGap => ({
  ...({ id, source: "okta/corp", from: START - 60 * SECOND, to: START, why: "count", detail: "two are missing", state: "open" } as const),
  ...({ foundTime: START, endTime: null, whole: null } as const),
  ...more,
});

test("sources show how late they are and what they lack, escaped, a line for each open gap", async () => {
  const { store } = memory;
  const nothing = { from: null, newestTime: START, now: START, duplicates: 0, quarantined: 0 };
  await store.transaction(async (tx) => {
    await tx.moveCursor({ ...nothing, source: "okta/corp", to: "c", watermark: START - 90 * SECOND, stored: 7, late: 2 });
    await tx.addLateness(START - (START % DAY), { source: "okta/corp", lag: sketchOf([4000, 4000, 40_000]), late: sketchOf([0, 0, 900]) });
    await tx.addLateness(START - 30 * DAY, { source: "okta/corp", lag: sketchOf([9_000_000]), late: sketchOf([9_000_000]) });
    const ended = gap("h", { state: "healed", endTime: START });
    const old = gap("old", { state: "healed", foundTime: START - 3 * DAY, endTime: START - 2 * DAY });
    await tx.saveGaps([gap("a"), gap("b", { to: null, why: "unreachable", detail: "gone\u001B[31m", foundTime: START - 1 }), ended, old]);
  });
  const rows = await sourceRows(store, START, { configured: ["okta/corp", "kong/new"] });
  expect(rows).toMatchObject([
    { source: "kong/new", lastError: "not heard of yet", lagMs: null, settleLagMs: null, latenessMs: null, gaps: [] },
    {
      source: "okta/corp",
      lagMs: 90 * SECOND,
      openGaps: 2,
      lateEvents: 2,
      settleLagMs: { max: 40_000 },
      latenessMs: { p50: 100, max: 900 },
    },
  ]);
  // What a vendor did a month ago has faded, and so has what was healed the day before yesterday.
  expect(rows[1]?.gaps.map(({ id }) => id)).toEqual(["a", "h", "b"]);
  const text = sourceLines(rows).join("\n");
  expect(text).toMatch(/^okta\/corp +7 +0 +0 +2 +\S+Z +90 s +4\.\d s\/40 s +0\.9 s +2 +stalled: gone\\u\{1b\}\[31m$/m);
  const [, works] = rows;
  expect(sourceLines([{ ...works!, gaps: [gap("a")] }]).join("\n")).toMatch(/ 1 +works$/m);
  expect(text).toMatch(/^kong\/new .* - +- +-\/- +- +0 +not heard of yet$/m);
  expect(text.match(/^gap: .*$/gm)).toEqual([
    "gap: okta/corp 2026-03-31T11:59:00.000Z to 2026-03-31T12:00:00.000Z, count: two are missing",
    "gap: okta/corp 2026-03-31T11:59:00.000Z to now, unreachable: gone\\u{1b}[31m",
  ]);
});

test("of many gaps the first have a line, the rest a number", async () => {
  const [row] = (await sourceRows(memory.store, START, undefined)).slice(-1);
  const many = Array.from({ length: 14 }, (_, index) => gap(`g${index}`));
  const lines = sourceLines([{ ...row!, gaps: many }]).filter((line) => line.startsWith("gap: "));
  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe("gap: okta/corp and 4 more");
});
