/** Any run of characters, also none: `*`. */
export const ANY = 0;
/** Exactly one code point: `?`. */
export const ONE = 1;
/** One of the characters that start a Windows parameter (`windash`). */
export const DASH = 2;

/**
 * A text with wildcards: literal runs and ANY, ONE, DASH.
 * Neighbouring literals are joined; `[]` is the empty text.
 */
export type Pattern = readonly (string | number)[];

/**
 * The forms in which Windows programs take a parameter's dash:
 * hyphen, slash, en dash, em dash, horizontal bar.
 */
export const DASHES: readonly string[] = ["-", "/", "\u2013", "\u2014", "\u2015"];

/** Joins literals and collapses runs of ANY. */
export function joinPattern(items: Iterable<string | number>): Pattern {
  const result: (string | number)[] = [];
  for (const item of items) {
    const last = result.at(-1);
    if (item === "" || (item === ANY && last === ANY)) continue;
    if (typeof item === "string" && typeof last === "string") result[result.length - 1] = last + item;
    else result.push(item);
  }
  return result;
}

/**
 * Reads a Sigma string: `*` and `?` are wildcards, a backslash takes the meaning from `*`, `?` and another backslash,
 * and stands for itself before anything else.
 */
export function parsePattern(text: string): Pattern {
  const items: (string | number)[] = [];
  let start = 0;
  let literal = "";
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (character === "\\") {
      const next = text[index + 1];
      if (next !== "*" && next !== "?" && next !== "\\") continue;
      literal += text.slice(start, index) + next;
      index++;
    } else if (character === "*" || character === "?") {
      items.push(literal + text.slice(start, index), character === "*" ? ANY : ONE);
      literal = "";
    } else continue;
    start = index + 1;
  }
  items.push(literal + text.slice(start));
  return joinPattern(items);
}

/** The plain text of a pattern without wildcards; undefined when it has one. */
export function literalOf(pattern: Pattern): string | undefined {
  if (pattern.length === 0) return "";
  const only = pattern[0]!;
  return pattern.length === 1 && typeof only === "string" ? only : undefined;
}

/** The pattern with every literal changed by `change`, which must keep code points apart. */
export function mapLiterals(pattern: Pattern, change: (literal: string) => string): Pattern {
  return pattern.map((item) => (typeof item === "string" ? change(item) : item));
}

/**
 * Makes a DASH of every dash or slash that starts a parameter: at the start of the value, after a wildcard, white
 * space or a quote, and before a letter, digit or underscore.
 */
export function dashPattern(pattern: Pattern): Pattern {
  const items: (string | number)[] = [];
  pattern.forEach((item) => {
    if (typeof item !== "string") {
      items.push(item);
      return;
    }
    let start = 0;
    for (let index = 0; index + 1 < item.length; index++) {
      if (!DASHES.includes(item[index]!) || !/[\p{L}\p{N}_]/u.test(item[index + 1]!)) continue;
      if (index > 0 && !/[\s"'`]/u.test(item[index - 1]!)) continue;
      items.push(item.slice(start, index), DASH);
      start = index + 1;
    }
    items.push(item.slice(start));
  });
  return joinPattern(items);
}

/** More alternatives than this per value are refused: five dashes of five forms each. */
const ALTERNATIVES_MAX = 3125;

/**
 * The patterns that a pattern with DASH stands for;
 * undefined when there are more than ALTERNATIVES_MAX.
 */
export function expandDashes(pattern: Pattern): readonly Pattern[] | undefined {
  let results: (string | number)[][] = [[]];
  for (const item of pattern) {
    const forms = item === DASH ? DASHES : [item];
    if (results.length * forms.length > ALTERNATIVES_MAX) return undefined;
    results = results.flatMap((head) => forms.map((form) => [...head, form]));
  }
  return results.map(joinPattern);
}
