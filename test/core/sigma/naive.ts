/**
 * What a detection section says about an event, read from the text of the semantics alone: nothing is compiled, every
 * pattern is tried in every way, and Node's own Buffer, RegExp and BlockList say what encodings, expressions and networks
 * are. Slow on purpose; shares nothing with the compiler.
 */
import { BlockList, isIP } from "node:net";

export type Scalar = string | number | boolean | null;
type Json = Readonly<Record<string, unknown>>;

/** A condition as a tree; `written` puts it into words. */
export type Said =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "of"; readonly every: boolean; readonly pattern: string }
  | { readonly kind: "not"; readonly of: Said }
  | { readonly kind: "and" | "or"; readonly of: readonly Said[] };

/** Search identifiers: a map, a list of maps and keywords, or one keyword. */
export type Sections = Readonly<Record<string, unknown>>;

/** The condition with parentheses only where `not` > `and` > `or` does not say the same. */
export function written(said: Said, around: "top" | "or" | "and" | "not" = "top"): string {
  switch (said.kind) {
    case "name":
      return said.name;
    case "of":
      return `${said.every ? "all" : "1"} of ${said.pattern}`;
    case "not":
      return `not ${written(said.of, "not")}`;
    case "and":
    case "or": {
      const text = said.of.map((part) => written(part, said.kind)).join(` ${said.kind} `);
      const bare = around === "top" || said.of.length === 1 || (around === "or" && said.kind === "and");
      return bare && !(said.of.length === 1 && around === "not") ? text : `(${text})`;
    }
  }
}

/** The identifiers that `of` means. */
export function meant(pattern: string, sections: Sections): string[] {
  const names = Object.keys(sections);
  if (pattern === "them") return names.filter((name) => !name.startsWith("_"));
  const tokens = Array.from(pattern).map((character): Token => (character === "*" ? "any" : { character }));
  return names.filter((name) => (!name.startsWith("_") || pattern.startsWith("_")) && wild(tokens, Array.from(name), (a, b) => a === b));
}

export function holds(said: Said, sections: Sections, event: Json): boolean {
  switch (said.kind) {
    case "name":
      return selected(sections[said.name], event);
    case "of": {
      const verdicts = meant(said.pattern, sections).map((name) => selected(sections[name], event));
      return said.every ? verdicts.every(Boolean) : verdicts.some(Boolean);
    }
    case "not":
      return !holds(said.of, sections, event);
    case "and":
      return said.of.every((part) => holds(part, sections, event));
    case "or":
      return said.of.some((part) => holds(part, sections, event));
  }
}

/** Lists of maps and keywords are OR, keys of a map are AND. */
function selected(section: unknown, event: Json): boolean {
  if (Array.isArray(section)) return section.some((item) => selected(item, event));
  if (typeof section !== "object" || section === null) return keyword([], section as Scalar, event);
  return Object.entries(section).every(([key, value]) => {
    const [field = "", ...modifiers] = key.split("|");
    const values = (Array.isArray(value) ? value : [value]) as Scalar[];
    const one = (item: Scalar): boolean => (field === "" ? keyword(modifiers, item, event) : met(field, modifiers, item, event));
    const matched = modifiers.includes("all") ? values.every(one) : values.some(one);
    if (!modifiers.includes("neq")) return matched;
    if (usable(event, field).length === 0) return false;
    if (!modifiers.includes("fieldref")) return !matched;
    // A comparison with a field that is missing is false, whatever it asks.
    const differs = (item: Scalar): boolean => usable(event, item as string).length > 0 && !one(item);
    return modifiers.includes("all") ? values.some(differs) : values.every(differs);
  });
}

/** Substrings of any string, however deep; keys and numbers are not searched. */
function keyword(modifiers: readonly string[], value: Scalar, event: Json): boolean {
  const strings = (item: unknown): string[] => {
    if (typeof item === "string") return [item];
    return typeof item === "object" && item !== null ? Object.values(item).flatMap(strings) : [];
  };
  return strings(event).some((text) => scalarMet(modifiers.includes("re") ? modifiers : [...modifiers, "contains"], value, text));
}

interface Found {
  readonly present: boolean;
  readonly value: unknown;
}
const NOTHING: Found = { present: false, value: undefined };

/** Exact key first, then dotted splits from the left; lists of maps fan out. */
function found(value: unknown, path: string): Found {
  if (Array.isArray(value)) {
    const all = value.map((item) => found(item, path)).filter(({ present }) => present);
    return all.length === 0 ? NOTHING : { present: true, value: all.map((one) => one.value) };
  }
  if (typeof value !== "object" || value === null) return NOTHING;
  if (Object.hasOwn(value, path)) return { present: true, value: (value as Json)[path] };
  const parts = path.split(".");
  for (let taken = 1; taken < parts.length; taken++) {
    const key = parts.slice(0, taken).join(".");
    const inner = Object.hasOwn(value, key) ? found((value as Json)[key], parts.slice(taken).join(".")) : NOTHING;
    if (inner.present) return inner;
  }
  return NOTHING;
}

/** Elements of a field, nested lists flattened; a missing field is one null. */
function elements(event: Json, field: string): unknown[] {
  const { present, value } = found(event, field);
  if (!present) return [null];
  return Array.isArray(value) ? (value.flat(100) as unknown[]) : [value];
}

/** Those with a value: no null, no map. */
function usable(event: Json, field: string): (string | number | boolean)[] {
  return elements(event, field).filter((item) => item !== null && typeof item !== "object") as (string | number | boolean)[];
}

function met(field: string, modifiers: readonly string[], value: Scalar, event: Json): boolean {
  if (modifiers.includes("exists")) return found(event, field).present === value;
  if (value === null) return elements(event, field).includes(null);
  if (modifiers.includes("fieldref")) {
    const tokens = (text: string): Token[] => Array.from(text).map((character) => ({ character }));
    return usable(event, field).some((own) =>
      usable(event, value as string).some((other) =>
        wild(positioned(modifiers, tokens(textOf(other))), Array.from(textOf(own)), sameLetter),
      ),
    );
  }
  return usable(event, field).some((item) => scalarMet(modifiers, value, item));
}

const textOf = (value: string | number | boolean): string => (typeof value === "string" ? value : JSON.stringify(value));

function scalarMet(modifiers: readonly string[], value: Scalar, item: string | number | boolean): boolean {
  if (value === null) return false;
  const comparison = ["lt", "lte", "gt", "gte"].find((name) => modifiers.includes(name));
  const part = ["minute", "hour", "day", "week", "month", "year"].find((name) => modifiers.includes(name));
  if (comparison !== undefined || part !== undefined) {
    const number = part === undefined ? numberOf(item) : partOf(part, item);
    return number !== undefined && compared(comparison ?? "eq", number, value as number);
  }
  if (modifiers.includes("re")) return expression(modifiers, value as string).test(textOf(item));
  if (modifiers.includes("cidr")) return typeof item === "string" && within(value as string, item);
  const same = modifiers.includes("cased") ? (a: string, b: string): boolean => a === b : sameLetter;
  return patterns(modifiers, value).some(({ tokens, cased }) =>
    wild(positioned(modifiers, tokens), Array.from(textOf(item)), cased ? (a, b) => a === b : same),
  );
}

function numberOf(item: string | number | boolean): number | undefined {
  if (typeof item === "boolean" || (typeof item === "string" && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(item))) return undefined;
  return Number.isFinite(Number(item)) ? Number(item) : undefined;
}

function compared(comparison: string, number: number, limit: number): boolean {
  if (comparison === "lt") return number < limit;
  if (comparison === "lte") return number <= limit;
  if (comparison === "gt") return number > limit;
  return comparison === "gte" ? number >= limit : number === limit;
}

const WEEK = 7 * 86_400_000;

/** RFC 3339 with an offset, or a number, in seconds when it is below 1e11. */
function momentOf(item: string | number | boolean): number {
  const number = numberOf(item);
  if (number !== undefined) return Math.floor(Math.abs(number) < 1e11 ? number * 1000 : number);
  return typeof item === "string" && /^\d{4}-.*T.*(Z|[+-]\d\d:\d\d)$/.test(item) ? Date.parse(item) : NaN;
}

function partOf(part: string, item: string | number | boolean): number | undefined {
  const time = momentOf(item);
  if (!(Math.abs(time) <= 8.64e15)) return undefined;
  const [year, month, day, hour, minute] = new Date(time).toISOString().split(/[-T:]/).map(Number);
  if (part !== "week") return { year, month, day, hour, minute }[part];
  // Week 1 is the one that holds the fourth of January; weeks begin on Mondays.
  const first = (of: number): number => {
    const fourth = Date.UTC(of, 0, 4);
    return fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * 86_400_000;
  };
  const own = [year! + 1, year!, year! - 1].find((of) => first(of) <= time)!;
  return Math.floor((time - first(own)) / WEEK) + 1;
}

function expression(modifiers: readonly string[], source: string): RegExp {
  const folded = source.startsWith("(?i)");
  const flags = ["i", "m", "s"].filter((flag) => modifiers.includes(flag) || (flag === "i" && folded)).join("");
  return new RegExp(folded ? source.slice(4) : source, `${flags}u`);
}

function within(network: string, address: string): boolean {
  const [base = "", bits] = network.split("/");
  const family = base.includes(":") ? "ipv6" : "ipv4";
  if (isIP(address) !== (family === "ipv6" ? 6 : 4)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  return list.check(address, family);
}

type Token = "any" | "one" | { readonly character: string };

/** Whole texts against tokens, code point by code point, in every way. */
function wild(tokens: readonly Token[], text: readonly string[], same: (a: string, b: string) => boolean): boolean {
  const [head, ...rest] = tokens;
  if (head === undefined) return text.length === 0;
  if (head === "any") return wild(rest, text, same) || (text.length > 0 && wild(tokens, text.slice(1), same));
  if (text.length === 0) return false;
  return (head === "one" || same(head.character, text[0]!)) && wild(rest, text.slice(1), same);
}

/** ECMAScript's flags iu compare by simple case folding. */
function sameLetter(a: string, b: string): boolean {
  return a === b || new RegExp(`^\\u{${a.codePointAt(0)!.toString(16)}}$`, "iu").test(b);
}

function positioned(modifiers: readonly string[], tokens: readonly Token[]): Token[] {
  const open = (name: string): Token[] => (modifiers.includes("contains") || modifiers.includes(name) ? ["any"] : []);
  return [...open("endswith"), ...tokens, ...open("startswith")];
}

const DASH_FORMS = ["-", "/", "\u2013", "\u2014", "\u2015"];

/** The patterns that a value stands for, after its modifiers from left to right. */
function patterns(modifiers: readonly string[], value: string | number | boolean): { tokens: Token[]; cased: boolean }[] {
  let all: { tokens: Token[]; cased: boolean }[] = [{ tokens: tokensOf(textOf(value)), cased: false }];
  let bytes: BufferEncoding = "utf8";
  for (const modifier of modifiers) {
    const plain = (tokens: readonly Token[]): string => tokens.map((token) => (token as { character: string }).character).join("");
    if (modifier === "windash") all = all.flatMap(({ tokens, cased }) => dashed(tokens, 0).map((one) => ({ tokens: one, cased })));
    else if (modifier === "wide" || modifier === "utf16le") {
      all = all.map(({ tokens, cased }) => ({ tokens: letters(Buffer.from(plain(tokens), "utf16le").toString("latin1")), cased }));
      bytes = "latin1";
    } else if (modifier === "base64")
      all = all.map(({ tokens }) => ({ tokens: letters(Buffer.from(plain(tokens), bytes).toString("base64")), cased: true }));
    else if (modifier === "base64offset")
      all = all.flatMap(({ tokens }) =>
        [0, 1, 2].map((shift) => {
          const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(plain(tokens), bytes)]);
          // Only whole characters of Base64 that no neighbouring byte has a bit of.
          const from = Math.ceil((shift * 8) / 6);
          return { tokens: letters(text.toString("base64").slice(from, Math.floor((text.length * 8) / 6))), cased: true };
        }),
      );
  }
  return all;
}

const letters = (text: string): Token[] => Array.from(text).map((character) => ({ character }));

/** A backslash takes the meaning from a wildcard or a backslash that follows, and is itself before anything else. */
function tokensOf(text: string): Token[] {
  if (text === "") return [];
  const escaped = /^\\([*?\\])/su.exec(text);
  if (escaped !== null) return [{ character: escaped[1]! }, ...tokensOf(text.slice(2))];
  const [character = ""] = text;
  const token: Token = character === "*" ? "any" : character === "?" ? "one" : { character };
  return [token, ...tokensOf(text.slice(character.length))];
}

/** Every choice of forms for the dashes that start a parameter, from `at` on. */
function dashed(tokens: readonly Token[], at: number): Token[][] {
  if (at >= tokens.length) return [[...tokens]];
  const text = (token: Token | undefined): string => (typeof token === "object" ? token.character : "");
  const before = tokens[at - 1];
  const starts =
    DASH_FORMS.includes(text(tokens[at])) &&
    (before === undefined || typeof before === "string" || /[\s"'`]/u.test(text(before))) &&
    /[\p{L}\p{N}_]/u.test(text(tokens[at + 1]));
  const forms = starts ? DASH_FORMS : [undefined];
  return forms.flatMap((form) => dashed(form === undefined ? tokens : tokens.with(at, { character: form }), at + 1));
}
