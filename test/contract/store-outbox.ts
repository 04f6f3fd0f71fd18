import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OutboxRow, Settlement } from "../../src/ports/store.ts";
import type { TheStore } from "./store.ts";

/** Of a delivery that nobody has tried. */
const unsent = { ticket: null, ticketTime: null, sentHash: null, sentTime: null };

type NewDelivery = Pick<OutboxRow, "key" | "destination" | "kind" | "subjectId" | "revision" | "dueTime" | "createdTime">;

export function delivery(subjectId: string, revision: number, set: Partial<NewDelivery> = {}): NewDelivery {
  const destination = set.destination ?? "elastic";
  const kind = set.kind ?? "alert";
  return {
    key: `${destination}:${kind}:${subjectId}:${revision}`,
    destination,
    kind,
    subjectId,
    revision,
    dueTime: 0,
    createdTime: 0,
    ...set,
  };
}

function settle(key: string, set: Partial<Settlement> = {}): Settlement {
  return { key, status: "delivered", attempts: 1, dueTime: 0, note: "ok", ...set };
}

/** Promises about the outbox. */
export function outboxPromises(store: TheStore): void {
  const add = (...rows: readonly NewDelivery[]): Promise<void> => store().transaction((tx) => tx.addDeliveries(rows));
  const claim = async (now: number, until = now + 100, limit = 100, destination = "elastic"): Promise<string[]> =>
    (await store().claimDeliveries(destination, limit, now, until)).map(({ key }) => key);

  describe("addDeliveries", () => {
    test("puts rows in as pending; a key that exists changes nothing", async () => {
      await add(delivery("a", 1, { dueTime: 5, createdTime: 3 }));
      await add(delivery("a", 1, { dueTime: 9, createdTime: 9 }));
      expect(await store().deliveries()).toEqual([
        { ...delivery("a", 1, { dueTime: 5, createdTime: 3 }), status: "pending", attempts: 0, settledTime: null, note: null, ...unsent },
      ]);
      await store().settleDeliveries([settle("elastic:alert:a:1")], 6);
      await add(delivery("a", 1), delivery("b", 1), delivery("b", 1));
      expect((await store().deliveries({ status: "delivered" })).map(({ key }) => key)).toEqual(["elastic:alert:a:1"]);
      expect(await store().deliveries()).toHaveLength(2);
    });
  });

  describe("claimDeliveries", () => {
    test("takes what is due, of one destination, oldest first, no more than the limit", async () => {
      await add(delivery("c", 1, { createdTime: 3 }), delivery("a", 1, { createdTime: 1 }), delivery("b", 1, { createdTime: 1 }));
      await add(delivery("later", 1, { dueTime: 51 }), delivery("other", 1, { destination: "splunk" }));
      expect(await claim(50, 100, 2)).toEqual(["elastic:alert:a:1", "elastic:alert:b:1"]);
      expect(await claim(50)).toEqual(["elastic:alert:c:1"]);
      expect(await claim(50)).toEqual([]);
      expect(await claim(51)).toEqual(["elastic:alert:later:1"]);
    });

    test("takes what shares a ticket together, beyond the limit and before it is due, and nothing else", async () => {
      await add(...["a", "b", "c", "d", "e"].map((id, index) => delivery(id, 1, { createdTime: index })));
      await add(delivery("f", 1, { destination: "splunk" }));
      const ticket = { text: "t/1", time: 5 };
      for (const id of ["elastic:alert:a", "elastic:alert:c", "elastic:alert:e", "splunk:alert:f"])
        await store().settleDeliveries([settle(`${id}:1`, { status: "pending", ticket, dueTime: id.endsWith("e") ? 90 : 10 })], 5);
      const other = { text: "t/2", time: 5 };
      await store().settleDeliveries([settle("elastic:alert:d:1", { status: "pending", ticket: other, dueTime: 10 })], 5);
      const claimed = await store().claimDeliveries("elastic", 1, 10, 20);
      expect(claimed.map(({ subjectId }) => subjectId)).toEqual(["a", "c", "e"]);
      expect(claimed.map((row) => row.ticket)).toEqual(["t/1", "t/1", "t/1"]);
      // Leased ones are not taken again, and one without a ticket has nothing to share.
      expect(await claim(10, 20, 1)).toEqual(["elastic:alert:b:1"]);
      expect(await claim(10, 20)).toEqual(["elastic:alert:d:1"]);
      expect(await claim(20, 30, 1)).toEqual(["elastic:alert:a:1", "elastic:alert:c:1", "elastic:alert:e:1"]);
    });

    test("gives a row to one sender until its lease ends", async () => {
      await add(delivery("a", 1));
      expect(await claim(10, 20)).toHaveLength(1);
      expect(await claim(19, 30)).toEqual([]);
      expect(await claim(20, 30)).toHaveLength(1);
      expect(await claim(25, 40)).toEqual([]);
    });

    test("gives each row to one of several senders at the same time", async () => {
      await add(...Array.from({ length: 60 }, (_, index) => delivery(`s${index}`, 1)));
      const claims = await Promise.all(Array.from({ length: 6 }, () => claim(1, 100, 15)));
      const all = claims.flat();
      expect(new Set(all).size).toBe(all.length);
      const rest = await claim(1, 100, 100);
      expect(new Set([...all, ...rest]).size).toBe(60);
    });

    test("holds back a later revision while an earlier one is pending, leased or not yet due", async () => {
      await add(delivery("a", 2), delivery("a", 1, { dueTime: 50 }), delivery("a", 3));
      await add(delivery("a", 2, { destination: "splunk" }), delivery("a", 5, { kind: "incident" }));
      // Another destination and another kind with the same id are other subjects.
      expect(await claim(10)).toEqual(["elastic:incident:a:5"]);
      expect(await claim(10, 20, 100, "splunk")).toEqual(["splunk:alert:a:2"]);
      expect(await claim(50, 60)).toEqual(["elastic:alert:a:1"]);
      expect(await claim(55, 60)).toEqual([]);
      await store().settleDeliveries([settle("elastic:alert:a:1", { status: "pending", dueTime: 70 })], 56);
      expect(await claim(60)).toEqual([]);
      expect(await claim(70, 80)).toEqual(["elastic:alert:a:1"]);
      await store().settleDeliveries([settle("elastic:alert:a:1", { status: "dead" })], 71);
      expect(await claim(71)).toEqual(["elastic:alert:a:2"]);
      await store().settleDeliveries([settle("elastic:alert:a:2", { status: "skipped" })], 72);
      expect(await claim(72)).toEqual(["elastic:alert:a:3"]);
    });

    test("does not send a replayed dead letter beside or after the later revision that is being sent", async () => {
      await add(delivery("a", 1), delivery("a", 2));
      await store().settleDeliveries([settle("elastic:alert:a:1", { status: "dead" })], 1);
      expect(await claim(2, 50)).toEqual(["elastic:alert:a:2"]);
      expect(await store().replayDeadLetters(["elastic:alert:a:1"], 3)).toBe(0);
      expect(await claim(4, 50)).toEqual([]);
      await store().settleDeliveries([settle("elastic:alert:a:2")], 5);
      expect(await claim(6, 50)).toEqual([]);
    });

    test("keeps every subject's revisions in order, whatever the senders do", async () => {
      const step = fc.record({
        action: fc.constantFrom("add", "claim", "deliver", "fail", "kill", "wait"),
        subject: fc.constantFrom("a", "b"),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
          const run = `run${round++}`;
          const settled = new Map<string, number[]>();
          const revisions = new Map<string, number>();
          let leased: OutboxRow[] = [];
          let now = 1;
          const finish = async (status: "delivered" | "dead" | "pending"): Promise<void> => {
            const [row, ...rest] = leased;
            if (row === undefined) return;
            leased = rest;
            await store().settleDeliveries([settle(row.key, { status, dueTime: now + 3 })], now);
            if (status !== "pending") settled.set(row.subjectId, [...(settled.get(row.subjectId) ?? []), row.revision]);
          };
          for (const { action, subject } of steps) {
            now += 1;
            if (action === "add") {
              const revision = (revisions.get(subject) ?? 0) + 1;
              revisions.set(subject, revision);
              await add(delivery(`${run}${subject}`, revision, { destination: run, createdTime: now }));
            } else if (action === "claim") {
              leased.push(...(await store().claimDeliveries(run, 5, now, now + 1000)));
              expect(new Set(leased.map(({ subjectId }) => subjectId)).size).toBe(leased.length);
            } else if (action === "wait") now += 5;
            else await finish(action === "deliver" ? "delivered" : action === "kill" ? "dead" : "pending");
          }
          for (const list of settled.values()) expect(list).toEqual(list.toSorted((one, other) => one - other));
        }),
        { numRuns: 25 },
      );
    });
  });

  describe("dueDestinations", () => {
    test("counts what is due and not being sent", async () => {
      await add(delivery("a", 1), delivery("a", 2), delivery("b", 1), delivery("c", 1, { dueTime: 50 }));
      await add(delivery("a", 1, { destination: "splunk" }), delivery("a", 1, { destination: "done" }));
      await store().settleDeliveries([settle("done:alert:a:1")], 1);
      const due = async (now: number): Promise<unknown> => new Set(await store().dueDestinations(now));
      expect(await due(10)).toEqual(
        new Set([
          { destination: "elastic", due: 3 },
          { destination: "splunk", due: 1 },
        ]),
      );
      await claim(10, 20);
      // a:2 waits for a:1.
      expect(await due(11)).toEqual(
        new Set([
          { destination: "elastic", due: 1 },
          { destination: "splunk", due: 1 },
        ]),
      );
      expect(await due(50)).toEqual(
        new Set([
          { destination: "elastic", due: 4 },
          { destination: "splunk", due: 1 },
        ]),
      );
    });
  });

  describe("settleDeliveries", () => {
    test("records what became of each, and when it ended", async () => {
      await add(delivery("a", 1), delivery("b", 1), delivery("c", 1), delivery("d", 1));
      await claim(1, 100);
      await store().settleDeliveries(
        [
          settle("elastic:alert:a:1", { note: "receipt" }),
          settle("elastic:alert:b:1", { status: "skipped", attempts: 0, note: "not wanted" }),
          settle("elastic:alert:c:1", { status: "pending", attempts: 3, dueTime: 40, note: "HTTP_TIMEOUT: slow" }),
          settle("elastic:alert:d:1", { status: "dead", attempts: 2, note: "HTTP_REJECTED: no", body: '{"x":"\\u0000"}' }),
          settle("elastic:alert:nobody:1"),
        ],
        9,
      );
      const rows = new Map((await store().deliveries()).map((row) => [row.subjectId, row]));
      expect(rows.get("a")).toMatchObject({ status: "delivered", attempts: 1, settledTime: 9, note: "receipt" });
      expect(rows.get("b")).toMatchObject({ status: "skipped", attempts: 0, settledTime: 9, note: "not wanted" });
      expect(rows.get("c")).toMatchObject({ status: "pending", attempts: 3, settledTime: null, dueTime: 40 });
      expect(rows.get("d")).toMatchObject({ status: "dead", attempts: 2, settledTime: 9, note: "HTTP_REJECTED: no" });
      expect(await store().deadLetterBody("elastic:alert:d:1")).toBe('{"x":"\\u0000"}');
      expect(await store().deadLetterBody("elastic:alert:a:1")).toBeUndefined();
      expect(await claim(40)).toEqual(["elastic:alert:c:1"]);
    });

    test("does not bring back what was settled for good, when a sender that lost its lease answers late", async () => {
      await add(delivery("a", 1));
      await claim(1, 5);
      await claim(5, 50);
      await store().settleDeliveries([settle("elastic:alert:a:1")], 6);
      await store().settleDeliveries([settle("elastic:alert:a:1", { status: "pending", dueTime: 7, note: "late" })], 7);
      expect((await store().deliveries())[0]).toMatchObject({ status: "delivered", settledTime: 6, note: "ok" });
      expect(await claim(8)).toEqual([]);
    });

    test("keeps at most a mebibyte of a refused body", async () => {
      await add(delivery("a", 1));
      await store().settleDeliveries([settle("elastic:alert:a:1", { status: "dead", body: "x".repeat(2_000_000) })], 1);
      expect(await store().deadLetterBody("elastic:alert:a:1")).toHaveLength(1_048_576);
    });
  });

  describe("deliveries", () => {
    test("lists the newest first, by destination and status, no more than the limit", async () => {
      await add(delivery("a", 1), delivery("b", 1), delivery("c", 1, { destination: "splunk" }));
      await store().settleDeliveries([settle("elastic:alert:a:1")], 1);
      const keys = async (filter: Parameters<ReturnType<TheStore>["deliveries"]>[0]): Promise<string[]> =>
        (await store().deliveries(filter)).map(({ subjectId }) => subjectId);
      expect(await keys({})).toEqual(["c", "b", "a"]);
      expect(await keys({ limit: 1 })).toEqual(["c"]);
      expect(await keys({ destination: "elastic" })).toEqual(["b", "a"]);
      expect(await keys({ destination: "elastic", status: "pending" })).toEqual(["b"]);
    });
  });

  describe("hastenDeliveries", () => {
    test("makes what waits for one destination due, and leaves leases, other destinations and settled ones alone", async () => {
      await add(
        delivery("waits", 1, { dueTime: 900 }),
        delivery("due", 1),
        delivery("leased", 1, { dueTime: 5 }),
        delivery("settled", 1, { dueTime: 900 }),
        delivery("other", 1, { dueTime: 900, destination: "splunk" }),
      );
      await store().settleDeliveries([settle("elastic:alert:settled:1"), settle("elastic:alert:due:1")], 5);
      expect(await claim(5, 100)).toEqual(["elastic:alert:leased:1"]);
      expect(await store().hastenDeliveries("elastic", 10)).toBe(1);
      expect(await store().hastenDeliveries("elastic", 10)).toBe(0);
      expect(await claim(10)).toEqual(["elastic:alert:waits:1"]);
      expect(await claim(10, 100, 100, "splunk")).toEqual([]);
    });
  });

  describe("replayDeadLetters", () => {
    test("makes dead letters pending again, attempts kept, and counts them", async () => {
      await add(delivery("a", 1), delivery("b", 1), delivery("c", 1));
      await store().settleDeliveries(
        [settle("elastic:alert:a:1", { status: "dead", attempts: 7, body: "b" }), settle("elastic:alert:b:1")],
        5,
      );
      const keys = ["elastic:alert:a:1", "elastic:alert:b:1", "elastic:alert:c:1", "nobody"];
      expect(await store().replayDeadLetters(keys, 20)).toBe(1);
      expect(await store().replayDeadLetters([], 20)).toBe(0);
      expect((await store().deliveries()).at(-1)).toMatchObject({ status: "pending", attempts: 7, dueTime: 20, settledTime: null });
      expect(await claim(19)).toEqual(["elastic:alert:c:1"]);
      expect(await claim(20)).toEqual(["elastic:alert:a:1"]);
    });

    test("skips what a newer revision has overtaken at its destination, and only that", async () => {
      await add(delivery("a", 1), delivery("a", 2), delivery("b", 1), delivery("b", 2), delivery("a", 1, { destination: "splunk" }));
      const dead = { status: "dead", body: "x" } as const;
      await store().settleDeliveries(
        [
          settle("elastic:alert:a:1", dead),
          settle("elastic:alert:a:2"),
          settle("elastic:alert:b:1", dead),
          settle("elastic:alert:b:2", dead),
          settle("splunk:alert:a:1", dead),
        ],
        5,
      );
      const keys = ["elastic:alert:a:1", "elastic:alert:b:1", "elastic:alert:b:2", "splunk:alert:a:1"];
      expect(await store().replayDeadLetters(keys, 20)).toBe(3);
      const overtaken = (await store().deliveries({ status: "skipped" })).map(({ key, note, settledTime }) => [key, note, settledTime]);
      expect(overtaken).toEqual([["elastic:alert:a:1", "overtaken by revision 2", 20]]);
      expect(await claim(20)).toEqual(["elastic:alert:b:1"]);
      expect(await claim(20, 100, 100, "splunk")).toEqual(["splunk:alert:a:1"]);
    });
  });
}
