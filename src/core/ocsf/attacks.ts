/** Taxonomies of rules in OCSF's words: MITRE techniques and tactics become `attack` objects, all others tags. */
import type { Mapping } from "../incident.ts";
import { visible, type Tree } from "./place.ts";

/** `T1552`, `T1552.001`, `AML.T0051`, `AML.T0051.000`. */
const TECHNIQUE = /^((?:AML\.)?T\d{4})(\.\d{3})?$/;
/** `TA0006`, `AML.TA0005`. */
const TACTIC = /^(?:AML\.)?TA\d{4}$/;
const MITRE = /ATT&CK|ATLAS/i;

/** One `attack` object per mapping of a MITRE framework; ids that are neither technique nor tactic are left to the tags. */
export function attacksOf(maps: readonly Mapping[]): readonly Tree[] {
  const attacks: Tree[] = [];
  for (const { framework, version, id } of maps) {
    if (!MITRE.test(framework)) continue;
    const attack = attackOf(id);
    if (attack !== undefined) attacks.push({ ...attack, version: visible(version) });
  }
  return attacks;
}

function attackOf(id: string): Tree | undefined {
  if (TACTIC.test(id)) return { tactic: { uid: id } };
  const match = TECHNIQUE.exec(id);
  if (match === null) return undefined;
  return match[2] === undefined ? { technique: { uid: id } } : { technique: { uid: match[1] }, sub_technique: { uid: id } };
}

/** The other mappings as tags: the framework with its version, and the ids in it. */
export function tagsOf(maps: readonly Mapping[]): readonly Tree[] {
  const values = new Map<string, string[]>();
  for (const { framework, version, id } of maps) {
    if (MITRE.test(framework) && attackOf(id) !== undefined) continue;
    const name = visible(`${framework} ${version}`);
    const ids = values.get(name) ?? [];
    if (!ids.includes(id)) ids.push(visible(id));
    values.set(name, ids);
  }
  return Array.from(values, ([name, ids]) => ({ name, values: ids }));
}
