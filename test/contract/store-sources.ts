import { describe, expect, test } from "vitest";
import type { Reject } from "../../src/ports/connector.ts";
import type { Fact, SourceChange } from "../../src/ports/store.ts";
import { failureCode, type TheStore } from "./store.ts";
import { move } from "./subjects.ts";

/** Promises about cursors, offsets, facts and the quarantine. */
export function sourcePromises(store: TheStore): void {
  const moveCursor = (change: SourceChange): Promise<void> => store().transaction((tx) => tx.moveCursor(change));
  const moveOffset = (job: string, from: number | null, to: number): Promise<void> =>
    store().transaction((tx) => tx.moveOffset(job, from, to));

  describe("moveCursor", () => {
    test("creates a source at null and moves it on from what was read", async () => {
      expect(await store().source("kong/main")).toBeUndefined();
      await moveCursor(move(null, "c1"));
      await moveCursor(move("c1", "c2"));
      expect((await store().source("kong/main"))?.cursor).toBe("c2");
    });

    test("fails when the stored cursor is another one, and changes nothing", async () => {
      expect(await failureCode(moveCursor(move("c1", "c2")))).toBe("permanent CURSOR_MOVED");
      expect(await store().sources()).toEqual([]);
      await moveCursor(move(null, "c1", { stored: 5 }));
      expect(await failureCode(moveCursor(move(null, "c9", { stored: 5 })))).toBe("permanent CURSOR_MOVED");
      expect(await failureCode(moveCursor(move("c0", "c9", { stored: 5 })))).toBe("permanent CURSOR_MOVED");
      expect(await store().source("kong/main")).toMatchObject({ cursor: "c1", events: 5 });
    });

    test("lets one of several workers win", async () => {
      await moveCursor(move(null, "c1"));
      const codes = await Promise.all(["x", "y", "z"].map((to) => failureCode(moveCursor(move("c1", to, { stored: 1 })))));
      expect(codes.toSorted()).toEqual(["none", "permanent CURSOR_MOVED", "permanent CURSOR_MOVED"]);
      expect((await store().source("kong/main"))?.events).toBe(1);
      const first = await Promise.all(["x", "y"].map((to) => failureCode(moveCursor(move(null, to, { source: "new" })))));
      expect(first.toSorted()).toEqual(["none", "permanent CURSOR_MOVED"]);
    });

    test("adds to the counters, and never moves a watermark or the newest time back", async () => {
      await moveCursor(move(null, "1", { watermark: 50, newestTime: 60, now: 1, stored: 1, duplicates: 2, quarantined: 3, late: 4 }));
      await moveCursor(move("1", "2", { watermark: 40, newestTime: 30, now: 2, stored: 1, duplicates: 1, quarantined: 1, late: 1 }));
      await moveCursor(move("2", "3", { now: 3 }));
      expect(await store().source("kong/main")).toEqual({
        source: "kong/main",
        cursor: "3",
        watermark: 50,
        newestTime: 60,
        lastSuccessTime: 3,
        progressTime: 1,
        lastError: null,
        pausedReason: null,
        events: 2,
        duplicates: 3,
        quarantined: 4,
        lateEvents: 5,
        openGaps: 0,
      });
    });

    test("keeps when the source last came further, from its first move on", async () => {
      const further = async () => (await store().source("kong/main"))?.progressTime;
      await store().noteSource("kong/main", { error: "E: no", now: 1 });
      expect(await further()).toBeNull();
      await moveCursor(move(null, "1", { now: 2 }));
      await moveCursor(move("1", "2", { now: 3 }));
      expect(await further()).toBe(2);
      await moveCursor(move("2", "3", { now: 4, progress: true }));
      await moveCursor(move("3", "4", { now: 5 }));
      expect(await further()).toBe(4);
    });

    test("lets a source without cursors stay at null", async () => {
      await moveCursor(move(null, null, { stored: 1, watermark: 5 }));
      await moveCursor(move(null, null, { stored: 1 }));
      expect(await store().source("kong/main")).toMatchObject({ cursor: null, events: 2, watermark: 5 });
    });

    test("gives back any cursor as it was", async () => {
      const nasty = ["", "null", '{"a":"\\u0000"}', "\0\ud800", "x".repeat(4096), "ä"];
      let from: string | null = null;
      for (const to of nasty) {
        await moveCursor(move(from, to));
        expect((await store().source("kong/main"))?.cursor).toBe(to);
        from = to;
      }
    });
  });

  describe("noteSource", () => {
    test("records an error or a pause and leaves the rest as it is, also for a source that was never pulled", async () => {
      await store().noteSource("kong/main", { error: "E: broken", now: 5 });
      await store().noteSource("kong/main", { pausedReason: "denied", now: 6 });
      expect(await store().source("kong/main")).toMatchObject({ lastError: "E: broken", pausedReason: "denied", cursor: null });
      await moveCursor(move(null, "c1"));
      await store().noteSource("kong/main", { pausedReason: null, now: 7 });
      expect(await store().source("kong/main")).toMatchObject({ pausedReason: null, cursor: "c1" });
    });

    test("keeps a pause over a success, which ends an error", async () => {
      await store().noteSource("kong/main", { error: "E: broken", pausedReason: "denied", now: 5 });
      await moveCursor(move(null, "c1", { now: 6 }));
      expect(await store().source("kong/main")).toMatchObject({ lastError: null, pausedReason: "denied", lastSuccessTime: 6 });
      await store().noteSource("kong/main", { error: "E: again", now: 7 });
      await store().noteSource("kong/main", { error: null, now: 8 });
      expect((await store().source("kong/main"))?.lastError).toBeNull();
    });

    test("shows all sources by name", async () => {
      for (const source of ["b", "a", "c"]) await store().noteSource(source, { now: 1 });
      expect((await store().sources()).map(({ source }) => source)).toEqual(["a", "b", "c"]);
    });
  });

  describe("moveOffset", () => {
    test("moves only from what is stored", async () => {
      expect(await store().offset("job")).toBeNull();
      expect(await failureCode(moveOffset("job", 5, 6))).toBe("permanent OFFSET_MOVED");
      await moveOffset("job", null, 5);
      expect(await failureCode(moveOffset("job", null, 6))).toBe("permanent OFFSET_MOVED");
      expect(await failureCode(moveOffset("job", 4, 6))).toBe("permanent OFFSET_MOVED");
      await moveOffset("job", 5, 9);
      expect(await store().offset("job")).toBe(9);
      expect(await store().offset("other")).toBeNull();
    });

    test("lets one of several workers win", async () => {
      const first = await Promise.all([1, 2, 3].map((to) => failureCode(moveOffset("job", null, to))));
      expect(first.filter((code) => code === "none")).toHaveLength(1);
      const from = await store().offset("job");
      const second = await Promise.all([11, 12, 13].map((to) => failureCode(moveOffset("job", from, to))));
      expect(second.filter((code) => code === "permanent OFFSET_MOVED")).toHaveLength(2);
    });
  });

  describe("saveFacts", () => {
    const save = (facts: readonly Fact[]): Promise<void> => store().transaction((tx) => tx.saveFacts(facts));

    test("merges by key and value to the widest time", async () => {
      await save([
        { key: "dns:10.0.0.1", value: "a", first: 10, last: 20 },
        { key: "dns:10.0.0.1", value: "a", first: 5, last: 8 },
        { key: "dns:10.0.0.1", value: "b", first: 1, last: 1 },
      ]);
      await save([
        { key: "dns:10.0.0.1", value: "a", first: 7, last: 30 },
        { key: "dns:10.0.0.1", value: "b", first: 1, last: 1 },
      ]);
      expect(new Set(await store().facts())).toEqual(
        new Set([
          { key: "dns:10.0.0.1", value: "a", first: 5, last: 30 },
          { key: "dns:10.0.0.1", value: "b", first: 1, last: 1 },
        ]),
      );
    });

    test("keeps the event that showed a fact first, of several the smallest", async () => {
      const fact = (first: number, origin?: string): Fact => ({ key: "k", value: "v", first, last: 90, ...(origin && { origin }) });
      await save([fact(10, "b"), fact(10, "a"), fact(20, "0")]);
      expect(await store().facts()).toEqual([fact(10, "a")]);
      await save([fact(10, "0")]);
      expect(await store().facts()).toEqual([fact(10, "0")]);
      await save([fact(30, "-")]);
      expect(await store().facts()).toEqual([fact(10, "0")]);
      await save([fact(5, "z")]);
      expect(await store().facts()).toEqual([fact(5, "z")]);
    });

    test("gives the facts whose keys start with one of some texts", async () => {
      const fact = (key: string): Fact => ({ key, value: "v", first: 1, last: 2 });
      await save(["link:cred:a", "link:cred:b", "seen:cred:a@1", "seen:cred:ab@1", "%"].map(fact));
      const keys = async (...starts: string[]) => (await store().facts(starts)).map(({ key }) => key);
      expect(await keys("link:cred:a", "seen:cred:a@")).toEqual(["link:cred:a", "seen:cred:a@1"]);
      expect(await keys("%", "_")).toEqual(["%"]);
      expect(await keys()).toEqual([]);
    });

    test("keeps apart what only looks alike, and takes values of any length", async () => {
      const facts = [
        { key: "ab", value: "c", first: 1, last: 2 },
        { key: "a", value: "bc", first: 1, last: 2 },
        { key: "long", value: "€".repeat(5000), first: 1, last: 2 },
      ];
      await save(facts);
      expect(new Set(await store().facts())).toEqual(new Set(facts));
    });
  });

  describe("appendQuarantine", () => {
    const reject = (raw: string, position = "f:1"): Reject => ({ code: "RECORD_NOT_JSON", message: "not JSON", position, raw });
    const put = (source: string, rejects: readonly Reject[], now = 7): Promise<void> =>
      store().transaction((tx) => tx.appendQuarantine(source, rejects, now));

    test("keeps the record with the reason and the place, newest first", async () => {
      await put("kong/main", [reject("{one", "f:1"), reject("{two", "f:2")]);
      await put("okta/main", [reject("{three", "f:3")], 8);
      const all = await store().quarantine();
      expect(all.map(({ raw }) => raw)).toEqual(["{three", "{two", "{one"]);
      expect(all[2]).toEqual({ ...reject("{one"), id: all[2]?.id, source: "kong/main", time: 7 });
      expect((await store().quarantine({ source: "kong/main", limit: 1 })).map(({ raw }) => raw)).toEqual(["{two"]);
      expect(await store().quarantine({ id: all[1]?.id ?? 0 })).toEqual([all[1]]);
    });

    test("makes any bytes storable and cuts what is too long between characters", async () => {
      await put("kong/main", [reject("a\0b\ud800c"), reject("€".repeat(40_000)), reject("x".repeat(65_536))]);
      const [exact, long, odd] = await store().quarantine();
      expect(odd?.raw).toBe("a\uFFFDb\uFFFDc");
      expect(long?.raw).toBe("€".repeat(Math.floor(65_536 / 3)));
      expect(exact?.raw).toHaveLength(65_536);
    });

    test("takes more records at once than one statement holds", async () => {
      await put(
        "kong/main",
        Array.from({ length: 450 }, (_, index) => reject(String(index))),
      );
      expect((await store().quarantine()).map(({ raw }) => Number(raw))).toEqual(Array.from({ length: 450 }, (_, index) => 449 - index));
    });
  });
}
