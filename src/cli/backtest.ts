import { regexEngine } from "../adapters/rules/re2.ts";
import { loadRules } from "../adapters/rules/load.ts";
import { parseInputs } from "../backtest/inputs.ts";
import { backtest, type BacktestResult, type Runner } from "../backtest/run.ts";
import { eventRunner, plainRunner, readAgents, within, type Range } from "../backtest/runners.ts";
import { storeLog } from "../backtest/store-log.ts";
import type { Input } from "../backtest/stream.ts";
import { compileDocuments } from "../core/sigma/compile.ts";
import type { RejectedRule } from "../core/alert.ts";
import { eventReader } from "../core/sigma/event-reader.ts";
import { plainReader } from "../core/sigma/plain-reader.ts";
import type { Reader } from "../core/sigma/reader.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import type { Connector } from "../ports/connector.ts";
import { BUILTIN_RULES, loadPack } from "../rules.ts";
import { alertLine, reportRules, summary } from "./backtest-report.ts";
import { commandConfig, DEFAULT_CONFIG, placeholdersFrom } from "./config.ts";
import { withConfigured } from "./configured.ts";
import { explaining, printExplanations } from "./explain.ts";
import { faultText } from "./faults.ts";
import { CommandError, EXIT, lineWriter, note } from "./output.ts";
import { progressLine, type Progress, type Unit } from "./progress.ts";
import { whoAnswers } from "./state.ts";

/** Options of `custodes backtest`. */
export interface BacktestOptions {
  readonly rules: readonly string[];
  readonly in?: readonly string[];
  readonly connector?: string;
  readonly agents?: string;
  /** Milliseconds. */
  readonly lateness: number;
  readonly timeField: string;
  readonly out?: string;
  /** Undefined: on a terminal only. */
  readonly progress?: boolean;
  /** The log of the service that `config` describes, instead of files. */
  readonly fromStore?: boolean;
  /** Also a file whose sources may be named as connectors. Undefined: the usual one, when it is needed. */
  readonly config?: string;
  /** File of placeholders. */
  readonly placeholders?: string;
  /** Epoch milliseconds. */
  readonly since?: number;
  readonly until?: number;
  /** `RULE:UID`, each. */
  readonly explain?: readonly string[];
  /** Explanations for machines. */
  readonly json?: boolean;
}

/** Reports of bad records on standard error; the rest is counted. */
const REJECTS_SHOWN = 20;

/** Events -> final alerts, one per line; rejected rules, bad records and a summary to standard error. */
export async function backtestCommand(options: BacktestOptions, connectors: readonly Connector[]): Promise<number> {
  const range = { since: options.since, until: options.until };
  if (range.since !== undefined && range.until !== undefined && range.since >= range.until)
    throw new CommandError("--since must lie before --until", EXIT.usage);
  if (options.json === true && !isExplaining(options))
    throw new CommandError("--json goes with --explain: alerts are JSON lines anyway", EXIT.usage);
  if (options.fromStore === true) return overStore(options, range, connectors);
  if (options.in === undefined) throw new CommandError("name the files to read with --in, or give --from-store", EXIT.usage);
  return overFiles(options, options.in, range, connectors);
}

async function overFiles(options: BacktestOptions, given: readonly string[], range: Range, known: readonly Connector[]): Promise<number> {
  const connectors = withConfigured(known, options.config);
  const count = counter();
  const reading = { stdin: process.stdin, keepStdin: true, told: count.told };
  const inputs = await parseInputs(given, options.connector, connectors, reading);
  const plain = inputs.filter((input) => input.connector === "plain").length;
  if (plain > 0 && plain < inputs.length) throw new CommandError("plain files cannot be mixed with connectors in one backtest", EXIT.usage);
  const paths = rulePaths(options) ?? [BUILTIN_RULES];
  const placeholders = placeholdersFrom(options.placeholders);
  const progress = count.line(options, inputs, "bytes");
  if (plain > 0) {
    const reader = plainReader();
    const outlines = isExplaining(options);
    const { rules, loaded } = compileDocuments(loadRules(paths), { reader, regex: regexEngine, logsource: false, placeholders, outlines });
    reportRules(rules, loaded.length);
    return run(options, {
      inputs,
      rules,
      rejected: rules.rejected,
      reader,
      progress,
      runner: within(plainRunner(rules, options.timeField), range),
    });
  }
  const { rules, rejected, loaded } = loadPack(paths, placeholders, isExplaining(options));
  reportRules(rules, loaded.length);
  const runner = within(eventRunner(rules, readAgents(options.agents), connectors), range);
  return run(options, { inputs, rules, rejected, reader: eventReader, progress, runner });
}

/** Rules and registry are those of the service, unless others are given. */
async function overStore(options: BacktestOptions, range: Range, connectors: readonly Connector[]): Promise<number> {
  for (const [name, value] of [
    ["--in", options.in],
    ["--connector", options.connector],
  ] as const)
    if (value !== undefined) throw new CommandError(`${name} does not go with --from-store: the log says what its events are`, EXIT.usage);
  const config = commandConfig(options.config ?? DEFAULT_CONFIG);
  const placeholders = new Map([...config.placeholders, ...placeholdersFrom(options.placeholders)]);
  const { rules, rejected, loaded } = loadPack(rulePaths(options) ?? config.rules, placeholders, isExplaining(options));
  reportRules(rules, loaded.length);
  const agents = options.agents === undefined ? config.agents : readAgents(options.agents);
  const answering = await whoAnswers(config);
  try {
    const count = counter();
    const inputs = [await storeLog(answering, range.since, count.told)];
    const runner = within(eventRunner(rules, agents, connectors), range);
    return await run(options, { inputs, rules, rejected, reader: eventReader, progress: count.line(options, inputs, "rows"), runner });
  } finally {
    await answering.close();
  }
}

function isExplaining({ explain }: BacktestOptions): boolean {
  return (explain ?? []).length > 0;
}

function rulePaths({ rules }: BacktestOptions): readonly string[] | undefined {
  return rules.length === 0 ? undefined : rules.map((path) => (path === "builtin" ? BUILTIN_RULES : path));
}

/** What is read is counted by a line that can only be made when the inputs are known. */
function counter(): {
  readonly told: (amount: number) => void;
  readonly line: (options: BacktestOptions, inputs: readonly Input[], unit: Unit) => Progress;
} {
  let progress: Progress | undefined;
  return {
    told: (amount) => progress?.read(amount),
    line: (options, inputs, unit) =>
      (progress = progressLine({
        stream: process.stderr,
        wanted: options.progress,
        total: totalSize(inputs),
        unit,
        now: () => performance.now(),
      })),
  };
}

/** A backtest made ready. */
interface Job<E> {
  readonly inputs: readonly Input[];
  readonly rules: RuleSet<E>;
  readonly rejected: readonly RejectedRule[];
  readonly reader: Reader<E>;
  readonly progress: Progress;
  readonly runner: Runner<E>;
}

async function run<E>(options: BacktestOptions, { inputs, rules, rejected, reader, progress, runner }: Job<E>): Promise<number> {
  const explain = explaining(options.explain ?? [], rules, rejected, (event) => reader.uid(event));
  let rejects = 0;
  const started = performance.now();
  const watched: Runner<E> = explain === undefined ? runner : { ...runner, begin: (lateness) => runner.begin(lateness, explain.locator) };
  const result = await backtest(inputs, watched, options.lateness, {
    ...explain?.locator.hooks,
    rejected(reject) {
      explain?.locator.hooks.rejected?.(reject);
      if (rejects++ >= REJECTS_SHOWN) return;
      progress.clear();
      note(JSON.stringify({ file: reject.path, line: reject.line, code: reject.code, message: reject.message }));
    },
    progress: (state) => progress.at(state),
  });
  const seconds = (performance.now() - started) / 1000;
  // Standard output is for the answer: an explanation, or the alerts.
  if (explain === undefined || options.out !== undefined) await writeAlerts(result, options.out, progress);
  let explained: number = EXIT.good;
  if (explain !== undefined) {
    const deps = {
      inputs,
      runner,
      rules,
      reader,
      latenessMs: options.lateness,
      progress: (state: Parameters<Progress["at"]>[0]) => progress.at(state),
    };
    explained = await printExplanations(explain, deps, options.json === true, () => progress.clear());
  }
  progress.clear();
  if (rejects > REJECTS_SHOWN) note(JSON.stringify({ more_rejected_records: rejects - REJECTS_SHOWN }));
  for (const fault of result.faults) note(faultText(fault));
  note(JSON.stringify(summary(result, seconds)));
  return result.faults.length === 0 ? explained : EXIT.no;
}

async function writeAlerts({ alerts }: BacktestResult, path: string | undefined, progress: Progress): Promise<void> {
  progress.clear();
  const output = lineWriter(path);
  for (const alert of alerts) await output.write(alertLine(alert));
  await output.end();
}

/** Undefined as soon as one of them is a pipe. */
function totalSize(inputs: readonly Input[]): number | undefined {
  let total = 0;
  for (const { size } of inputs) {
    if (size === undefined) return undefined;
    total += size;
  }
  return total;
}
