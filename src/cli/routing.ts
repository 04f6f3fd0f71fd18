import type { RuleInfo } from "../core/alert.ts";
import type { Config } from "../config/config.ts";
import type { Routed, RouteLook } from "../pipeline/route.ts";
import { loadPack } from "../rules.ts";

/** Where incidents go as configured, for a command that stands in for a service that does not run. The rules are read when one is asked for. */
export function routing(config: Config): { readonly destinations: readonly Routed[]; readonly look: RouteLook } {
  let infos: ReadonlyMap<string, RuleInfo> | undefined;
  const read = (): ReadonlyMap<string, RuleInfo> => {
    const { rules } = loadPack(config.rules, config.placeholders);
    return new Map([...rules.detections, ...rules.correlations].map(({ info }) => [info.id, info]));
  };
  const agents = new Map(config.agents.map((agent) => [agent.id, agent]));
  return {
    destinations: config.destinations.map(({ id, connector, options, when }) => ({
      id,
      when,
      destination: { accepts: connector.destination?.(options).accepts ?? [] },
    })),
    look: { rule: (id) => (infos ??= read()).get(id), agent: (id) => agents.get(id) },
  };
}
