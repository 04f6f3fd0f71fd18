import { describe, expect, test } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { INCIDENT_STATUS, type Incident } from "../../src/core/incident.ts";
import type { TheStore } from "./store.ts";
import { alert, incident } from "./subjects.ts";

/** Promises about alerts and incidents. */
export function subjectPromises(store: TheStore): void {
  const saveAlerts = (...list: readonly Alert[]): Promise<void> => store().transaction((tx) => tx.saveAlerts(list));
  const saveIncidents = (...list: readonly Incident[]): Promise<void> => store().transaction((tx) => tx.saveIncidents(list));

  describe("saveAlerts", () => {
    test("shows the newest revision and keeps the earlier ones for their deliveries", async () => {
      await saveAlerts(alert("a", 1), alert("b", 1));
      await saveAlerts(alert("a", 2, { count: 20 }));
      expect((await store().alerts({ ids: ["a"] })).map(({ revision }) => revision)).toEqual([2]);
      expect(await store().alertRevision("a", 1)).toStrictEqual(alert("a", 1));
      expect(await store().alertRevision("a", 2)).toStrictEqual(alert("a", 2, { count: 20 }));
      expect(await store().alertRevision("a", 3)).toBeUndefined();
    });

    test("replaces an equal revision and ignores a lower one, also within one call", async () => {
      await saveAlerts(alert("a", 2, { count: 1 }));
      await saveAlerts(alert("a", 2, { count: 2 }));
      await saveAlerts(alert("a", 1, { count: 9 }));
      expect(await store().alerts()).toStrictEqual([alert("a", 2, { count: 2 })]);
      expect(await store().alertRevision("a", 1)).toBeUndefined();
      await saveAlerts(alert("b", 1), alert("b", 3), alert("b", 2), alert("b", 3, { count: 33 }));
      expect(await store().alertRevision("b", 1)).toBeDefined();
      expect(await store().alertRevision("b", 2)).toBeUndefined();
      expect((await store().alertRevision("b", 3))?.count).toBe(33);
    });

    test("gives any text back as it was", async () => {
      const odd = alert("a", 1, { ruleTitle: "\0\ud800'", group: { "x\0": "\\", ["__proto__"]: "p" }, evidence: ["\t\n"] });
      await saveAlerts(odd);
      expect(await store().alerts()).toStrictEqual([odd]);
    });

    test("gives back the events behind an alert, or that there are none", async () => {
      const chained = alert("a", 1, { behind: ["p", "q"] });
      await saveAlerts(chained, alert("b", 1));
      expect(await store().alertRevision("a", 1)).toStrictEqual(chained);
      expect(await store().alertRevision("b", 1)).toStrictEqual(alert("b", 1));
    });

    test("lists the newest first, no more than the limit, or those that are asked for", async () => {
      await saveAlerts(alert("a", 1, { lastTime: 5 }), alert("b", 1, { lastTime: 9 }), alert("c", 1, { lastTime: 7 }));
      await saveAlerts(alert("a", 2, { lastTime: 8 }));
      expect((await store().alerts()).map(({ id }) => id)).toEqual(["b", "a", "c"]);
      expect((await store().alerts({ limit: 2 })).map(({ id }) => id)).toEqual(["b", "a"]);
      expect((await store().alerts({ ids: ["c", "nobody"] })).map(({ id }) => id)).toEqual(["c"]);
      expect(await store().alerts({ ids: [] })).toEqual([]);
    });
  });

  describe("saveIncidents", () => {
    test("shows the newest revision and keeps the earlier ones, each as it was", async () => {
      const first = incident("i", 1);
      const second = incident("i", 2, { agentUid: "x", coverage: { state: "partial", missing: ["kong/main"], watermark: 5 } });
      await saveIncidents(first);
      await saveIncidents(second);
      await expect(saveIncidents(incident("i", 1, { title: "late" }))).rejects.toMatchObject({ code: "INCIDENT_MOVED" });
      expect(await store().incidents()).toStrictEqual([second]);
      expect(await store().incidentRevision("i", 1)).toStrictEqual(first);
      expect(await store().incidentRevision("i", 2)).toStrictEqual(second);
      expect(await store().incidentRevision("x", 1)).toBeUndefined();
    });

    test("takes the next revision alone, and all of a call or nothing", async () => {
      await saveIncidents(incident("i", 1));
      const moved = { code: "INCIDENT_MOVED", kind: "permanent" };
      await expect(saveIncidents(incident("i", 3))).rejects.toMatchObject(moved);
      await expect(saveIncidents(incident("i", 1, { title: "again" }))).rejects.toMatchObject(moved);
      await expect(saveIncidents(incident("new", 1), incident("i", 1))).rejects.toMatchObject(moved);
      await expect(saveIncidents(incident("unheard of", 2))).rejects.toMatchObject(moved);
      expect((await store().incidents()).map(({ id, revision, title }) => [id, revision, title])).toEqual([["i", 1, "Title"]]);
    });

    test("of two at once that write the same revision one wins and the other is told", async () => {
      await saveIncidents(incident("i", 1));
      const titles = ["a", "b", "c"];
      const ends = await Promise.allSettled(titles.map((title) => saveIncidents(incident("i", 2, { title }))));
      expect(ends.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
      const winner = titles[ends.findIndex(({ status }) => status === "fulfilled")];
      expect((await store().incidents()).map(({ revision, title }) => [revision, title])).toEqual([[2, winner]]);
    });

    test("tells open from closed ones by their newest revision", async () => {
      const { closed, inProgress, onHold, resolved } = INCIDENT_STATUS;
      await saveIncidents(
        incident("a", 1),
        incident("b", 1),
        incident("c", 1, { status: inProgress }),
        incident("d", 1, { status: onHold }),
      );
      await saveIncidents(incident("a", 2, { status: closed }), incident("b", 2, { status: resolved }));
      const found = async (open: boolean): Promise<string[]> => (await store().incidents({ open })).map(({ id }) => id).toSorted();
      expect(await found(true)).toEqual(["c", "d"]);
      expect(await found(false)).toEqual(["a", "b"]);
      await saveIncidents(incident("a", 3));
      expect(await found(true)).toEqual(["a", "c", "d"]);
    });

    test("lists the newest first, no more than the limit", async () => {
      await saveIncidents(incident("a", 1, { lastTime: 1 }), incident("b", 1, { lastTime: 3 }), incident("c", 1, { lastTime: 2 }));
      expect((await store().incidents({ limit: 2 })).map(({ id }) => id)).toEqual(["b", "c"]);
      expect((await store().incidents({ ids: ["a"], open: true })).map(({ id }) => id)).toEqual(["a"]);
    });
  });

  describe("incidentsAbout", () => {
    test("finds the newest revisions by entity, open or not, the newest of each entity within the limit", async () => {
      const odd = `agent:${"x".repeat(5_000)}\0`;
      await saveIncidents(
        incident("a", 1, { entity: "agent:a", lastTime: 1 }),
        incident("b", 1, { entity: "agent:a", lastTime: 3 }),
        incident("c", 1, { entity: "agent:a", lastTime: 2 }),
        incident("d", 1, { entity: odd, lastTime: 9 }),
        incident("e", 1, { entity: "agent:e", lastTime: 9 }),
      );
      await saveIncidents(incident("b", 2, { entity: "agent:a", lastTime: 3, status: INCIDENT_STATUS.closed }));
      const found = await store().incidentsAbout(["agent:a", odd, "agent:nobody"], 2);
      expect(found.map(({ id, revision }) => [id, revision])).toEqual([
        ["d", 1],
        ["b", 2],
        ["c", 1],
      ]);
      expect(await store().incidentsAbout([], 2)).toEqual([]);
    });
  });

  describe("linkAlerts and alertsAbout", () => {
    const link = (entity: string, alertId: string, firstTime: number, lastTime: number): Promise<void> =>
      store().transaction((tx) => tx.linkAlerts([{ entity, alertId, firstTime, lastTime }]));
    const about = async (entities: readonly string[], from: number, to: number, limit = 10): Promise<string[]> =>
      (await store().alertsAbout(entities, { from, to, limit })).map(({ id, revision }) => `${id}${revision}`);

    test("find the newest revisions of the alerts about an entity that touch a time, each once", async () => {
      await saveAlerts(alert("a", 1), alert("b", 1), alert("c", 1));
      await saveAlerts(alert("a", 2));
      await link("agent:x", "a", 10, 20);
      await link("agent:y", "a", 10, 20);
      await link("agent:x", "b", 30, 40);
      await link("agent:z", "c", 0, 100);
      expect(await about(["agent:x", "agent:y"], 0, 100)).toEqual(["a2", "b1"]);
      expect(await about(["agent:x"], 20, 29)).toEqual(["a2"]);
      expect(await about(["agent:x"], 21, 29)).toEqual([]);
      expect(await about(["agent:x"], 0, 9)).toEqual([]);
      expect(await about(["agent:x"], 0, 100, 1)).toEqual(["b1"]);
      expect(await about(["agent:nobody"], 0, 100)).toEqual([]);
      expect(await about([], 0, 100)).toEqual([]);
    });

    test("widen the times of what is linked already, and never narrow them", async () => {
      await saveAlerts(alert("a", 1));
      await link("e", "a", 10, 20);
      await link("e", "a", 15, 16);
      await link("e", "a", 12, 30);
      expect(await about(["e"], 25, 26)).toEqual(["a1"]);
      expect(await about(["e"], 0, 11)).toEqual(["a1"]);
    });
  });
}
