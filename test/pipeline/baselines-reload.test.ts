/** Rules that remember, when other rules are taken without a restart. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import type { Store } from "../../src/ports/store.ts";
import { append, correlating, MINUTE, packOf, registry, storedAlerts, type Proven } from "./correlating.ts";
import { faulty, logged, memoryStore, START, type TestStore } from "./world.ts";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ANY = `
title: Any call
id: any
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation|exists: true}, condition: selection}
`;
const NOVEL = `
title: An operation that the agent did not use
id: novel
level: high
correlation: {type: new_value, rules: [any], group-by: [ai_agent.uid], lookback: 2d, min_history: 6h, condition: {field: api.operation}}
custodes: {suppress: 1h}
`;
const SILENT = `
title: Nobody calls
id: silent
level: low
correlation: {type: event_count, rules: [any], timespan: 1h, condition: {lt: 1}}
custodes: {suppress: 1h}
`;
const whole = packOf([ANY, NOVEL, SILENT].join("---"));
const edited = packOf([ANY, NOVEL.replace("min_history: 6h", "min_history: 5h"), SILENT].join("---"));
const without = packOf([ANY, SILENT].join("---"));
const loud = packOf([ANY, NOVEL].join("---"));

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());
beforeEach(() => memory.empty());

const never = new AbortController().signal;

function use(hours: number, operation: string, index: number): Event {
  const made = logged(`e${String(index).padStart(5, "0")}`, START + Math.round(hours * HOUR), { clientUid: "a", operation });
  attribute(made, registry);
  return made;
}

/** The same every hour. */
const routine = (hours: number, from = 0): Event[] =>
  Array.from({ length: hours }, (_, hour) => use(from + hour + 0.25, hour % 2 === 0 ? "read" : "list", from + hour));

/** How many events of the log the last change of rules has read. */
const reread = (one: ReturnType<typeof correlating>): number =>
  Number(/"replayed":(\d+)/.exec(one.log.lines.findLast((line) => line.includes("goes on with other rules")) ?? "")?.[1]);

const alertsOf = async (rule: string): Promise<readonly (readonly string[])[]> =>
  (await storedAlerts(store)).filter(({ ruleId }) => ruleId === rule).map(({ evidence }) => evidence);

test("an edited rule keeps its history: it is restored from its rows, and reads hours of the log", async () => {
  const proven: Proven = { watermark: START + 4 * DAY, missing: [] };
  await append(store, routine(96));
  const one = correlating(store, proven, () => START, whole);
  await one.run(never);
  one.take(edited);
  await one.run(never);
  expect(reread(one)).toBeGreaterThan(0);
  expect(reread(one)).toBeLessThan(20);
  await append(store, [use(97, "delete", 9000), use(97.5, "read", 9001)]);
  proven.watermark = START + 6 * DAY;
  await one.run(never);
  expect(await alertsOf("novel")).toEqual([["e09000"]]);
});

test("a rule that was away knows what was done meanwhile, in the same process and after a restart", async () => {
  for (const restarts of [false, true]) {
    await memory.empty();
    const proven: Proven = { watermark: START + 2 * DAY, missing: [] };
    await append(store, routine(48));
    let one = correlating(store, proven, () => START, whole);
    await one.run(never);
    one.take(without);
    await append(store, [use(50, "export", 8000), ...routine(24, 51)]);
    proven.watermark = START + 3 * DAY + 4 * HOUR;
    await one.run(never);
    if (restarts) one = correlating(store, proven, () => START, whole);
    else one.take(whole);
    await one.run(never);
    await append(store, [use(77, "export", 9000), use(77.2, "delete", 9001)]);
    proven.watermark = START + 5 * DAY;
    await one.run(never);
    expect(await alertsOf("novel")).toEqual([["e09001"]]);
  }
});

test("what a new rule finds in its replay is stored with the next step, and known after a restart", async () => {
  const proven: Proven = { watermark: START + 4 * DAY, missing: [] };
  await append(store, routine(96));
  const one = correlating(store, proven, () => START, packOf(ANY));
  await one.run(never);
  expect(await store.baselineHeads()).toEqual([]);
  one.take(whole);
  await one.run(never);
  expect((await store.baselineHeads()).map(({ rule, type }) => [rule, type])).toEqual([
    ["novel", "new_value"],
    ["silent", "silence"],
  ]);
  proven.watermark = START + 40 * DAY;
  await correlating(store, proven, () => START, whole).run(never);
  const silent = (await alertsOf("silent")).length;
  expect(silent).toBe(36 * 24);
  proven.watermark = START + 41 * DAY;
  await correlating(store, proven, () => START, whole).run(never);
  expect((await alertsOf("silent")).length).toBe(silent + 24);
});

test("an event that comes far too late is decided after a change of rules and after a restart, too", async () => {
  for (const restarts of [false, true]) {
    await memory.empty();
    const proven: Proven = { watermark: START + 4 * DAY, missing: [] };
    await append(store, routine(96));
    let one = correlating(store, proven, () => START, whole);
    await one.run(never);
    if (restarts) one = correlating(store, proven, () => START, edited);
    else one.take(edited);
    await one.run(never);
    await append(store, [use(50, "export", 9000)]);
    await one.run(never);
    expect(await alertsOf("novel")).toEqual([["e09000"]]);
  }
});

test("rows that another worker moved on while other rules were taken are not used", async () => {
  const proven: Proven = { watermark: START + 4 * DAY, missing: [] };
  await append(store, routine(96));
  const one = correlating(store, proven, () => START, loud);
  await one.run(never);
  await append(store, [use(97, "delete", 9000)]);
  proven.watermark = START + 5 * DAY;
  await correlating(store, proven, () => START, loud).run(never);
  one.take(edited);
  expect((await one.run(never)).again).toBe(true);
  await one.run(never);
  expect(await alertsOf("novel")).toEqual([["e09000"]]);
});

test("wherever the store fails while other rules are taken, what is found is the same", async () => {
  let failed = 0;
  for (let at = 1; at <= 24; at++) {
    await memory.empty();
    const proven: Proven = { watermark: START + 2 * DAY, missing: [] };
    await append(store, routine(48));
    let current: Store = store;
    const over = new Proxy(store, { get: (_, name) => Reflect.get(current, name) as unknown });
    const one = correlating(over, proven, () => START, whole);
    await one.run(never);
    one.take(edited);
    await append(store, [use(49, "delete", 9000)]);
    proven.watermark = START + 3 * DAY;
    const error = (): Error => new Failure("the store is away", { kind: "retryable", code: "STORE_UNAVAILABLE" });
    current = faulty(store, { at, where: at % 2 === 0 ? "before" : "after", error });
    await one.run(never).catch((thrown: unknown) => {
      if (!(thrown instanceof Failure) || thrown.message !== "the store is away") throw thrown;
      failed++;
    });
    current = store;
    while ((await one.run(never)).again);
    expect(await alertsOf("novel")).toEqual([["e09000"]]);
  }
  expect(failed).toBeGreaterThan(8);
});
