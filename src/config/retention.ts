import type { z } from "zod";
import { alertsReachMs, reachMs } from "../core/incident/group.ts";
import type { configSchema } from "./schema.ts";

type Settings = Pick<z.output<typeof configSchema>, "retention" | "correlation">;

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

/** Retentions that are shorter than correlation looks back, as the key and what is wrong with it. */
export function retentionProblems({
  retention,
  correlation,
}: Settings): { readonly key: "alerts" | "incidents"; readonly message: string }[] {
  const { quiet, reopen, riskDecay } = correlation;
  const policy = { quietMs: quiet, reopenMs: reopen, riskDecayMs: riskDecay };
  const again = `correlation.quiet and correlation.reopen (${text(quiet)} and ${text(reopen)})`;
  const risk = quiet > riskDecay ? `twice correlation.quiet (${text(quiet)})` : `twice correlation.riskDecay (${text(riskDecay)})`;
  const needs = [
    { key: "alerts", least: alertsReachMs(policy), by: reachMs(policy) < quiet + reopen ? again : risk },
    { key: "incidents", least: quiet + reopen, by: again },
  ] as const;
  return needs.flatMap(({ key, least, by }) => {
    const kept = retention[key];
    if (kept === null || kept >= least) return [];
    return [{ key, message: `${text(kept)} is too short: correlation looks back ${text(least)}, for ${by}; keep them for at least that` }];
  });
}

/** As it is written in the file: in the largest unit that leaves no rest. */
function text(ms: number): string {
  const [unit, size] = UNITS.find(([, one]) => ms % one === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
