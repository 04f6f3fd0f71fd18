/**
 * Simple Unicode case folding: one code point to one code point, independent of language and position, so
 * that `?` keeps its meaning and a final sigma equals any other. `toLowerCase` alone is neither.
 */

/** Folded text; equal results mean equal texts but for case. */
export function fold(text: string): string {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 127) return foldWide(text);
  }
  return text.toLowerCase();
}

/** The last text that was folded and its result: several tests of one field fold its value once. */
export interface FoldMemo {
  raw: string;
  folded: string;
}

/** A memo that holds nothing yet. */
export function foldMemo(): FoldMemo {
  return { raw: "", folded: "" };
}

/** As `fold`, remembering the last result. */
export function foldWith(memo: FoldMemo, text: string): string {
  if (memo.raw === text) return memo.folded;
  const folded = fold(text);
  memo.raw = text;
  memo.folded = folded;
  return folded;
}

let table: Uint16Array | undefined;

function foldWide(text: string): string {
  table ??= foldTable();
  let result = "";
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff && index + 1 < text.length) {
      result += foldOne(text.slice(index, index + 2));
      index++;
    } else result += String.fromCharCode(table[unit]!);
  }
  return result;
}

/** Folding of the basic plane, made at the first text that is not ASCII (128 KiB). */
function foldTable(): Uint16Array {
  const result = new Uint16Array(0x10000);
  for (let unit = 0; unit < 0x10000; unit++) {
    const character = String.fromCharCode(unit);
    result[unit] = unit >= 0xd800 && unit <= 0xdfff ? unit : foldOne(character).charCodeAt(0);
  }
  return result;
}

/**
 * Letters whose full upper-case form is several characters but which have a simple fold
 * (CaseFolding.txt, status S).
 */
const SPECIAL: ReadonlyMap<string, string> = new Map([
  ["\u1fd3", "\u0390"],
  ["\u1fe3", "\u03b0"],
  ["\ufb05", "\ufb06"],
]);

/** The dotless i is a letter of its own: only Turkic folding joins it with i. */
const DOTLESS_I = "\u0131";

function foldOne(character: string): string {
  const special = SPECIAL.get(character);
  if (special !== undefined) return special;
  if (character === DOTLESS_I) return character;
  const upper = character.toUpperCase();
  const lower = (upper.length === character.length ? upper : character).toLowerCase();
  return lower.length === character.length ? lower : character;
}
