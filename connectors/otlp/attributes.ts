/** OTLP attributes as a map of plain values. */
import { asObject, numeric, text } from "../../src/core/record.ts";

/** Attributes of one record, resource or span event. Lists of pairs stand for maps, which may have any keys. */
export type Attributes = ReadonlyMap<string, unknown>;

/** Attributes of one record that are looked at: eight times the default limit of the SDKs. */
const ATTRIBUTES_MAX = 1024;

const NONE: Attributes = new Map();

/** Reads a list of KeyValue; of a repeated key the first counts. */
export function attributesOf(list: unknown): Attributes {
  if (!Array.isArray(list) || list.length === 0) return NONE;
  const attributes = new Map<string, unknown>();
  for (const item of list) {
    const pair = asObject(item);
    const key = pair?.["key"];
    if (typeof key !== "string" || attributes.has(key)) continue;
    attributes.set(key, valueOf(pair?.["value"]));
    if (attributes.size >= ATTRIBUTES_MAX) break;
  }
  return attributes;
}

/** The plain value of an AnyValue; null when it has none. The depth is bounded by whoever decoded the request. */
export function valueOf(any: unknown): unknown {
  const value = asObject(any);
  if (value === undefined) return null;
  for (const key in value) {
    const inner = value[key];
    switch (key) {
      case "stringValue":
      case "boolValue":
      case "doubleValue":
      case "bytesValue":
        return inner;
      case "intValue":
        return intOf(inner);
      case "arrayValue":
        return listOf(inner).map(valueOf);
      case "kvlistValue":
        return listOf(inner).map((item) => [asObject(item)?.["key"], valueOf(asObject(item)?.["value"])]);
      default:
    }
  }
  return null;
}

/** 64-bit numbers are texts in OTLP/JSON; beyond 2^53 they stay texts, so that ids are not rounded. */
function intOf(value: unknown): unknown {
  const number = numeric(value);
  return number !== undefined && Number.isSafeInteger(number) ? number : value;
}

function listOf(value: unknown): readonly unknown[] {
  const values = asObject(value)?.["values"];
  return Array.isArray(values) ? values : [];
}

/** The first of the attributes that has a text. */
export function firstText(attributes: Attributes, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const found = text(attributes.get(key));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** As `firstText`; `""` when one of them is supplied but says nothing: the source says that there is none. */
export function suppliedOf(attributes: Attributes, keys: readonly string[]): string | undefined {
  const found = firstText(attributes, keys);
  if (found !== undefined) return found;
  return keys.some((key) => attributes.get(key) === "" || attributes.get(key) === null) ? "" : undefined;
}

/** The first of the attributes that has a number, 0 or more. */
export function firstCount(attributes: Attributes, keys: readonly string[]): number | undefined {
  for (const key of keys) {
    const found = numeric(attributes.get(key));
    if (found !== undefined && found >= 0) return found;
  }
  return undefined;
}
