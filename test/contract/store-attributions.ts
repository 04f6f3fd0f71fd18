import { describe, expect, test } from "vitest";
import type { Attribution } from "../../src/core/identity/attribution.ts";
import type { TheStore } from "./store.ts";

/** What `saveAttributions` and `attributions` promise. */
export function attributionPromises(store: TheStore): void {
  const row = (uid: string, agentUid: string, confidence = 60): Attribution => {
    const attributionId = confidence === 20 ? 4 : 3;
    return { uid, agentUid, time: 1_774_915_200_000, attributionId, confidence, path: `[{"from":"ip:${uid}","to":"=${agentUid}"}]` };
  };
  const save = (rows: readonly Attribution[]): Promise<void> => store().transaction((tx) => tx.saveAttributions(rows));

  describe("saveAttributions", () => {
    test("keeps a row for each agent of an event, and gives those of the events that are asked for", async () => {
      const rows = [row("a", "one", 20), row("a", "two", 20), row("b", "one")];
      await save(rows);
      await save([row("c", "one")]);
      const found = await store().attributions(["b", "a", "unknown"]);
      expect(found.toSorted((x, y) => (x.uid + x.agentUid < y.uid + y.agentUid ? -1 : 1))).toEqual(rows);
      expect(await store().attributions([])).toEqual([]);
    });

    test("what was decided stays as it was decided first", async () => {
      await save([row("a", "one", 75), row("a", "one", 75)]);
      await save([row("a", "one", 30)]);
      expect(await store().attributions(["a"])).toEqual([row("a", "one", 75)]);
    });

    test("takes texts that an agent chose, and keeps nothing of a transaction that fails", async () => {
      await save([row("u\0\uD800", "agent\0x")]);
      expect(await store().attributions(["u\0\uD800"])).toMatchObject([{ agentUid: "agent\uFFFDx" }]);
      const failing = store().transaction(async (tx) => {
        await tx.saveAttributions([row("z", "one")]);
        throw new Error("no");
      });
      await expect(failing).rejects.toThrow("no");
      expect(await store().attributions(["z"])).toEqual([]);
    });
  });
}
