/** Retention on a server: others read and append meanwhile, and connections break. */
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { failureCode, type StoreUnderTest } from "../../contract/store.ts";
import { day, request } from "../../contract/store-expire.ts";
import { events } from "../../contract/subjects.ts";
import { required, startPostgres } from "../../servers/servers.ts";
import { storeUnderTest } from "./under-test.ts";

const server = required(await startPostgres());
const DAY_MS = 86_400_000;

describe.runIf(server !== undefined)("retention on PostgreSQL", () => {
  let subject: StoreUnderTest;
  const clients: pg.Client[] = [];
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: server?.url });
    clients.push(client);
    await client.connect();
    return client;
  };
  const append = (name: string) => subject.store.transaction((tx) => tx.appendEvents("kong/main", events(name, 50)));
  const expire = () => subject.store.expire(request(day(20_009), { log: DAY_MS }));
  const initials = async () => (await subject.store.readLog(0, 1000)).map((logged) => logged.event.uid[0]).join("");
  /** Reads the log and keeps its transaction open. */
  const reading = async (): Promise<{ readonly client: pg.Client; readonly count: () => Promise<number> }> => {
    const client = await connect();
    await client.query("begin isolation level repeatable read");
    const count = async () => (await client.query<{ n: number }>("select count(*)::int as n from custodes.log")).rows[0]?.n ?? 0;
    await count();
    return { client, count };
  };
  beforeAll(async () => {
    subject = await storeUnderTest({ kind: "postgres", url: server?.url ?? "" });
  });
  beforeEach(async () => {
    await subject.reset();
    subject.clock.now = day(20_000);
    await append("old");
    subject.clock.now = day(20_009);
    await append("new");
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await subject?.close();
    await server?.stop();
  });

  test("takes a day out of the log while somebody reads it: he reads on, and nobody else waits for him", async () => {
    const { client, count } = await reading();
    let ended = false;
    const expired = expire().finally(() => (ended = true));
    await vi.waitFor(async () => expect(await subject.query("select 1 from pg_inherits where inhdetachpending")).toHaveLength(1));
    const started = performance.now();
    // What is on its way out is gone for everybody who comes now.
    expect(await initials()).toBe("n".repeat(50));
    await append("more");
    expect(await append("old")).toMatchObject({ duplicates: 50 });
    expect(await subject.store.eventCounts()).toMatchObject([{ count: 100 }]);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(ended).toBe(false);
    expect(await count()).toBe(100);
    await client.query("commit");
    expect((await expired)?.days).toMatchObject([{ day: "2024-10-04", events: 50 }]);
    expect(await initials()).toBe("n".repeat(50) + "m".repeat(50));
  });

  test("goes on where a process died that was taking a day out", async () => {
    const { client } = await reading();
    const failed = failureCode(expire());
    const killer = await connect();
    await vi.waitFor(async () => expect(await subject.query("select 1 from pg_inherits where inhdetachpending")).toHaveLength(1));
    await killer.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%detach partition%concurrently' and pid <> pg_backend_pid()",
    );
    expect(await failed).toBe("retryable STORE_UNAVAILABLE");
    expect(await subject.query("select 1 from pg_inherits where inhdetachpending")).toHaveLength(1);
    await client.query("commit");
    expect((await expire())?.days).toMatchObject([{ day: "2024-10-04", events: 50 }]);
    expect(await initials()).toBe("n".repeat(50));
  });

  test("gives up, instead of holding others up, when somebody holds a lock; the next run does it", async () => {
    const client = await connect();
    await client.query("begin; lock table custodes.quarantine in access exclusive mode");
    expect(await failureCode(subject.store.expire(request(day(20_009), { quarantine: DAY_MS })))).toBe("retryable STORE_UNAVAILABLE");
    await client.query("commit");
    expect(await subject.store.expire(request(day(20_009), { quarantine: DAY_MS }))).toMatchObject({ more: false });
  });

  test("leaves the work to another process that is at it", async () => {
    const client = await connect();
    await client.query(`begin; select pg_advisory_xact_lock(${0x43555354}, 4)`);
    expect(await expire()).toBeUndefined();
    await client.query("commit");
    expect((await expire())?.days).toHaveLength(1);
  });
});
