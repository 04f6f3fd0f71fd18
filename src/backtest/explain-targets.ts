import { nearest } from "../core/nearest.ts";
import type { RejectedRule, RuleInfo } from "../core/alert.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { CommandError, EXIT } from "../cli/output.ts";

/** What is to be explained: one rule and one event. */
export interface Target {
  /** Key of the rule (RuleInfo.id). */
  readonly rule: string;
  readonly uid: string;
}

/**
 * Reads `RULE:UID`, where both parts may hold colons: the longest rule that is known by its id, name or title decides.
 * @throws {CommandError} usage
 */
export function parseTarget<E>(given: string, rules: RuleSet<E>, rejected: readonly RejectedRule[]): Target {
  const infos = [...rules.detections, ...rules.correlations].map(({ info }) => info);
  const colons = [...given.matchAll(/:/g)].map(({ index }) => index);
  for (const at of colons.toReversed()) {
    const [rule, uid] = [given.slice(0, at), given.slice(at + 1)];
    const found = infos.filter(({ id, name, title }) => rule === id || rule === name || rule === title);
    if (found.length === 0 || uid === "") continue;
    const exact = found.find(({ id }) => id === rule) ?? found[0]!;
    if (found.length > 1 && exact.id !== rule) throw new CommandError(several(rule, found), EXIT.usage);
    return { rule: exact.id, uid };
  }
  const [first] = colons;
  const wanted = first === undefined ? given : given.slice(0, first);
  const lost = rejected.find(({ rule }) => rule !== undefined && given.startsWith(`${rule}:`));
  if (lost !== undefined)
    throw new CommandError(`--explain ${given}: the rule was rejected, ${lost.file}:${lost.line}: ${lost.reason}`, EXIT.usage);
  const filter = filterNames(rules).find((name) => given.startsWith(`${name}:`));
  if (filter !== undefined)
    throw new CommandError(`--explain ${given}: "${filter}" is a filter; explain a rule that it filters`, EXIT.usage);
  const close = nearest(
    wanted,
    infos.flatMap(({ id, name, title }) => [id, title, ...(name === undefined ? [] : [name])]),
  );
  const isKnown = close === wanted;
  const hint = isKnown ? "write RULE:UID" : close === undefined ? '"custodes rules list" shows the known ones' : `did you mean "${close}"?`;
  throw new CommandError(
    `--explain ${given}: ${isKnown ? "the event is missing" : `no rule has the id, name or title "${wanted}"`}; ${hint}`,
    EXIT.usage,
  );
}

function several(rule: string, found: readonly RuleInfo[]): string {
  const places = found.map(({ id, path, line }) => `${id} (${path}:${line})`).join(", ");
  return `--explain ${rule}: several rules have this title, ${places}; give the id`;
}

function filterNames<E>(rules: RuleSet<E>): readonly string[] {
  const filters = rules.detections.flatMap((detection) => detection.outline?.().filters ?? []);
  return filters.flatMap(({ info }) => [info.id, info.title, ...(info.name === undefined ? [] : [info.name])]);
}
