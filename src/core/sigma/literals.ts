import type { Choice } from "./choices.ts";
import { fold } from "./fold.ts";
import type { Pattern } from "./pattern.ts";

/** Shorter runs are in nearly every text, so that knowing them spares nothing. */
const LENGTH_MIN = 2;

/**
 * Folded texts of which every value that satisfies one of the choices contains one, once folded itself; undefined
 * when there is no such set. Empty never.
 */
export function requiredLiterals(choices: readonly Choice[]): readonly string[] | undefined {
  const literals = new Set<string>();
  for (const choice of choices) {
    const literal = literalIn(choice);
    if (literal === undefined) return undefined;
    literals.add(literal);
  }
  return literals.size === 0 ? undefined : [...literals];
}

function literalIn(choice: Choice): string | undefined {
  if (choice.kind === "text") return usable(longest(choice.pattern));
  return choice.kind === "regex" ? usable(longest(plainRuns(choice.source))) : undefined;
}

/** Folding keeps code points apart, not halves of a pair. */
function usable(text: string): string | undefined {
  const folded = fold(text);
  return folded.length < LENGTH_MIN || /[\ud800-\udfff]/.test(folded) ? undefined : folded;
}

function longest(items: Pattern): string {
  let found = "";
  for (const item of items) if (typeof item === "string" && item.length > found.length) found = item;
  return found;
}

/** Characters that always stand for themselves in an RE2 pattern. */
const PLAIN = /^[A-Za-z0-9 _@:;,<>="'`~!#%&/-]$/;
/** Escapes that stand for the character itself. */
const ESCAPED = /^[.\-/$^?*+()[\]{}|\\]$/;

/**
 * Runs of characters that every text matching the pattern contains: only what stands outside of all groups, classes
 * and alternations is looked at. Whatever is not understood ends a run, which is always safe.
 */
function plainRuns(source: string): readonly string[] {
  const runs: string[] = [];
  let run = "";
  const end = (): void => {
    if (run !== "") runs.push(run);
    run = "";
  };
  for (let at = source.startsWith("(?i)") ? 4 : 0; at < source.length; at++) {
    const character = source[at]!;
    if (character === "|") return [];
    if (character === "(" || character === "[") {
      const close = closing(source, at);
      if (close === undefined) return [];
      end();
      at = close;
    } else if (character === "\\") {
      const next = source[++at] ?? "";
      if (ESCAPED.test(next)) run += next;
      // Longer escapes, such as \x41, \p{L}, \Q or \1, would need a reading of their own.
      else if (/^[bBdDsSwWAz]$/.test(next)) end();
      else return [];
    } else if (character === "*" || character === "?" || character === "{") {
      // What comes before may be missing, so it is no part of the run.
      run = run.slice(0, -1);
      end();
      if (character === "{") at = source.indexOf("}", at);
      if (at === -1) return [];
    } else if (PLAIN.test(character)) run += character;
    else end();
  }
  end();
  return runs;
}

/** Position of the bracket that closes the group or class at `open`; undefined when that needs a closer reading. */
function closing(source: string, open: number): number | undefined {
  if (source[open] === "[") {
    // A bracket right at the start stands for itself; classes with inner brackets are left alone.
    const body = /^\[\^?[^[\]\\]+\]/.exec(source.slice(open, open + 256));
    return body === null ? undefined : open + body[0].length - 1;
  }
  // Flags within a pattern could change what follows.
  if (source[open + 1] === "?" && source[open + 2] !== ":") return undefined;
  for (let at = open + 1, depth = 1; at < source.length; at++) {
    const character = source[at];
    if (character === "\\") {
      if (!/^[A-Za-z.\-/$^?*+()[\]{}|\\]$/.test(source[at + 1] ?? "") || source[at + 1] === "Q") return undefined;
      at++;
    } else if (character === "[") {
      const close = closing(source, at);
      if (close === undefined) return undefined;
      at = close;
    } else if (character === "(") {
      if (source[at + 1] === "?" && source[at + 2] !== ":") return undefined;
      depth++;
    } else if (character === ")" && --depth === 0) return at;
  }
  return undefined;
}
