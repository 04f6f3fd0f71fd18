import { describe, expect, test } from "vitest";
import type { BaselineChange, BaselineHead, BaselineRow } from "../../src/core/correlation/baseline.ts";
import { failureCode, type TheStore } from "./store.ts";

/** A head of tests. */
function head(rule: string, key = "k1", more: Partial<BaselineHead> = {}): BaselineHead {
  const fixed = { type: "new_value", groupBy: ["ai_agent.uid"], fields: ["dst_endpoint.hostname"], timespanMs: 0 } as const;
  return { rule, key, ...fixed, until: 100, depthMs: 50, keepMs: 60, ...more };
}

const value = (group: string, text: string, time: number): BaselineRow => ({ kind: "value", group: [group], value: text, time });
const first = (group: string, time: number): BaselineRow => ({ kind: "first", group: [group], time });
const window = (group: string, time: number, whole: number, units = 0n): BaselineRow => ({
  kind: "window",
  group: [group],
  time,
  whole,
  units,
});

/** Promises about what rules remember. */
export function baselinePromises(store: TheStore): void {
  const save = (...changes: BaselineChange[]): Promise<void> => store().transaction((tx) => tx.saveBaselines(changes));
  const change = (of: BaselineHead, rows: readonly BaselineRow[], forgetBefore?: number): BaselineChange => ({
    head: of,
    rows,
    forgetBefore,
  });
  const all = async (of: BaselineHead, limit = 1000): Promise<BaselineRow[]> => {
    const rows: BaselineRow[] = [];
    let after: string | null = null;
    do {
      const page = await store().baselineRows(of, after, limit);
      expect(page.rows.length).toBeLessThanOrEqual(limit);
      rows.push(...page.rows);
      after = page.next;
    } while (after !== null);
    return rows;
  };

  describe("baselines", () => {
    test("come back as they were, by head", async () => {
      const one = head("one");
      const other = head("one", "k2", { type: "baseline_ratio", timespanMs: 5, fields: [] });
      const rows = [first("a", -5), value("a", "x", 7), value("b", "x", 8)];
      const windows = [window("a", 5, 3), window("a", 10, -2, -(3n << 1018n)), window("a", 15, 0, 1n)];
      await save(change(one, rows), change(other, windows));
      expect(await store().baselineHeads()).toEqual([one, other]);
      expect(new Set(await all(one))).toEqual(new Set(rows));
      expect(new Set(await all(other))).toEqual(new Set(windows));
      expect(await all(head("unknown"))).toEqual([]);
    });

    test("keep any text exactly, also what PostgreSQL's text cannot hold, and long ones", async () => {
      const texts = ["", "\0", "a\0b", "\ud800", "\ufffd", 'it\'s "quoted" \\ \t \n', "x".repeat(20_000), "7", '["a"]'];
      const rows = texts.flatMap((text) => [value(text, "v", 1), value("g", text, 2), first(text, 3)]);
      await save(change(head("texts"), rows));
      expect(new Set(await all(head("texts")))).toEqual(new Set(rows));
    });

    test("keep the earliest first time, the latest of a value, and the new measure of a window, whatever else comes", async () => {
      const one = head("one");
      await save(change(one, [first("a", 5), value("a", "x", 5), window("a", 0, 5)]));
      await save(change(one, [first("a", 7), value("a", "x", 3), window("a", 0, 4, 1n)]));
      expect(new Set(await all(one))).toEqual(new Set([first("a", 5), value("a", "x", 5), window("a", 0, 4, 1n)]));
      await save(change({ ...one, until: 200 }, [first("a", 4), value("a", "x", 4), value("a", "x", 9), window("a", 0, 6)]));
      expect(new Set(await all(one))).toEqual(new Set([first("a", 4), value("a", "x", 9), window("a", 0, 6)]));
      expect(await store().baselineHeads()).toEqual([{ ...one, until: 200 }]);
    });

    test("forget what is to be forgotten, of one head, and never a first time", async () => {
      const rows = [first("a", 1), value("a", "x", 9), value("a", "y", 10), window("a", 9, 1), window("a", 10, 1)];
      await save(change(head("one"), rows), change(head("two"), rows));
      await save(change(head("one"), [], 10));
      expect(new Set(await all(head("one")))).toEqual(new Set([first("a", 1), value("a", "y", 10), window("a", 10, 1)]));
      expect(await all(head("two"))).toHaveLength(5);
    });

    test("are removed with their head", async () => {
      await save(change(head("one"), [first("a", 1)]), change(head("one", "k2"), [first("a", 1)]));
      await store().transaction((tx) => tx.removeBaselines([head("one"), head("unknown")]));
      expect(await store().baselineHeads()).toEqual([head("one", "k2")]);
      await save(change(head("one"), []));
      expect(await all(head("one"))).toEqual([]);
      expect(await all(head("one", "k2"))).toHaveLength(1);
    });

    test("are read in pages, in an order that depends on the rows alone", async () => {
      const rows = Array.from({ length: 12_000 }, (_, index) => value(`g${index % 7}`, `v${index}`, index));
      await save(change(head("up"), rows));
      for (const row of rows.toReversed()) if (row.time % 3000 === 0) await save(change(head("down"), [row]));
      await save(change(head("down"), rows.toReversed()));
      const read = await all(head("up"), 1000);
      expect(read).toHaveLength(12_000);
      const texts = (list: readonly BaselineRow[]): string[] => list.map((row) => JSON.stringify(row)).sort();
      expect(texts(read)).toEqual(texts(rows));
      expect(await all(head("down"), 700)).toEqual(read);
    });

    test("move with the offset, or not at all", async () => {
      const step = (from: number | null, to: number, rows: readonly BaselineRow[], until: number, fails = false): Promise<void> =>
        store().transaction(async (tx) => {
          await tx.saveBaselines([change(head("one", "k1", { until }), rows)]);
          await tx.moveOffset("job", from, to);
          if (fails) throw new Error("killed");
        });
      await step(null, 1, [value("a", "x", 1)], 10);
      await expect(step(1, 2, [value("a", "y", 2)], 20, true)).rejects.toThrow("killed");
      // Another worker has moved on: what this one has found is not stored either.
      expect(await failureCode(step(7, 8, [value("a", "z", 2)], 30))).toBe("permanent OFFSET_MOVED");
      expect(await store().offset("job")).toBe(1);
      expect(await store().baselineHeads()).toEqual([head("one", "k1", { until: 10 })]);
      expect(await all(head("one"))).toEqual([value("a", "x", 1)]);
    });
  });
}
