/** Taxonomies of rules in OCSF's words: MITRE techniques and tactics become `attack` objects, all others tags. */
import { attackOf } from "../attack.ts";
import type { Mapping } from "../incident.ts";
import { visible, type Tree } from "./place.ts";

/** `T1552`, `T1552.001`, `AML.T0051`, `AML.T0051.000`; frameworks are told by their ids, whatever a rule calls them. */
const TECHNIQUE = /^((?:AML\.)?T\d{4})(?:\.\d{3})?$/;
/** `TA0006`, `AML.TA0005`. */
const TACTIC = /^(?:AML\.)?TA\d{4}$/;

/** One `attack` object per mapped technique and tactic with its version, then those that only the Sigma tags name. */
export function attacksOf(tags: readonly string[], maps: readonly Mapping[]): readonly Tree[] {
  const named = new Map(attackOf(tags, maps).tactics.map(({ id, name }) => [id, name]));
  const attacks: Tree[] = [];
  const seen = new Set<string>();
  for (const { id, version } of maps) {
    if (!isMitre(id)) continue;
    seen.add(id);
    attacks.push({ ...attackObject(id, named), version: visible(version) });
  }
  const { tactics, techniques, subTechniques, atlas } = attackOf(tags, []);
  const tagged = [...tactics.map(({ id }) => id), ...subTechniques, ...techniques.filter((id) => !isParent(id, subTechniques)), ...atlas];
  for (const id of tagged) {
    if (!seen.has(id) && !isParent(id, seen)) attacks.push(attackObject(id, named));
  }
  return attacks;
}

function isParent(id: string, others: Iterable<string>): boolean {
  for (const other of others) if (other.startsWith(`${id}.`)) return true;
  return false;
}

function isMitre(id: string): boolean {
  return TACTIC.test(id) || TECHNIQUE.test(id);
}

function attackObject(id: string, tactics: ReadonlyMap<string, string>): Tree {
  if (TACTIC.test(id)) {
    const name = tactics.get(id);
    return { tactic: name === undefined ? { uid: id } : { uid: id, name } };
  }
  const technique = TECHNIQUE.exec(id)?.[1];
  return technique === id ? { technique: { uid: id } } : { technique: { uid: technique }, sub_technique: { uid: id } };
}

/** The other mappings as tags: the framework with its version, and the ids in it. */
export function tagsOf(maps: readonly Mapping[]): readonly Tree[] {
  const values = new Map<string, Set<string>>();
  for (const { framework, version, id } of maps) {
    if (isMitre(id)) continue;
    const name = visible(`${framework} ${version}`);
    const ids = values.get(name) ?? new Set<string>();
    ids.add(visible(id));
    values.set(name, ids);
  }
  return Array.from(values, ([name, ids]) => ({ name, values: [...ids] }));
}
