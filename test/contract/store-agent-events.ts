import { describe, expect, test } from "vitest";
import type { TheStore } from "./store.ts";
import { event } from "./subjects.ts";

/** Promises about reading single events, and those of one agent. */
export function agentEventPromises(store: TheStore): void {
  const append = (...list: ReturnType<typeof event>[]): Promise<unknown> => store().transaction((tx) => tx.appendEvents("kong/main", list));

  describe("logged", () => {
    test("gives events with their places, in the order asked for, unknown ones left out", async () => {
      await append(event("a", 1), event("b", 2), event("c", 3));
      const places = new Map((await store().readLog(0, 10)).map(({ sequence, event: { uid } }) => [uid, sequence]));
      const found = await store().logged(["c", "nobody", "a", "c"]);
      expect(found.map((one) => [one.event.uid, one.sequence])).toEqual([
        ["c", places.get("c")],
        ["a", places.get("a")],
      ]);
      expect(await store().logged([])).toEqual([]);
    });
  });

  describe("eventsOfAgent", () => {
    test("gives what one agent did from and to a time, both included, the newest first and no more than the limit", async () => {
      const of = (uid: string, time: number, agentUid: string | undefined) => event(uid, time, { agentUid });
      await append(
        of("late", 40, "x"),
        of("b", 20, "x"),
        of("a", 10, "x"),
        of("other", 15, "y"),
        of("none", 16, undefined),
        of("c", 30, "x"),
      );
      const uids = async (from: number, to: number, limit = 9): Promise<string[]> =>
        (await store().eventsOfAgent("x", from, to, limit)).map(({ uid }) => uid);
      expect(await uids(10, 30)).toEqual(["c", "b", "a"]);
      expect(await uids(11, 29)).toEqual(["b"]);
      expect(await uids(0, 99, 2)).toEqual(["late", "c"]);
      expect(await store().eventsOfAgent("\0x", 0, 99, 9)).toEqual([]);
    });
  });
}
