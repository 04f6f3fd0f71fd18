/** The audit log in the hands of somebody who has the database and knows how rows are hashed. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { AuditEntry } from "../../src/ports/audit.ts";
import type { StoreUnderTest } from "./store.ts";
import { request } from "./store-expire.ts";
import { events } from "./subjects.ts";

const DAY = 86_400_000;
const KEPT = 400 * DAY;

/** Promises about an audit log whose start was taken away. */
export function forgedAuditPromises(subject: () => StoreUnderTest): void {
  const store = () => subject().store;
  const now = () => subject().clock.now;
  const check = (set: { retention?: number | null; expect?: string; now?: number } = {}) =>
    store().verifyAudit({ now: now(), retention: KEPT, ...set });
  const append = (time: number) =>
    store().appendAudit({ time, actor: "custodes", action: "service.started", subject: "", details: {} } satisfies AuditEntry);
  /** One row per age, in days before now. */
  const fill = async (...days: readonly number[]): Promise<void> => {
    for (const age of days) await append(now() - age * DAY);
  };
  const tamper = async (sql: string): Promise<void> => {
    await subject().query("alter table custodes.audit disable trigger user");
    await subject().query(sql);
    await subject().query("alter table custodes.audit enable trigger user");
  };
  /** Appends a row that is chained as it should be. */
  const forge = async (time: number, details: AuditEntry["details"]): Promise<void> => {
    const head = (await store().auditHead())!;
    const number = head.number + 1;
    const text = JSON.stringify(Object.fromEntries(Object.entries(details).sort(([one], [other]) => (one < other ? -1 : 1))));
    const content = JSON.stringify([number, time, "custodes", "audit.expired", "", text]);
    const hash = createHash("sha256").update(`${head.hash}\n${content}`).digest("hex");
    await tamper(
      `insert into custodes.audit values (${number}, ${time}, 'custodes', 'audit.expired', '', '${text}', '${head.hash}', '${hash}');
       update custodes.audit_head set number = ${number}, hash = '${hash}'`,
    );
  };
  /** Takes rows up to a number away and says that it was retention; `set` changes what is said. */
  const cutOff = async (through: number, set: AuditEntry["details"] = {}, time = now()): Promise<void> => {
    const row = (await store().audit({ limit: 100 })).find(({ number }) => number === through)!;
    await tamper(`delete from custodes.audit where number <= ${through}`);
    await forge(time, { through, hash: row.hash, last: row.time, kept: KEPT, rows: through, ...set });
  };

  describe("the audit log, its start cut off", () => {
    test("by retention, is whole: the last row that was old stays and shows it", async () => {
      await fill(900, 700, 500, 401, 399, 1);
      const noted = (await store().audit({ limit: 10 })).find(({ number }) => number === 3)!;
      expect((await store().expire(request(now(), { audit: KEPT })))?.rows.audit).toBe(3);
      expect(await check()).toMatchObject({ rows: 4, first: 4, problem: null });
      expect(await check({ expect: noted.hash })).toMatchObject({
        problem: null,
        expected: { how: "dropped", number: 3, time: noted.time },
      });
      expect(await check({ expect: (await store().auditHead())!.hash })).toMatchObject({
        problem: null,
        expected: { how: "present", number: 7, time: now() },
      });
      // Nothing more may go, however often it runs.
      expect((await store().expire(request(now(), { audit: KEPT })))?.rows.audit).toBe(0);
      expect(await check()).toMatchObject({ rows: 4, problem: null });
    });

    test.each<[string, AuditEntry["details"], RegExp]>([
      ["as retention wrote it once", { last: null, kept: null }, /but not which and why/],
      ["with the true times", {}, /up to 3 were taken away after 7 days, where they were kept for 400 days/],
      ["with a retention that was never configured", { kept: DAY }, /sooner than retention\.audit allows, which is 400 days/],
      ["with a time that is not the row's", { last: 1 }, /row 4, up to which they went, was 6 days old then/],
    ])("by hand, %s, is not believed", async (_name, details, reason) => {
      await fill(9, 8, 7, 6, 5, 1);
      const noted = (await store().auditHead())!.hash;
      await cutOff(3, details);
      for (const one of [await check(), await check({ expect: noted })])
        expect(one.problem).toEqual({ number: 7, reason: expect.stringMatching(reason) as string });
    });

    test("by hand, is not believed because the row that says so comes from the future", async () => {
      await fill(9, 8, 7, 6);
      await cutOff(2, {}, now() + KEPT);
      expect((await check()).problem).toMatchObject({ number: 5, reason: expect.stringContaining("has not come yet") as string });
      // Nor later: what was written behind it is older than it.
      await append(now() + 1);
      const later = now() + 2 * KEPT;
      expect((await check({ now: later })).problem).toMatchObject({ number: 6, reason: expect.stringContaining("clock") as string });
    });

    test("is not believed where rows are kept for ever, nor where they were kept for longer than it took", async () => {
      await fill(300, 200, 150, 1);
      expect((await store().expire(request(now(), { audit: 100 * DAY })))?.rows.audit).toBe(2);
      expect((await check({ retention: null })).problem).toMatchObject({ number: 5, reason: expect.stringContaining("forever") as string });
      expect((await check()).problem).toMatchObject({ number: 5, reason: expect.stringContaining("400 days") as string });
      for (const retention of [100 * DAY, undefined])
        expect((await store().verifyAudit({ now: now(), ...(retention === undefined ? {} : { retention }) })).problem).toBeNull();
    });
  });

  describe("the audit log, all of it gone", () => {
    test("is empty in a store that holds nothing, and gone in one that does", async () => {
      expect(await check()).toEqual({ rows: 0, first: 0, head: null, problem: null });
      await fill(2, 1);
      await store().transaction((tx) => tx.appendEvents("kong/main", events("a", 1)));
      await tamper("delete from custodes.audit; delete from custodes.audit_head");
      expect((await check()).problem).toEqual({ number: 0, reason: expect.stringContaining("the audit log is gone") as string });
    });

    test("and begun anew is seen by what was delivered before its first row, unless that is older than the table", async () => {
      const hour = 3_600_000;
      const real = Date.now();
      const row = (createdTime: number) => {
        return {
          key: `d:${createdTime}`,
          destination: "d",
          kind: "incident" as const,
          subjectId: String(createdTime),
          revision: 1,
          dueTime: 0,
          createdTime,
        };
      };
      await store().transaction((tx) => tx.addDeliveries([row(real - hour)]));
      await append(real + 9 * hour);
      expect((await check({ now: real + 9 * hour })).problem).toBeNull();
      await store().transaction((tx) => tx.addDeliveries([row(real + 8.5 * hour)]));
      expect((await check({ now: real + 9 * hour })).problem).toBeNull();
      await store().transaction((tx) => tx.addDeliveries([row(real + 2 * hour)]));
      expect((await check({ now: real + 9 * hour })).problem).toEqual({
        number: 1,
        reason: expect.stringContaining("the rows before are gone") as string,
      });
    });
  });
}
