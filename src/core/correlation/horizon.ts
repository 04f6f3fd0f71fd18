import type { Correlation, RuleSet } from "../sigma/rules.ts";
import { baselineWindows } from "./baseline-ratio.ts";
import { SEAL_STEP_MIN_MS } from "./novelty-memory.ts";
import { onlyGrows, slides } from "./threshold.ts";

/**
 * How far before the watermark the state of each rule reaches, by id: what is read again for it when it is new, and
 * after a restart when it has not stored what it remembers. Of a detection that raises no alerts, 0: it has no state. `latenessMs`: of rules that name none.
 */
export function horizons<E>({ detections, correlations }: RuleSet<E>, latenessMs: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { info, alerts, suppressMs, latenessMs: own } of detections) found.set(info.id, alerts ? suppressMs + (own ?? latenessMs) : 0);
  const byId = new Map(correlations.map((correlation) => [correlation.info.id, correlation]));
  const reach = (id: string): number => {
    const correlation = byId.get(id);
    if (correlation === undefined) return 0;
    const known = found.get(id);
    if (known !== undefined) return known;
    const inner = Math.max(0, ...correlation.rules.map(reach));
    const all = pastMs(correlation) + reachBack(correlation) + (correlation.latenessMs ?? latenessMs) + inner;
    found.set(id, all);
    return all;
  };
  for (const id of byId.keys()) reach(id);
  return found;
}

/** How far before a correlation's own watermark its windows, and the buckets that are not final, reach. */
export function reachBack<E>(correlation: Correlation<E>): number {
  const { expression, timespanMs, suppressMs, newValue } = correlation;
  // What is decided is sealed in steps of a suppression window, or of a minute when that is shorter.
  if (newValue !== undefined) return suppressMs + Math.max(suppressMs, SEAL_STEP_MIN_MS);
  if (expression !== undefined) return 3 * timespanMs + 2 * suppressMs;
  return tumbles(correlation) ? 3 * timespanMs + suppressMs : timespanMs + 2 * suppressMs;
}

function tumbles<E>({ type, threshold, baseline }: Correlation<E>): boolean {
  return baseline !== undefined || !slides(threshold) || type === "value_avg" || type === "value_percentile" || type === "value_median";
}

/** How far behind its watermark a correlation may be with its alerts. */
function stepMs<E>(correlation: Correlation<E>): number {
  const { expression, threshold, timespanMs, suppressMs, newValue } = correlation;
  if (newValue !== undefined) return 0;
  if (expression !== undefined || tumbles(correlation)) return timespanMs;
  return onlyGrows(threshold) ? 0 : suppressMs;
}

/** How much further a correlation remembers. */
export function pastMs<E>({ timespanMs, newValue, baseline }: Correlation<E>): number {
  if (newValue !== undefined) return newValue.lookbackMs + newValue.minHistoryMs;
  return baseline === undefined ? 0 : baselineWindows({ ...baseline, timespanMs }) * timespanMs;
}

/**
 * How far before the watermark of all events what a rule has decided may still be asked for after a restart: its own
 * watermark lies behind by the steps of the rules that it refers to, and its alerts must be found again as far as
 * others look back at them.
 */
export function lagsOf<E>(innerFirst: readonly Correlation<E>[], latenessMs: number): ReadonlyMap<string, number> {
  const behind = new Map<string, number>();
  const byId = new Map(innerFirst.map((correlation) => [correlation.info.id, correlation]));
  for (const { info, rules } of innerFirst) {
    const inners = rules.map((rule) => byId.get(rule)).filter((inner) => inner !== undefined);
    behind.set(info.id, Math.max(0, ...inners.map((inner) => stepMs(inner) + behind.get(inner.info.id)!)));
  }
  const asked = new Map<string, number>();
  for (const outer of innerFirst.toReversed()) {
    const { id } = outer.info;
    const lag = behind.get(id)! + reachBack(outer) + (outer.latenessMs ?? latenessMs) + (asked.get(id) ?? 0);
    for (const rule of outer.rules) asked.set(rule, Math.max(asked.get(rule) ?? 0, lag));
  }
  return new Map(innerFirst.map(({ info: { id } }) => [id, behind.get(id)! + (asked.get(id) ?? 0)]));
}
