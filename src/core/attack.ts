/**
 * MITRE ATT&CK and ATLAS ids of a rule, from its mappings and its Sigma tags, in the forms that SIEMs ask for.
 * Ids are recognized by their shape, whatever a rule calls the framework.
 */

/** What is known of an alert's or incident's place in a taxonomy; sorted, distinct. */
export interface Attack {
  /** ATT&CK tactics that are named, by id. */
  readonly tactics: readonly { readonly id: string; readonly name: string }[];
  /** `T1078`, parents of sub-techniques included. */
  readonly techniques: readonly string[];
  /** `T1078.004`. */
  readonly subTechniques: readonly string[];
  /** `AML.T0051`, `AML.T0051.001`. */
  readonly atlas: readonly string[];
}

/** Enterprise tactics of ATT&CK v19, where TA0005 is Stealth and TA0112 is new. Names as attack.mitre.org writes them. */
const TACTICS: readonly (readonly [id: string, name: string])[] = [
  ["TA0043", "Reconnaissance"],
  ["TA0042", "Resource Development"],
  ["TA0001", "Initial Access"],
  ["TA0002", "Execution"],
  ["TA0003", "Persistence"],
  ["TA0004", "Privilege Escalation"],
  ["TA0005", "Stealth"],
  ["TA0112", "Defense Impairment"],
  ["TA0006", "Credential Access"],
  ["TA0007", "Discovery"],
  ["TA0008", "Lateral Movement"],
  ["TA0009", "Collection"],
  ["TA0011", "Command and Control"],
  ["TA0010", "Exfiltration"],
  ["TA0040", "Impact"],
];

const TECHNIQUE = /^T\d{4}$/;
const SUB_TECHNIQUE = /^T\d{4}\.\d{3}$/;
const ATLAS = /^AML\.T\d{4}(\.\d{3})?$/;

/** Reads Sigma tags (`attack.t1078.004`, `attack.initial-access`, `atlas.aml.t0051`) and mapping ids; anything else is passed over. */
export function attackOf(tags: Iterable<string>, maps: Iterable<{ readonly id: string }>): Attack {
  const techniques = new Set<string>();
  const subTechniques = new Set<string>();
  const atlas = new Set<string>();
  const tactics = new Set<string>();
  const take = (id: string): void => {
    if (TECHNIQUE.test(id)) techniques.add(id);
    else if (SUB_TECHNIQUE.test(id)) {
      subTechniques.add(id);
      techniques.add(id.slice(0, 5));
    } else if (ATLAS.test(id)) atlas.add(id);
    else {
      const slug = id.toLowerCase().replaceAll(/[-_ ]/g, " ");
      const tactic = TACTICS.find(([known, name]) => known === id || name.toLowerCase() === slug);
      if (tactic !== undefined) tactics.add(tactic[0]);
    }
  };
  for (const tag of tags) {
    const dot = tag.indexOf(".");
    const space = tag.slice(0, dot).toLowerCase();
    if (space === "attack" || space === "atlas") take(tag.slice(dot + 1).toUpperCase());
  }
  for (const { id } of maps) take(id);
  return {
    tactics: TACTICS.filter(([id]) => tactics.has(id)).map(([id, name]) => ({ id, name })),
    techniques: [...techniques].sort(),
    subTechniques: [...subTechniques].sort(),
    atlas: [...atlas].sort(),
  };
}
