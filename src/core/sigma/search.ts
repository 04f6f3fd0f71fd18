import { DASHES, ONE, type Pattern } from "./pattern.ts";

/**
 * Native searches take text × pattern steps on repetitive texts. Up to this product that costs well under a
 * millisecond and is the fastest there is; beyond it an agent could stop the service with one log line.
 */
const PRODUCT_MAX = 1 << 20;
/** Native searches for texts up to this length are linear enough: a few milliseconds per million characters at worst. */
const SHORT_MAX = 64;

/** Where `literal` occurs first in `text`, from `start` on; -1 when it does not. Takes text + literal steps at worst. */
export function indexOf(text: string, literal: string, start: number): number {
  if ((text.length - start) * literal.length <= PRODUCT_MAX || literal.length <= SHORT_MAX) return text.indexOf(literal, start);
  return linearIndexOf(text, literal, start);
}

/** Knuth, Morris and Pratt: no character of the text is looked at again. */
function linearIndexOf(text: string, literal: string, start: number): number {
  if (text.length - start < literal.length) return -1;
  const borders = new Int32Array(literal.length);
  for (let index = 1, border = 0; index < literal.length; index++) {
    while (border > 0 && literal.charCodeAt(index) !== literal.charCodeAt(border)) border = borders[border - 1]!;
    if (literal.charCodeAt(index) === literal.charCodeAt(border)) border++;
    borders[index] = border;
  }
  for (let index = start, matched = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    while (matched > 0 && unit !== literal.charCodeAt(matched)) matched = borders[matched - 1]!;
    if (unit === literal.charCodeAt(matched)) matched++;
    if (matched === literal.length) return index - matched + 1;
  }
  return -1;
}

/** The end of the first occurrence of a stretch within [start, end] of a text; -1 without one. */
export type StretchSearch = (text: string, start: number, end: number) => number;

/** Whether a search of a stretch this long may be left to trying every place. */
export function fewSteps(text: number, stretch: number): boolean {
  return text * stretch <= PRODUCT_MAX;
}

/**
 * A search for a stretch with ONE and DASH that takes text × stretch / 32 steps: the places of the stretch that the
 * text may be at are the bits of a set, which each code point shifts by one. Undefined for texts that are not well
 * formed, whose code points are not those that a comparison of UTF-16 units sees.
 */
export function stretchSearch(stretch: Pattern): StretchSearch | undefined {
  const places: (string | number)[] = [];
  for (const item of stretch) {
    if (typeof item === "number") places.push(item);
    else if (item.isWellFormed()) places.push(...Array.from(item));
    else return undefined;
  }
  const words = (places.length + 31) >>> 5;
  const others = placesOf(places, words, (place) => place === ONE);
  const masks = new Map<number, Int32Array>();
  for (const text of new Set([...places.filter((place) => typeof place === "string"), ...DASHES]))
    masks.set(
      text.codePointAt(0)!,
      placesOf(places, words, (place) => place === ONE || place === text || (typeof place === "number" && DASHES.includes(text))),
    );
  const lastWord = words - 1;
  const lastBit = 1 << ((places.length - 1) & 31);
  return (text, start, end) => {
    const reached = new Int32Array(words);
    for (let at = start; at < end;) {
      const code = text.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      const mask = masks.get(code) ?? others;
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const before = reached[word]!;
        reached[word] = ((before << 1) | carry) & mask[word]!;
        carry = before >>> 31;
      }
      if ((reached[lastWord]! & lastBit) !== 0) return at <= end ? at : -1;
    }
    return -1;
  };
}

/** The places that a code point may stand at, as bits. */
function placesOf(places: Pattern, words: number, admits: (place: string | number) => boolean): Int32Array {
  const set = new Int32Array(words);
  for (const [index, place] of places.entries()) if (admits(place)) set[index >>> 5]! |= 1 << (index & 31);
  return set;
}
