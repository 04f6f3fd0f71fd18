import { afterAll, beforeAll, expect, test } from "vitest";
import { INCIDENT_STATUS, type Incident } from "../../src/core/incident.ts";
import { incidentsEntry } from "../../src/pipeline/incident-audit.ts";
import { answerIncident } from "../../src/pipeline/close.ts";
import type { Store } from "../../src/ports/store.ts";
import { incident } from "../contract/subjects.ts";
import { append, correlating, MINUTE, QUIET_MS, sink, storyEvent } from "./correlating.ts";
import { memoryStore, NOTHING_KNOWN, START } from "./world.ts";

const closed = (id: string, revision: number, how: NonNullable<Incident["closure"]>["how"]): Incident =>
  incident(id, revision, { status: INCIDENT_STATUS.closed, closure: { how, time: 1 } });
const reopened = (id: string, revision: number, count: number): Incident => incident(id, revision, { reopened: { count, time: 1, at: 1 } });

test("a step is one entry, with what it opened, reopened, merged and closed", () => {
  const changed = [
    incident("new", 1),
    reopened("again", 4, 1),
    reopened("still", 5, 2),
    closed("part", 3, "merged"),
    closed("over", 2, "quiet"),
    closed("healed", 2, "ended"),
    incident("amended", 7),
    // Closed before, and told again: late evidence, or coverage.
    closed("long-over", 4, "quiet"),
    closed("by-ann", 4, "person"),
  ];
  const open = [reopened("still", 4, 1), incident("over", 1), incident("healed", 1), incident("amended", 6)];
  expect(incidentsEntry(changed, open, 9)).toEqual({
    time: 9,
    actor: "custodes",
    action: "incidents.changed",
    subject: "",
    details: {
      opened: 1,
      opened_ids: "new",
      reopened: 2,
      reopened_ids: "again still",
      merged: 1,
      merged_ids: "part",
      quiet: 1,
      quiet_ids: "over",
      ended: 1,
      ended_ids: "healed",
    },
  });
});

test("amendments alone are no entry; the one that is still reopened is not told again", () => {
  expect(incidentsEntry([], [], 1)).toBeUndefined();
  expect(incidentsEntry([incident("a", 2), reopened("b", 9, 3)], [incident("a", 1), reopened("b", 8, 3)], 1)).toBeUndefined();
});

test("one incident is the subject; of thousands the count is whole and the ids are few", () => {
  expect(incidentsEntry([incident("only", 1)], [], 1)).toMatchObject({ subject: "only" });
  const id = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`;
  const kinds = (n: number): Incident[] => [
    incident(`${id(n)}`, 1),
    reopened(`1${id(n)}`.slice(0, 36), 2, 1),
    closed(`2${id(n)}`.slice(0, 36), 2, "merged"),
  ];
  const entry = incidentsEntry(Array.from({ length: 3000 }, (_, n) => kinds(n)).flat(), [], 1);
  expect(entry?.details).toMatchObject({ opened: 3000, reopened: 3000, merged: 3000 });
  expect(String(entry?.details["opened_ids"])).toMatch(/^(\S{36} ){40}and more$/);
  expect(JSON.stringify(entry?.details).length).toBeLessThan(8192 * (3 / 5));
});

let store: Store;
beforeAll(async () => {
  ({ store } = await memoryStore());
});
afterAll(() => store.close());

test("correlation records what it does to an incident together with it, and amendments not at all", async () => {
  const never = new AbortController().signal;
  const proven = { watermark: START + MINUTE, missing: [] };
  const one = correlating(store, proven, undefined, undefined, { reopenMs: 24 * 60 * MINUTE });
  const deletion = (minute: number) => append(store, [storyEvent({ minute, who: "a", what: "delete" }, minute)]);
  const entries = async () => (await store.audit({ limit: 20 })).map(({ action, details }) => [action, details]).reverse();
  await deletion(0);
  await one.run(never);
  const id = (await store.incidents())[0]!.id;
  const opened = ["incidents.changed", { opened: 1, opened_ids: id }];
  expect(await entries()).toEqual([opened]);
  await deletion(1);
  await one.run(never);
  expect((await store.incidents())[0]?.revision).toBe(2);
  expect(await entries()).toEqual([opened]);
  // A person closes it, of which correlation is not told, and it comes again.
  const closing = { store, look: NOTHING_KNOWN, destinations: [sink], now: () => START + 2 * MINUTE };
  await answerIncident(closing, id, { to: "close", how: "person", by: "ann", time: START + 2 * MINUTE });
  await deletion(30);
  await one.run(never);
  proven.watermark = START + 30 * MINUTE + 2 * QUIET_MS;
  // First it is final, then it is over.
  await one.run(never);
  await one.run(never);
  expect((await store.incidents())[0]).toMatchObject({ id, closure: { how: "quiet" } });
  expect(await entries()).toEqual([
    opened,
    ["incident.closed", expect.anything()],
    ["incidents.changed", { reopened: 1, reopened_ids: id }],
    ["incidents.changed", { quiet: 1, quiet_ids: id }],
  ]);
  expect(await store.verifyAudit()).toMatchObject({ rows: 4, problem: null });
});
