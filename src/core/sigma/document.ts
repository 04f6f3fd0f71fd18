import { DEPTH_MAX } from "../record.ts";
import { didYouMean } from "./did-you-mean.ts";
import { reject, show, type KeyPath } from "./rejection.ts";

/** A YAML map of unknown content; read it with `own`. */
export type YamlMap = Readonly<Record<string, unknown>>;

/** Whether the value is a map. */
export function isYamlMap(value: unknown): value is YamlMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of a key that the map itself has; undefined without it. */
export function own(map: YamlMap, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** The value as a map. @throws {Rejection} */
export function mapAt(value: unknown, keys: KeyPath): YamlMap {
  return isYamlMap(value) ? value : reject(keys, `${show(keys.at(-1))} must be a map, not ${show(value)}`);
}

/** As `textAt`, for prose that may be empty. @throws {Rejection} */
export function remarkAt(map: YamlMap, key: string, keys: KeyPath, lengthMax = Number.POSITIVE_INFINITY): string | undefined {
  return own(map, key) === "" ? "" : textAt(map, key, keys, lengthMax);
}

/** A non-empty text, or undefined without the key. @throws {Rejection} for anything else */
export function textAt(map: YamlMap, key: string, keys: KeyPath, lengthMax = Number.POSITIVE_INFINITY): string | undefined {
  const value = own(map, key);
  if (value === undefined) return undefined;
  const place = [...keys, key];
  if (typeof value !== "string") reject(place, `${show(key)} must be a text, not ${show(value)}${quoteHint(value)}`);
  if (value.trim() === "") reject(place, `${show(key)} is empty`);
  if (value.length > lengthMax) reject(place, `${show(key)} is longer than ${lengthMax} characters`);
  return value;
}

function quoteHint(value: unknown): string {
  return typeof value === "number" || typeof value === "boolean" ? "; quote it" : "";
}

/** A list of texts; empty without the key. @throws {Rejection} for anything else */
export function textsAt(map: YamlMap, key: string, keys: KeyPath): readonly string[] {
  const value = own(map, key);
  if (value === undefined) return [];
  const place = [...keys, key];
  if (!Array.isArray(value)) reject(place, `${show(key)} must be a list of texts, not ${show(value)}`);
  return value.map((item: unknown, index) => {
    if (typeof item !== "string") reject([...place, index], `${show(key)} must hold texts, not ${show(item)}${quoteHint(item)}`);
    return item;
  });
}

/** One of the given words, or undefined without the key. @throws {Rejection} naming the nearest */
export function wordAt<const T extends string>(map: YamlMap, key: string, keys: KeyPath, words: readonly T[]): T | undefined {
  const value = textAt(map, key, keys);
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  return found ?? reject([...keys, key], `${show(key)} cannot be ${show(value)}${didYouMean(value, words)}`);
}

/** A finite number within [low, high], or undefined without the key. @throws {Rejection} */
export function numberAt(map: YamlMap, key: string, keys: KeyPath, low: number, high: number): number | undefined {
  const value = own(map, key);
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= low && value <= high && Number.isFinite(value)) return value;
  const bounds = Number.isFinite(high) ? `a number from ${low} to ${high}` : `a number of at least ${low}`;
  return reject([...keys, key], `${show(key)} must be ${bounds}, not ${show(value)}`);
}

/** Refuses keys beside the known ones, naming the nearest. @throws {Rejection} */
export function onlyKeys(map: YamlMap, keys: KeyPath, known: readonly string[]): void {
  for (const key of Object.keys(map)) {
    if (!known.includes(key)) reject([...keys, key], `unknown key ${show(key)} in ${show(keys.at(-1))}${didYouMean(key, known)}`);
  }
}

/**
 * Refuses empty lists and maps anywhere, and nesting that recursion could not follow.
 * @throws {Rejection}
 */
export function refuseEmpty(value: unknown, keys: KeyPath): void {
  if (typeof value !== "object" || value === null) return;
  if (keys.length > DEPTH_MAX) reject(keys, `the document is nested deeper than ${DEPTH_MAX} levels`);
  const isList = Array.isArray(value);
  const entries = isList ? [...value.entries()] : Object.entries(value);
  if (entries.length === 0)
    reject(keys, `${keys.length === 0 ? "the document" : show(keys.at(-1))} is an empty ${isList ? "list" : "map"}`);
  for (const [key, item] of entries) refuseEmpty(item, [...keys, key]);
}
