import { resolve } from "node:path";
import { regexEngine } from "./adapters/rules/re2.ts";
import { loadRules } from "./adapters/rules/load.ts";
import { sha256 } from "./adapters/system/system.ts";
import type { RejectedRule, RuleInfo } from "./core/alert.ts";
import type { Event } from "./core/event.ts";
import { canonicalJson } from "./core/record.ts";
import { compileDocuments, type Compiled } from "./core/sigma/compile.ts";
import { isYamlMap, own } from "./core/sigma/document.ts";
import { nextEdition, type KeptRule } from "./core/sigma/edition.ts";
import { documentText } from "./core/sigma/fingerprint.ts";
import { eventReader } from "./core/sigma/event-reader.ts";
import { identityOf } from "./core/sigma/metadata.ts";
import type { RuleDocument } from "./core/sigma/reader.ts";
import type { RuleSet } from "./core/sigma/rules.ts";
import { PACKAGE_ROOT } from "./package.ts";

/** Directory of the rules that are shipped. */
export const BUILTIN_RULES = resolve(PACKAGE_ROOT, "correlations");
/** Hex digits of a pack's version: enough to tell packs apart, short enough to be read out. */
const VERSION_DIGITS = 12;

/** Values of `%name%` under the modifier `expand`. */
export type Placeholders = ReadonlyMap<string, readonly string[]>;

/** A loaded pack over normalized events. */
export interface Pack {
  readonly rules: RuleSet<Event>;
  readonly rejected: readonly RejectedRule[];
  readonly rule: (id: string) => RuleInfo | undefined;
  /** Number of rules that raise alerts. */
  readonly alerting: number;
  /** Short hash of what the loaded documents say: the same rules in other files are the same version. */
  readonly version: string;
  /** Documents that the rules were made from, filters too. */
  readonly loaded: readonly RuleDocument[];
  /** Rules that work as they were, because what their files say now is wrong. */
  readonly kept: readonly KeptRule[];
}

/**
 * Loads and compiles rule files and directories; what is not understood is reported and the rest is loaded. With
 * `outlines`, detections can be explained.
 */
export function loadPack(paths: readonly string[], placeholders: Placeholders = new Map(), outlines = false): Pack {
  const compiled = compiler(placeholders, outlines)(loadRules(paths));
  return packOf({ ...compiled, rejected: compiled.rules.rejected, kept: [] }, placeholders);
}

/** What a service has beside rule files when it loads them again. */
export interface PackSurroundings {
  readonly placeholders: Placeholders;
  /** Configured destinations; a rule that names another one is rejected. */
  readonly destinations: ReadonlySet<string>;
  /** Given paths that cannot be read or are empty: the rules that came from there are kept. */
  readonly lost: readonly { readonly path: string }[];
}

/**
 * Loads the files anew, and keeps the rules of `before` that have become wrong or lost (see `nextEdition`).
 * @throws {Failure} config CONFIG_INVALID when a path that is not among the lost ones is gone
 */
export function reloadPack(paths: readonly string[], before: Pack, given: PackSurroundings): Pack {
  const lost = given.lost.map(({ path }) => path);
  const still = before.loaded.filter((document) => lost.some((path) => document.path === path || document.path.startsWith(`${path}/`)));
  const read = loadRules(paths.filter((path) => !lost.includes(path))).map((document) => withRoute(document, given.destinations));
  const edition = nextEdition(before.loaded, [...read, ...still], compiler(given.placeholders));
  const kept = still
    .filter((document) => edition.loaded.includes(document))
    .map(({ path, line, value }) => ({ rule: identityOf(value), file: path, line }));
  return packOf({ ...edition, kept: [...edition.kept, ...kept] }, given.placeholders);
}

function compiler(placeholders: Placeholders, outlines = false): (documents: readonly RuleDocument[]) => Compiled<Event> {
  const options = { reader: eventReader, regex: regexEngine, logsource: true, placeholders, digest: sha256, outlines };
  return (documents) => compileDocuments(documents, options);
}

function packOf(edition: Pick<Pack, "rules" | "rejected" | "loaded" | "kept">, placeholders: Placeholders): Pack {
  const { rules, rejected, loaded, kept } = edition;
  const all = [...rules.detections, ...rules.correlations];
  const infos = new Map(all.map((one) => [one.info.id, one.info]));
  const texts = loaded.map(({ value }) => documentText(value)).toSorted();
  const version = sha256(canonicalJson([texts, Object.fromEntries(placeholders)])).slice(0, VERSION_DIGITS);
  const alerting = all.filter((one) => one.alerts).length;
  return { rules, rejected, loaded, kept, version, alerting, rule: (id) => infos.get(id) };
}

/** Alerts that a rule sends to nobody are worse than a rule that is known not to be loaded. */
function withRoute(document: RuleDocument, destinations: ReadonlySet<string>): RuleDocument {
  const custodes = isYamlMap(document.value) ? own(document.value, "custodes") : undefined;
  const named = isYamlMap(custodes) ? own(custodes, "destinations") : undefined;
  if (document.error !== undefined || !Array.isArray(named)) return document;
  const wrong = named.find((name: unknown) => typeof name === "string" && !destinations.has(name)) as string | undefined;
  if (wrong === undefined) return document;
  const line = document.lineOf(["custodes", "destinations", named.indexOf(wrong)]);
  return { ...document, error: { line, message: `there is no destination ${JSON.stringify(wrong)} in the configuration` } };
}
