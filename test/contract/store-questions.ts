import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ATTRIBUTION, type Event } from "../../src/core/event.ts";
import type { Logged } from "../../src/ports/store.ts";
import type { StoreUnderTest } from "./store.ts";
import { event } from "./subjects.ts";

const ID_FIELDS = ["runUid", "sessionUid", "traceUid", "conversationUid", "requestUid"] as const;

/** Promises about what an agent did and what belongs to a run. */
export function questionPromises(subject: () => StoreUnderTest): void {
  const store = () => subject().store;
  const append = (list: readonly Event[]) => store().transaction((tx) => tx.appendEvents("kong/main", list));
  const uidsOf = (list: readonly Event[]): string[] => list.map(({ uid }) => uid).sort();
  const found = (list: readonly Logged[]): string[] => uidsOf(list.map((logged) => logged.event));
  const shared = (uid: string, time: number, agents: string[], set: Partial<Event> = {}): Event =>
    event(uid, time, { attributionId: ATTRIBUTION.shared, agents, attributionConfidence: 50, ...set });
  /** As what is decided behind the watermark is stored. */
  const late = (uid: string, agent: string, time: number, id: number): Promise<unknown> =>
    subject().query(
      `insert into custodes.attribution select hash, '${agent}', ${time}, ${id}, 80, '[]' from custodes.log_uid
       join custodes.log using (sequence) where body like '%"uid":"${uid}"%'`,
    );

  describe("eventsByRefs", () => {
    test("finds events by each of their ids, and by nothing else", async () => {
      const list = ID_FIELDS.map((field, index) => event(`e${index}`, index, { [field]: "x" }));
      await append([...list, event("no", 1, { operation: "x", agentUid: "x", spanUid: "x" }), event("near", 1, { runUid: "xx" })]);
      const { events, complete } = await store().eventsByRefs(["x"], 100);
      expect(found(events)).toEqual(uidsOf(list));
      expect(complete).toBe(true);
      expect(events).toStrictEqual((await store().readLog(0, 5)).toSorted((a, b) => a.sequence - b.sequence));
      expect(await store().eventsByRefs(["X"], 100)).toEqual({ events: [], complete: true });
      expect(await store().eventsByRefs([], 100)).toEqual({ events: [], complete: true });
    });

    test("finds ids of any text", async () => {
      const odd = ['"', "\\", "a\tb", "\0", "\ud800", "ä€🙂", "%_", "'", "x".repeat(1000), " ", "{}"];
      await append(odd.map((id, index) => event(`e${index}`, index, { traceUid: id })));
      for (const [index, id] of odd.entries()) expect(found((await store().eventsByRefs([id], 10)).events)).toEqual([`e${index}`]);
    });

    test("agrees with looking at every event, however they were appended", async () => {
      const id = fc.option(
        fc.integer({ min: 0, max: 30 }).map((n) => `id-${n}`),
        { nil: undefined, freq: 1 },
      );
      const batches = fc.array(fc.array(fc.tuple(id, id, id, id, id), { minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(
          batches,
          fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 8 }),
          async (lists, wanted) => {
            round++;
            const all: Event[] = [];
            for (const [number, list] of lists.entries()) {
              const made = list.map((ids, index) =>
                event(
                  `${round}.${number}.${index}`,
                  index,
                  Object.fromEntries(ID_FIELDS.map((field, at) => [field, ids[at] && `${round}:${ids[at]}`])),
                ),
              );
              await append(made);
              all.push(...made);
            }
            const ids = wanted.map((n) => `${round}:id-${n}`);
            const expected = all.filter((one) => ID_FIELDS.some((field) => ids.includes(one[field] ?? "")));
            const answer = await store().eventsByRefs(ids, 10_000);
            expect(found(answer.events)).toEqual(uidsOf(expected));
            expect(answer.complete).toBe(true);
          },
        ),
        { numRuns: 15 },
      );
    });

    test("takes no more than the limit, and says that there is more", async () => {
      await append(Array.from({ length: 600 }, (_, index) => event(`e${index}`, index, { sessionUid: "s", traceUid: `t${index}` })));
      const some = await store().eventsByRefs(["s"], 50);
      expect([some.events.length, some.complete]).toEqual([50, false]);
      const many = Array.from({ length: 40 }, (_, index) => `t${index}`);
      const first = await store().eventsByRefs(many, 1000);
      expect([first.events.length, first.complete]).toEqual([32, false]);
    });

    test("near some sequences, looks at the days around them and at no others", async () => {
      for (let number = 20_000; number < 20_010; number++) {
        subject().clock.now = number * 86_400_000;
        await append([event(`d${number}`, 1, { runUid: "r" })]);
      }
      const at = (await store().readLog(0, 100)).map(({ sequence }) => sequence);
      const near = async (first: number, last: number) =>
        found((await store().eventsByRefs(["r"], 10, { first: at[first]!, last: at[last]! })).events).map((uid) => Number(uid.slice(4)));
      expect(await near(4, 4)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      expect(await near(0, 1)).toEqual([0, 1, 2, 3, 4]);
      expect(await near(8, 9)).toEqual([5, 6, 7, 8, 9]);
    });

    test("finds what was stored before there were filters", async () => {
      await append([event("a", 1, { traceUid: "t" }), event("b", 1, { traceUid: "u" })]);
      await subject().query("update custodes.log_refs set bits = null");
      expect(found((await store().eventsByRefs(["t"], 10)).events)).toEqual(["a"]);
    });
  });

  describe("what an agent did", () => {
    const fill = async (): Promise<void> => {
      await append([
        event("own1", 10, { agentUid: "a" }),
        event("own2", 20, { agentUid: "a" }),
        event("other", 15, { agentUid: "b" }),
        event("late", 30),
        shared("both", 40, ["a", "b"]),
        shared("found", 50, ["a", "b"]),
        event("lateshared", 60),
        event("nobody", 70),
      ]);
      await late("late", "a", 30, ATTRIBUTION.observed);
      await late("found", "a", 50, ATTRIBUTION.observed);
      await late("lateshared", "a", 60, ATTRIBUTION.shared);
      await late("lateshared", "c", 60, ATTRIBUTION.shared);
    };

    test("tells what is its own, at once or late, from what it shares with others", async () => {
      await fill();
      const a = await store().activityOf("a", 0, 100, 10);
      expect(uidsOf(a.direct)).toEqual(["found", "late", "own1", "own2"]);
      expect(a.possible.map(({ event: { uid }, confidence }) => `${uid} ${confidence}`).sort()).toEqual(["both 50", "lateshared 80"]);
      expect([a.total, a.complete]).toEqual([4, true]);
      const b = await store().activityOf("b", 0, 100, 10);
      expect([uidsOf(b.direct), b.possible.map(({ event: { uid } }) => uid).sort()]).toEqual([["other"], ["both", "found"]]);
      expect(uidsOf((await store().activityOf("c", 0, 100, 10)).direct)).toEqual([]);
    });

    test("both ends of the time belong to it", async () => {
      await fill();
      expect(uidsOf((await store().activityOf("a", 10, 30, 10)).direct)).toEqual(["late", "own1", "own2"]);
      expect(uidsOf((await store().activityOf("a", 11, 29, 10)).direct)).toEqual(["own2"]);
      expect((await store().activityOf("a", 41, 59, 10)).possible).toEqual([]);
      expect((await store().eventsOfAgent("a", 10, 30, 10)).map(({ uid }) => uid)).toEqual(["late", "own2", "own1"]);
      expect((await store().eventsOfAgent("a", 11, 29, 10)).map(({ uid }) => uid)).toEqual(["own2"]);
    });

    test("eventsOfAgent gives the newest, the newest first, with the agent that they were given to", async () => {
      await fill();
      const found = await store().eventsOfAgent("a", 0, 100, 3);
      expect(found.map(({ uid, agentUid }) => [uid, agentUid])).toEqual([
        ["own1", "a"],
        ["own2", "a"],
        ["late", "a"],
      ]);
    });

    test("gives the newest when there are more than the limit, and how many there are", async () => {
      await append(Array.from({ length: 30 }, (_, index) => event(`e${String(index).padStart(2, "0")}`, index, { agentUid: "a" })));
      const found = await store().activityOf("a", 0, 28, 5);
      expect(uidsOf(found.direct)).toEqual(["e24", "e25", "e26", "e27", "e28"]);
      expect([found.total, found.complete]).toEqual([29, false]);
    });

    test("knows an agent by anything that it did, or may have done", async () => {
      await fill();
      for (const known of ["a", "b", "c"]) expect(await store().knowsAgent(known)).toBe(true);
      for (const unknown of ["", "d", "A", "\0"]) expect(await store().knowsAgent(unknown)).toBe(false);
    });
  });
}
