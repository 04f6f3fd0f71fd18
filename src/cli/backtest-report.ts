import type { BacktestResult } from "../backtest/run.ts";
import type { Alert } from "../core/alert.ts";
import { canonicalJson } from "../core/record.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { CommandError, EXIT, note } from "./output.ts";

/** One alert as the command line prints it; the keys and their order are a contract. */
export function alertLine(alert: Alert): string {
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

/**
 * Rejected rules and warnings to standard error. `loaded`: documents, filters too.
 * @throws {CommandError} config when nothing could be loaded, or filters alone because the rest was rejected
 */
export function reportRules<E>(rules: RuleSet<E>, loaded: number): void {
  for (const one of rules.rejected) note(JSON.stringify({ rule: one.rule ?? null, file: one.file, line: one.line, reason: one.reason }));
  for (const one of rules.warnings)
    note(JSON.stringify({ warning: one.message, document: one.rule ?? null, file: one.file, line: one.line }));
  if (rules.detections.length + rules.correlations.length > 0) return;
  if (loaded === 0) throw new CommandError("no rule could be loaded", EXIT.config);
  if (rules.rejected.length > 0) throw new CommandError("filters were loaded, but no rule that they could apply to", EXIT.config);
  note(JSON.stringify({ warning: "the rules are filters alone: nothing can alert" }));
}

/** What a backtest counted. */
export function summary(result: BacktestResult, seconds: number): Readonly<Record<string, number>> {
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
