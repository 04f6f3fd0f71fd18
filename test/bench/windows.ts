/**
 * Windows at scale, over events made by hand so that their number, groups and values are known: events/s of value_count
 * at several cardinalities, memory of a million live groups, bytes per window entry, and cost as windows and groups grow.
 * Usage: node --expose-gc test/bench/windows.ts [--n 1000000]
 */
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { uuid5 } from "../../src/adapters/system/system.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { detection, ruleSet, testReader } from "../core/correlation/build.ts";

const BATCH = 2000;
const ADVANCE_EVERY = 20_000;

const { values } = parseArgs({ options: { n: { type: "string", default: "1000000" } } });
const total = Number(values.n);
const { gc } = globalThis;
if (gc === undefined) throw new Error("run it with --expose-gc: memory is measured after collection");

/** Bytes in use, typed arrays included. */
async function memory(): Promise<number> {
  // Typed arrays are given back by the event loop, and what they held is found by the next collection.
  for (let round = 0; round < 3; round++) {
    gc!();
    await setImmediate();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

interface Trial {
  readonly name: string;
  readonly spec: Partial<CorrelationSpec>;
  /** One event a millisecond. */
  readonly group: (index: number) => number;
  readonly value?: (index: number) => number;
}

/** A text as a parser makes it: in one piece. */
function flat(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** The window is `timespanMs` long; the watermark is a second behind. */
async function run({ name, spec, group, value }: Trial): Promise<void> {
  const rules = ruleSet(
    [detection("p", { matches: () => true })],
    [
      {
        id: "c",
        type: "event_count",
        rules: ["p"],
        groupBy: ["x"],
        timespanMs: 60_000,
        suppressMs: 60_000,
        threshold: { gte: 1e9 },
        ...spec,
      },
    ],
  );
  const groups = new Map<number, string>();
  const textOf = (index: number): string => {
    let text = groups.get(index);
    if (text === undefined) groups.set(index, (text = flat(`agent-${index}`)));
    return text;
  };
  const timed = engine(rules, { reader: testReader, uuid5, latenessMs: 1000, distinct: true });
  const before = await memory();
  let cpuMs = 0;
  let held = 0;
  for (let from = 0; from < total; from += BATCH) {
    const batch: TestEvent[] = [];
    for (let index = from; index < Math.min(total, from + BATCH); index++)
      batch.push({
        uid: flat(`kong:${index.toString(16).padStart(32, "0")}`),
        time: index,
        is: ["p"],
        agent: "a",
        x: textOf(group(index)),
        v: value === undefined ? 0 : `value-${value(index)}`,
      });
    const started = process.cpuUsage();
    timed.push(batch);
    if (from % ADVANCE_EVERY === 0) timed.advance({ all: from - 1000 });
    const used = process.cpuUsage(started);
    cpuMs += (used.user + used.system) / 1000;
    held = Math.max(held, timed.stats.entries);
  }
  const bytes = (await memory()) - before;
  // Asked last, so that nothing of it was collected before.
  const { entries } = timed.stats;
  console.log(
    `${name.padEnd(52)} ${String(Math.round((total / cpuMs) * 1000)).padStart(8)} events/s; ${entries} entries in ${groups.size} groups, ` +
      `${(bytes / 1e6).toFixed(0)} MB, ${(bytes / entries).toFixed(0)} bytes per entry with its event's uid; at most ${held} entries`,
  );
}

const forever = { timespanMs: total * 2, suppressMs: total * 2 };
const counted = { type: "value_count", fields: ["v"] } as const;
await run({ name: "warm-up", spec: {}, group: (index) => index % 500 });
await run({ name: "value_count, 10 values", spec: counted, group: (index) => index % 500, value: (index) => index % 10 });
await run({ name: "value_count, 10,000 values", spec: counted, group: (index) => index % 500, value: (index) => index % 10_000 });
await run({ name: "value_count, all different", spec: counted, group: (index) => index % 500, value: (index) => index });
await run({
  name: "value_count, all different, one group, all kept",
  spec: { ...counted, ...forever },
  group: () => 0,
  value: (index) => index,
});
await run({ name: "event_count, a group for each event, all kept", spec: { ...forever, threshold: { gte: 3 } }, group: (index) => index });
await run({ name: "event_count, 500 groups, all kept", spec: forever, group: (index) => index % 500 });
for (const agents of [10, 1000, 100_000])
  await run({ name: `event_count, 1 min, ${agents} groups`, spec: {}, group: (index) => index % agents });
for (const seconds of [1, 30, 900])
  await run({
    name: `value_count, ${seconds} s, 500 groups`,
    spec: { ...counted, timespanMs: seconds * 1000, suppressMs: 60_000 },
    group: (index) => index % 500,
    value: (index) => index % 5000,
  });
