import { didYouMean } from "./did-you-mean.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import { TIME_PARTS, type TimePart } from "./time-part.ts";

/** Modifiers that rewrite a value, in the order written. */
const TRANSFORMS = ["windash", "wide", "utf16le", "utf16be", "utf16", "base64", "base64offset"] as const;
/** A modifier that rewrites a value. */
export type Transform = (typeof TRANSFORMS)[number];

/** Numeric comparisons. */
const COMPARISONS = ["lt", "lte", "gt", "gte"] as const;
/** A numeric comparison. */
export type Comparison = (typeof COMPARISONS)[number];

const POSITIONS = ["contains", "startswith", "endswith"] as const;
/** Where in the field the value stands; `whole` without a modifier. */
export type Position = "whole" | (typeof POSITIONS)[number];

const FLAGS = ["i", "m", "s"] as const;
const KINDS = ["re", "cidr", "exists", "fieldref"] as const;
const OTHERS = ["all", "cased", "neq", "expand"] as const;

/** Every modifier that is understood. */
export const MODIFIERS: readonly string[] = [...POSITIONS, ...FLAGS, ...KINDS, ...COMPARISONS, ...TIME_PARTS, ...TRANSFORMS, ...OTHERS];

/** A key of a detection map, `field|modifier|…`, understood. */
export interface FieldKey {
  /** Empty for keywords. */
  readonly field: string;
  readonly kind: "text" | "re" | "cidr" | "exists" | "fieldref" | "number";
  readonly position: Position;
  readonly comparison: Comparison | undefined;
  readonly timePart: TimePart | undefined;
  readonly transforms: readonly Transform[];
  readonly flags: { readonly i: boolean; readonly m: boolean; readonly s: boolean };
  readonly all: boolean;
  readonly cased: boolean;
  readonly neq: boolean;
  readonly expand: boolean;
}

/**
 * Reads `field|modifier|…`. @throws {Rejection} for an unknown modifier or a combination that means
 * nothing
 */
export function parseFieldKey(text: string, keys: KeyPath): FieldKey {
  const [field = "", ...modifiers] = text.split("|");
  const given = new Set<string>();
  for (const modifier of modifiers) {
    if (!MODIFIERS.includes(modifier)) reject(keys, `unknown modifier ${show(modifier)}${didYouMean(modifier, MODIFIERS)}`);
    if (given.has(modifier)) reject(keys, `the modifier ${show(modifier)} is given twice`);
    if ((FLAGS as readonly string[]).includes(modifier) && !given.has("re")) reject(keys, `the flag ${show(modifier)} only follows "re"`);
    given.add(modifier);
  }
  const main = [...KINDS, ...COMPARISONS].filter((name) => given.has(name));
  if (main.length > 1) reject(keys, `the modifiers ${main.map(show).join(" and ")} exclude each other`);
  const comparison = COMPARISONS.find((name) => given.has(name));
  const timePart = TIME_PARTS.find((name) => given.has(name));
  const kind = KINDS.find((name) => given.has(name)) ?? (comparison !== undefined || timePart !== undefined ? "number" : "text");
  refuse(keys, given, field, kind);
  return {
    field,
    kind,
    position: POSITIONS.find((name) => given.has(name)) ?? "whole",
    comparison,
    timePart,
    transforms: modifiers.filter((name): name is Transform => (TRANSFORMS as readonly string[]).includes(name)),
    flags: { i: given.has("i"), m: given.has("m"), s: given.has("s") },
    all: given.has("all"),
    cased: given.has("cased"),
    neq: given.has("neq"),
    expand: given.has("expand"),
  };
}

/** What each kind of comparison goes with, beside `all` and `neq`; text goes with all but time parts. */
const PARTNERS: Readonly<Record<FieldKey["kind"], readonly string[]>> = {
  text: [...POSITIONS, ...TRANSFORMS, "cased", "expand"],
  re: ["re", ...FLAGS, ...POSITIONS, "expand"],
  cidr: ["cidr", "expand"],
  exists: ["exists"],
  fieldref: ["fieldref", ...POSITIONS],
  number: [...COMPARISONS, ...TIME_PARTS],
};

/** Modifiers that make sense without a field: keywords look for substrings anywhere. */
const KEYWORD_KINDS: readonly FieldKey["kind"][] = ["text", "re"];

function refuse(keys: KeyPath, given: ReadonlySet<string>, field: string, kind: FieldKey["kind"]): void {
  const partners = [...PARTNERS[kind], ...(kind === "exists" ? [] : ["all", "neq"])];
  for (const name of given) {
    if (partners.includes(name)) continue;
    reject(keys, `the modifier ${show(name)} does not go with ${kind === "number" ? "numbers and times" : show(kind)}`);
  }
  const positions = POSITIONS.filter((name) => given.has(name));
  if (positions.length > 1) reject(keys, `the modifiers ${positions.map(show).join(" and ")} exclude each other`);
  if (TIME_PARTS.filter((name) => given.has(name)).length > 1) reject(keys, "only one part of a time can be compared");
  const utf16 = TRANSFORMS.filter((name) => name !== "windash" && !name.startsWith("base64") && given.has(name));
  if (utf16.length > 1) reject(keys, `the modifiers ${utf16.map(show).join(" and ")} exclude each other`);
  if (given.has("base64") && given.has("base64offset")) reject(keys, 'the modifiers "base64" and "base64offset" exclude each other');
  if (given.has("neq") && COMPARISONS.some((name) => given.has(name)))
    reject(keys, '"neq" does not go with lt, lte, gt, gte: use the opposite');
  if (field !== "") return;
  if (given.size === 0) reject(keys, "a key without a field");
  const needsField = !KEYWORD_KINDS.includes(kind) ? kind : ["neq", "startswith", "endswith"].find((name) => given.has(name));
  if (needsField !== undefined) reject(keys, `${show(needsField)} needs a field`);
}
