import { describe, expect, test } from "vitest";
import { INCIDENT_STATUS } from "../../src/core/incident.ts";
import type { Event } from "../../src/core/event.ts";
import type { ExpireRequest, Expired, Retention } from "../../src/ports/retention.ts";
import type { OutboxRow } from "../../src/ports/store.ts";
import type { StoreUnderTest } from "./store.ts";
import { alert, event, events, incident } from "./subjects.ts";

const DAY = 86_400_000;
/** Noon of a day. */
export const day = (number: number): number => number * DAY + DAY / 2;
const FOREVER: Retention = { log: null, alerts: null, incidents: null, deliveries: null, quarantine: null, audit: null };
/** A request that keeps everything but what is named, and that nothing else holds back. */
export const request = (now: number, retention: Partial<Retention>, set: Partial<ExpireRequest> = {}): ExpireRequest => {
  const most = Number.MAX_SAFE_INTEGER;
  const free = { logKeepFrom: most, keepFrom: most, alertsKeepFrom: most, signal: new AbortController().signal };
  return { retention: { ...FOREVER, ...retention }, now, ...free, ...set };
};

/** Promises about retention. */
export function expirePromises(subject: () => StoreUnderTest): void {
  const store = () => subject().store;
  const append = (list: readonly Event[]) => store().transaction((tx) => tx.appendEvents("kong/main", list));
  const appendOn = async (number: number, prefix: string, count = 3): Promise<void> => {
    subject().clock.now = day(number);
    await append(events(prefix, count));
  };
  const uids = async (): Promise<string[]> => (await store().readLog(0, 10_000)).map((logged) => logged.event.uid);
  /** Runs until there is nothing left to do; what all runs took together. */
  const expire = async (asked: ExpireRequest): Promise<Expired> => {
    const days: Expired["days"][number][] = [];
    for (let run = 0; run < 50; run++) {
      const expired = await store().expire(asked);
      if (expired === undefined) throw new Error("somebody else was at it");
      days.push(...expired.days);
      if (!expired.more) return { ...expired, days };
    }
    throw new Error("there was always more");
  };

  describe("expire, of the log", () => {
    test("takes out whole days that are older than the retention, and nothing else", async () => {
      for (const number of [20_000, 20_001, 20_002, 20_003]) await appendOn(number, `d${number}-`);
      const last = await store().lastSequence();
      const { days, parts, held } = await expire(request(day(20_003), { log: DAY }));
      expect(days.map(({ day: name, events: count }) => [name, count])).toEqual([
        ["2024-10-04", 3],
        ["2024-10-05", 3],
      ]);
      expect(days.every(({ bytes }) => bytes > 0)).toBe(true);
      expect({ parts, held }).toEqual({ parts: 2, held: 0 });
      expect(await uids()).toEqual(["d20002-0", "d20002-1", "d20002-2", "d20003-0", "d20003-1", "d20003-2"]);
      expect(await store().lastSequence()).toBe(last);
      expect((await store().events(["d20000-0", "d20002-1"])).map(({ uid }) => uid)).toEqual(["d20002-1"]);
      expect((await store().audit({ limit: 1 }))[0]).toMatchObject({ action: "log.expired", subject: "2024-10-05", actor: "custodes" });
    });

    test("forgets the uids and attributions of what went, so that nothing grows for ever", async () => {
      subject().clock.now = day(20_000);
      await append([event("a", 1, { attributionId: 4, agents: ["x", "y"], attributionConfidence: 50, traceUid: "t" })]);
      await appendOn(20_002, "b", 1);
      await subject().query(
        "insert into custodes.attribution select hash, agent, 1, 1, 90, '[]' from custodes.log_uid cross join (values ('x'), ('y')) as late(agent) where sequence = (select min(sequence) from custodes.log)",
      );
      expect((await store().activityOf("x", 0, 10, 10)).possible).toHaveLength(0);
      expect((await store().activityOf("y", 0, 10, 10)).direct).toHaveLength(1);
      expect((await expire(request(day(20_002), { log: DAY }))).rows.attributions).toBe(2);
      for (const table of ["log_uid", "log_batch", "log_part"])
        expect(await subject().query(`select count(*)::int as n from custodes.${table}`)).toEqual([{ n: 1 }]);
      for (const table of ["attribution", "log_refs", "log_shared"])
        expect(await subject().query(`select * from custodes.${table}`)).toEqual([]);
      expect(await append([event("a", 1), event("b0", 1000)])).toMatchObject({ stored: 1, duplicates: 1 });
    });

    test("leaves what correlation still needs, and says so", async () => {
      for (const number of [20_000, 20_001, 20_009]) await appendOn(number, `d${number}-`);
      const second = (await store().readLog(0, 10))[3]?.sequence ?? 0;
      expect(await expire(request(day(20_009), { log: DAY }, { logKeepFrom: null }))).toMatchObject({ days: [], held: 2 });
      expect(await expire(request(day(20_009), { log: DAY }, { logKeepFrom: 1 }))).toMatchObject({ days: [], held: 2 });
      expect(await uids()).toHaveLength(9);
      const some = await expire(request(day(20_009), { log: DAY }, { logKeepFrom: second }));
      expect(some.days.map((one) => one.day)).toEqual(["2024-10-04"]);
      expect(some.held).toBe(1);
      expect(await uids()).toHaveLength(6);
    });

    test("takes at most two days in one run", async () => {
      for (const number of [20_000, 20_001, 20_002, 20_009]) await appendOn(number, `d${number}-`, 1);
      expect(await store().expire(request(day(20_009), { log: DAY }))).toMatchObject({ days: [{ events: 1 }, { events: 1 }], more: true });
      expect(await uids()).toEqual(["d20002-0", "d20009-0"]);
    });

    test("takes the last day, too, when nothing came for so long; what comes then has larger sequences", async () => {
      await appendOn(20_000, "old");
      const last = await store().lastSequence();
      expect((await expire(request(day(20_005), { log: DAY }))).days).toHaveLength(1);
      expect(await uids()).toEqual([]);
      expect(await store().lastSequence()).toBe(last);
      await appendOn(20_005, "new", 2);
      const log = await store().readLog(last, 10);
      expect(log.map((logged) => logged.event.uid)).toEqual(["new0", "new1"]);
      expect(await store().sequenceBefore(0)).toBeLessThan(log[0]?.sequence ?? 0);
    });

    test("keeps the order of the log, and takes out every day in time, whatever the clock does", async () => {
      // A day back, as of another process behind midnight; years ahead, and back again.
      for (const [index, number] of [20_000, 20_001, 20_000, 29_000, 20_001, 20_002].entries()) await appendOn(number, `n${index}-`, 1);
      expect(await uids()).toEqual(["n0-0", "n1-0", "n2-0", "n3-0", "n4-0", "n5-0"]);
      expect((await expire(request(day(20_002), { log: DAY }))).days.map((one) => one.events)).toEqual([1]);
      // Nothing of day 20,001 and before is left two days later, also what came while the clock was wrong.
      await expire(request(day(20_003), { log: DAY }));
      expect(await uids()).toEqual(["n5-0"]);
    });

    test("can end anywhere, and the next run goes on; nothing is ever there by half", async () => {
      for (let stop = 0; stop < 12; stop++) {
        subject().clock.now = day(21_000 + 10 * stop);
        const first = events(`s${stop}-`, 5000);
        await append(first);
        await appendOn(21_005 + 10 * stop, `t${stop}-`, 1);
        let looks = 0;
        const signal = {
          get aborted() {
            return looks++ >= stop;
          },
        } as AbortSignal;
        await store().expire(request(day(21_005 + 10 * stop), { log: DAY }, { signal }));
        const left = (await uids()).filter((uid) => uid.startsWith(`s${stop}-`)).length;
        expect([0, 5000]).toContain(left);
        // Until the part is dropped some of its uids are known; none is ever in the log twice.
        const again = await append(first.slice(0, 10));
        if (left > 0) expect(again.stored).toBe(0);
        expect(new Set(await uids()).size).toBe((await uids()).length);
        await expire(request(day(21_009 + 10 * stop), { log: DAY }));
        expect(await uids()).toEqual([]);
      }
      expect(await subject().query("select count(*)::int as n from custodes.log_uid")).toEqual([{ n: 0 }]);
    });

    test("is done once when several do it at the same time", async () => {
      for (const number of [20_000, 20_001, 20_009]) await appendOn(number, `d${number}-`, 2500);
      const runs = await Promise.all(Array.from({ length: 4 }, () => store().expire(request(day(20_009), { log: DAY }))));
      const left = await expire(request(day(20_009), { log: DAY }));
      const days = [...runs.flatMap((run) => run?.days ?? []), ...left.days];
      expect((await store().audit({ limit: 10 })).map(({ subject: name }) => name)).toEqual(["2024-10-05", "2024-10-04"]);
      expect(days.length).toBeLessThanOrEqual(2);
      expect(await uids()).toHaveLength(2500);
    });
  });

  describe("expire, of all else", () => {
    const delivery = (kind: "alert" | "incident", subjectId: string, revision = 1) => {
      return { key: `d:${kind}:${subjectId}:${revision}`, destination: "d", kind, subjectId, revision, dueTime: 0, createdTime: 0 };
    };
    const settle = (key: string, status: OutboxRow["status"], now: number) =>
      store().settleDeliveries([{ key, status, attempts: 1, dueTime: 0, note: "" }], now);

    test("takes old quarantine and facts, each by its own retention", async () => {
      const reject = { code: "RECORD_NOT_JSON" as const, message: "m", position: "1", raw: "x" };
      await store().transaction(async (tx) => {
        await tx.appendQuarantine("kong/main", [reject, reject], day(1));
        await tx.appendQuarantine("kong/main", [reject], day(5));
        await tx.saveFacts([
          { key: "ip:1@1", value: "a", first: 1, last: day(1) },
          { key: "ip:1@2", value: "b", first: 1, last: day(5) },
        ]);
      });
      expect((await expire(request(day(6), { quarantine: 2 * DAY }))).rows).toMatchObject({ quarantine: 2, facts: 0 });
      expect((await expire(request(day(6), { log: 2 * DAY }))).rows).toMatchObject({ quarantine: 0, facts: 1 });
      expect((await store().facts()).map(({ value }) => value)).toEqual(["b"]);
      expect(await store().quarantine()).toHaveLength(1);
    });

    test("keeps bindings beyond the log, and those of a key as long as somebody who had it before is told of", async () => {
      const told = (key: string, holder: string, number: number) => {
        return { key, value: `${holder}\t\t\t${day(number)}`, first: day(number), last: day(number) };
      };
      await store().transaction((tx) =>
        tx.saveFacts([
          // a lost the address to b, and still shows it; c had it long before.
          told("link:ip:1", "pod:c", 10),
          told("link:ip:1", "pod:a", 11),
          told("link:ip:1", "pod:b", 12),
          told("link:ip:1", "pod:a", 60),
          told("link:ip:2", "pod:c", 12),
          told("link:ip:2", "pod:b", 60),
          { key: "seen:session:1@1", value: "=x", first: 1, last: day(60) },
          { key: "seen:session:1@0", value: "=x", first: 1, last: day(20) },
        ]),
      );
      const left = async () =>
        (await store().facts()).map(({ key, value, last }) => `${key} ${value.split("\t")[0]} ${(last - DAY / 2) / DAY}`);
      const all = await left();
      expect((await expire(request(day(80), { log: 2 * DAY }, { keepFrom: day(40) }))).rows).toMatchObject({ facts: 0 });
      expect(await left()).toEqual(all);
      expect((await expire(request(day(80), { log: 2 * DAY }))).rows).toMatchObject({ facts: 3 });
      expect(await left()).toEqual([
        "link:ip:1 pod:a 11",
        "link:ip:1 pod:b 12",
        "link:ip:1 pod:a 60",
        "link:ip:2 pod:b 60",
        "seen:session:1@1 =x 60",
      ]);
      expect((await expire(request(day(100), { log: 2 * DAY }))).rows).toMatchObject({ facts: 5 });
    });

    test("takes settled deliveries, and never one that is pending", async () => {
      await store().transaction((tx) => tx.addDeliveries(["a", "b", "c", "e"].map((id) => delivery("alert", id))));
      await settle("d:alert:a:1", "delivered", day(1));
      await settle("d:alert:b:1", "dead", day(1));
      await settle("d:alert:c:1", "delivered", day(5));
      expect((await expire(request(day(6), { deliveries: 2 * DAY }))).rows.deliveries).toBe(2);
      expect((await store().deliveries()).map(({ subjectId }) => subjectId).sort()).toEqual(["c", "e"]);
    });

    test("keeps alerts that an open incident has, that a delivery refers to, or that correlation may come to again", async () => {
      const ids = ["old", "incident", "pending", "dead", "sent", "needed"];
      await store().transaction(async (tx) => {
        await tx.saveAlerts(ids.map((id) => alert(id, 1, { lastTime: id === "needed" ? day(3) : day(1) })));
        await tx.saveIncidents([incident("i", 1, { lastTime: day(1), alerts: [alert("incident", 1)] })]);
        await tx.addDeliveries(["pending", "dead", "sent"].map((id) => delivery("alert", id)));
      });
      await settle("d:alert:dead:1", "dead", day(5));
      await settle("d:alert:sent:1", "delivered", day(5));
      expect((await expire(request(day(6), { alerts: DAY }, { alertsKeepFrom: null }))).rows.alerts).toBe(0);
      expect((await expire(request(day(6), { alerts: DAY }, { alertsKeepFrom: day(2) }))).rows.alerts).toBe(2);
      // A run that took something is one entry; one that took nothing is none.
      await expire(request(day(6), { alerts: DAY }, { alertsKeepFrom: day(2) }));
      expect(await store().audit({ limit: 10 })).toMatchObject([
        { action: "rows.expired", time: day(6), details: { alerts: 2, incidents: 0, deliveries: 0, quarantine: 0 } },
      ]);
      expect((await store().alerts()).map(({ id }) => id).sort()).toEqual(["dead", "incident", "needed", "pending"]);
    });

    test("keeps open incidents, however old, and takes revisions of closed ones from the first to the last", async () => {
      const closed = INCIDENT_STATUS.closed;
      await store().transaction(async (tx) => {
        await tx.saveIncidents([incident("open", 1, { lastTime: day(1) })]);
        await tx.saveIncidents([incident("open", 2, { lastTime: day(1) })]);
        await tx.saveIncidents([incident("over", 1, { lastTime: day(1) })]);
        await tx.saveIncidents([incident("over", 2, { lastTime: day(1), status: closed })]);
        await tx.saveIncidents([incident("young", 1, { lastTime: day(5), status: closed })]);
        await tx.saveIncidents([incident("sent", 1, { lastTime: day(1), status: closed })]);
        await tx.addDeliveries([delivery("incident", "sent")]);
      });
      expect((await expire(request(day(6), { incidents: 2 * DAY }))).rows.incidents).toBe(2);
      // The first revision of one that is over must not be taken for an open incident in between.
      expect((await store().incidents({ open: true })).map(({ id }) => id)).toEqual(["open"]);
      expect((await expire(request(day(6), { incidents: 2 * DAY }))).rows.incidents).toBe(1);
      expect((await store().incidents()).map(({ id, revision }) => `${id} ${revision}`).sort()).toEqual(["open 2", "sent 1", "young 1"]);
      expect(await store().incidentRevision("over", 1)).toBeUndefined();
    });

    test("takes nothing that is to be kept for ever", async () => {
      await appendOn(20_000, "a");
      await appendOn(20_009, "b");
      await store().transaction((tx) => tx.saveAlerts([alert("a", 1)]));
      const nothing = { facts: 0, attributions: 0, quarantine: 0, deliveries: 0, alerts: 0, incidents: 0, audit: 0 };
      expect(await expire(request(day(90_000), {}))).toMatchObject({ days: [], rows: nothing, held: 0 });
      expect(await uids()).toHaveLength(6);
    });
  });
}
