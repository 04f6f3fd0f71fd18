import { describe, expect, test } from "vitest";
import type { AuditEntry } from "../../src/ports/audit.ts";
import type { StoreUnderTest } from "./store.ts";
import { request } from "./store-expire.ts";

/** Promises about the audit log. */
export function auditPromises(subject: () => StoreUnderTest): void {
  const store = () => subject().store;
  const entry = (time: number, set: Partial<AuditEntry> = {}): AuditEntry => {
    return { time, actor: "custodes", action: "service.started", subject: "", details: { version: "1", n: time }, ...set };
  };
  const fill = async (count: number): Promise<void> => {
    for (let time = 1; time <= count; time++) await store().appendAudit(entry(time));
  };
  /** Changes rows as somebody would who has the database. */
  const tamper = async (sql: string): Promise<void> => {
    await subject().query("alter table custodes.audit disable trigger user");
    await subject().query(sql);
    await subject().query("alter table custodes.audit enable trigger user");
  };

  describe("appendAudit", () => {
    test("chains the rows in their order, and gives them back newest first", async () => {
      expect(await store().auditHead()).toBeNull();
      const one = await store().appendAudit(entry(5, { subject: "\0\ud800", details: { b: "\0", a: null } }));
      const two = await store().transaction((tx) => tx.appendAudit(entry(6, { actor: "anna" })));
      expect([one.number, two.number]).toEqual([1, 2]);
      const rows = await store().audit({ limit: 10 });
      expect(rows.map(({ number, actor }) => [number, actor])).toEqual([
        [2, "anna"],
        [1, "custodes"],
      ]);
      expect(rows[0]?.previous).toBe(one.hash);
      expect(rows[1]).toMatchObject({ subject: "\uFFFD\uFFFD", details: { a: null, b: "\0" }, previous: "0".repeat(64) });
      expect((await store().audit({ limit: 1, before: 2 })).map(({ number }) => number)).toEqual([1]);
      expect((await store().audit({ limit: 1, after: 0 })).map(({ number }) => number)).toEqual([1]);
      expect((await store().audit({ limit: 9, after: 0 })).map(({ number }) => number)).toEqual([1, 2]);
      expect((await store().audit({ limit: 9, after: 1 })).map(({ number }) => number)).toEqual([2]);
      expect(await store().auditHead()).toEqual(two);
      expect(await store().verifyAudit()).toEqual({ rows: 2, first: 1, head: two, problem: null });
    });

    test("keeps what belongs to a transaction that failed out of the chain", async () => {
      await store().appendAudit(entry(1));
      const failed = store().transaction(async (tx) => {
        await tx.appendAudit(entry(2));
        throw new Error("no");
      });
      await expect(failed).rejects.toThrow("no");
      await store().appendAudit(entry(3));
      expect(await store().verifyAudit()).toMatchObject({ rows: 2, problem: null });
    });

    test("makes one chain of what several append at the same time", async () => {
      await Promise.all(Array.from({ length: 20 }, (_, time) => store().appendAudit(entry(time))));
      expect(await store().verifyAudit()).toMatchObject({ rows: 20, problem: null });
    });

    test("cuts names and refuses details that are no details any more", async () => {
      await store().appendAudit(entry(1, { actor: "x".repeat(9000), details: { text: "y".repeat(9000) } }));
      const row = (await store().audit({ limit: 1 }))[0];
      expect([row?.actor.length, row?.details]).toEqual([500, { cut: true, bytes: 9011 }]);
    });
  });

  describe("the audit log", () => {
    test.each(["update custodes.audit set actor = 'x'", "delete from custodes.audit", "truncate custodes.audit"])(
      "refuses: %s",
      async (sql) => {
        await fill(2);
        await expect(subject().query(sql)).rejects.toThrow();
        expect(await store().verifyAudit()).toMatchObject({ rows: 2, problem: null });
      },
    );

    test.each([
      ["a changed row", "update custodes.audit set actor = 'x' where number = 3", 3, "its content is not what was hashed"],
      ["changed details", "update custodes.audit set details = '{' where number = 3", 3, "its content is not what was hashed"],
      ["a changed hash", `update custodes.audit set hash = repeat('1', 64) where number = 3`, 3, "its content is not what was hashed"],
      ["a row taken out", "delete from custodes.audit where number = 3", 3, "row 3 is missing"],
      ["rows taken out", "delete from custodes.audit where number in (2, 3)", 2, "rows 2 to 3 are missing"],
      ["the first rows taken out", "delete from custodes.audit where number < 3", 1, "rows 1 to 2 are missing"],
      ["the end cut off", "delete from custodes.audit where number > 3", 4, "rows up to 5 are missing at the end"],
      ["everything taken out", "delete from custodes.audit", 1, "rows up to 5 are missing at the end"],
      ["the head taken away", "delete from custodes.audit_head", 5, "it is not the head that was noted"],
    ])("shows %s", async (_name, sql, number, reason) => {
      await fill(5);
      await tamper(sql);
      expect((await store().verifyAudit()).problem).toEqual({ number, reason });
    });

    test("shows that it was written anew, to whoever noted its head before", async () => {
      await fill(5);
      const noted = (await store().auditHead())?.hash ?? "";
      await fill(2);
      expect(await store().verifyAudit({ expect: noted })).toMatchObject({ rows: 7, problem: null });
      await tamper("delete from custodes.audit; delete from custodes.audit_head");
      await fill(4);
      expect((await store().verifyAudit()).problem).toBeNull();
      expect((await store().verifyAudit({ expect: noted })).problem).toMatchObject({ number: 4, reason: expect.stringContaining(noted) });
    });

    test("is looked at a page at a time, and a row behind the first page is as safe as one in it", async () => {
      await store().transaction(async (tx) => {
        for (let time = 1; time <= 2_100; time++) await tx.appendAudit(entry(time));
      });
      expect(await store().verifyAudit()).toMatchObject({ rows: 2_100, first: 1, problem: null });
      await tamper("update custodes.audit set actor = 'x' where number = 2050");
      expect((await store().verifyAudit()).problem).toMatchObject({ number: 2050 });
      await tamper("delete from custodes.audit where number = 1001");
      expect((await store().verifyAudit()).problem).toEqual({ number: 1001, reason: "row 1001 is missing" });
    });

    test("can be looked at from a row on", async () => {
      await fill(5);
      await tamper("update custodes.audit set actor = 'x' where number = 2");
      expect(await store().verifyAudit({ from: 3 })).toMatchObject({ rows: 3, first: 3, problem: null });
      expect((await store().verifyAudit({ from: 2 })).problem).toMatchObject({ number: 2 });
    });

    test("stays one chain when retention takes its start away", async () => {
      await fill(10);
      const noted = (await store().audit({ limit: 10 })).find(({ number }) => number === 3)?.hash ?? "";
      expect((await store().expire(request(105, { audit: 100 })))?.rows.audit).toBe(3);
      expect(await store().audit({ limit: 1 })).toMatchObject([
        { number: 11, action: "audit.expired", details: { through: 3, hash: noted, last: 3, kept: 100, rows: 3 } },
      ]);
      expect(await store().verifyAudit({ expect: noted })).toMatchObject({ rows: 8, first: 4, problem: null });
      expect((await store().expire(request(108, { audit: 100 })))?.rows.audit).toBe(3);
      expect(await store().verifyAudit()).toMatchObject({ rows: 6, first: 7, problem: null });
      // Taking more away by hand is seen; so is a row in the place of what went.
      await tamper("delete from custodes.audit where number = 7");
      expect((await store().verifyAudit()).problem).toEqual({ number: 7, reason: "row 7 is missing" });
    });

    test("never loses its newest row, and none behind one that is young", async () => {
      await store().appendAudit(entry(50));
      for (const time of [900, 60, 70]) await store().appendAudit(entry(time));
      expect((await store().expire(request(1000, { audit: 500 })))?.rows.audit).toBe(0);
      expect((await store().expire(request(10_000, { audit: 1 })))?.rows.audit).toBe(3);
      expect((await store().audit({ limit: 10 })).length).toBeGreaterThan(0);
      expect((await store().verifyAudit()).problem).toBeNull();
    });
  });
}
