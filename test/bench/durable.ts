/**
 * The embedded service end to end, durable: files -> PGlite log -> correlation -> incidents, with schedules and queues,
 * as `custodes run` does it. Prints events/s, the ratio to JSON.parse over the same bytes, and memory over time.
 * Usage: node test/bench/durable.ts [--n 200000] [--agents 160] [--dir DIR] [--store URL] [--queue URL]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectors } from "../../connectors/index.ts";
import { silentLog } from "../../src/adapters/log/log.ts";
import { start } from "../../src/app.ts";
import { parseConfig } from "../../src/config/load.ts";
import { isDone } from "../../src/demo/summary.ts";
import { CONTINUOUS_JOB } from "../../src/pipeline/correlate.ts";
import { BUILTIN_RULES } from "../../src/rules.ts";
import { parseFile } from "../workload/parse.ts";
import { generate, workloadInputs } from "../workload/run.ts";

/** Longer than any sensible run: a bench that hangs says where. */
const LIMIT_MS = 900_000;

const { values } = parseArgs({
  options: {
    n: { type: "string", default: "200000" },
    agents: { type: "string", default: "160" },
    dir: { type: "string" },
    store: { type: "string", default: "embedded" },
    queue: { type: "string", default: "store" },
  },
});
const directory = values.dir ?? mkdtempSync(join(tmpdir(), "custodes-bench-"));
generate(directory, Number(values.n), Number(values.agents));
const data = mkdtempSync(join(tmpdir(), "custodes-data-"));

// Okta is pulled over HTTP in life; its file is left out here, because the bench has no server between itself and the disk.
const inputs = workloadInputs(directory).filter((input) => !input.startsWith("okta="));
const sources = inputs.map((input, index) => {
  const [connector, path] = input.split("=") as [string, string];
  return `  ${connector}/s${index}: { path: ${JSON.stringify(path)}, every: "* * * * * *" }`;
});
const text = `
data: ${JSON.stringify(data)}
store: ${JSON.stringify(values.store)}
queue: ${JSON.stringify(values.queue)}
agents: ${JSON.stringify(join(directory, "agents.yaml"))}
receiver: { listen: "127.0.0.1:0" }
correlation: { every: "* * * * * *" }
sources:
${sources.join("\n")}
`;
const loaded = parseConfig(join(data, "custodes.yaml"), text, { connectors, environment: {}, builtinRules: BUILTIN_RULES });
if (loaded.config === undefined) throw new Error(JSON.stringify(loaded.problems));

function parseAll(): number {
  const before = process.cpuUsage();
  for (const input of inputs) {
    const path = input.slice(input.indexOf("=") + 1);
    if (!path.endsWith("cloudtrail")) parseFile(path, { lines: 0, bytes: 0 });
  }
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

/** How far each part has come. */
async function progress(): Promise<string> {
  const { store } = service;
  const sources = (await store.sources()).map(
    ({ source, events, watermark }) => `${source} ${events} ${watermark === null ? "unread" : Date.now() - watermark}`,
  );
  const offset = `${await store.offset(CONTINUOUS_JOB)} of ${await store.lastSequence()}, watermark ${await store.offset(`${CONTINUOUS_JOB}/watermark`)}`;
  return `${sources.join("; ")}; correlated ${offset}; ${(await service.health()).status}`;
}

const parseSeconds = parseAll();
const memory: number[] = [];
const watch = setInterval(() => memory.push(process.memoryUsage().rss), 1000);
const cpuBefore = process.cpuUsage();
const started = performance.now();
const service = await start(loaded.config, { log: silentLog });
while (!(await isDone(service, Date.now(), inputs.length))) {
  if (performance.now() - started > LIMIT_MS) throw new Error(`not done: ${await progress()}`);
  await sleep(250);
}
const seconds = (performance.now() - started) / 1000;
const cpu = process.cpuUsage(cpuBefore);
clearInterval(watch);
const states = await service.store.sources();
const events = states.reduce((sum, state) => sum + state.events, 0);
const alerts = await service.store.alerts({ limit: 100_000 });
const incidents = await service.store.incidents({ limit: 100_000 });
console.log(`store ${values.store === "embedded" ? "PGlite" : "PostgreSQL"}, queue ${values.queue === "store" ? "on the store" : "Redis"}`);
console.log(
  `${events} events durable and correlated in ${seconds.toFixed(1)} s = ${Math.round(events / seconds)} events/s; ${alerts.length} alerts, ${incidents.length} incidents`,
);
const cpuSeconds = (cpu.user + cpu.system) / 1e6;
console.log(
  `CPU ${cpuSeconds.toFixed(1)} s = ${(cpuSeconds / parseSeconds).toFixed(2)} x JSON.parse of the same lines (${parseSeconds.toFixed(2)} s)`,
);
const quarter = (part: number) =>
  Math.max(...memory.slice(Math.floor((memory.length * part) / 4), Math.ceil((memory.length * (part + 1)) / 4))) / 1e6;
console.log(`memory by quarter: ${[0, 1, 2, 3].map((part) => `${quarter(part).toFixed(0)} MB`).join(", ")}`);
await service.stop();
rmSync(data, { recursive: true, force: true });
if (values.dir === undefined) rmSync(directory, { recursive: true, force: true });
