import { CATEGORIES, type Category } from "../event.ts";
import { mapAt, own, remarkAt, textAt, type YamlMap } from "./document.ts";
import { didYouMean } from "./did-you-mean.ts";
import { reject, show, type KeyPath } from "./rejection.ts";

/** The parts of a logsource that decide which events and rules it means; others are remarks. */
const PARTS = ["category", "product", "service"] as const;

/** A logsource by part. */
export type Logsource = ReadonlyMap<string, string>;

/** The product that every normalized event has. */
const PRODUCT = "agent";

/** Reads the logsource, which detection rules and filters must have. @throws {Rejection} */
export function parseLogsource(document: YamlMap): Logsource {
  const keys: KeyPath = ["logsource"];
  const value = own(document, "logsource");
  if (value === undefined) reject([], "the logsource is missing");
  const map = mapAt(value, keys);
  remarkAt(map, "definition", keys);
  const result = new Map<string, string>();
  for (const part of PARTS) {
    const text = textAt(map, part, keys);
    if (text !== undefined) result.set(part, text);
  }
  if (result.size === 0) reject(keys, `the logsource names none of ${PARTS.join(", ")}`);
  return result;
}

/**
 * Categories of the normalized events that lie within the logsource; undefined is all of them.
 * @throws {Rejection} when there are none: the rule could never match
 */
export function categoriesOf(logsource: Logsource): readonly Category[] | undefined {
  const product = logsource.get("product");
  if (product !== undefined && product !== PRODUCT)
    reject(["logsource", "product"], `no event has the product ${show(product)}; that of all events is "${PRODUCT}"`);
  const service = logsource.get("service");
  if (service !== undefined) reject(["logsource", "service"], `no event has a service, so none has ${show(service)}`);
  const category = logsource.get("category");
  if (category === undefined) return undefined;
  const known = CATEGORIES.find((name) => name === category);
  if (known === undefined)
    reject(["logsource", "category"], `no event has the category ${show(category)}${didYouMean(category, CATEGORIES)}`);
  return [known];
}

/**
 * Whether all events of `inner` are events of `outer`;
 * with `normalized`, the product `agent` says nothing.
 */
export function containsLogsource(outer: Logsource, inner: Logsource, normalized: boolean): boolean {
  for (const [part, value] of outer) {
    if (normalized && part === "product" && value === PRODUCT) continue;
    if (inner.get(part) !== value) return false;
  }
  return true;
}
