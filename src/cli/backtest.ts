import { regexEngine } from "../adapters/rules/re2.ts";
import { loadRules } from "../adapters/rules/load.ts";
import { parseInputs } from "../backtest/inputs.ts";
import { eventRunner, plainRunner, readAgents } from "../backtest/runners.ts";
import { backtest, type BacktestResult, type Runner } from "../backtest/run.ts";
import type { Input } from "../backtest/stream.ts";
import type { Alert, RejectedRule } from "../core/alert.ts";
import { unsupported } from "../core/correlation/unsupported.ts";
import { canonicalJson } from "../core/record.ts";
import { compileRules } from "../core/sigma/compile.ts";
import { plainReader } from "../core/sigma/plain-reader.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import type { Connector } from "../ports/connector.ts";
import { BUILTIN_RULES, loadPack } from "../rules.ts";
import { faultText } from "./faults.ts";
import { CommandError, EXIT, lineWriter, note } from "./output.ts";
import { progressLine, type Progress } from "./progress.ts";

/** Options of `custodes backtest`. */
export interface BacktestOptions {
  readonly rules: readonly string[];
  readonly in: readonly string[];
  readonly connector?: string;
  readonly agents?: string;
  /** Milliseconds. */
  readonly lateness: number;
  readonly timeField: string;
  readonly out?: string;
  /** Undefined: on a terminal only. */
  readonly progress?: boolean;
}

/** Reports of bad records on standard error; the rest is counted. */
const REJECTS_SHOWN = 20;

/** Events -> final alerts, one per line; rejected rules, bad records and a summary to standard error. */
export async function backtestCommand(options: BacktestOptions, connectors: readonly Connector[]): Promise<number> {
  let told: (bytes: number) => void = () => undefined;
  const reading = { stdin: process.stdin, keepStdin: true, told: (bytes: number): void => told(bytes) };
  const inputs = await parseInputs(options.in, options.connector, connectors, reading);
  const plain = inputs.filter((input) => input.connector === "plain").length;
  if (plain > 0 && plain < inputs.length) throw new CommandError("plain files cannot be mixed with connectors in one backtest", EXIT.usage);
  const paths = options.rules.length === 0 ? [BUILTIN_RULES] : options.rules.map((path) => (path === "builtin" ? BUILTIN_RULES : path));
  const progress = progressLine({
    stream: process.stderr,
    wanted: options.progress,
    total: totalBytes(inputs),
    now: () => performance.now(),
  });
  told = (bytes) => progress.read(bytes);
  if (plain > 0) {
    const rules = compileRules(loadRules(paths), { reader: plainReader(), regex: regexEngine, logsource: false });
    reportRules(rules, [...rules.rejected, ...unsupported(rules)]);
    return run(options, inputs, plainRunner(rules, options.timeField), progress);
  }
  const pack = loadPack(paths);
  reportRules(pack.rules, pack.rejected);
  return run(options, inputs, eventRunner(pack.rules, readAgents(options.agents), connectors), progress);
}

async function run<E>(options: BacktestOptions, inputs: readonly Input[], runner: Runner<E>, progress: Progress): Promise<number> {
  let rejects = 0;
  const started = performance.now();
  const result = await backtest(inputs, runner, options.lateness, {
    rejected(reject) {
      if (rejects++ >= REJECTS_SHOWN) return;
      progress.clear();
      note(JSON.stringify({ file: reject.path, line: reject.line, code: reject.code, message: reject.message }));
    },
    progress: (state) => progress.at(state),
  });
  const seconds = (performance.now() - started) / 1000;
  progress.clear();
  const output = lineWriter(options.out);
  for (const alert of result.alerts) await output.write(alertLine(alert));
  await output.end();
  if (rejects > REJECTS_SHOWN) note(JSON.stringify({ more_rejected_records: rejects - REJECTS_SHOWN }));
  for (const fault of result.faults) note(faultText(fault));
  note(JSON.stringify(summary(result, seconds)));
  return result.faults.length === 0 ? EXIT.good : EXIT.no;
}

/** Undefined as soon as one of them is a pipe. */
function totalBytes(inputs: readonly Input[]): number | undefined {
  let total = 0;
  for (const { bytes } of inputs) {
    if (bytes === undefined) return undefined;
    total += bytes;
  }
  return total;
}

/** One alert as the command line prints it; the keys and their order are a contract. */
function alertLine(alert: Alert): string {
  const head = JSON.stringify({ rule_id: alert.ruleId, rule_title: alert.ruleTitle }).slice(0, -1);
  const tail = JSON.stringify({
    bucket: alert.bucket,
    first_time: alert.firstTime,
    last_time: alert.lastTime,
    count: alert.count,
    evidence: alert.evidence,
    severity: alert.level,
    agents: alert.agents,
    id: alert.id,
  }).slice(1);
  // An object would print keys that look like numbers first, whatever their order.
  return `${head},"group":${canonicalJson(alert.group)},${tail}`;
}

function reportRules<E>(rules: RuleSet<E>, rejected: readonly RejectedRule[]): void {
  for (const one of rejected) note(JSON.stringify({ rule: one.rule ?? null, file: one.file, line: one.line, reason: one.reason }));
  for (const one of rules.warnings)
    note(JSON.stringify({ warning: one.message, document: one.rule ?? null, file: one.file, line: one.line }));
  if (rules.detections.length + rules.correlations.length - (rejected.length - rules.rejected.length) <= 0) {
    throw new CommandError("no rule could be loaded", EXIT.config);
  }
}

function summary(result: BacktestResult, seconds: number): Readonly<Record<string, number>> {
  return {
    events: result.events,
    duplicates: result.duplicates,
    quarantined: result.rejected,
    late_events: result.late,
    alerts: result.alerts.length,
    passes: result.passes,
    ...(result.faults.length === 0 ? {} : { unread_files: result.faults.length }),
    seconds: Math.round(seconds * 1000) / 1000,
    events_per_second: Math.round(result.events / seconds),
  };
}
