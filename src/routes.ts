import type { Config } from "./config/config.ts";
import type { Problem } from "./config/yaml.ts";
import { LEVELS, type RuleInfo } from "./core/alert.ts";
import type { Event } from "./core/event.ts";
import { nearest } from "./core/nearest.ts";
import type { RuleSet } from "./core/sigma/rules.ts";
import { wanted } from "./pipeline/route.ts";

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

/** Whether what a rule raises goes to a destination, and why. */
export interface RuleRoute {
  readonly destination: string;
  readonly alerts: boolean;
  /** An incident with at least one of its alerts, as long as no worse alert joins it. */
  readonly incidents: boolean;
  readonly why: string;
}

const NOBODY = { agent: () => undefined };

/** Where the alerts of a rule go, and the incidents that they make: one for each configured destination. */
export function routesOf(config: Config, info: RuleInfo): RuleRoute[] {
  return config.destinations.map(({ id, connector, options, when: given }) => {
    // Whom its alerts will be about is not known yet.
    const when = { ...given, agents: undefined, teams: undefined, tenants: undefined };
    const accepts = connector.destination?.(options).accepts ?? [];
    const to = { id, when, destination: { accepts } };
    const { level: atLevel } = info;
    const of = (kind: "alert" | "incident"): boolean =>
      wanted(to, { kind, level: atLevel, final: when.final ?? true, rules: [info], agents: [] }, NOBODY);
    const reached = { alerts: of("alert"), incidents: of("incident") };
    const isReached = reached.alerts || reached.incidents;
    const own =
      info.destinations === undefined ? [] : [info.destinations.includes(id) ? "the rule's own list" : "not in the rule's own list"];
    const low = when.minLevel !== undefined && LEVELS.indexOf(info.level) < LEVELS.indexOf(when.minLevel);
    const level = when.minLevel === undefined ? [] : [`${low ? "below" : "at least"} ${when.minLevel}`];
    const named = when.rules?.filter((name) => name === info.id || info.tags.includes(name)) ?? [];
    const rules = when.rules === undefined ? [] : [named.length > 0 ? `named there as ${named.join(", ")}` : "not named there"];
    const kinds = when.kinds === undefined ? [] : [`${when.kinds.join(" and ")}s only`];
    const final = when.final === undefined ? [] : [when.final ? "when final" : "while provisional"];
    const whom = [
      ...(given.agents === undefined ? [] : [`agents ${given.agents.join(", ")}`]),
      ...(given.teams === undefined ? [] : [`teams ${given.teams.join(", ")}`]),
      ...(given.tenants === undefined ? [] : [`tenants ${given.tenants.join(", ")}`]),
    ];
    const why = [...own, ...level, ...rules, ...kinds, ...final, ...(whom.length === 0 ? [] : [`only ${whom.join(" and ")}`])];
    return {
      destination: id,
      ...reached,
      why: why.length > 0 ? why.join("; ") : isReached ? "gets everything that it accepts" : "accepts neither",
    };
  });
}
