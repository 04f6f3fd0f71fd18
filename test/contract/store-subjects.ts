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
      await saveIncidents(incident("i", 1, { title: "late" }));
      expect(await store().incidents()).toStrictEqual([second]);
      expect(await store().incidentRevision("i", 1)).toStrictEqual(first);
      expect(await store().incidentRevision("i", 2)).toStrictEqual(second);
      expect(await store().incidentRevision("x", 1)).toBeUndefined();
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
}
