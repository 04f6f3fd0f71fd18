import { numeric } from "../record.ts";
import { parseRange, type AddressRange } from "./address.ts";
import { base64, base64Offsets, latin1Bytes, utf16Text, UTF16_MARK, utf8Bytes, type Bytes } from "./encode.ts";
import { fold } from "./fold.ts";
import type { Comparison, FieldKey, Transform } from "./modifiers.ts";
import { ANY, dashPattern, expandDashes, joinPattern, literalOf, mapLiterals, ONE, parsePattern, type Pattern } from "./pattern.ts";
import { expandPlaceholders } from "./placeholders.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import type { TimePart } from "./time-part.ts";

/**
 * One way in which a scalar of an event can satisfy a value of a rule;
 * plain data, so that it has a canonical text.
 */
export type Choice =
  | { readonly kind: "null" }
  /** The whole text against a pattern, whose literals are folded unless it is cased. */
  | { readonly kind: "text"; readonly pattern: Pattern; readonly cased: boolean }
  | { readonly kind: "regex"; readonly source: string; readonly flags: FieldKey["flags"] }
  | { readonly kind: "range"; readonly range: AddressRange }
  | { readonly kind: "number"; readonly part: TimePart | undefined; readonly comparison: Comparison | "eq"; readonly than: number };

/** The ways to satisfy one value of a key; more than one through `expand`, `windash` or `base64offset`. */
export function choicesOf(
  key: FieldKey,
  value: unknown,
  placeholders: ReadonlyMap<string, readonly string[]>,
  keys: KeyPath,
): readonly Choice[] {
  if (value === null) return nullChoice(key, keys);
  if (typeof value === "number" && !Number.isFinite(value)) reject(keys, "an infinite number or a not-a-number matches nothing");
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
    reject(keys, `a field's value must be text, a number, a boolean or null, not ${show(value)}`);
  if (key.kind === "number") return [numberChoice(key, value, keys)];
  if (key.kind === "text") return textChoices(key, value, placeholders, keys);
  if (typeof value !== "string") reject(keys, `${show(key.kind)} needs a text, not ${show(value)}`);
  const texts = key.expand ? expandPlaceholders(value, placeholders, keys) : [value];
  if (key.kind === "re") return texts.map((source) => ({ kind: "regex", source, flags: key.flags }));
  return texts.map((text) => {
    const range = parseRange(text);
    if (typeof range === "string") reject(keys, `${show(text)} ${range}`);
    return { kind: "range", range };
  });
}

function nullChoice(key: FieldKey, keys: KeyPath): readonly Choice[] {
  if (key.field === "") reject(keys, "null is no keyword");
  const plain = key.kind === "text" && key.position === "whole" && key.transforms.length === 0 && !key.cased && !key.expand;
  if (!plain) reject(keys, "null goes with no modifier but neq and all");
  return [{ kind: "null" }];
}

function numberChoice(key: FieldKey, value: string | number | boolean, keys: KeyPath): Choice {
  const modifier = key.comparison ?? key.timePart!;
  if (typeof value !== "number") {
    const hint = numeric(value) === undefined ? "" : "; take the quotes away";
    reject(keys, `${show(modifier)} needs a number, not ${show(value)}${hint}`);
  }
  return { kind: "number", part: key.timePart, comparison: key.comparison ?? "eq", than: value };
}

/** A text on its way through the transforms. */
interface Draft {
  readonly pattern: Pattern;
  /** Its characters are bytes already. */
  readonly bytes: boolean;
  readonly cased: boolean;
}

function textChoices(
  key: FieldKey,
  value: string | number | boolean,
  placeholders: ReadonlyMap<string, readonly string[]>,
  keys: KeyPath,
): readonly Choice[] {
  if (typeof value !== "string" && key.transforms.length > 0) reject(keys, `${show(key.transforms[0])} needs a text, not ${show(value)}`);
  const texts = key.expand && typeof value === "string" ? expandPlaceholders(value, placeholders, keys) : [String(value)];
  let drafts: readonly Draft[] = texts.map((text) => ({ pattern: parsePattern(text), bytes: false, cased: key.cased }));
  for (const transform of key.transforms) drafts = drafts.flatMap((draft) => transformed(draft, transform, keys));
  return drafts.map(({ pattern, cased }) => ({
    kind: "text",
    pattern: positioned(cased ? pattern : mapLiterals(pattern, fold), key),
    cased,
  }));
}

/** Keywords are substrings; so is `contains`. */
function positioned(pattern: Pattern, key: FieldKey): Pattern {
  const open = key.field === "" || key.position === "contains";
  const head = open || key.position === "endswith" ? ANY : "";
  const tail = open || key.position === "startswith" ? ANY : "";
  return joinPattern([head, ...pattern, tail]);
}

function transformed(draft: Draft, transform: Transform, keys: KeyPath): readonly Draft[] {
  if (transform === "windash") return [{ ...draft, pattern: dashPattern(draft.pattern) }];
  const patterns = expandDashes(draft.pattern);
  if (patterns === undefined) reject(keys, "too many forms of dashes to encode; write fewer parameters in one value");
  return patterns.flatMap((pattern) => {
    if (transform === "base64" || transform === "base64offset") return encoded({ ...draft, pattern }, transform, keys);
    const wide = pattern.flatMap((item) => widened(item, transform === "utf16be"));
    return [{ ...draft, bytes: true, pattern: joinPattern(transform === "utf16" ? [UTF16_MARK, ...wide] : wide) }];
  });
}

/** A character of UTF-16 is two bytes, also the one that `?` stands for. */
function widened(item: string | number, big: boolean): Pattern {
  if (typeof item === "string") return [utf16Text(item, big)];
  return item === ONE ? [ONE, ONE] : [item];
}

function encoded(draft: Draft, transform: "base64" | "base64offset", keys: KeyPath): readonly Draft[] {
  const literal = literalOf(draft.pattern);
  if (literal === undefined) reject(keys, `${show(transform)} takes no wildcards; escape them with a backslash`);
  if (literal === "") reject(keys, `${show(transform)} of an empty text says nothing`);
  const bytes: Bytes = draft.bytes ? latin1Bytes(literal) : utf8Bytes(literal);
  const texts = transform === "base64" ? [base64(bytes)] : base64Offsets(bytes);
  if (texts.includes("")) reject(keys, "a value of one byte leaves no trace at some offsets of base64");
  return texts.map((text) => ({ pattern: [text], bytes: false, cased: true }));
}
