/** What is due, and what is known of destinations. */
import { describe, expect, test } from "vitest";
import { delivery } from "./store-outbox.ts";
import type { TheStore } from "./store.ts";

/** The promises of the store about destinations. */
export function destinationPromises(store: TheStore): void {
  describe("haveDue", () => {
    test("names the given destinations with something due that nobody holds", async () => {
      await store().transaction((tx) =>
        tx.addDeliveries([
          { ...delivery("a", 1, { dueTime: 5 }), key: "b/1:alert:a:1", destination: "b/1" },
          { ...delivery("a", 1, { dueTime: 50 }), key: "a/1:alert:a:1", destination: "a/1" },
          { ...delivery("b", 1, { dueTime: 5 }), key: "c/1:alert:b:1", destination: "c/1" },
        ]),
      );
      expect(await store().haveDue(["c/1", "a/1", "b/1", "none/1"], 10)).toEqual(["b/1", "c/1"]);
      expect(await store().haveDue(["a/1"], 50)).toEqual(["a/1"]);
      expect(await store().haveDue([], 50)).toEqual([]);
      await store().claimDeliveries("b/1", 10, 10, 100);
      expect(await store().haveDue(["b/1"], 99)).toEqual([]);
      expect(await store().haveDue(["b/1"], 100)).toEqual(["b/1"]);
    });
  });

  describe("destinations", () => {
    test("that fail are remembered until they work, or until somebody enables those that were given up", async () => {
      const since = 1_000;
      await store().saveDestination({ destination: "a/1", failingSince: since, disabledTime: null, reason: "HTTP_DENIED: no\u0000" });
      await store().saveDestination({ destination: "b/1", failingSince: since, disabledTime: 2_000, reason: "x" });
      await store().saveDestination({ destination: "a/1", failingSince: since, disabledTime: null, reason: "y" });
      expect(await store().destinations()).toEqual([
        { destination: "a/1", failingSince: since, disabledTime: null, reason: "y" },
        { destination: "b/1", failingSince: since, disabledTime: 2_000, reason: "x" },
      ]);
      expect(await store().enableDestination("a/1", 3_000)).toBe(false);
      expect(await store().enableDestination("b/1", 3_000, "ann")).toBe(true);
      await store().saveDestination({ destination: "a/1", failingSince: null });
      expect(await store().destinations()).toEqual([]);
    });

    test("are summed up: what waits, what was delivered of late and how long that took, what is dead", async () => {
      await store().transaction((tx) =>
        tx.addDeliveries(
          ["a", "b", "c", "d"].map((id) => ({ ...delivery(id, 1, { createdTime: 100 }), key: `s/1:alert:${id}:1`, destination: "s/1" })),
        ),
      );
      const settle = (id: string, status: "delivered" | "dead", now: number) =>
        store().settleDeliveries([{ key: `s/1:alert:${id}:1`, status, attempts: 1, dueTime: 0, note: "n" }], now);
      await settle("a", "delivered", 150);
      await settle("b", "delivered", 300);
      await settle("c", "dead", 400);
      const of = async (since: number) => (await store().destinationSummaries(since)).find(({ destination }) => destination === "s/1");
      expect(await of(0)).toEqual({
        destination: "s/1",
        pending: 1,
        oldestPending: 100,
        delivered: 2,
        dead: 1,
        lastDelivered: 300,
        p50Ms: 50,
        p99Ms: 200,
      });
      expect(await of(200)).toMatchObject({ delivered: 1, p50Ms: 200, dead: 1 });
    });
  });
}
