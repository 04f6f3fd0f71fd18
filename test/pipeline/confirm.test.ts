import { describe, expect, test } from "vitest";
import { LEASE_MS } from "../../src/pipeline/deliver.ts";
import type { Outcome, Rendered, Ticket } from "../../src/ports/connector.ts";
import { alertSubject } from "../fixtures/subjects.ts";
import { DELIVERED, failure, ids, put, rows, setUp, store, type Setting } from "./outbox.ts";

/** Longer than a destination may leave a ticket unconfirmed. */
const GIVEN_UP_MS = 300_000;
const ASK_MS = 10_000;

const accepted = (ticket: string, askAfterMs = ASK_MS): Outcome => ({ status: "accepted", ticket, askAfterMs });
/** One ticket for each request, as a destination that confirms requests gives them. */
function perRequest(): (batch: readonly Rendered[]) => Outcome[] {
  let request = 0;
  return (batch) => {
    const ticket = `t${request++}`;
    return batch.map(() => accepted(ticket));
  };
}

/** A destination that accepts, with what it was asked about. */
function accepting(confirm: (tickets: readonly Ticket[]) => readonly Outcome[] | Promise<readonly Outcome[]>, setting: Setting = {}) {
  const asked: string[][] = [];
  const world = setUp({
    send: perRequest(),
    ...setting,
    confirm: (tickets) => {
      asked.push(tickets.map(({ ticket }) => ticket));
      return confirm(tickets);
    },
  });
  return { ...world, asked };
}
const yes = (tickets: readonly Ticket[]): Outcome[] => tickets.map(() => DELIVERED);
const notYet = (tickets: readonly Ticket[]): Outcome[] => tickets.map(({ ticket }) => accepted(ticket));

describe("a delivery that the destination accepted", () => {
  test("is pending with its ticket until it is asked about, and settled by the answer", async () => {
    await put(["a"]);
    const { run, clock, sent, asked, meter } = accepting(yes);
    await run();
    expect((await rows())["a"]).toEqual({ status: "pending", attempts: 1, due: ASK_MS, note: "accepted, not confirmed yet" });
    const [first] = await store.deliveries();
    expect(first).toMatchObject({ ticket: "t0", ticketTime: clock.now(), sentHash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(meter.value("deliveries_total", { destination: "d/1", result: "accepted" })).toBe(1);
    clock.move(ASK_MS - 1);
    await run();
    expect(asked).toEqual([]);
    clock.move(1);
    await run();
    expect(asked).toEqual([["t0"]]);
    expect(sent).toEqual([["a"]]);
    expect((await rows())["a"]).toMatchObject({ status: "delivered", attempts: 1, note: "ok" });
    const { sentHash, sentTime } = first!;
    expect(await store.deliveries()).toMatchObject([{ ticket: null, ticketTime: null, sentHash, sentTime }]);
    expect(meter.value("incident_time_to_siem_seconds", { destination: "d/1" })).toBe(ASK_MS / 1000);
  });

  test("is asked about again as long as nothing is known, counted from when it was accepted", async () => {
    await put(["a"]);
    const { run, clock, sent, asked, log } = accepting(notYet);
    await run();
    for (let round = 1; round < GIVEN_UP_MS / ASK_MS; round++) {
      clock.move(ASK_MS);
      await run();
    }
    expect(asked).toHaveLength(GIVEN_UP_MS / ASK_MS - 1);
    expect(sent).toHaveLength(1);
    expect((await rows())["a"]).toMatchObject({ status: "pending", attempts: 1 });
    clock.move(ASK_MS);
    await run();
    expect(sent).toEqual([["a"], ["a"]]);
    expect(log.lines.filter((line) => line.startsWith("warn"))).toEqual([expect.stringContaining('{"destination":"d/1","deliveries":1}')]);
    expect((await rows())["a"]).toMatchObject({ status: "pending", attempts: 2, note: "accepted, not confirmed yet" });
    // The new ticket has its own five minutes.
    expect(await store.deliveries()).toMatchObject([{ ticket: "t1", ticketTime: clock.now() }]);
  });

  test("is sent again at once, under the same key, when it failed over there", async () => {
    await put(["a", "b"]);
    const keys: string[] = [];
    const failed: Outcome = { status: "failed", kind: "retryable", code: "HTTP_REJECTED", message: "lost" };
    const { run, clock, sent } = accepting((tickets) => tickets.map(({ ticket }) => (ticket === "t0" ? failed : DELIVERED)), {
      limits: { batchItems: 1 },
      render: (delivery) => {
        keys.push(delivery.key);
        return { key: delivery.key, body: delivery.key, bytes: 10 };
      },
    });
    await run();
    clock.move(ASK_MS);
    await run();
    expect(sent).toEqual([["a"], ["b"], ["a"]]);
    expect(keys).toEqual(["d/1:alert:a:1", "d/1:alert:b:1", "d/1:alert:a:1"]);
    expect((await rows())["b"]).toMatchObject({ status: "delivered" });
    expect((await rows())["a"]).toMatchObject({ status: "pending", attempts: 2 });
  });

  test("counts each time it was sent, also when the last is delivered without a ticket", async () => {
    await put(["a"]);
    let request = 0;
    const { run, clock } = accepting(notYet, { send: (batch) => batch.map(() => (request++ === 0 ? accepted("t") : DELIVERED)) });
    await run();
    clock.move(GIVEN_UP_MS);
    await run();
    expect((await rows())["a"]).toMatchObject({ status: "delivered", attempts: 2 });
  });

  test.each([1, 2, 3])("is a dead letter with its bytes after it was sent %i times and never confirmed", async (maxAttempts) => {
    await put(["a"]);
    const { run, clock, sent } = accepting(notYet, { maxAttempts });
    for (let round = 0; round < 5; round++) {
      await run();
      clock.move(GIVEN_UP_MS);
    }
    expect(sent).toHaveLength(maxAttempts);
    expect((await rows())["a"]).toMatchObject({
      status: "dead",
      attempts: maxAttempts,
      note: "HTTP_TIMEOUT: it was accepted and never confirmed",
    });
    expect(await store.deadLetterBody("d/1:alert:a:1")).toBe("body of d/1:alert:a:1");
  });

  test("can be replayed as a dead letter and is then sent without its old ticket", async () => {
    await put(["a"]);
    const failed = { status: "failed", kind: "retryable", code: "HTTP_REJECTED", message: "lost over there" } as const;
    const { run, clock, sent, asked } = accepting((tickets) => tickets.map(() => failed), { maxAttempts: 1 });
    await run();
    clock.move(ASK_MS);
    await run();
    expect((await rows())["a"]).toMatchObject({ status: "dead", note: "HTTP_REJECTED: lost over there" });
    await store.replayDeadLetters(["d/1:alert:a:1"], clock.now());
    await run();
    expect(sent).toHaveLength(2);
    expect(asked).toHaveLength(1);
  });

  test("holds back the next revision of its subject until it is confirmed", async () => {
    await put(["a"]);
    const { run, clock, sent, asked } = accepting(yes);
    await run();
    const [row] = await store.deliveries();
    await store.transaction(async (tx) => {
      await tx.saveAlerts([{ ...alertSubject().alert, id: "a", revision: 2 }]);
      await tx.addDeliveries([{ ...row!, key: "d/1:alert:a:2", revision: 2, dueTime: clock.now(), createdTime: clock.now() }]);
    });
    await run();
    expect([sent.length, asked.length]).toEqual([1, 0]);
    clock.move(ASK_MS);
    await run();
    await run();
    expect([sent.length, asked.length]).toEqual([2, 1]);
  });
});

describe("asking about tickets", () => {
  test("names a ticket once, and settles all that share it from the one answer", async () => {
    await put(ids(7));
    const { run, clock, asked } = accepting(yes, { limits: { batchItems: 3 } });
    await run();
    clock.move(ASK_MS);
    await run();
    expect(asked).toEqual([["t0", "t1", "t2"]]);
    expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
  });

  test("settles all that share a ticket even where a claim would not have reached them", async () => {
    await put(ids(40));
    let down = false;
    const told = new Set<string>();
    const { run, clock, asked, delivery } = accepting(
      (tickets) => {
        if (down) throw failure("retryable", "connector", { code: "HTTP_UNAVAILABLE" });
        // As Splunk does: a true answer is given once.
        return tickets.map(({ ticket }) => (told.has(ticket) ? accepted(ticket) : (told.add(ticket), DELIVERED)));
      },
      { limits: { batchItems: 40 } },
    );
    await run();
    down = true;
    clock.move(ASK_MS);
    await run();
    expect(delivery.hold("d/1")).toMatchObject({ failures: 1 });
    down = false;
    clock.move(ASK_MS);
    // While it is held few go first: ten of these forty.
    await run();
    expect(asked).toEqual([["t0"], ["t0"]]);
    expect(Object.values(await rows()).filter(({ status }) => status === "delivered")).toHaveLength(40);
  });

  test("asks about no more than 500 tickets at once", async () => {
    await put(ids(500));
    await put(ids(300, "b"));
    const { run, clock, asked } = accepting(yes, { limits: { batchItems: 1 } });
    await run();
    clock.move(ASK_MS);
    await run();
    expect(asked.map(({ length }) => length)).toEqual([500, 300]);
    expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
  });

  test("keeps the tickets when asking fails, spends no attempt and holds the destination", async () => {
    await put(["a", "b"]);
    const { run, clock, sent, delivery } = accepting(() => {
      throw failure("retryable", "connector", { code: "HTTP_UNAVAILABLE" });
    });
    await run();
    await put(["c"]);
    clock.move(ASK_MS);
    await run();
    expect(sent).toHaveLength(1);
    expect(delivery.hold("d/1")).toMatchObject({ failures: 1, paused: false });
    const found = await store.deliveries();
    expect(found.map(({ subjectId, ticket, attempts }) => [subjectId, ticket, attempts])).toEqual([
      ["c", null, 0],
      ["b", "t0", 1],
      ["a", "t0", 1],
    ]);
  });

  test.each([[[]], [[DELIVERED, DELIVERED]], [undefined as never]])(
    "takes another number of outcomes for a bug and keeps the ticket",
    async (wrong) => {
      await put(["a"]);
      const { run, clock, delivery } = accepting(() => wrong);
      await run();
      clock.move(ASK_MS);
      await run();
      expect(delivery.hold("d/1")?.reason).toContain("RECORD_BUG");
      expect(await store.deliveries()).toMatchObject([{ status: "pending", ticket: "t0", attempts: 1 }]);
    },
  );

  test("goes on after a restart with the tickets of the process before", async () => {
    await put(ids(4));
    const first = accepting(yes, { limits: { batchItems: 2 } });
    await first.run();
    const second = accepting(yes, { limits: { batchItems: 2 } });
    second.clock.move(ASK_MS);
    await second.run();
    expect(second.sent).toEqual([]);
    expect(second.asked).toEqual([["t0", "t1"]]);
    expect(Object.values(await rows()).every(({ status }) => status === "delivered")).toBe(true);
  });

  test("sends again what a destination that no longer confirms had accepted", async () => {
    await put(["a"]);
    await accepting(yes).run();
    const { run, clock, sent } = setUp();
    clock.move(ASK_MS);
    await run();
    expect(sent).toEqual([["a"]]);
    expect((await rows())["a"]).toMatchObject({ status: "delivered", attempts: 2 });
  });

  test("gives the tickets back untouched when the service stops", async () => {
    await put(["a"]);
    const first = accepting(yes);
    await first.run();
    const stop = new AbortController();
    const stopping = accepting(() => {
      stop.abort();
      throw failure("retryable", "connector", { code: "HTTP_UNREACHABLE" });
    });
    stopping.clock.move(ASK_MS);
    await stopping.run(stop.signal);
    expect(stopping.delivery.hold("d/1")).toBeUndefined();
    expect(await store.deliveries()).toMatchObject([{ status: "pending", ticket: "t0", attempts: 1, dueTime: stopping.clock.now() }]);
  });

  test("leaves what must be sent again to the next claim when the answer took half of the lease", async () => {
    await put(["a"]);
    const { run, clock, sent } = accepting((tickets) => {
      clock.move(LEASE_MS / 2);
      return tickets.map(() => ({ status: "failed", kind: "retryable", code: "HTTP_REJECTED", message: "lost" }));
    });
    await run();
    clock.move(ASK_MS);
    expect(await run()).toBe(false);
    expect(sent).toHaveLength(1);
    expect((await rows())["a"]).toMatchObject({ status: "pending", attempts: 1 });
    await run();
    expect(sent).toHaveLength(2);
  });

  test.each([
    [-5, 0],
    [1e18, 300_000],
    [1234.4, 1234],
  ])("asks after %d ms within sane bounds", async (askAfterMs, due) => {
    await put(["a"]);
    await accepting(yes, { send: (batch) => batch.map(() => accepted("t", askAfterMs)) }).run();
    expect((await rows())["a"]?.due).toBe(due);
  });
});
