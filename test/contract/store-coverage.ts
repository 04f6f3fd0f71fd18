import { describe, expect, test } from "vitest";
import { sketchOf } from "../../src/core/completeness/lateness.ts";
import type { SourceGap } from "../../src/core/completeness/gap.ts";
import type { Condition } from "../../src/core/completeness/condition.ts";
import type { SourceLateness } from "../../src/ports/store.ts";
import type { TheStore } from "./store.ts";
import { move } from "./subjects.ts";

const DAY = 86_400_000;

/** Promises about gaps, lateness, conditions and signs of agents. */
export function coveragePromises(store: TheStore): void {
  const gap = (id: string, more: Partial<SourceGap> = {}): SourceGap => ({
    id,
    source: "a/1",
    from: 10,
    to: 20,
    why: "count",
    detail: "d",
    state: "open",
    foundTime: 5,
    endTime: null,
    whole: null,
    ...more,
  });
  const save = (...gaps: SourceGap[]): Promise<void> => store().transaction((tx) => tx.saveGaps(gaps));

  describe("gaps", () => {
    test("are given back as they were, the open ones by their beginning, of one source alone", async () => {
      const first = gap("b", { from: 1, to: null, why: "unreachable", detail: "\0ä" });
      await save(gap("a"), first, gap("c", { state: "healed", endTime: 9 }), gap("d", { source: "b/1" }));
      const open = await store().transaction((tx) => tx.openGaps("a/1"));
      expect(open).toEqual([{ ...first, detail: "\uFFFDä" }, gap("a")]);
    });
    test("that are open are counted with their source", async () => {
      await store().transaction((tx) => tx.moveCursor(move(null, "c1", { source: "a/1" })));
      await save(gap("a"), gap("b"), gap("c", { state: "healed", endTime: 9 }), gap("d", { source: "b/1" }));
      expect((await store().source("a/1"))?.openGaps).toBe(2);
      expect((await store().sources()).map(({ openGaps }) => openGaps)).toEqual([2]);
    });
    test("are replaced by id", async () => {
      await save(gap("a"), gap("b"));
      const less = gap("a", { from: 12, whole: { from: 1, to: 40 } });
      await save(less);
      expect(await store().gaps({ recent: 0 })).toEqual([less, gap("b")]);
      await save(gap("a", { from: 12, state: "healed", endTime: 30 }));
      expect(await store().gaps({ recent: 0 })).toEqual([gap("a", { from: 12, state: "healed", endTime: 30 }), gap("b")]);
    });
    test("are shown newest first: the open ones, and with `recent` those that ended since", async () => {
      await save(
        gap("a"),
        gap("b", { foundTime: 6 }),
        gap("c", { state: "healed", foundTime: 7, endTime: 9 }),
        gap("d", { source: "b/1" }),
      );
      const ids = async (filter?: Parameters<ReturnType<TheStore>["gaps"]>[0]) => (await store().gaps(filter)).map(({ id }) => id);
      expect(await ids()).toEqual(["b", "a", "d"]);
      expect(await ids({ recent: 9 })).toEqual(["c", "b", "a", "d"]);
      expect(await ids({ recent: 10 })).toEqual(["b", "a", "d"]);
      expect(await ids({ source: "b/1" })).toEqual(["d"]);
      expect(await ids({ limit: 1 })).toEqual(["b"]);
    });
    test("that ended are kept up to a number, the newest of each source; open ones all", async () => {
      const ended = (index: number): SourceGap => gap(`e${index}`, { state: "healed", foundTime: index, endTime: index });
      await save(gap("open", { foundTime: 0 }), gap("other", { source: "b/1", state: "healed", endTime: 1, foundTime: 0 }));
      await save(...Array.from({ length: 250 }, (_, index) => ended(index)));
      const left = (await store().gaps({ recent: 0 })).map(({ id }) => id);
      expect(left).toHaveLength(202);
      expect(left).toContain("open");
      expect(left).toContain("other");
      expect(left).toContain("e249");
      expect(left).not.toContain("e49");
    });
    test("wait for another transaction that changes the source", async () => {
      await store().transaction((tx) => tx.moveCursor(move(null, "c1", { source: "a/1" })));
      await save(gap("a"));
      const heal = (to: number): Promise<void> =>
        store().transaction(async (tx) => {
          const [open] = await tx.openGaps("a/1");
          if (open !== undefined) await tx.saveGaps([{ ...open, from: Math.max(open.from, to) }]);
        });
      await Promise.all([heal(14), heal(12), heal(16)]);
      expect(await store().gaps()).toMatchObject([{ from: 16 }]);
    });
    test("go with the transaction", async () => {
      const broken = store().transaction(async (tx) => {
        await tx.saveGaps([gap("a")]);
        throw new Error("stop");
      });
      await expect(broken).rejects.toThrow("stop");
      expect(await store().gaps()).toEqual([]);
    });
  });

  describe("lateness", () => {
    const late = (source: string, lag: number[], behind: number[]): SourceLateness => ({
      source,
      lag: sketchOf(lag),
      late: sketchOf(behind),
    });
    const add = (day: number, one: SourceLateness): Promise<void> => store().transaction((tx) => tx.addLateness(day, one));
    test("adds up over batches and days, per source", async () => {
      await add(DAY, late("a/1", [5, 700], [0, 0]));
      await add(DAY, late("a/1", [100_000], [9000]));
      await add(2 * DAY, late("a/1", [50], [3]));
      await add(2 * DAY, late("b/1", [1], [1]));
      expect(await store().lateness(0)).toEqual([late("a/1", [5, 700, 100_000, 50], [0, 0, 9000, 3]), late("b/1", [1], [1])]);
      expect(await store().lateness(2 * DAY)).toEqual([late("a/1", [50], [3]), late("b/1", [1], [1])]);
    });
    test("fades: days of more than a month ago are deleted with the first batch of a day", async () => {
      await add(DAY, late("a/1", [5], [0]));
      await add(DAY, late("b/1", [5], [0]));
      await add(40 * DAY, late("a/1", [6], [0]));
      expect((await store().lateness(0)).map(({ source, lag }) => [source, lag.max])).toEqual([
        ["a/1", 6],
        ["b/1", 5],
      ]);
    });
  });

  describe("conditions", () => {
    const condition = (entity: string, more: Partial<Condition> = {}): Condition => ({
      rule: "r",
      entity,
      since: 5,
      ended: null,
      level: "high",
      detail: "d",
      ...more,
    });
    const put = (...list: Condition[]): Promise<void> => store().transaction((tx) => tx.saveConditions(list));
    test("are those that last and those that ended since, oldest first", async () => {
      await put(condition("b"), condition("a", { since: 3, ended: 7 }), condition("c", { since: 4, ended: 9 }));
      expect(await store().conditions(8)).toEqual([condition("c", { since: 4, ended: 9 }), condition("b")]);
      await put(condition("b", { ended: 10, level: "low" }));
      expect(await store().conditions(10)).toEqual([condition("b", { ended: 10, level: "low" })]);
      expect(await store().conditions(0)).toHaveLength(3);
    });
    test("that ended long ago are forgotten", async () => {
      await put(condition("a", { ended: DAY }), condition("b"));
      await put(condition("c", { since: 50 * DAY, ended: 50 * DAY }));
      expect((await store().conditions(0)).map(({ entity }) => entity)).toEqual(["b", "c"]);
    });
  });

  test("of an agent and a source the latest sign is kept", async () => {
    const seen = (agent: string, source: string, last: number) => ({ agent, source, last });
    const see = (...list: ReturnType<typeof seen>[]): Promise<void> => store().transaction((tx) => tx.saveAgentsSeen(list));
    await see(seen("a", "x/1", 5), seen("a", "x/1", 9), seen("a", "y/1", 7), seen("b", "x/1", 1));
    await see(seen("a", "x/1", 8), seen("b", "x/1", 2));
    expect(await store().agentsSeen()).toEqual([seen("a", "x/1", 9), seen("a", "y/1", 7), seen("b", "x/1", 2)]);
  });
}
