import { LEVELS, type RuleInfo } from "../alert.ts";
import { parseCustodes, type CustodesKeys } from "./custodes-keys.ts";
import { isYamlMap, own, remarkAt, textAt, textsAt, wordAt, type YamlMap } from "./document.ts";
import { didYouMean, nearestName } from "./did-you-mean.ts";
import { reject, show, type Warn } from "./rejection.ts";
import type { RuleDocument } from "./reader.ts";

/** The sections of which every document has exactly one; it makes the kind. */
const KINDS = ["detection", "correlation", "filter"] as const;
/** Kind of a rule document. */
type RuleKind = (typeof KINDS)[number];

const STATUSES = ["stable", "test", "experimental", "deprecated", "unsupported"] as const;
const RELATIONS = ["derived", "obsolete", "merged", "renamed", "similar"] as const;
const TOP_KEYS: readonly string[] = [
  ...KINDS,
  "title",
  "id",
  "name",
  "related",
  "taxonomy",
  "status",
  "description",
  "license",
  "references",
  "author",
  "date",
  "modified",
  "logsource",
  "fields",
  "falsepositives",
  "level",
  "tags",
  "scope",
  "generate",
  "custodes",
];

/** Title, name and taxonomy are at most this long, descriptions this long (Sigma JSON schemas). */
const NAME_MAX = 256;
const DESCRIPTION_MAX = 65_535;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const TAG = /^[a-z0-9_-]+\.[a-z0-9._-]+$/;
const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
/** How dates were written before Sigma 2. */
const OLD_DATE = /^\d{4}\/(0?[1-9]|1[0-2])\/(0?[1-9]|[12]\d|3[01])$/;

/** What a document says about itself. */
export interface Head {
  readonly kind: RuleKind;
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly info: RuleInfo;
  readonly custodes: CustodesKeys;
}

/** Id, name or title as far as it can be read, also of a document that is wrong. */
export function identityOf(value: unknown): string | undefined {
  if (!isYamlMap(value)) return undefined;
  for (const key of ["id", "name", "title"]) {
    const text = own(value, key);
    if (typeof text === "string" && text.trim() !== "") return text.slice(0, NAME_MAX);
  }
  return undefined;
}

/** Reads kind, identity, metadata and `custodes` keys. @throws {Rejection} */
export function parseHead(map: YamlMap, document: RuleDocument, warn: Warn): Head {
  const kind = kindOf(map);
  for (const key of Object.keys(map)) {
    const near = TOP_KEYS.includes(key) ? undefined : nearestName(key, TOP_KEYS);
    if (key === "generate") warn([key], '"generate" is ignored here; it stands inside "correlation", in the rule that refers to this one');
    else if (near !== undefined && isTypo(key, near)) warn([key], `unknown key ${show(key)} is ignored; did you mean "${near}"?`);
  }
  const title = textAt(map, "title", [], NAME_MAX) ?? reject([], "the title is missing");
  const id = textAt(map, "id", []);
  const name = textAt(map, "name", [], NAME_MAX);
  if (id !== undefined && !UUID.test(id)) warn(["id"], `the id ${show(id)} is not a UUID`);
  checkRest(map, warn);
  const custodes = parseCustodes(map);
  const { keys } = custodes;
  const info: RuleInfo = {
    id: id ?? name ?? title,
    name,
    title,
    description: remarkAt(map, "description", [], DESCRIPTION_MAX) ?? "",
    path: document.path,
    line: document.line,
    level: wordAt(map, "level", [], LEVELS) ?? "medium",
    tags: tagsOf(map, warn),
    status: wordAt(map, "status", [], STATUSES) ?? "",
    ...keys,
    falsePositives: falsePositivesOf(map, kind),
    references: textsAt(map, "references", []),
  };
  return { kind, id, name, info, custodes };
}

function kindOf(map: YamlMap): RuleKind {
  if (Object.hasOwn(map, "action")) reject(["action"], 'the key "action" is not part of Sigma 2; write the rules out, separated by ---');
  const kinds = KINDS.filter((kind) => Object.hasOwn(map, kind));
  const [kind] = kinds;
  if (kind === undefined) reject([], `the document has none of ${KINDS.join(", ")}${sectionHint(map)}`);
  if (kinds.length > 1) reject([kinds[1]!], `a document has either ${kinds.join(" or ")}, not both`);
  return kind;
}

function sectionHint(map: YamlMap): string {
  const typo = Object.keys(map).find((key) => !TOP_KEYS.includes(key) && isTypo(key, nearestName(key, KINDS)!));
  return typo === undefined ? "" : `; ${show(typo)}${didYouMean(typo, KINDS).slice(1)}`;
}

/** A key that differs from a known one in a letter or two; other unknown keys are the author's own. */
function isTypo(key: string, known: string): boolean {
  return (
    key.length > 3 && Math.abs(key.length - known.length) < 3 && (key[0] === known[0] || key.at(-1) === known.at(-1)) && overlap(key, known)
  );
}

function overlap(a: string, b: string): boolean {
  let rest = b;
  let shared = 0;
  for (const letter of a) {
    if (!rest.includes(letter)) continue;
    rest = rest.replace(letter, "");
    shared++;
  }
  return shared >= Math.max(a.length, b.length) - 2;
}

function tagsOf(map: YamlMap, warn: Warn): readonly string[] {
  const tags = textsAt(map, "tags", []);
  tags.forEach((tag, index) => {
    if (!TAG.test(tag)) warn(["tags", index], `the tag ${show(tag)} is not of the form namespace.tag in lower case`);
  });
  return tags;
}

/** Correlations may give a single text (Sigma correlation schema). */
function falsePositivesOf(map: YamlMap, kind: RuleKind): readonly string[] {
  const value = own(map, "falsepositives");
  return kind === "correlation" && typeof value === "string" ? [value] : textsAt(map, "falsepositives", []);
}

function checkRest(map: YamlMap, warn: Warn): void {
  for (const key of ["license", "author", "taxonomy"]) remarkAt(map, key, [], key === "taxonomy" ? NAME_MAX : DESCRIPTION_MAX);
  for (const key of ["fields", "scope"]) textsAt(map, key, []);
  for (const key of ["date", "modified"]) {
    const date = textAt(map, key, []);
    if (date === undefined || DATE.test(date)) continue;
    if (!OLD_DATE.test(date)) reject([key], `${show(key)} must be a date like 2026-01-31, not ${show(date)}`);
    warn([key], `${show(key)} is written YYYY-MM-DD since Sigma 2`);
  }
  const related = own(map, "related");
  if (related === undefined) return;
  if (!Array.isArray(related)) reject(["related"], '"related" must be a list of maps');
  related.forEach((item: unknown, index) => {
    const place = ["related", index];
    if (!isYamlMap(item)) reject(place, `"related" must hold maps, not ${show(item)}`);
    const id = textAt(item, "id", place) ?? reject(place, "the related rule has no id");
    if (wordAt(item, "type", place, RELATIONS) === undefined) reject(place, "the related rule has no type");
    if (!UUID.test(id)) warn([...place, "id"], `the id ${show(id)} is not a UUID`);
  });
}
