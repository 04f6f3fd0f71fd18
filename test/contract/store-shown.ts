import { describe, expect, test } from "vitest";
import type { OutboxRow, Placement } from "../../src/ports/store.ts";
import { incidentSubject } from "../fixtures/subjects.ts";
import type { TheStore } from "./store.ts";

const MINUTE = 60_000;
const LEASE = 100;

/** Promises about what destinations show. */
export function shownPromises(store: TheStore): void {
  const add = (id: string, revision: number, set: Partial<OutboxRow> = {}): Promise<void> => {
    const { destination = "pager", kind = "incident", createdTime = 0, dueTime = 0, urgency = "usual" } = set;
    const key = `${destination}:${kind}:${id}:${revision}`;
    return store().transaction((tx) =>
      tx.addDeliveries([{ key, destination, kind, subjectId: id, revision, urgency, dueTime, createdTime }]),
    );
  };
  const claim = (now: number, destination = "pager"): Promise<readonly OutboxRow[]> =>
    store().claimDeliveries(destination, 100, now, now + LEASE);
  const done = (key: string, memory?: string) => ({
    key,
    status: "delivered" as const,
    attempts: 1,
    dueTime: 0,
    note: "ok",
    ...(memory === undefined ? {} : { memory }),
  });
  const placed = (row: OutboxRow, set: Partial<Placement> = {}, now = row.createdTime): Promise<string | null> =>
    store().placeIncident(
      {
        row,
        level: "high",
        rule: "r",
        agent: "a",
        lastTime: row.createdTime,
        closed: false,
        foldable: true,
        storm: { incidents: 2, withinMs: MINUTE },
        digestId: `digest-${row.subjectId}`,
        ...set,
      },
      now,
    );
  /** Adds and places the next revision of an incident; nothing is leased. */
  const place = async (id: string, time: number, set: Partial<Placement> = {}, revision = 1): Promise<string | null> => {
    await add(id, revision, { createdTime: time });
    const row = (await store().deliveries()).find(({ key }) => key === `pager:incident:${id}:${revision}`);
    if (row === undefined) throw new Error("it is not in the outbox");
    const digest = await placed(row, set, time);
    if (digest === null) await store().settleDeliveries([done(row.key)], time);
    return digest;
  };
  const digests = async (): Promise<string[]> =>
    (await store().deliveries()).filter(({ kind }) => kind === "digest").map(({ key, status }) => `${key} ${status}`);

  describe("what is urgent", () => {
    test("is claimed first, and then the oldest", async () => {
      await add("a", 1, { createdTime: 1 });
      await add("b", 1, { createdTime: 2, urgency: "first" });
      await add("c", 1, { createdTime: 3, urgency: "first" });
      const two = await store().claimDeliveries("pager", 2, 5, 100);
      expect(two.map(({ subjectId }) => subjectId)).toEqual(["b", "c"]);
      expect((await claim(5)).map(({ subjectId }) => subjectId)).toEqual(["a"]);
      expect((await claim(200)).map(({ subjectId }) => subjectId)).toEqual(["b", "c", "a"]);
    });
  });

  describe("what a delivery leaves", () => {
    test("is there for the next revision of its subject at its destination, until another replaces it", async () => {
      await add("a", 1);
      await add("b", 1);
      await add("a", 1, { destination: "other" });
      expect((await claim(1)).map(({ memory }) => memory ?? null)).toEqual([null, null]);
      await store().settleDeliveries([done("pager:incident:a:1", "ts\u00001"), done("pager:incident:b:1")], 2);
      await add("a", 2);
      await add("b", 2);
      expect(new Map((await claim(3)).map((row) => [row.subjectId, row.memory]))).toEqual(
        new Map([
          ["a", "ts\uFFFD1"],
          ["b", null],
        ]),
      );
      expect((await claim(3, "other"))[0]?.memory ?? null).toBeNull();
      await store().settleDeliveries([done("pager:incident:a:2"), done("pager:incident:b:2", "")], 4);
      await add("a", 3);
      expect((await claim(5))[0]?.memory).toBe("ts\uFFFD1");
      await store().settleDeliveries([done("pager:incident:a:3", "2")], 6);
      await add("a", 4);
      expect((await claim(7))[0]?.memory).toBe("2");
    });

    test("stays when a sender that lost its lease says otherwise", async () => {
      await add("a", 1);
      await store().settleDeliveries([done("pager:incident:a:1", "first")], 2);
      await store().settleDeliveries([done("pager:incident:a:1", "late")], 3);
      await add("a", 2);
      expect((await claim(5))[0]?.memory).toBe("first");
    });
  });

  describe("placeIncident", () => {
    test("folds what opens beside too many others, and no other destination's", async () => {
      expect(await place("a", 0)).toBeNull();
      expect(await place("b", 1000)).toBeNull();
      expect(await place("c", 2000)).toBe("digest-c");
      expect(await place("d", 2000)).toBe("digest-c");
      expect(await digests()).toEqual(["pager:digest:digest-c:1 pending"]);
      const row = (await store().deliveries()).find(({ key }) => key === "pager:incident:c:1");
      expect(row).toMatchObject({ status: "delivered", note: "folded into digest-c", settledTime: 2000 });
      await add("c", 1, { destination: "other", createdTime: 2000 });
      expect(await placed((await claim(2000, "other"))[0]!)).toBeNull();
    });

    test("begins anew when nothing opened for long enough, to the millisecond", async () => {
      for (const id of ["a", "b"]) await place(id, 0);
      expect(await place("c", MINUTE - 1)).toBe("digest-c");
      expect(await place("d", 2 * MINUTE - 1)).toBeNull();
    });

    test("keeps what was decided, for later revisions and the same one again", async () => {
      for (const id of ["a", "b", "c"]) await place(id, 0);
      expect(await place("a", 5, {}, 2)).toBeNull();
      expect(await place("c", 6, {}, 2)).toBe("digest-c");
      expect(await place("c", 50 * MINUTE, {}, 3)).toBe("digest-c");
      expect(await place("a", 50 * MINUTE, {}, 3)).toBeNull();
    });

    test("never folds what may not be, and takes it out of its digest when it becomes so", async () => {
      for (const id of ["a", "b"]) await place(id, 0);
      expect(await place("c", 0, { foldable: false })).toBeNull();
      expect(await place("d", 0)).toBe("digest-d");
      expect(await place("d", 0, { foldable: false, level: "critical" }, 2)).toBeNull();
      expect(await store().digest("digest-d")).toMatchObject({ incidents: 0, open: 0 });
      // Its end goes where it was shown.
      expect(await place("d", 0, { foldable: false, closed: true }, 3)).toBeNull();
    });

    test("closes what is folded in its digest, which ends with the last of them; what is opened again is decided again", async () => {
      for (const id of ["a", "b", "c", "d"]) await place(id, 0);
      expect(await place("c", 10, { closed: true }, 2)).toBe("digest-c");
      expect(await store().digest("digest-c")).toMatchObject({ incidents: 2, open: 1 });
      expect(await place("d", 20, { closed: true, foldable: false }, 2)).toBe("digest-c");
      expect(await store().digest("digest-c")).toMatchObject({ incidents: 2, open: 0 });
      expect(await place("e", 30)).toBe("digest-e");
      expect(await place("c", 40, {}, 3)).toBe("digest-e");
      expect(await store().digest("digest-c")).toMatchObject({ incidents: 1, open: 0 });
      expect(await place("d", 10 * MINUTE, {}, 3)).toBeNull();
      expect(await store().digest("digest-c")).toMatchObject({ incidents: 0, open: 0 });
    });

    test("has nothing to say of an end that it never saw begin", async () => {
      expect(await place("a", 0, { closed: true })).toBeNull();
      for (const id of ["b", "c"]) expect(await place(id, 0)).toBeNull();
    });

    test("makes one revision of a digest for all that changes before it is claimed, and another for what comes later", async () => {
      for (const id of ["a", "b", "c", "d", "e"]) await place(id, 0);
      expect(await digests()).toEqual(["pager:digest:digest-c:1 pending"]);
      const [row] = await claim(1);
      expect(row).toMatchObject({ kind: "digest", revision: 1, dueTime: 0 });
      await add("f", 1, { createdTime: 2 });
      const f = (await claim(2)).find(({ subjectId }) => subjectId === "f")!;
      await placed(f);
      expect(await digests()).toEqual(["pager:digest:digest-c:2 pending", "pager:digest:digest-c:1 pending"]);
      await store().settleDeliveries([done(row!.key)], 3);
      // Not at once: it only adds to what is open.
      expect(await claim(3)).toEqual([]);
      expect((await claim(20_000)).map(({ key }) => key)).toEqual(["pager:digest:digest-c:2"]);
    });

    test("decides one after the other, whoever asks at the same time", async () => {
      const ids = Array.from({ length: 12 }, (_, index) => `i${index}`);
      for (const id of ids) await add(id, 1);
      const rows = await claim(0);
      const answers = await Promise.all(rows.map((row) => placed(row)));
      expect(answers.filter((answer) => answer === null)).toHaveLength(2);
      expect(new Set(answers.filter((answer) => answer !== null)).size).toBe(1);
      expect(await digests()).toHaveLength(1);
    });
  });

  describe("digest", () => {
    test("counts by level, rule and agent, and takes its level from what is open", async () => {
      for (const id of ["a", "b"]) await place(id, 0);
      await place("c", 10, { level: "high", rule: "x\u0000", agent: "one", lastTime: 7 });
      await place("d", 20, { level: "medium", rule: "y", agent: "one", lastTime: 9 });
      await place("e", 30, { level: "medium", rule: "y", agent: "two", lastTime: 8 });
      const expected = {
        id: "digest-c",
        destination: "pager",
        openedTime: 10,
        newestTime: 30,
        lastTime: 9,
        incidents: 3,
        open: 3,
        level: "high",
        levels: [
          { name: "medium", count: 2 },
          { name: "high", count: 1 },
        ],
        rules: [
          { name: "y", count: 2 },
          { name: "x\uFFFD", count: 1 },
        ],
        agents: [
          { name: "one", count: 2 },
          { name: "two", count: 1 },
        ],
      };
      expect(await store().digest("digest-c")).toEqual(expected);
      await place("c", 40, { level: "high", rule: "x", agent: "one", lastTime: 7, closed: true }, 2);
      expect(await store().digest("digest-c")).toMatchObject({ open: 2, level: "medium" });
      expect(await store().digest("digest-a")).toBeUndefined();
    });
  });

  describe("expire, of what is shown", () => {
    const DAY = 86_400_000;
    const retention = { log: null, quarantine: null, deliveries: null, alerts: null, incidents: DAY, audit: null };
    const run = (now: number) =>
      store().expire({
        retention,
        now,
        keepFrom: null,
        alertsKeepFrom: null,
        signal: new AbortController().signal,
        logKeepFrom: null,
      });

    test("takes out what is older than incidents are kept, and nothing of an incident that is still stored", async () => {
      await store().transaction((tx) => tx.saveIncidents([{ ...incidentSubject().incident, id: "c", revision: 1, lastTime: 0 }]));
      for (const id of ["a", "b", "c", "d"]) await place(id, 0);
      await run(DAY);
      expect(await store().digest("digest-c")).toMatchObject({ incidents: 2 });
      await run(DAY + 1);
      expect(await store().digest("digest-c")).toMatchObject({ incidents: 1 });
    });
  });
}
