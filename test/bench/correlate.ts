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
import { workloadSteps } from "../workload/events.ts";
import { generate } from "../workload/run.ts";

/** As in a backtest, which keeps more than it needs so that slightly unordered files are read once. */
const LATENESS_MS = 300_000;

const { values } = parseArgs({
  options: { n: { type: "string", default: "300000" }, agents: { type: "string", default: "200" }, dir: { type: "string" } },
});
const directory = values.dir ?? mkdtempSync(join(tmpdir(), "custodes-bench-"));
generate(directory, Number(values.n), Number(values.agents));

const pack = loadPack([BUILTIN_RULES]);
const steps = await workloadSteps(directory);
const run = await cpu(() => {
  const running = engine(pack.rules, { reader: eventReader, uuid5, latenessMs: LATENESS_MS, distinct: true });
  let alerts = 0;
  let entries = 0;
  for (const step of steps) {
    if ("push" in step) alerts += running.push(step.push).length;
    else {
      entries = Math.max(entries, running.stats.entries);
      alerts += running.advance(step.advance).length;
    }
  }
  alerts += running.finish().length;
  return { alerts, entries, events: running.stats.events };
});
const parse = await cpu(() => parseOnly(directory));
console.log(
  `correlation alone: ${run.value.events} events, ${(run.cpuMs / 1000).toFixed(2)} s CPU, ${Math.round(run.value.events / (run.cpuMs / 1000))} events/s, ` +
    `${(run.cpuMs / parse.cpuMs).toFixed(2)} of JSON.parse over their records (${(parse.cpuMs / 1000).toFixed(2)} s)`,
);
console.log(`emitted ${run.value.alerts} revisions; held at most ${run.value.entries} window entries`);
if (values.dir === undefined) rmSync(directory, { recursive: true, force: true });
