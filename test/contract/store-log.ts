import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event } from "../../src/core/event.ts";
import type { Appended } from "../../src/ports/store.ts";
import type { TheStore } from "./store.ts";
import { event, events } from "./subjects.ts";

/** Promises about the log. */
export function logPromises(store: TheStore): void {
  const append = (list: readonly Event[]): Promise<Appended> => store().transaction((tx) => tx.appendEvents("kong/main", list));
  const uids = async (): Promise<string[]> => (await store().readLog(0, 10_000)).map((logged) => logged.event.uid);

  describe("appendEvents", () => {
    test("keeps the order that it was given", async () => {
      await append([event("b", 2), event("a", 9), event("c", 1)]);
      await append([event("e", 0), event("d", 5)]);
      expect(await uids()).toEqual(["b", "a", "c", "e", "d"]);
    });

    test("leaves out an event whose uid is stored, or came before in the same call, and counts it", async () => {
      const [a, b, c] = [event("a", 1), event("b", 1), event("c", 1)];
      expect(await append([a, b, event("a", 2)])).toEqual({ stored: 2, duplicates: 1, fresh: [a, b] });
      expect(await append([event("b", 7), c])).toEqual({ stored: 1, duplicates: 1, fresh: [c] });
      expect(await append([a, c])).toEqual({ stored: 0, duplicates: 2, fresh: [] });
      expect(await append([])).toEqual({ stored: 0, duplicates: 0, fresh: [] });
      expect(await uids()).toEqual(["a", "b", "c"]);
      expect((await store().events(["b"]))[0]?.time).toBe(1);
    });

    test("leaves out what an earlier append of the same transaction stored", async () => {
      const counts = await store().transaction(async (tx) => [
        await tx.appendEvents("kong/main", [event("a", 1)]),
        await tx.appendEvents("kong/main", [event("a", 1), event("b", 1)]),
      ]);
      expect(counts.map(({ stored }) => stored)).toEqual([1, 1]);
    });

    test("gives back every event as it was, with NUL, tabs, line ends, backslashes and lone surrogates", async () => {
      const nasty = ["\0", "a\tb\nc\rd\\e", "\\N", "\\.", "\ud800x", "'\"{}", "\u202e", "ä€🙂", "x".repeat(5000)];
      const sent = nasty.map((text, index) =>
        event(`u${index}:${text}`, 5 + index, { operation: text, agentUid: text, scopes: [text, text] }),
      );
      await append(sent);
      expect((await store().readLog(0, 100)).map((logged) => logged.event)).toStrictEqual(sent);
      expect(await store().events(sent.map(({ uid }) => uid))).toStrictEqual(sent);
    });

    test("takes any text that there is", async () => {
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(fc.string({ unit: "binary", maxLength: 30 }), { minLength: 1, maxLength: 20 }), async (texts) => {
          const sent = texts.map((text) => event(text, 5, { operation: text }));
          await append(sent);
          expect(await store().events(texts)).toStrictEqual((await store().events([...texts].reverse())).toReversed());
          expect(new Set((await store().events(texts)).map(({ uid }) => uid))).toEqual(new Set(texts));
        }),
        { numRuns: 30 },
      );
    });

    test("takes more events at once than one statement loads, and keeps their order", async () => {
      const many = events("m", 4_500);
      expect(await append([...many, ...many.slice(0, 10)])).toMatchObject({ stored: 4_500, duplicates: 10 });
      const read = await uids();
      expect(read).toHaveLength(4_500);
      expect([read[0], read[2_000], read[4_499]]).toEqual(["m0", "m2000", "m4499"]);
    });

    test("gives writers at the same time sequences of their own, one whole append after the other", async () => {
      await Promise.all(Array.from({ length: 6 }, (_, writer) => append(events(`w${writer}-`, 50))));
      const log = await store().readLog(0, 1000);
      expect(log.map(({ sequence }) => sequence)).toEqual(log.map(({ sequence }) => sequence).toSorted((a, b) => a - b));
      const writers = log.map((logged) => logged.event.uid.slice(0, 2));
      const runs = writers.filter((writer, index) => writer !== writers[index - 1]);
      expect(runs.toSorted()).toEqual(["w0", "w1", "w2", "w3", "w4", "w5"]);
    });

    test("stores an event once when several append it at the same time", async () => {
      const counts = await Promise.all(Array.from({ length: 6 }, () => append(events("same", 40))));
      expect(counts.reduce((sum, { stored }) => sum + stored, 0)).toBe(40);
      expect(await uids()).toHaveLength(40);
    });
  });

  describe("readLog", () => {
    test("gives events after a sequence, in order, no more than the limit", async () => {
      await append(events("a", 10));
      const first = await store().readLog(0, 4);
      expect(first.map((logged) => logged.event.uid)).toEqual(["a0", "a1", "a2", "a3"]);
      const last = first.at(-1)?.sequence ?? 0;
      const rest = await store().readLog(last, 100);
      expect(rest.map((logged) => logged.event.uid)).toEqual(["a4", "a5", "a6", "a7", "a8", "a9"]);
      expect(await store().readLog(rest.at(-1)?.sequence ?? 0, 100)).toEqual([]);
    });
  });

  describe("lastSequence", () => {
    test("is 0 when the log is empty, and then that of the newest event", async () => {
      expect(await store().lastSequence()).toBe(0);
      await append(events("a", 3));
      expect(await store().lastSequence()).toBe((await store().readLog(0, 10)).at(-1)?.sequence);
    });
  });

  describe("sequenceBefore", () => {
    test("is where a replay must start that wants every event from a time on", async () => {
      await append([event("a", 10), event("b", 30), event("c", 20)]);
      await append([event("d", 15), event("e", 40)]);
      const log = await store().readLog(0, 10);
      for (const time of [0, 10, 11, 20, 21, 30, 31, 40]) {
        const start = await store().sequenceBefore(time);
        const wanted = log.filter((logged) => logged.event.time >= time).map((logged) => logged.event.uid);
        const replayed = (await store().readLog(start, 10)).map((logged) => logged.event.uid);
        expect(replayed.filter((uid) => wanted.includes(uid))).toEqual(wanted);
        expect(replayed[0]).toBe(wanted[0]);
      }
    });

    test("is the end of the log when no event is that new", async () => {
      expect(await store().sequenceBefore(5)).toBe(0);
      await append([event("a", 10)]);
      expect(await store().sequenceBefore(11)).toBe(await store().lastSequence());
    });
  });

  describe("events", () => {
    test("gives the known ones in the order of the uids, each once", async () => {
      await append(events("a", 5));
      const found = await store().events(["a3", "nobody", "a0", "a3"]);
      expect(found.map(({ uid }) => uid)).toEqual(["a3", "a0"]);
      expect(await store().events([])).toEqual([]);
    });
  });

  describe("eventCounts", () => {
    test("counts per agent and category, with null for no agent", async () => {
      await append([
        event("a", 1, { agentUid: "x" }),
        event("b", 1, { agentUid: "x" }),
        event("c", 1, { agentUid: "x", category: "dns" }),
        event("d", 1),
      ]);
      expect(new Set(await store().eventCounts())).toEqual(
        new Set([
          { agentUid: "x", category: "agent_api", count: 2 },
          { agentUid: "x", category: "dns", count: 1 },
          { agentUid: null, category: "agent_api", count: 1 },
        ]),
      );
    });
  });
}
