import { expect, test } from "vitest";
import type { Alert, RuleInfo } from "../../src/core/alert.ts";
import type { Incident } from "../../src/core/incident.ts";
import { takeBatches } from "../../src/pipeline/batch.ts";
import { deliverQueue, relay } from "../../src/pipeline/relay.ts";
import { deliveryKey, endsOf, route, type RunningDestination } from "../../src/pipeline/route.ts";
import type { Destination, Rendered } from "../../src/ports/connector.ts";
import type { Queue } from "../../src/ports/queue.ts";
import type { Store } from "../../src/ports/store.ts";
import { alertSubject, incidentSubject, ruleInfo } from "../fixtures/subjects.ts";
import { EVERYTHING, fakeConnector, offline, START, testClock, testLog } from "./world.ts";

function destination(
  id: string,
  when: Partial<RunningDestination["when"]> = {},
  accepts: Destination["accepts"] = ["alert", "incident"],
): RunningDestination {
  const made: Destination = {
    limits: { batchItems: 10, batchBytes: 100, itemBytes: 100 },
    accepts,
    render: () => {
      throw new Error("routing renders nothing");
    },
    send: () => Promise.reject(new Error("routing sends nothing")),
  };
  return {
    id,
    connector: fakeConnector,
    destination: made,
    when: { ...EVERYTHING, ...when },
    maxAttempts: 3,
    concurrency: 1,
    disableAfterMs: Infinity,
    context: offline(testClock(), testLog()),
  };
}
const alert = (changes: Partial<Alert> = {}) => ({ ...alertSubject().alert, ...changes });
const incident = (changes: Partial<Incident> = {}) => ({ ...incidentSubject().incident, ...changes });
const rules =
  (changes: Partial<RuleInfo> = {}) =>
  () =>
    ruleInfo(changes);
const keys = (
  to: RunningDestination[],
  alerts: Alert[],
  incidents: Incident[] = [],
  rule: (id: string) => RuleInfo | undefined = rules(),
  events: readonly string[] = [],
) =>
  route(
    to,
    { alerts, incidents, events: new Map(events.map((uid) => [uid, { agentUid: OF_TENANT[uid] ?? "a-1", agents: undefined }])) },
    { rule, agent: (id) => REGISTRY[id] },
    START,
  ).map((row) => row.key);
const OF_TENANT: Readonly<Record<string, string>> = { e2: "a-2" };
const REGISTRY: Readonly<Record<string, { team: string | undefined; tenant?: string } | undefined>> = {
  "a-1": { team: "red", tenant: "acme" },
  "a-2": { team: "blue" },
};

test("every subject goes to every destination that wants it, under a key that never changes", () => {
  const one = alert({ id: "A", revision: 3 });
  const other = incident({ id: "I", revision: 7 });
  expect(keys([destination("e/1"), destination("s/1")], [one], [other])).toEqual([
    "e/1:alert:A:3",
    "e/1:incident:I:7",
    "s/1:alert:A:3",
    "s/1:incident:I:7",
  ]);
  expect(deliveryKey("e/1", "alert", "A", 3)).toBe("e/1:alert:A:3");
  expect(
    route([destination("e/1")], { alerts: [one], incidents: [], events: new Map() }, { rule: rules(), agent: () => undefined }, START)[0],
  ).toMatchObject({
    dueTime: START,
    createdTime: START,
    kind: "alert",
    subjectId: "A",
  });
});

test("a destination gets only the kinds that it accepts and wants", () => {
  expect(keys([destination("p/1", {}, ["incident"])], [alert()], [incident()])).toHaveLength(1);
  expect(keys([destination("p/1", { kinds: ["alert"] }, ["incident"])], [alert()], [incident()])).toEqual([]);
  expect(keys([destination("p/1", { kinds: [] })], [alert()], [incident()])).toEqual([]);
});

test("a minimum level lets the level itself through and nothing below", () => {
  const levels = (["informational", "low", "medium", "high", "critical"] as const).map((level) => alert({ id: level, level }));
  expect(keys([destination("d", { minLevel: "high" })], levels)).toEqual(["d:alert:high:2", "d:alert:critical:2"]);
});

test("a destination that waits for the final word gets nothing before it", () => {
  const to = [destination("d", { final: true })];
  expect(keys(to, [alert({ final: false })], [incident({ final: false })])).toEqual([]);
  expect(keys(to, [alert({ final: true })], [incident({ final: true })])).toHaveLength(2);
  expect(keys([destination("d", { final: false })], [alert({ final: false })])).toHaveLength(1);
});

test("a rule with destinations of its own goes nowhere else", () => {
  const own = rules({ destinations: ["e/1"] });
  expect(keys([destination("e/1"), destination("s/1")], [alert()], [], own)).toEqual([expect.stringContaining("e/1:")]);
  expect(keys([destination("e/1")], [alert()], [], rules({ destinations: [] }))).toEqual([]);
});

test("an incident with one rule that may go everywhere goes everywhere", () => {
  const two = incident({ alerts: [alert({ ruleId: "bound" }), alert({ id: "x", ruleId: "free" })] });
  const rule = (id: string) => ruleInfo({ id, destinations: id === "bound" ? ["e/1"] : undefined });
  expect(keys([destination("s/1")], [], [two], rule)).toHaveLength(1);
  expect(keys([destination("s/1")], [], [incident({ alerts: [alert({ ruleId: "bound" })] })], rule)).toEqual([]);
});

test("a filter by rule takes ids and tags, and for an incident one of its alerts is enough", () => {
  const rule = (id: string) => ruleInfo({ id, tags: id === "tagged" ? ["custodes.c1"] : [] });
  const to = (rules_: string[]) => [destination("d", { rules: rules_ })];
  expect(keys(to(["tagged"]), [alert({ ruleId: "tagged" }), alert({ ruleId: "other" })], [], rule)).toHaveLength(1);
  expect(keys(to(["custodes.c1"]), [alert({ ruleId: "tagged" }), alert({ ruleId: "other" })], [], rule)).toHaveLength(1);
  expect(
    keys(to(["custodes.c1"]), [], [incident({ alerts: [alert({ ruleId: "other" }), alert({ ruleId: "tagged" })] })], rule),
  ).toHaveLength(1);
  expect(keys(to([]), [alert()], [], rule)).toEqual([]);
});

test("an alert of a rule that was removed still goes where no rule is asked for", () => {
  expect(keys([destination("d")], [alert()], [], () => undefined)).toHaveLength(1);
  expect(keys([destination("d", { rules: ["x"] })], [alert()], [], () => undefined)).toEqual([]);
});

const item = (key: string, bytes: number): Rendered => ({ key, bytes, body: "" });
test("batches keep the order and both limits; one item over the limit of a batch stands alone", () => {
  const limits = { batchItems: 3, batchBytes: 10, itemBytes: 99 };
  const split = (bytes: number[]) =>
    takeBatches(
      bytes.map((one, index) => item(String(index), one)),
      limits,
    ).map((batch) => batch.map((one) => one.bytes));
  expect(split([])).toEqual([]);
  expect(split([1, 1, 1, 1])).toEqual([[1, 1, 1], [1]]);
  expect(split([5, 5, 1])).toEqual([[5, 5], [1]]);
  expect(split([11, 1, 12, 13])).toEqual([[11], [1], [12], [13]]);
});

test("items of different groups never share a batch, and each group keeps its order", () => {
  const limits = { batchItems: 2, batchBytes: 10, itemBytes: 99 };
  const items = [item("a", 1), { ...item("b", 1), group: "dns" }, item("c", 1), item("d", 1), { ...item("e", 1), group: "dns" }];
  expect(takeBatches(items, limits).map((batch) => batch.map((one) => one.key))).toEqual([["a", "c"], ["d"], ["b", "e"]]);
});

test("the relay asks once per known destination with something due, without slashes in the queue's name", async () => {
  const asked: unknown[] = [];
  const queue = { add: async (...given: unknown[]) => void asked.push(given) } as unknown as Queue;
  const store = {
    haveDue: async (destinations) => destinations.filter((one) => one === "e/1"),
  } satisfies Pick<Store, "haveDue">;
  expect(await relay(store, queue, new Set(["e/1", "s/1"]), START)).toBe(1);
  expect(asked).toEqual([["deliver.e.1", { destination: "e/1" }, { deduplicate: "e/1" }]]);
  expect(deliverQueue("e/1")).toBe("deliver.e.1");
});

test("by whom it is about: agent, team or tenant; what is about nobody goes to none of these", () => {
  const alerts = [alert({ id: "1", agents: ["a-1"] }), alert({ id: "2", agents: ["a-2", "a-9"] }), alert({ id: "0", agents: [] })];
  const ids = (when: Partial<RunningDestination["when"]>): string =>
    keys([destination("d", when)], alerts)
      .join(" ")
      .replaceAll(/d:alert:|:2/g, "");
  expect(ids({ agents: ["a-1"] })).toBe("1");
  expect(ids({ agents: ["a-*"] })).toBe("1 2");
  expect(ids({ agents: ["*9"] })).toBe("2");
  expect(ids({ agents: ["a*-*9", "b"] })).toBe("2");
  expect(ids({ agents: ["a-1*1"] })).toBe("");
  expect(ids({ teams: ["blue"] })).toBe("2");
  expect(ids({ tenants: ["acme", "other"] })).toBe("1");
  expect(ids({ teams: ["blue"], tenants: ["acme"] })).toBe("");
  const incidents = [
    incident({ id: "I1", agentUid: "a-1" }),
    incident({ id: "I2", agentUid: undefined, alerts: [alert({ agents: ["a-2"] })] }),
    incident({ id: "I3", agentUid: undefined, alerts: [alert({ agents: [] })], entity: "user:bob" }),
  ];
  const about = (when: Partial<RunningDestination["when"]>): string[] =>
    keys([destination("d", when)], [], incidents).map((key) => key.split(":")[2]!);
  expect(about({ tenants: ["acme"] })).toEqual(["I1"]);
  expect(about({ agents: ["a-2"] })).toEqual(["I2"]);
  expect(about({ agents: ["user:*"] })).toEqual(["I3"]);
});

test("a destination of what may still change gets that alone, and learns that an incident is closed", () => {
  const to = [destination("d", { final: false })];
  expect(keys(to, [alert({ id: "F", final: true }), alert({ id: "P", final: false })])).toEqual(["d:alert:P:2"]);
  const open = incident({ id: "O", status: 1, final: true });
  expect(keys(to, [], [open, incident({ id: "C", status: 5, final: true })]).map((key) => key.split(":")[2])).toEqual(["C"]);
});

test("events go where they are asked for, once each, before the alerts that rest on them, and only those that are events", () => {
  const both = ["alert", "event"] as const;
  const alerts = [alert({ id: "A", evidence: ["e1", "inner"], behind: ["e2"] }), alert({ id: "B", evidence: ["e1"], level: "low" })];
  const given = (when: Partial<RunningDestination["when"]>, accepts: Destination["accepts"] = both): string[] =>
    keys([destination("d", when, accepts)], alerts, [], rules(), ["e1", "e2", "e9"]);
  expect(given({})).toEqual(["d:alert:A:2", "d:alert:B:2"]);
  expect(given({ kinds: ["event"] })).toEqual(["d:event:e1:1", "d:event:e2:1"]);
  expect(given({ kinds: both })).toEqual(["d:event:e1:1", "d:event:e2:1", "d:alert:A:2", "d:alert:B:2"]);
  expect(given({ kinds: both }, ["alert"])).toEqual(["d:alert:A:2", "d:alert:B:2"]);
  expect(given({ kinds: ["event"], minLevel: "critical" })).toEqual([]);
});

test("of an alert about agents of two tenants each tenant gets its own events alone", () => {
  const both = ["alert", "event"] as const;
  const one = alert({ id: "A", agents: ["a-1", "a-2"], evidence: ["e1", "e2"] });
  const given = (tenants: string[]) => keys([destination("d", { tenants, kinds: both }, both)], [one], [], rules(), ["e1", "e2"]);
  expect(given(["acme"])).toEqual(["d:event:e1:1", "d:alert:A:2"]);
  expect(given(["other"])).toEqual([]);
});

test("what a destination has shown ends there, also when its routes would not let it through any more", () => {
  const to = [destination("d", { minLevel: "critical" }), destination("x", { minLevel: "critical" })];
  const over = incident({ id: "C", status: 5, level: "high", revision: 3 });
  expect(endsOf(to, [over, incident({ id: "O", status: 1, revision: 9 })])).toEqual(
    ["d", "x"].flatMap((id) => [`${id}:incident:C:1`, `${id}:incident:C:2`]),
  );
  const changed = { alerts: [], incidents: [over], events: new Map() };
  const look = { rule: rules(), agent: () => undefined };
  expect(route(to, { ...changed, shown: new Set(["d:incident:C:1"]) }, look, START).map(({ key }) => key)).toEqual(["d:incident:C:3"]);
  expect(route(to, changed, look, START)).toEqual([]);
});
