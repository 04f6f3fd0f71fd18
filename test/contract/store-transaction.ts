import { describe, expect, test } from "vitest";
import { failureCode, type TheStore } from "./store.ts";
import { alert, event, events, incident, move } from "./subjects.ts";

/** Promises about transactions. */
export function transactionPromises(store: TheStore): void {
  describe("transaction", () => {
    test("does everything that its work does, and gives its result", async () => {
      const result = await store().transaction(async (tx) => {
        await tx.appendEvents("kong/main", [event("kong:1", 5)]);
        await tx.moveCursor(move(null, "c1"));
        await tx.moveOffset("job", null, 1);
        await tx.saveAlerts([alert("a", 1)]);
        return "done";
      });
      expect(result).toBe("done");
      expect(await store().lastSequence()).toBeGreaterThan(0);
      expect((await store().source("kong/main"))?.cursor).toBe("c1");
      expect(await store().offset("job")).toBe(1);
      expect(await store().alerts()).toHaveLength(1);
    });

    test("leaves nothing behind when its work throws, whatever it did before", async () => {
      const boom = new Error("boom");
      const failing = store().transaction(async (tx) => {
        await tx.appendEvents("kong/main", [event("kong:1", 5)]);
        await tx.appendQuarantine("kong/main", [{ code: "RECORD_NOT_JSON", message: "m", position: "p", raw: "r" }], 1);
        await tx.moveCursor(move(null, "c1"));
        await tx.moveOffset("job", null, 1);
        await tx.saveAlerts([alert("a", 1)]);
        await tx.saveIncidents([incident("i", 1)]);
        await tx.addDeliveries([{ key: "k", destination: "d", kind: "alert", subjectId: "a", revision: 1, dueTime: 0, createdTime: 0 }]);
        await tx.saveFacts([{ key: "k", value: "v", first: 1, last: 2 }]);
        throw boom;
      });
      await expect(failing).rejects.toBe(boom);
      const left = await Promise.all([
        store().readLog(0, 10),
        store().quarantine(),
        store().sources(),
        store().alerts(),
        store().incidents(),
        store().deliveries(),
        store().facts(),
      ]);
      expect(left.flat()).toEqual([]);
      expect(await store().offset("job")).toBeNull();
    });

    test("that failed leaves the store usable, also when the failing call was caught inside", async () => {
      const lying = store().transaction(async (tx) => {
        await tx.saveAlerts([alert("a", 1)]);
        // An integer column refuses this, which aborts the transaction on the server.
        await tx.saveAlerts([alert("b", 2 ** 40)]).catch(() => undefined);
      });
      expect(await failureCode(lying)).toBe("retryable STORE_UNAVAILABLE");
      expect(await store().alerts()).toEqual([]);
      await store().transaction((tx) => tx.saveAlerts([alert("c", 1)]));
      expect((await store().alerts()).map(({ id }) => id)).toEqual(["c"]);
    });

    test("says nothing of the values in the failure of a statement", async () => {
      const failing = store().transaction((tx) => tx.saveAlerts([alert("topsecret", 2 ** 40)]));
      const error: unknown = await failing.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(Error);
      const { message, cause, stack } = error as Error;
      expect(`${message} ${stack} ${JSON.stringify(cause)} ${JSON.stringify(error)}`).not.toContain("topsecret");
    });

    test("is not seen by others before its end", async () => {
      let reached = (): void => undefined;
      const halfway = new Promise<void>((resolve) => (reached = resolve));
      const writing = store().transaction(async (tx) => {
        await tx.appendEvents("kong/main", [event("kong:1", 5)]);
        reached();
        // Gives the reader, which started outside, its chance to look.
        await tx.appendEvents("kong/main", [event("kong:2", 5)]);
        await tx.saveAlerts([alert("a", 1)]);
      });
      await halfway;
      const [rows] = await Promise.all([store().readLog(0, 10), writing]);
      expect([0, 2]).toContain(rows.length);
    });

    test("runs beside others without mixing their work", async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 12 }, (_, index) =>
          store().transaction(async (tx) => {
            await tx.appendEvents("kong/main", events(`kong:${index}-`, 3));
            if (index % 3 === 0) throw new Error("given up");
            await tx.moveOffset(`job-${index}`, null, index);
          }),
        ),
      );
      expect(results.filter(({ status }) => status === "rejected")).toHaveLength(4);
      const uids = (await store().readLog(0, 100)).map(({ event: { uid } }) => uid);
      expect(uids).toHaveLength(24);
      expect(uids.filter((uid) => Number(/^kong:(\d+)-/.exec(uid)?.[1]) % 3 === 0)).toEqual([]);
    });

    test("refuses a call of the store from inside, which over one connection would wait for itself", async () => {
      const nested = store().transaction(() => store().lastSequence());
      await expect(nested).rejects.toThrow(/inside a transaction/);
      expect(await store().lastSequence()).toBe(0);
    });

    test("takes calls that do not wait for each other, in their order", async () => {
      await store().transaction((tx) =>
        Promise.all([
          tx.appendEvents("kong/main", events("a", 2)),
          tx.moveOffset("job", null, 1),
          tx.appendEvents("kong/main", events("b", 2)),
        ]),
      );
      expect((await store().readLog(0, 10)).map((logged) => logged.event.uid)).toEqual(["a0", "a1", "b0", "b1"]);
    });

    test("refuses to be used after its end", async () => {
      const escaped = await store().transaction(async (tx) => ({ tx }));
      await expect(escaped.tx.appendEvents("kong/main", [event("kong:1", 5)])).rejects.toThrow(/ended/);
      expect(await store().lastSequence()).toBe(0);
    });
  });
}
