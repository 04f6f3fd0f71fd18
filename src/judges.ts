/** How the parts that decide are made: correlation, delivery, and the watch over the service itself. */
import { secretDigest, sha256, uuid5 } from "./adapters/system/system.ts";
import type { Config } from "./config/config.ts";
import type { RuleInfo } from "./core/alert.ts";
import { healthRule } from "./core/completeness/health-rules.ts";
import { engine } from "./core/correlation/engine.ts";
import type { Directory } from "./core/identity/directory.ts";
import { resolver } from "./core/identity/resolver.ts";
import { eventReader } from "./core/sigma/event-reader.ts";
import { incidentSettings } from "./incident-routes.ts";
import type { LiveRules } from "./live-rules.ts";
import { analysis } from "./pipeline/analysis.ts";
import { correlator, type CorrelateDeps, type Correlator } from "./pipeline/correlate.ts";
import { coverageNow } from "./pipeline/coverage.ts";
import { deliverer, type Deliverer } from "./pipeline/deliver.ts";
import type { RunningSource } from "./pipeline/ingest.ts";
import { watcher, type Watcher } from "./pipeline/watch.ts";
import type { Context } from "./ports/context.ts";

/** What decides: correlation, delivery, and the watch over the service itself. */
export function judges(
  config: Config,
  deps: Omit<Parameters<typeof correlationOf>[1], "rule" | "ownAlerts">,
  context: Context,
): { readonly delivery: Deliverer; readonly watching: Watcher; readonly correlation: Correlator } {
  const { store, now, meter, rules, registry } = deps;
  const rule = (id: string): RuleInfo | undefined => rules.rule(id) ?? healthRule(id);
  const delivery = deliverer({ store, now, meter, context, sha256, rule, registry: () => registry });
  const options = config.health;
  const watching = watcher({ ...deps, startTime: now(), deliverer: delivery, registry: () => registry, uuid5, sha256, options });
  return { delivery, watching, correlation: correlationOf(config, { ...deps, rule, ownAlerts: () => watching.alerts() }) };
}

/** The correlation job over the rules at work. */
function correlationOf(
  config: Config,
  deps: Pick<CorrelateDeps, "store" | "now" | "meter" | "log" | "destinations" | "rule" | "ownAlerts"> & {
    readonly rules: LiveRules;
    readonly registry: Directory;
    readonly sources: readonly RunningSource[];
  },
): Correlator {
  const { store, now, rules, registry } = deps;
  const { lateness } = config.correlation;
  const startTime = now();
  const names: CorrelateDeps["names"] = (facts) => {
    const made = resolver(registry);
    made.load(facts);
    return made;
  };
  return correlator({
    ...deps,
    analysis(facts) {
      const options = { reader: eventReader, uuid5, latenessMs: lateness, distinct: true, baselines: true, digest: secretDigest() };
      return analysis(names(facts), engine(rules.pack().rules, options));
    },
    names,
    coverage: () => coverageNow(store, deps.sources, now(), startTime),
    registry: () => registry,
    uuid5,
    incidents: incidentSettings(config),
  });
}
