import type { EpochMs } from "../event.ts";
import type { Correlation } from "../sigma/rules.ts";
import type { BaselineChange, BaselineHead, BaselineRow, Memory } from "./baseline.ts";

/** A correlation whose past is stored. */
export interface Remembering {
  readonly rule: string;
  readonly key: string;
  readonly memory: Memory;
  /** Takes stored rows; the first time also how far they reach. */
  restore(head: BaselineHead, rows: readonly BaselineRow[]): void;
  /** Up to where restored rows know the past as far back as the rule looks: the log is needed from there on only. */
  restoredTo(): EpochMs | undefined;
  changed(): BaselineChange | undefined;
}

/** Joins a memory with the rule that it belongs to. */
export function rememberer<E>(correlation: Correlation<E>, key: string, memory: Memory, lagMs: number): Remembering {
  const { info, type, rules, groupBy, fields, baseline, suppressMs, timespanMs } = correlation;
  const [first = ""] = rules;
  const metric = baseline?.metricField;
  const head: Omit<BaselineHead, "until"> = {
    rule: info.id,
    key,
    type: type === "new_value" || type === "baseline_ratio" ? type : "silence",
    groupBy: groupBy.map((field) => field.path(first)),
    fields: type === "baseline_ratio" ? (metric === undefined ? [] : [metric.path]) : fields.map(({ path }) => path),
    timespanMs: memory.timespanMs,
    depthMs: memory.depthMs,
    // Twice over: what a restart decides again lies behind the watermark, and nothing is lost by keeping a little more.
    keepMs: memory.depthMs + 2 * (suppressMs + timespanMs + lagMs),
  };
  let begun = false;
  let restoredTo: EpochMs | undefined;
  return {
    rule: info.id,
    key,
    memory,
    restore(given, rows) {
      if (!begun && given.depthMs > 0 && given.depthMs >= memory.depthMs) {
        restoredTo = given.until;
        memory.resume(given.until);
      }
      begun = true;
      memory.restore(rows);
    },
    restoredTo: () => restoredTo,
    changed() {
      const change = memory.changed();
      return change && { head: { ...head, until: change.until }, rows: change.rows, forgetBefore: change.forgetBefore };
    },
  };
}
