import type { Config } from "./config/config.ts";
import type { Problem } from "./config/yaml.ts";
import type { Event } from "./core/event.ts";
import { nearest } from "./core/nearest.ts";
import type { RuleSet } from "./core/sigma/rules.ts";

/** Destinations that rules name, and rules that destinations name, must exist: else something silently goes nowhere. */
export function routeProblems(config: Config, rules: RuleSet<Event>): Problem[] {
  const destinations = new Set(config.destinations.map((destination) => destination.id));
  const infos = [...rules.detections, ...rules.correlations].map((one) => one.info);
  const problems: Problem[] = [];
  for (const info of infos) {
    for (const name of info.destinations ?? []) {
      if (!destinations.has(name))
        problems.push({ file: info.path, line: info.line, key: "custodes.destinations", message: `there is no destination "${name}"` });
    }
  }
  const known = namesOf(rules);
  for (const destination of config.destinations) {
    for (const name of destination.when.rules ?? []) {
      if (known.has(name)) continue;
      const close = nearest(name, [...known]);
      const hint = close === undefined ? "`rules list --json` shows ids and tags" : `did you mean "${close}"?`;
      const key = `destinations.${destination.id}.when.rules`;
      problems.push({
        file: config.file,
        line: config.lineOf(["destinations", destination.id, "when", "rules"]),
        key,
        message: `no loaded rule has the id or tag "${name}"; ${hint}`,
      });
    }
  }
  return problems;
}

/** Ids and tags in the routes of destinations that no rule has, each once. */
export function deadRoutes(config: Config, rules: RuleSet<Event>): string[] {
  const known = namesOf(rules);
  return [...new Set(config.destinations.flatMap((destination) => destination.when.rules ?? []))].filter((name) => !known.has(name));
}

/** What a route may call a rule by. */
function namesOf(rules: RuleSet<Event>): ReadonlySet<string> {
  return new Set([...rules.detections, ...rules.correlations].flatMap(({ info }) => [info.id, ...info.tags]));
}
