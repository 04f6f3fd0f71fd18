/**
 * Speed of `backtest` over a generated day, as a ratio to JSON.parse alone over the same bytes in the same process, and the
 * alerts against the ground truth. CPU time, because files are read ahead on other threads.
 * Usage: node test/bench/backtest.ts [--n 1000000] [--agents 500] [--dir DIR]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generate, prepareWorkload } from "../workload/run.ts";
import { score, scoreTable } from "../workload/truth.ts";
import { cpu, parseOnly } from "./measure.ts";

/** Rows of the rule inventory that the shipped pack implements and the truth knows. */
const CODES = ["C1", "C2", "C3", "B06", "B07", "B08", "B09", "B10", "B12", "B13", "B28", "B31", "B34"];

const { values } = parseArgs({
  options: { n: { type: "string", default: "1000000" }, agents: { type: "string", default: "500" }, dir: { type: "string" } },
});
const directory = values.dir ?? mkdtempSync(join(tmpdir(), "custodes-bench-"));
generate(directory, Number(values.n), Number(values.agents));

// The backtest first: the memory that it needs is then not hidden by what the baseline left behind.
const prepared = await cpu(() => prepareWorkload(directory));
const run = await cpu(() => prepared.value.run());
const peakMegabytes = process.resourceUsage().maxRSS / 1000;
const parse = await cpu(() => parseOnly(directory));
const { result, found } = run.value;
console.log(`input: ${parse.value.lines} lines, ${(parse.value.bytes / 1e6).toFixed(0)} MB`);
console.log(`rules and registry: ${(prepared.cpuMs / 1000).toFixed(2)} s CPU, once`);
console.log(`JSON.parse alone: ${(parse.cpuMs / 1000).toFixed(2)} s CPU = 1.00`);
console.log(
  `backtest: ${(run.cpuMs / 1000).toFixed(2)} s CPU = ${(run.cpuMs / parse.cpuMs).toFixed(2)}; ${(run.wallMs / 1000).toFixed(2)} s wall, ` +
    `${Math.round(result.events / (run.wallMs / 1000))} events/s, peak ${peakMegabytes.toFixed(0)} MB`,
);
console.log(
  `events ${result.events}, duplicates ${result.duplicates}, quarantined ${result.rejected}, late ${result.late}, alerts ${result.alerts.length}, passes ${result.passes}`,
);
console.log(scoreTable(score(directory, found, CODES)));
const byRule = Map.groupBy(result.alerts, (alert) => alert.ruleTitle);
for (const [title, alerts] of [...byRule].sort((a, b) => b[1].length - a[1].length))
  console.log(`${String(alerts.length).padStart(6)} ${title}`);
if (values.dir === undefined) rmSync(directory, { recursive: true, force: true });
