import { RE2JS } from "re2js";
import { fold } from "../../core/sigma/fold.ts";
import type { RegexEngine } from "../../core/sigma/reader.ts";
import { indexOf } from "../../core/sigma/search.ts";

/**
 * Simple alternations up to this many literals are searched one by one;
 * beyond, an automaton is faster.
 */
const LITERALS_MAX = 8;
/**
 * Patterns that compile to more steps are refused: at worst a character of a text costs as many steps as the pattern
 * has, and counted repetition makes millions of a short one. Five times the largest count that RE2 takes.
 */
const STEPS_MAX = 5000;

/**
 * RE2 regular expressions: linear time in the text for every pattern; back-references and look-around are refused.
 * Plain literals, anchored or alternated, go to native string searches, which mean the same and are faster.
 */
export const regexEngine: RegexEngine = {
  compile: (pattern, flags) => {
    // Always compiled, so that what is refused does not depend on the shortcut.
    const compiled = RE2JS.compile(
      pattern,
      (flags.i ? RE2JS.CASE_INSENSITIVE : 0) | (flags.m ? RE2JS.MULTILINE : 0) | (flags.s ? RE2JS.DOTALL : 0),
    );
    const steps = compiled.programSize();
    if (steps > STEPS_MAX)
      throw new Error(`it compiles to ${steps} steps, more than ${STEPS_MAX}; use smaller counts or fewer alternatives`);
    return literalSearch(pattern, flags) ?? ((text) => compiled.test(text));
  },
};

/** A native search that is equivalent to the pattern; undefined when it is more than literals. */
function literalSearch(pattern: string, flags: { readonly i: boolean; readonly m: boolean }): ((text: string) => boolean) | undefined {
  const caseless = flags.i || pattern.startsWith("(?i)");
  let body = pattern.startsWith("(?i)") ? pattern.slice(4) : pattern;
  const atStart = body.startsWith("^");
  if (atStart) body = body.slice(1);
  const atEnd = body.endsWith("$") && !body.endsWith("\\$");
  if (atEnd) body = body.slice(0, -1);
  // With the flag m the anchors are those of lines.
  if ((atStart || atEnd) && flags.m) return undefined;
  const grouped = /^\((?:\?:)?([^()?]*)\)$/.exec(body);
  // Anchors bind to the outer branches of a bare alternation only, so that one stays with the engine.
  if (grouped === null && (atStart || atEnd) && body.includes("|")) return undefined;
  const literals = (grouped?.[1] ?? body).split("|").map(literalText);
  if (literals.length > LITERALS_MAX || literals.includes(undefined)) return undefined;
  const texts = literals.filter((literal) => literal !== undefined);
  // Folding is proven to agree with RE2's only for ASCII letters and what folds to them.
  if (caseless && texts.some((literal) => /[^\0-\x7f]/.test(literal))) return undefined;
  return searchFor(caseless ? texts.map(fold) : texts, caseless, atStart, atEnd);
}

/**
 * The text of a branch without meta-characters, escaped punctuation taken literally;
 * undefined otherwise.
 */
function literalText(branch: string): string | undefined {
  // An escaped bar would have been cut in two by the split: a final backslash gives it away.
  if (!/^(?:[^\\^$.|?*+()[\]{}\ud800-\udfff]|\\[.\-/$^?*+()[\]{}\\ ])*$/.test(branch)) return undefined;
  return branch.replace(/\\(.)/g, "$1");
}

function searchFor(texts: readonly string[], caseless: boolean, atStart: boolean, atEnd: boolean): (text: string) => boolean {
  const holds = (text: string, literal: string): boolean => {
    if (atStart) return atEnd ? text === literal : text.startsWith(literal);
    return atEnd ? text.endsWith(literal) : indexOf(text, literal, 0) !== -1;
  };
  return (text) => {
    const searched = caseless ? fold(text) : text;
    for (const literal of texts) if (holds(searched, literal)) return true;
    return false;
  };
}
