import type { RuleSet } from "../sigma/rules.ts";
import { reachBack } from "./plan.ts";

/**
 * How far before the watermark the state of each rule reaches, by id: what is read again for it after a restart or when
 * it is new. Of a detection that raises no alerts, 0: it has no state. `latenessMs`: of rules that name none.
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
    const all = reachBack(correlation) + (correlation.latenessMs ?? latenessMs) + inner;
    found.set(id, all);
    return all;
  };
  for (const id of byId.keys()) reach(id);
  return found;
}
