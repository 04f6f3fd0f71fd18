/**
 * Speed of correlation alone: the events of a generated workload, normalized and attributed beforehand and held in memory, through the
 * shipped pack. CPU time of one process; the ratio is to JSON.parse over the records that the events came from.
 * Usage: node test/bench/correlate.ts [--n 300000] [--agents 200] [--dir DIR]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { uuid5 } from "../../src/adapters/system/system.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import { BUILTIN_RULES, loadPack } from "../../src/rules.ts";
import { cpu, parseOnly } from "./measure.ts";
import { workloadEvents } from "../workload/events.ts";
import { generate } from "../workload/run.ts";

/** Events of one push, and of one step of the watermark. */
const BATCH = 2000;
const ADVANCE_EVERY = 20_000;
const LATENESS_MS = 300_000;

const { values } = parseArgs({
  options: { n: { type: "string", default: "300000" }, agents: { type: "string", default: "200" }, dir: { type: "string" } },
});
const directory = values.dir ?? mkdtempSync(join(tmpdir(), "custodes-bench-"));
generate(directory, Number(values.n), Number(values.agents));

const pack = loadPack([BUILTIN_RULES]);
const events = await workloadEvents(directory);
const before = process.memoryUsage().heapUsed;
const run = await cpu(() => {
  const running = engine(pack.rules, { reader: eventReader, uuid5, latenessMs: LATENESS_MS, distinct: true });
  let alerts = 0;
  let newest = -Infinity;
  for (let from = 0; from < events.length; from += BATCH) {
    const batch = events.slice(from, from + BATCH);
    for (const event of batch) if (event.time > newest) newest = event.time;
    alerts += running.push(batch).length;
    if (from % ADVANCE_EVERY === 0) alerts += running.advance({ all: newest - LATENESS_MS }).length;
  }
  const { entries } = running.stats;
  const heap = process.memoryUsage().heapUsed - before;
  alerts += running.finish().length;
  return { alerts, entries, heap };
});
const parse = await cpu(() => parseOnly(directory));
console.log(
  `correlation alone: ${events.length} events, ${(run.cpuMs / 1000).toFixed(2)} s CPU, ${Math.round(events.length / (run.cpuMs / 1000))} events/s, ` +
    `${(run.cpuMs / parse.cpuMs).toFixed(2)} of JSON.parse over their records (${(parse.cpuMs / 1000).toFixed(2)} s)`,
);
console.log(`emitted ${run.value.alerts} revisions; ${run.value.entries} window entries held at the end`);
if (values.dir === undefined) rmSync(directory, { recursive: true, force: true });
