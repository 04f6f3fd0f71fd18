/** Generates the shared workload and runs the shipped pack over it in this process. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { connectors } from "../../connectors/index.ts";
import { parseInputs } from "../../src/backtest/inputs.ts";
import { eventRunner, readAgents } from "../../src/backtest/runners.ts";
import { backtest, type BacktestResult } from "../../src/backtest/run.ts";
import { BUILTIN_RULES, loadPack } from "../../src/rules.ts";
import type { Found } from "./truth.ts";

/** The workload generator, when the reference material lies beside the checkout. */
export const GENERATOR = resolve(import.meta.dirname, "../../../shared/bench/gen.mjs");

/** Which connector reads which file of the workload. */
const FILES: readonly (readonly [connector: string, file: string])[] = [
  ["kong", "kong.ndjson"],
  ["okta", "okta.ndjson"],
  ["istio", "istio.ndjson"],
  ["zeek", "zeek-conn.ndjson"],
  ["zeek", "zeek-dns.ndjson"],
  ["aws-vpcflow", "vpcflow.log"],
  ["aws-vpcflow", "vpcflow-v5.log"],
  ["aws-cloudtrail", "cloudtrail"],
  ["kubernetes", "k8s-audit.ndjson"],
  ["agent-findings", "agent-turns.ndjson"],
  ["otlp", "otlp-logs.ndjson"],
];

/** Makes a workload unless the directory already holds one. */
export function generate(directory: string, records: number, agents: number, seed = 42): void {
  if (existsSync(join(directory, "meta.json"))) return;
  execFileSync(
    process.execPath,
    [GENERATOR, "--out", directory, "--n", String(records), "--agents", String(agents), "--seed", String(seed)],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
}

/** `CONNECTOR=PATH` of every file of a workload. */
export function workloadInputs(directory: string): string[] {
  return FILES.map(([connector, file]) => `${connector}=${join(directory, file)}`);
}

/** Every file of a workload. */
export function workloadFiles(directory: string): string[] {
  return FILES.flatMap(([, file]) =>
    file === "cloudtrail" ? readdirSync(join(directory, file)).map((name) => join(directory, file, name)) : [join(directory, file)],
  );
}

/** A backtest made ready: rules compiled, registry read. */
export interface PreparedWorkload {
  run(): Promise<{ readonly result: BacktestResult; readonly found: readonly Found[] }>;
}

/** Loads the shipped rules and the workload's registry. */
export async function prepareWorkload(directory: string): Promise<PreparedWorkload> {
  const inputs = await parseInputs(workloadInputs(directory), undefined, connectors);
  const pack = loadPack([BUILTIN_RULES]);
  const runner = eventRunner(pack.rules, readAgents(join(directory, "agents.yaml")), connectors);
  return {
    async run() {
      const result = await backtest(inputs, runner, 120_000);
      const found = result.alerts.flatMap((alert) => {
        const codes = (pack.rule(alert.ruleId)?.tags ?? [])
          .filter((tag) => tag.startsWith("custodes."))
          .map((tag) => tag.slice(9).toUpperCase());
        return codes.flatMap((code) =>
          alert.agents.map((agent) => ({ agent, code, firstTime: alert.firstTime, lastTime: alert.lastTime })),
        );
      });
      return { result, found };
    },
  };
}

/** Runs the shipped rules over a workload. */
export async function runWorkload(directory: string): Promise<{ readonly result: BacktestResult; readonly found: readonly Found[] }> {
  return (await prepareWorkload(directory)).run();
}
