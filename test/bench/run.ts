/** Runs every bench one after the other, each in a process of its own. Usage: npm run bench [-- --n 1000000] */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { GENERATOR, generate } from "../workload/run.ts";

const { values } = parseArgs({ options: { n: { type: "string", default: "1000000" }, agents: { type: "string", default: "500" } } });
if (!existsSync(GENERATOR)) throw new Error("the workload generator is missing: put the reference material beside the checkout");

const directory = mkdtempSync(join(tmpdir(), "custodes-bench-"));
const bench = (file: string, ...rest: string[]): void => {
  console.log(`\n== ${file}`);
  const run = spawnSync(process.execPath, [...process.execArgv, resolve(import.meta.dirname, file), ...rest], { stdio: "inherit" });
  if (run.status !== 0) process.exitCode = 1;
};
try {
  generate(directory, Number(values.n), Number(values.agents));
  bench("reading.ts", join(directory, "kong.ndjson"));
  bench("backtest.ts", "--dir", directory);
  bench("regex.ts");
  bench("correlate.ts", "--n", "300000", "--agents", "200");
  bench("rules.ts", "--n", "100000", "--agents", "100");
  bench("windows.ts");
  bench("identity.ts", "--agents", "500", "--hours", "4", "--seeds", "1");
  bench("store.ts");
  bench("vendor-rates.ts");
  bench("durable.ts", "--n", String(Math.min(Number(values.n), 300_000)), "--agents", "160");
} finally {
  rmSync(directory, { recursive: true, force: true });
}
