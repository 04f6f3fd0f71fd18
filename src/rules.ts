import { resolve } from "node:path";
import { regexEngine } from "./adapters/rules/re2.ts";
import { loadRules } from "./adapters/rules/load.ts";
import type { RejectedRule, RuleInfo } from "./core/alert.ts";
import { unsupported } from "./core/correlation/unsupported.ts";
import type { Event } from "./core/event.ts";
import { compileRules } from "./core/sigma/compile.ts";
import { eventReader } from "./core/sigma/event-reader.ts";
import type { RuleSet } from "./core/sigma/rules.ts";
import { PACKAGE_ROOT } from "./package.ts";

/** Directory of the rules that are shipped. */
export const BUILTIN_RULES = resolve(PACKAGE_ROOT, "correlations");

/** A loaded pack over normalized events. */
export interface Pack {
  readonly rules: RuleSet<Event>;
  readonly rejected: readonly RejectedRule[];
  readonly rule: (id: string) => RuleInfo | undefined;
  /** Number of rules that raise alerts. */
  readonly alerting: number;
}

/**
 * Loads and compiles rule files and directories; what is not understood is reported and the rest is loaded. With
 * `outlines`, detections can be explained.
 */
export function loadPack(paths: readonly string[], outlines = false): Pack {
  const rules = compileRules(loadRules(paths), { reader: eventReader, regex: regexEngine, logsource: true, outlines });
  const refused = unsupported(rules);
  const infos = new Map([...rules.detections, ...rules.correlations].map((one) => [one.info.id, one.info]));
  const alerting = [...rules.detections, ...rules.correlations].filter((one) => one.alerts).length;
  return { rules, rejected: [...rules.rejected, ...refused], rule: (id) => infos.get(id), alerting };
}
