import { regexEngine } from "../adapters/rules/re2.ts";
import { loadRules } from "../adapters/rules/load.ts";
import { eventRunner, parseInputs, plainRunner, readAgents } from "../backtest/inputs.ts";
import { backtest, type BacktestResult } from "../backtest/run.ts";
import type { InputReject } from "../backtest/stream.ts";
import type { Alert } from "../core/alert.ts";
import { canonicalJson } from "../core/record.ts";
import { compileDocuments } from "../core/sigma/compile.ts";
import { plainReader } from "../core/sigma/plain-reader.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import type { Connector } from "../ports/connector.ts";
import { BUILTIN_RULES, loadPack } from "../rules.ts";
import { placeholdersFrom } from "./config.ts";
import { withConfigured } from "./configured.ts";
import { CommandError, EXIT, lineWriter, note } from "./output.ts";

/** Options of `custodes backtest`. */
export interface BacktestOptions {
  readonly rules: readonly string[];
  readonly in: readonly string[];
  readonly connector?: string;
  readonly agents?: string;
  /** Configuration file whose sources may be named as connectors. */
  readonly config?: string;
  /** Milliseconds. */
  readonly lateness: number;
  readonly timeField: string;
  /** File of placeholders. */
  readonly placeholders?: string;
  readonly out?: string;
}

/** Reports of bad records on standard error; the rest is counted. */
const REJECTS_SHOWN = 20;

/** Events -> final alerts, one per line; rejected rules, bad records and a summary to standard error. */
export async function backtestCommand(options: BacktestOptions, known: readonly Connector[]): Promise<number> {
  const connectors = withConfigured(known, options.config);
  const inputs = parseInputs(options.in, options.connector, connectors);
  const plain = inputs.filter((input) => input.connector === "plain").length;
  if (plain > 0 && plain < inputs.length) throw new CommandError("plain files cannot be mixed with connectors in one backtest", EXIT.usage);
  const paths = options.rules.length === 0 ? [BUILTIN_RULES] : options.rules.map((path) => (path === "builtin" ? BUILTIN_RULES : path));
  const placeholders = placeholdersFrom(options.placeholders);
  let shown = 0;
  const onReject = (reject: InputReject): void => {
    if (shown++ < REJECTS_SHOWN) note(JSON.stringify({ file: reject.path, line: reject.line, code: reject.code, message: reject.message }));
  };
  const started = performance.now();
  let result: BacktestResult;
  if (plain > 0) {
    const { rules, loaded } = compileDocuments(loadRules(paths), {
      reader: plainReader(),
      regex: regexEngine,
      logsource: false,
      placeholders,
    });
    reportRules(rules, loaded.length);
    result = await backtest(inputs, plainRunner(rules, options.timeField), options.lateness, onReject);
  } else {
    const pack = loadPack(paths, placeholders);
    reportRules(pack.rules, pack.loaded.length);
    const byPath = new Map(inputs.map((input) => [input.path, input.connector]));
    const runner = eventRunner(pack.rules, readAgents(options.agents), (path) => byPath.get(path) ?? "", connectors);
    result = await backtest(inputs, runner, options.lateness, onReject);
  }
  const seconds = (performance.now() - started) / 1000;
  const output = lineWriter(options.out);
  for (const alert of result.alerts) await output.write(alertLine(alert));
  await output.end();
  if (shown > REJECTS_SHOWN) note(JSON.stringify({ more_rejected_records: shown - REJECTS_SHOWN }));
  note(JSON.stringify(summary(result, seconds)));
  return EXIT.good;
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

/** `loaded`: documents, filters too. @throws {CommandError} config when nothing could be loaded, or filters alone because the rest was rejected */
function reportRules<E>(rules: RuleSet<E>, loaded: number): void {
  for (const one of rules.rejected) note(JSON.stringify({ rule: one.rule ?? null, file: one.file, line: one.line, reason: one.reason }));
  for (const one of rules.warnings)
    note(JSON.stringify({ warning: one.message, document: one.rule ?? null, file: one.file, line: one.line }));
  if (rules.detections.length + rules.correlations.length > 0) return;
  if (loaded === 0) throw new CommandError("no rule could be loaded", EXIT.config);
  if (rules.rejected.length > 0) throw new CommandError("filters were loaded, but no rule that they could apply to", EXIT.config);
  note(JSON.stringify({ warning: "the rules are filters alone: nothing can alert" }));
}

function summary(result: BacktestResult, seconds: number): Readonly<Record<string, number>> {
  return {
    events: result.events,
    duplicates: result.duplicates,
    quarantined: result.rejected,
    late_events: result.late,
    alerts: result.alerts.length,
    passes: result.passes,
    seconds: Math.round(seconds * 1000) / 1000,
    events_per_second: Math.round(result.events / seconds),
  };
}
